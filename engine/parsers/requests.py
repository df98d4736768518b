"""What a document message asks for: a first version, a replacement or a deletion; and whether it is final.

CI-SIS volet, "consistency triangle": ORC-1, OBX-11 of the document and the MDM event say the same thing three times. They are read
in the order OBX-11, event, ORC-1, because version 2.0 of the volet leaves ORC-1 at SC. HL7 v2.5 tables 0085, 0123, 0270, 0119.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.errors import Flag

if TYPE_CHECKING:
    from engine.parsers.envelope import Envelope
    from engine.parsers.er7 import Message, Segment

CODES: Final[dict[str, str]] = {
    "request-mismatch": "ORC-1, OBX-11 and the event do not ask for the same thing: the platform may refuse the document.",
    "parent-missing": "A replacement (T10) without TXA-13: only the CDA can tell what is replaced.",
}

INITIAL: Final = "initial"
REPLACEMENT: Final = "replacement"
DELETION: Final = "deletion"

_BY_RESULT: Final = {"F": INITIAL, "C": REPLACEMENT, "D": DELETION, "W": DELETION}
_BY_EVENT: Final = {
    "T01": INITIAL,
    "T02": INITIAL,
    "T04": DELETION,
    "T07": REPLACEMENT,
    "T08": REPLACEMENT,
    "T09": REPLACEMENT,
    "T10": REPLACEMENT,
    "T11": DELETION,
}
_BY_ORDER: Final = {"NW": INITIAL, "RO": REPLACEMENT, "CA": DELETION, "OC": DELETION}
_PRELIMINARY: Final = frozenset("P R S I O A N".split())
_UNFINISHED: Final = frozenset("DI IP IN DO".split())  # TXA-17, before any authentication


class Request(Struct, frozen=True):
    """What is asked (``initial``, ``replacement``, ``deletion``) and whether the document is final."""

    kind: str
    final: bool


def of_document(message: Message, envelope: Envelope, obx: Segment) -> tuple[Request, tuple[Flag, ...]]:
    """The request about the document that ``obx`` carries."""
    orc, obr, txa = message.first(b"ORC"), message.first(b"OBR"), message.first(b"TXA")
    result = obx.code(11)
    said = [
        found
        for found in (
            _BY_RESULT.get(result),
            _BY_EVENT.get(envelope.event) if envelope.kind == "MDM" else None,
            _BY_ORDER.get(orc.code(1)) if orc is not None else None,
        )
        if found is not None
    ]
    kind = said[0] if said else INITIAL
    flags: list[Flag] = []
    if len(set(said)) > 1:
        flags.append(Flag("request-mismatch", "OBX-11"))
    if txa is not None and kind == REPLACEMENT and envelope.event == "T10" and not txa.value(13):
        flags.append(Flag("parent-missing", "TXA-13"))
    if result:
        final = result not in _PRELIMINARY
    elif obr is not None and obr.code(25):
        final = obr.code(25) not in _PRELIMINARY
    else:
        final = txa is None or txa.code(17) not in _UNFINISHED
    return Request(kind=kind, final=final), tuple(flags)


def of_result(message: Message, envelope: Envelope, results: list[Segment]) -> tuple[Request, tuple[Flag, ...]]:
    """The request of a message without document: a classic result, or an MDM without content.

    OBR-25 speaks for its results; without it they speak themselves. One preliminary part makes the whole preliminary.
    """
    if envelope.kind == "MDM":
        txa = message.first(b"TXA")
        final = txa is None or txa.code(17) not in _UNFINISHED
        return Request(kind=_BY_EVENT.get(envelope.event, INITIAL), final=final), ()
    orc = message.first(b"ORC")
    states = [code for obr in message.all(b"OBR") if (code := obr.code(25))] or [
        code for obx in results if (code := obx.code(11))
    ]
    gone = bool(states) and all(code in {"X", "D", "W"} for code in states)
    if gone or (orc is not None and orc.code(1) in {"CA", "OC"}):
        kind = DELETION
    elif "C" in states or any(b"C" in obx.field(11) and obx.code(11) == "C" for obx in results):
        kind = REPLACEMENT
    else:
        kind = INITIAL
    return Request(kind=kind, final=not any(code in _PRELIMINARY for code in states)), ()
