"""The test message: an ordinary MSSanté mail with IHE_XDM.ZIP and the PDF of its document, built to the last octet before it is sent.

Sources: RFC 5322 and 2045 (mail), IHE ITI TF-2 3.32 (subject and ZIP over mail), MSSanté client reference #2 (``X-MSS-...``, a PDF beside the
archive). What is built is what is sent, kept and proven: nothing is changed afterwards.
"""

from __future__ import annotations

import hashlib
import unicodedata
import zipfile
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from io import BytesIO
from typing import Final

from engine.errors import ParseError
from engine.evidence.cda_writer import write_cda
from engine.evidence.document_pdf import write_document
from engine.evidence.record import Built, Part
from engine.evidence.settings import Ps41, Sender
from engine.evidence.trial import Trial, subject
from engine.evidence.xdm_writer import write_xdm
from engine.parsers import xdm

ZIP_NAME: Final = "IHE_XDM.zip"

#: 7 bits everywhere, lines of 76: nothing on the way has a reason to change an octet.
_POLICY: Final = SMTP.clone(cte_type="7bit", max_line_length=76)


class NotSoundError(Exception):
    """Our own reader finds something wrong in the archive: a name or a setting that no XDM may hold."""

    def __init__(self, codes: tuple[str, ...]) -> None:
        super().__init__(", ".join(codes))
        self.codes = codes


def build(trial: Trial, sender: Sender, settings: Ps41) -> Built:
    """The message of a test. Raises :class:`NotSoundError` when the archive would not pass our own reader."""
    pdf = write_document(trial, sender, settings)
    cda = write_cda(trial, sender, settings, pdf)
    archive = write_xdm(trial, sender, settings, cda, pdf)
    try:
        found = xdm.read(archive, establishments=(trial.finess,))
    except ParseError as error:
        raise NotSoundError((f"{error.code} at {error.where}",)) from None
    wrong = tuple(f"{one.code} at {one.where}" for one in found.problems if one.severity != "info")
    if wrong or len(found.documents) != 1 or found.documents[0].cda is None:
        raise NotSoundError(wrong or ("xdm-no-document",))
    mail = _mail(trial, sender, settings, archive, pdf)
    raw = mail.as_bytes()
    return Built(
        raw=raw,
        headers=tuple((name, str(value)) for name, value in mail.items() if name.lower() not in _MIME),
        body=_text(settings, trial),
        parts=(
            _part(ZIP_NAME, archive, "application/zip"),
            *entries(archive),
            _part(pdf_name(trial, settings), pdf, "application/pdf"),
        ),
        checks=tuple(f"{one.code} at {one.where}" for one in found.problems),
    )


def entries(archive: bytes) -> tuple[Part, ...]:
    """Every file of an archive that was read without fault."""
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        return tuple(_part(info.filename, opened.read(info), "", inside=True) for info in opened.infolist())


def pdf_name(trial: Trial, settings: Ps41) -> str:
    """``AAAAMMJJ_type_NOM_prenom.pdf``, in ASCII: what MSSanté asks of the PDF beside the archive."""
    patient = settings.patient
    words = (settings.message.label[:40], patient.family, patient.given)
    return "_".join((trial.local.strftime("%Y%m%d"), *map(_bare, words))) + ".pdf"


_MIME: Final = frozenset({"mime-version", "content-type", "content-transfer-encoding"})


def _mail(trial: Trial, sender: Sender, settings: Ps41, archive: bytes, pdf: bytes) -> EmailMessage:
    wanted = settings.message
    own = Address(sender.sender_name or trial.name, addr_spec=sender.sender)
    mail = EmailMessage(_POLICY)
    mail["Date"] = format_datetime(trial.local)
    mail["From"] = own
    mail["To"] = settings.address
    mail["Subject"] = subject(trial, settings)
    mail["Message-ID"] = trial.message_id
    if wanted.receipt:
        mail["Disposition-Notification-To"] = sender.sender
    mail["X-MSS-CODECDA"] = wanted.type_code
    mail["X-MSS-INS"] = wanted.ins
    if wanted.nil:
        mail["X-MSS-NIL"] = wanted.nil
    for name, value in wanted.headers.items():
        mail[name] = value
    mail.set_content(_text(settings, trial), charset="utf-8", cte="quoted-printable")
    for name, content, subtype in ((ZIP_NAME, archive, "zip"), (pdf_name(trial, settings), pdf, "pdf")):
        mail.add_attachment(content, "application", subtype, filename=name, params={"name": name})
    for part in mail.iter_parts():
        del part["MIME-Version"]
    mail.set_boundary(f"=_{trial.submission.removeprefix('2.25.')}")
    return mail


def _text(settings: Ps41, trial: Trial) -> str:
    return "\n\n".join((*settings.message.body, f"{trial.name} (FINESS {trial.finess})")) + "\n"


def _bare(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return "".join(c if c.isalnum() or c == "-" else "-" if c in " ." else "" for c in plain) or "X"


def _part(name: str, content: bytes, media_type: str, *, inside: bool = False) -> Part:
    return Part(name, len(content), hashlib.sha256(content).hexdigest(), media_type, inside)
