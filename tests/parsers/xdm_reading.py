"""Reads the XDM archives of the tests, and tells what was said of them."""

from __future__ import annotations

import pytest

from engine.codes import codes
from engine.errors import ParseError
from engine.parsers import xdm
from tests.parsers import xdm_archives as build
from tests.parsers.xdm_archives import PDF, archive, entry, files, member, submission_set

ENTRY = "zip[3]/ExtrinsicObject[1]"
SIGNATURE = build.association(build.IHE + "signs", "Signature01", "SubmissionSet01")


def read(*objects: str, **others: bytes | None) -> xdm.Archive:
    """The archive of these metadata, with a PDF copy unless it is said otherwise."""
    return xdm.read(archive(files(*objects, **({"DOC00001_PDF": PDF} | others))))


def letter(**changes: str | bytes) -> xdm.Archive:
    """The archive of one letter whose entry is changed."""
    return read(entry(**changes), submission_set(), member())  # type: ignore[arg-type]


def told(found: xdm.Archive, severity: str = "") -> list[tuple[str, str]]:
    """Codes and places of the problems, the PDF copy apart."""
    return [
        (problem.code, problem.where)
        for problem in found.problems
        if problem.code != "xdm-pdf-copy" and severity in {"", problem.severity}
    ]


def refusal(data: bytes) -> tuple[str, str]:
    """Code and place with which an archive is refused."""
    with pytest.raises(ParseError) as caught:
        xdm.read(data)
    assert caught.value.code in codes()
    return caught.value.code, caught.value.where
