"""The second opinion on XDM archives is not blind: it sees each fault that the text forbids, and imports nothing of the engine."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.parsers import ihe_xdm_checker
from tests.parsers import xdm_archives as build
from tests.parsers.xdm_archives import CDA, PDF, archive, entry, files, member, submission_set

META = "IHE_XDM/SUBSET01/METADATA.XML"


def test_it_imports_nothing_of_ours() -> None:
    """Libraries alone: what it says is its own."""
    tree = ast.parse(Path(ihe_xdm_checker.__file__).read_text(encoding="utf-8"))
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [name for name in names if name.startswith(("engine", "tests"))]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"lcm:SubmitObjectsRequest", b"lcm:RemoveObjectsRequest", "not a SubmitObjectsRequest"),
        (build.SET_NODE.encode(), b"urn:uuid:0", "not exactly one submission set"),
        (b"20260310152000", b"2026-03-10", "submissionTime"),
        (b'value="1.2.250.1.999.42"', b'value="hospital"', "sourceId"),
        (b"Original", b"Reference", "original member"),
        (b"HasMember", b"RPLC", "original member"),
        (b'nodeRepresentation="11490-0"', b'nodeRepresentation=""', "typeCode lacks its code"),
        ("libellé".encode(), b"", "lacks its display name"),
        (b'classifiedObject="Document01"', b'classifiedObject="D"', "not its parent's"),
        (b'registryObject="Document01"', b'registryObject="D"', "not its parent's"),
        (b'LocalizedString value="XDSDocumentEntry.uniqueId"', b'LocalizedString value="id"', "not named"),
        (b"PID-5|", b"EXEMPLE|", "sourcePatientInfo"),
        (b'<Slot name="URI">', b'<Slot name="uri">', "no URI"),
        (b'id="SubmissionSet01-Document01"', b'id="Document01"', "used twice"),
        (b'mimeType="text/xml"', b'mimeType=""', "no mimeType"),
        (b"&amp;1.2.250.1.213.1.4.10&amp;ISO", b"", "is not a CX"),
        (b"?>", b"?><!DOCTYPE a>", "DOCTYPE"),
        (b"</ExtrinsicObject>", b"", "not well-formed"),
    ],
)
def test_faults_of_the_metadata(old: bytes, new: bytes, expected: str) -> None:
    """One change, and the rule that it breaks is named."""
    held = files(DOC00001_PDF=PDF)
    assert old in held[META]
    held[META] = held[META].replace(old, new)
    assert [rule for rule in ihe_xdm_checker.check(archive(held)) if expected in rule]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"INDEX.HTM": b"<html>"}, "not well-formed XHTML"),
        ({"INDEX.HTM": b"<html/>"}, "not XHTML"),
        ({"INDEX.HTM": None}, "INDEX.HTM is missing"),
        ({"README.TXT": b""}, "README.TXT"),
        ({"AUTORUN.INF": b"x"}, "autorun"),
        ({"IHE_XDM/A.TXT": b"x"}, "stands in IHE_XDM itself"),
        ({"IHE_XDM/SUBSET02/A.TXT": b"x"}, "no METADATA.XML"),
        ({"IHE_XDM/SUBSET01/long name.xml": b"x"}, "ISO 9660"),
        ({"IHE_XDM/SUBSET01/DOC00001.XML": None}, "leads to no file"),
        ({"IHE_XDM/SUBSET01/DOC00001.XML": CDA + b"\n"}, "the hash"),
        ({"IHE_XDM/SUBSET01/DOC00001.XML": CDA + b"\n"}, "the size"),
    ],
)
def test_faults_of_the_files(change: dict[str, bytes | None], expected: str) -> None:
    """So for what is in the archive, and where."""
    held = {name: content for name, content in (files() | change).items() if content is not None}
    assert [rule for rule in ihe_xdm_checker.check(archive(held)) if expected in rule]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unique_id": "1.2.3.4"}, "not the id of its CDA"),
        ({"type_system": "1.2.3"}, "not the code of its CDA"),
        ({"patient": build.PATIENT.replace("61^", "62^")}, "no number of the patient"),
        ({"format_code": "urn:ihe:iti:xds-sd:text:2008"}, "scanned document"),
        ({"object_type": "urn:uuid:0"}, "stable document"),
    ],
)
def test_faults_beside_the_cda(changes: dict[str, str], expected: str) -> None:
    """So for what an entry says of its document."""
    held = files(entry(**changes), submission_set(), member())  # type: ignore[arg-type]
    assert [rule for rule in ihe_xdm_checker.check(archive(held)) if expected in rule]


def test_what_is_no_archive() -> None:
    """Damage is a broken rule, never an exception."""
    assert ihe_xdm_checker.check(b"x") == ["the ZIP cannot be read: BadZipFile"]
    assert ihe_xdm_checker.check(build.forged(build.Raw(b"A.TXT", b"abc", crc=1)))
