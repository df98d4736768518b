"""The CDA fixtures, and what the tests of their readers ask of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import ParseError
from engine.parsers import cda

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures" / "cda"
FILES = sorted(FIXTURES.glob("*.xml"))
N1 = (FIXTURES / "ldl_ses_n1.xml").read_bytes()
N3 = (FIXTURES / "ldl_ses_n3.xml").read_bytes()
BODY = re.compile(rb"<component>.*</component>", re.DOTALL)
WHERE = re.compile(r"/\*|byte \d+|(/[A-Za-z*]+)+(/@[A-Za-z]+)?")
PATIENT = "/ClinicalDocument/recordTarget/patientRole"


def codes(document: cda.Cda) -> list[str]:
    """The codes of the flags of a document, in order."""
    return [flag.code for flag in document.flags]


def changed(old: str, new: str, data: bytes = N1) -> cda.Cda:
    """A fixture read after one change."""
    assert old.encode() in data
    return cda.read(data.replace(old.encode(), new.encode(), 1))


def refusal(data: bytes, limits: cda.Limits = cda.DEFAULT) -> str:
    """The code with which a document is refused."""
    with pytest.raises(ParseError) as caught:
        cda.read(data, limits)
    assert caught.value.code in cda.CODES
    assert WHERE.fullmatch(caught.value.where)
    return caught.value.code
