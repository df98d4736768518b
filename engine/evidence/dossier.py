"""The folder that is handed to the programme: the evidence file, the raw mails, and their checksums."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from engine.errors import ConfigError
from engine.evidence.proof import Proof
from engine.evidence.proof_pdf import write_proof
from engine.evidence.record import REPLY, REPORT, SENT
from engine.evidence.register import Register

NAMES: Final = {SENT: "message-envoye.eml", REPLY: "reponse-recue.eml", REPORT: "avis-echec.eml"}
SUMS: Final = "SHA256SUMS"


def pdf_name(proof: Proof) -> str:
    """Name of the evidence file."""
    return f"preuve-PS4.1-{proof.record.trial.finess}.pdf"


def write_dossier(proof: Proof, register: Register, folder: Path) -> list[Path]:
    """Write everything into the folder, over what an earlier time wrote there. Raises :class:`ConfigError` when it cannot be written."""
    record = proof.record
    kept = [SENT, *([REPLY] if record.reply is not None else []), *([REPORT] if record.report is not None else [])]
    mails = {NAMES[name]: register.file(record, name) for name in kept}
    pdf = write_proof(proof, [(name, len(content), _digest(content)) for name, content in mails.items()])
    files = {pdf_name(proof): pdf, **mails}
    files[SUMS] = "".join(f"{_digest(content)}  {name}\n" for name, content in files.items()).encode()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            beside = folder / f".{name}.new"
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            beside.replace(folder / name)
    except OSError as error:
        reason = (error.strerror or "unknown").lower()
        raise ConfigError(str(folder), 0, f"cannot be written: {reason}", "give a folder that you may write") from None
    return [folder / name for name in files]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
