"""Reads the mails of the tests, with an XDM of one letter in them."""

from __future__ import annotations

from pathlib import Path

from engine.facts import Mailed
from engine.parsers import mail
from engine.parsers.parsed import Parsed
from tests.parsers import xdm_archives as xdm
from tests.parsers.mails import CONTEXT, PDF, attached, text
from tests.parsers.mails import mail as write

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
NAMES = sorted(path.name for path in (FIXTURES / "mail").glob("*.eml"))
INS = "290067599900261"
PATIENT = f"{INS}^^^&1.2.250.1.213.1.4.8&ISO^NH"
DOCUMENT = "1.2.250.1.999.42.10.1002"


def archive(
    content: bytes = xdm.NATIONAL, *more: str, patient: str = PATIENT, unique_id: str = DOCUMENT, **entry: str
) -> bytes:
    """An XDM of one letter, with other objects in its metadata."""
    objects = (
        xdm.entry(content, unique_id=unique_id, patient=patient, **entry),
        xdm.submission_set(patient=patient),
        xdm.member(),
    )
    return xdm.archive(xdm.files(*objects, *more, DOC00001_XML=content))


GOOD = archive()


def parse(raw: bytes) -> Parsed:
    """Parse with the domains of the establishment."""
    return mail.parse(raw, CONTEXT)


def sent(raw: bytes) -> list[Mailed]:
    """The sendings of a mail."""
    return [fact for fact in parse(raw).facts if isinstance(fact, Mailed)]


def flagged(raw: bytes) -> list[str]:
    """The codes of the flags."""
    return [flag.code for flag in parse(raw).flags]


def letter(content: bytes = GOOD, **fields: str | None) -> bytes:
    """A mail with an XDM, and a PDF beside it."""
    return write(text(), attached(content), attached(PDF, "application/pdf", "EXEMPLE_CAMILLE.pdf"), **fields)
