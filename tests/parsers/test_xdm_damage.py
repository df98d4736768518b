"""XDM archives: damaged anywhere, under any names, they give an archive or one coded error; and an independent checker agrees."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from engine.codes import codes
from engine.errors import ParseError
from engine.parsers import xdm
from tests.parsers import ihe_xdm_checker
from tests.parsers import xdm_archives as build
from tests.parsers.xdm_archives import PDF, archive, entry, files, member, submission_set
from tests.parsers.xdm_reading import told


def test_the_independent_checker_agrees() -> None:
    """A good archive is good for the checker written from the IHE text too, and what it finds wrong is wrong here."""
    assert ihe_xdm_checker.check(build.valid()) == []
    for changes in (
        {"digest": "0" * 40},
        {"size": "1"},
        {"uri": "NOWHERE.XML"},
        {"unique_id": "1.2.3.4"},
        {"type_code": "11502-2"},
        {"patient": build.PATIENT.replace("61^", "62^")},
        {"object_type": "urn:uuid:0"},
        {"format_code": "urn:ihe:iti:xds-sd:text:2008"},
    ):
        data = archive(files(entry(**changes), submission_set(), member(), DOC00001_PDF=PDF))  # type: ignore[arg-type]
        assert ihe_xdm_checker.check(data)
        assert told(xdm.read(data))


def _damage(content: bytes, accidents: list[tuple[float, int, bytes]]) -> bytes:
    for place, lost, found in accidents:
        at = int(place * len(content))
        content = content[:at] + found + content[at + lost :]
    return content


ACCIDENTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), min_size=1, max_size=4)
DOCUMENTED = frozenset(codes())


def _read_or_refused(data: bytes) -> None:
    try:
        found = xdm.read(data)
    except ParseError as error:
        assert error.code in DOCUMENTED
        assert error.code != "internal"
    else:
        assert {problem.code for problem in found.problems} <= DOCUMENTED
        assert {problem.severity for problem in found.problems} <= {"error", "warning", "info"}
    xdm.looks_like(data)


@given(ACCIDENTS)
def test_any_damage_to_an_archive(accidents: list[tuple[float, int, bytes]]) -> None:
    """Whatever happens to its bytes: documents and declared problems, or a declared refusal."""
    _read_or_refused(_damage(VALID, accidents))


@given(st.sampled_from(["IHE_XDM/SUBSET01/METADATA.XML", "IHE_XDM/SUBSET01/DOC00001.XML"]), ACCIDENTS)
def test_any_damage_before_it_was_archived(name: str, accidents: list[tuple[float, int, bytes]]) -> None:
    """So for metadata and documents that were written wrong."""
    held = files(DOC00001_PDF=PDF)
    _read_or_refused(archive(held | {name: _damage(held[name], accidents)}))


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=4), st.text(max_size=30))
def test_any_names_and_uri(names: list[tuple[str, str]], uri: str) -> None:
    """So for any names of files and any URI."""
    changes: list[Callable[[], bytes]] = [name.encode for pair in names for name in pair]
    held = [*build.raws(files(entry(uri=uri.translate(_PRINTABLE)), submission_set(), member()))]
    try:
        held += [build.Raw(change(), b"x", flags=0x800) for change in changes]
    except UnicodeEncodeError:
        return
    _read_or_refused(build.forged(*held))


_PRINTABLE = dict.fromkeys((*range(32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF))
VALID = build.valid()
