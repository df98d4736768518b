"""Who a document was produced for: PRT of kind RCT of its message, informationRecipient of its CDA (``facts.Document.intended``).

HL7 v2.9 chapter 7 (PRT, pre-adopted by CI-SIS), XCN and XON of PAM-FR; CI-SIS "Structuration minimale" (informationRecipient). A correspondent
is known by a professional MSSanté address, else by a national identifier; a patient, and a mailbox of the establishment, are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.facts import INS_NONE, OUTSIDE, PROFESSIONAL
from engine.parsers import addresses, ins
from engine.parsers.acks import address

if TYPE_CHECKING:
    from engine.parsers.cda import Cda
    from engine.parsers.context import Context
    from engine.parsers.encoding import Encoding
    from engine.parsers.er7 import Message, Segment

_NATIONAL: Final = frozenset({addresses.PERSONS, addresses.STRUCTURES})
# Table 0203 of PAM-FR: the types that are national identifiers. EI and RI are numbers of an application.
_KINDS: Final = frozenset("RPPS ADELI IDNPS FINEG FINEJ FINESS IDNST SIREN SIRET".split())
_BARE: Final = re.compile(r"8?[0-9]{11}", re.ASCII)  # an RPPS, where neither type nor authority say so


def of_message(message: Message, context: Context) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """Of each PRT of kind RCT: the addresses in clear (for memory only), and the pseudonyms of who is meant, patients apart."""
    boxes: dict[str, None] = {}
    meant: dict[bytes, None] = {}
    for prt in message.all(b"PRT"):
        if prt.code(4) != "RCT":  # only the first component counts
            continue
        box = _box(prt)
        if box:
            boxes[box] = None
        found = _meant(context, (box,) if box else (), partial(_person, prt))
        if found is not None:
            meant[found] = None
    return tuple(boxes), tuple(meant)


def of_cda(header: Cda, context: Context) -> tuple[bytes, ...]:
    """Of each informationRecipient that is no patient: the pseudonym of who is meant."""
    meant: dict[bytes, None] = {}
    for numbers, boxes in header.intended:
        if any(ins.root(root) != INS_NONE for root, _ in numbers):
            continue
        found = _meant(context, boxes, partial(_first, numbers))
        if found is not None:
            meant[found] = None
    return tuple(meant)


_Number = tuple[str, str]
_NOBODY: Final[_Number] = ("", "")
_PATIENT: Final[_Number] = ("", "INS")


def _meant(context: Context, boxes: tuple[str, ...], number: Callable[[], _Number]) -> bytes | None:
    """A professional address, else a national identifier; None for a patient, the establishment itself or nobody."""
    known = False
    for box in boxes:
        normal = addresses.normal(box)
        owner = addresses.category(normal, context.mail)
        if owner == PROFESSIONAL:
            return addresses.pseudonym(context, normal)
        known = known or owner != OUTSIDE or addresses.domain(normal) == addresses.CITIZEN_DOMAIN
    if known:
        return None
    value, kind = number()
    return addresses.correspondent(context, value, kind) if value else None


def _first(numbers: tuple[tuple[str, str], ...]) -> _Number:
    """Of the identifiers (root, extension) of a CDA, the person's, else the structure's."""
    for wanted in (addresses.PERSONS, addresses.STRUCTURES):
        for root, extension in numbers:
            if root == wanted:
                return extension, ""
    return _NOBODY


def _box(prt: Segment) -> str:
    """The address of PRT-15, or of a field nearby: senders count them differently."""
    for field in range(9, prt.count() + 1):
        value = prt.field(field)
        if b"@" in value or b"X.400" in value:
            box = address(value, prt.encoding)
            if box:
                return box
    return ""


def _person(prt: Segment) -> _Number:
    """The national identifier of PRT-5 (XCN), else of PRT-8 (XON); nobody when it is a patient's."""
    encoding = prt.encoding
    person = _NOBODY
    for repetition in encoding.repetitions(prt.field(5)):
        parts = [*encoding.components(repetition), *[b""] * 12]
        found = _number(encoding, parts[0], parts[8], parts[12])
        if found == _PATIENT:
            return _NOBODY
        person = person if person[0] else found
    if person[0]:
        return person
    parts = [*encoding.components(encoding.repetitions(prt.field(8))[0]), *[b""] * 9]
    return _number(encoding, parts[9] or parts[2], parts[5], parts[6])


def _number(encoding: Encoding, number: bytes, authority: bytes, type_code: bytes) -> _Number:
    value = encoding.text(number).strip()
    if not value or value == '""':
        return _NOBODY
    names = [encoding.text(part).strip() for part in encoding.subcomponents(authority)]
    kind = encoding.code(type_code)
    if kind in {"INS", "NH"} or any(ins.root(name) != INS_NONE for name in names if name):
        return _PATIENT
    if kind in _KINDS or _NATIONAL & set(names):
        return value, kind
    return (value, "") if not kind and not any(names) and _BARE.fullmatch(value) else _NOBODY
