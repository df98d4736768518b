"""What ``jauge check`` says of a mail: a sending or a receipt, how many recipients of each kind, its XDM and the documents in it.

Codes, places and counts only: no address, no name of a file, no subject. Without the configuration nobody knows which domains are the
establishment's own: a mail that is no receipt is taken for a sending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine import check_document, check_xdm, facts
from engine.errors import Flag, ParseError
from engine.parsers import addresses, mail, mail_load, mime
from engine.parsers.context import Context
from engine.parsers.parsed import Parsed

_SAID: Final = {
    ("mss-delivery", True): "delivered",
    ("mss-delivery", False): "refused",
    ("mss-reading", True): "read",
    ("mss-reading", False): "not integrated",
}
"""Layer and acceptance of what a receipt says -> the word shown."""
_BESIDE: Final = "xdm-pdf-missing"  # no fault of an archive whose mail has the PDF


class Archive(Struct, frozen=True):
    """An XDM of a mail, and the part that it is (``part 2``)."""

    where: str
    xdm: check_xdm.Xdm


class Outcome(Struct, frozen=True):
    """What a receipt says, of so many recipients. ``code``: why not."""

    said: str
    code: str
    recipients: int


class Mail(Struct, frozen=True):
    """A mail. ``recipients``: how many of each kind; ``xdm``: valid, flawed, unreadable or none; ``pdf``: how many stand beside the XDM."""

    ok: bool
    recipients: dict[str, int]
    xdm: str
    pdf: int
    archives: tuple[Archive, ...]
    outcomes: tuple[Outcome, ...]


def read(raw: bytes, context: Context, *, allow_test: bool) -> tuple[Parsed, Mail, tuple[Flag, ...]]:
    """Read a mail: what it says, what is shown of it, and its remarks but for those of its archives. Raises :class:`ParseError`."""
    parsed = mail.parse(raw, context)
    tree = mime.read(raw)
    pdf = sum(part.kind == "application/pdf" for part in tree.parts)
    boxes, _ = mail.to(tree)
    archives: list[Archive] = []
    failed = False
    for part, found in mail_load.archives(tree, context.max_document_bytes):
        if isinstance(found, ParseError):
            failed = True
        else:
            if pdf:
                problems = tuple(one for one in found.problems if one.code != _BESIDE)
                found = msgspec.structs.replace(found, problems=problems)
            archives.append(Archive(f"part {part.path}", check_xdm.of(found, allow_test=allow_test)))
    right = all(one.xdm.ok for one in archives) and not failed
    state = mail_load.state(bool(archives), failed=failed, flawed=not right)
    told = tuple(f"{one.where} " for one in archives)
    shown = Mail(
        ok=right,
        recipients=dict(Counter(addresses.category(box, context.mail) for box in boxes)),
        xdm=state,
        pdf=pdf,
        archives=tuple(archives),
        outcomes=_outcomes(parsed),
    )
    return parsed, shown, tuple(flag for flag in parsed.flags if not flag.where.startswith(told))


def _outcomes(parsed: Parsed) -> tuple[Outcome, ...]:
    counted: Counter[tuple[str, str]] = Counter()
    for fact in parsed.facts:
        if isinstance(fact, facts.Outcome):
            counted[_SAID[fact.layer, fact.accepted], fact.code] += 1
    return tuple(Outcome(said, code, number) for (said, code), number in counted.items())


def to_json(found: Mail) -> dict[str, Any]:
    """The part of a mail in the object that ``jauge check --json`` prints."""
    return {
        "recipients": found.recipients,
        "xdm": found.xdm,
        "pdf": found.pdf,
        "archives": [{"where": one.where} | check_xdm.to_json(one.xdm) for one in found.archives],
        "outcomes": msgspec.to_builtins(found.outcomes),
    }


def summary(found: Mail) -> str:
    """Recipients, XDM and PDF in a few words."""
    to = ", ".join(f"{number} {kind}" for kind, number in found.recipients.items())
    beside = f", {found.pdf} PDF beside" if found.pdf else ""
    return f"to {to or 'nobody'}; XDM {found.xdm}{beside}"


def rows(found: Mail) -> Iterator[tuple[Any, ...]]:
    """Mark, content, type, kind, level, INS and remarks of each archive, document and outcome, for people."""
    for one in found.archives:
        yield (
            check_document.mark(one.xdm.ok),
            f"  {check_xdm.content(one.xdm)} {one.where}",
            "",
            "",
            "",
            "",
            check_xdm.counted(one.xdm.problems),
        )
        for row in check_xdm.rows(one.xdm):
            yield row[0], f"  {row[1]}", *row[2:]
    for outcome in found.outcomes:
        number = f"{outcome.recipients} recipients" if outcome.recipients > 1 else ""
        yield "", f"  {outcome.said} {outcome.code}".rstrip(), "", "", "", "", number


def explained(found: Mail) -> Iterator[Any]:
    """Each problem of its archives for people, with what it means."""
    for one in found.archives:
        yield from check_xdm.explained(one.xdm)
