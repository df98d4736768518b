"""What ``jauge check`` says of one document, wherever it was found: its type, its level, its INS, and what is wrong with it.

No value of it is shown: codes of public tables, codes of remarks and their places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.facts import INS_NONE
from engine.parsers import cda, ins, kinds

_XPATH: Final = re.compile(r"/ClinicalDocument/(?:.*/)?(?=[^/]+/[^/]+$)")  # all but the last two steps


class Ins(Struct, frozen=True):
    """The INS of a CDA. ``oid`` is its authority; ``qualified`` as in ``docs/rules.md`` section 2."""

    present: bool
    oid: str
    test: bool
    key_valid: bool
    qualified: bool


NOBODY: Final = Ins(present=False, oid="", test=False, key_valid=False, qualified=False)
"""Of a document without INS."""


class Document(Struct, frozen=True):
    """A CDA. ``where`` is its place in the message that carries it (``OBX[1]-5``)."""

    where: str
    ok: bool
    problems: tuple[Flag, ...]
    type_code: str
    kind: str
    level: int
    ins: Ins
    format: str = "cda"


def problems_json(flags: Iterable[Flag]) -> list[dict[str, str]]:
    """Remarks as JSON objects."""
    return [{"code": flag.code, "where": flag.where} for flag in flags]


def nested_json(document: Document) -> dict[str, Any]:
    """A document among others of one message, as a JSON object."""
    return {
        "where": document.where,
        "format": document.format,
        "ok": document.ok,
        "problems": problems_json(document.problems),
    } | to_json(document)


def to_json(document: Document) -> dict[str, Any]:
    """What a document is, as a part of a JSON object."""
    return {
        "type_code": document.type_code,
        "kind": document.kind,
        "level": document.level,
        "ins": msgspec.structs.asdict(document.ins),
    }


def readable(where: str, found: cda.Cda, *, qualified: bool) -> Document:
    """What a CDA says, that was found at ``where``; whether its INS is qualified is known around it."""
    return Document(
        where=where,
        ok=True,
        problems=tuple(dict.fromkeys(found.flags)),
        type_code=kinds.code(found.type_code),
        kind=found.kind,
        level=found.level,
        ins=Ins(
            present=found.ins_root != INS_NONE,
            oid=ins.oid(found.ins_root),
            test=found.ins_root in ins.TRIAL,
            key_valid=found.ins_check.key_valid,
            qualified=qualified,
        ),
    )


def unreadable(where: str, error: ParseError) -> Document:
    """A CDA that could not be read."""
    return Document(where, False, (Flag(error.code, error.where),), "", "other", 0, NOBODY)


def mark(ok: bool) -> str:
    """The first column of a line for people."""
    return "[green]ok[/]" if ok else "[red]no[/]"


def cells(document: Document) -> tuple[Any, ...]:
    """Type, kind, level, INS and remarks of a document, for people."""
    from rich.text import Text

    return (
        document.type_code,
        Text(kinds.KINDS[document.kind] if document.ok else ""),
        f"N{document.level}" if document.level else "-",
        _ins_cell(document.ins),
        listed(document.problems),
    )


def _ins_cell(found: Ins) -> str:
    if not found.present:
        return "-"
    authority = "test" if found.test else ("NIR" if found.oid.endswith(".8") else "NIA")
    key = "" if found.key_valid else ", wrong key"
    return f"[green]{authority}, qualified{key}[/]" if found.qualified else f"{authority}, not qualified{key}"


def listed(flags: Iterable[Flag]) -> Any:
    """Remarks for people, a line each."""
    from rich.text import Text

    return Text("\n".join(f"{flag.code} ({_XPATH.sub('…/', flag.where)})" for flag in flags))
