"""What ``jauge check`` says of an XDM archive, alone or inside a mail: its documents, and everything that is wrong with it.

Codes, places and counts only: no name of a file, no identifier, no value of the metadata.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from engine import check_document
from engine.check_document import NOBODY, Document
from engine.codes import codes
from engine.parsers import ins, kinds, xdm, xdm_metadata
from engine.parsers.xdm import Problem, XdmDocument
from engine.parsers.xdm_checks import Severity

_COLOURS: Final[dict[Severity, str]] = {"error": "red", "warning": "yellow", "info": "dim"}
_WORDS: Final = {"cda": "CDA", "pdf": "PDF", "other": "file"}
_ACTIONS: Final = {"D": "deletion", "C": "replacement"}


class Part(Struct, frozen=True):
    """One document of an archive. ``copy``: the PDF of a CDA beside it; ``action``: "D", "C" or ""."""

    document: Document
    copy: bool
    action: str


class Xdm(Struct, frozen=True):
    """An archive. ``ok``: nothing in it is an error."""

    ok: bool
    sets: int
    deletes: bool
    problems: tuple[Problem, ...]
    parts: tuple[Part, ...]


def read(data: bytes | memoryview, *, allow_test: bool) -> Xdm:
    """Read an archive. Raises :class:`engine.errors.ParseError` when it is no XDM, or an unsafe one."""
    return of(xdm.read(data), allow_test=allow_test)


def of(archive: xdm.Archive, *, allow_test: bool) -> Xdm:
    """What is said of an archive that was read."""
    return Xdm(
        ok=not archive.flawed,
        sets=len(archive.sets),
        deletes=archive.deletes,
        problems=archive.problems,
        parts=tuple(
            Part(_document(one, allow_test=allow_test), copy=one.is_copy, action=one.action)
            for one in archive.documents
        ),
    )


def _document(found: XdmDocument, *, allow_test: bool) -> Document:
    """A CDA has no status of identity: its INS is the sender's word, when the metadata say the same one."""
    if found.cda is not None:
        root, value = xdm_metadata.identifier(found.patient)
        same = (ins.root(root), value) == (found.cda.ins_root, found.cda.matricule)
        qualified = same and ins.counts(found.cda.ins_root, allow_test=allow_test) and bool(found.cda.matricule)
        return check_document.readable(found.where, found.cda, qualified=qualified)
    return Document(
        where=found.where,
        ok=bool(found.content) and not found.announced_cda,
        problems=(),
        type_code=kinds.code(found.type_code),
        kind=found.kind,
        level=0,
        ins=NOBODY,
        format="cda" if found.announced_cda else "pdf" if found.mime_type == "application/pdf" else "other",
    )


def to_json(found: Xdm) -> dict[str, Any]:
    """The part of an archive in the object that ``jauge check --json`` prints."""
    return {
        "problems": [
            {"code": problem.code, "where": problem.where, "severity": problem.severity} for problem in found.problems
        ],
        "sets": found.sets,
        "deletes": found.deletes,
        "documents": [
            check_document.nested_json(part.document) | {"copy": part.copy, "action": part.action}
            for part in found.parts
        ],
    }


def content(found: Xdm) -> str:
    """What an archive is, in a word or two."""
    sets = "" if found.sets == 1 else f", {found.sets} sets"
    return f"XDM{sets}{', deletion' if found.deletes else ''}"


def rows(found: Xdm) -> Iterator[tuple[Any, ...]]:
    """Mark, content, type, kind, level, INS and remarks of each document, for people."""
    for part in found.parts:
        document = part.document
        word = f"{_WORDS[document.format]} copy" if part.copy else _WORDS[document.format]
        asked = f" ({_ACTIONS[part.action]})" if part.action else ""
        cells = check_document.cells(document)
        yield check_document.mark(document.ok), f"  {word}{asked} {_short(document.where)}", *cells


def _short(where: str) -> str:
    return where.replace("ExtrinsicObject", "…")


def counted(problems: Iterable[Problem]) -> Any:
    """How many problems there are of each severity, for people."""
    from rich.text import Text

    number = Counter(problem.severity for problem in problems)
    words = [Text(f"{number[word]} {word}", _COLOURS[word]) for word in _COLOURS if number[word]]
    return Text(", ").join(words)


def explained(found: Xdm) -> Iterator[Any]:
    """Each problem for people, the worst first; what a code means is said once, under the first."""
    from rich.text import Text

    order = list(_COLOURS)
    seen: set[str] = set()
    for problem in sorted(found.problems, key=lambda one: order.index(one.severity)):
        line = Text("  ").append(problem.severity, _COLOURS[problem.severity])
        yield line.append(f" {problem.code} ({problem.where})")
        if problem.code not in seen:
            seen.add(problem.code)
            yield Text(f"    {codes()[problem.code]}", "dim")
