"""Answers to an exchange: technical acknowledgements (ACK) and business ones (ZAM^Z01, Z02, Z03).

HL7 v2.5 chapter 2 (MSA, ERR); CI-SIS volet "Transmission de documents CDA en HL7 v2", profils-messages and ack-metier-zam. A ZAM has
neither patient nor document: it is joined by (receiver of the ZAM, OBX-4), the sender and control id of the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.errors import Flag, ParseError
from engine.facts import Outcome
from engine.parsers import addresses, names, patient
from engine.parsers.movements import Reading

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.encoding import Encoding
    from engine.parsers.envelope import Envelope
    from engine.parsers.er7 import Message, Segment

CODES: Final[dict[str, str]] = {
    "answer-unknown": "The answer holds neither a code of MSA-1 nor Y or N: it says nothing and was left out.",
    "answer-to-nothing": "The control id that is answered (MSA-2, OBX-4) is empty: the answer cannot be joined.",
    "answer-without-error": "A refusal without a readable code in ERR: the reason is shown as 'other'.",
}

_ACCEPTED: Final = frozenset({"AA", "CA"})
_REFUSED: Final = frozenset({"AE", "AR", "CE", "CR"})
_LAYERS: Final = {"Z01": "dmp", "Z02": "mss-delivery", "Z03": "mss-reading"}
_LAYERS_BY_CODE: Final = {
    "ACK_RECEPTION_DMP": "dmp",
    "ACK_RECEPTION_MSS": "mss-delivery",
    "ACK_LECTURE_MSS": "mss-reading",
}
_YES: Final = frozenset({"Y", "O"})


def technical(message: Message, envelope: Envelope, context: Context) -> Reading:
    """Read an ACK. Raises :class:`ParseError` (``segment-missing``) without MSA."""
    msa = message.first(b"MSA")
    if msa is None:
        raise ParseError("segment-missing", "MSA")
    code = msa.code(1)
    answered = msa.whole(2)
    if code not in _ACCEPTED and code not in _REFUSED:
        return _nothing(Flag("answer-unknown", "MSA-1"))
    if not answered:
        return _nothing(Flag("answer-to-nothing", "MSA-2"))
    outcome = Outcome(
        at=envelope.at,
        exchange=context.pseudonym("control", envelope.parties.receiver_scope, answered),
        layer="technical",
        accepted=code in _ACCEPTED,
        code=code,
        recipient=None,
        sender=envelope.parties.sender,
    )
    return Reading(facts=(outcome,), content="acknowledgement", patient=patient.UNKNOWN, flags=())


def business(message: Message, envelope: Envelope, context: Context) -> Reading:
    """Read a ZAM. Raises :class:`ParseError` (``segment-missing``) without OBX."""
    answers = list(message.all(b"OBX"))
    if not answers:
        raise ParseError("segment-missing", "OBX")
    main = next((obx for obx in answers if obx.code(3) in _LAYERS_BY_CODE), answers[0])
    layer = _LAYERS_BY_CODE.get(main.code(3)) or _LAYERS.get(envelope.event)
    said = main.code(5)
    if layer is None or (said not in _YES and said != "N"):
        return _nothing(Flag("answer-unknown", "OBX-5"))
    answered = main.whole(4)
    if not answered:
        return _nothing(Flag("answer-to-nothing", "OBX-4"))
    accepted = said in _YES
    code = "" if accepted else _reason(message.first(b"ERR"))
    evn = message.first(b"EVN")
    box = next((found for obx in answers if obx is not main and (found := address(obx.field(5), obx.encoding))), "")
    outcome = Outcome(
        at=(context.zone.seconds(evn.component(2, 1)) if evn is not None else 0) or envelope.at,
        exchange=context.pseudonym("control", envelope.parties.receiver_scope, answered),
        layer=layer,
        accepted=accepted,
        code=code,
        recipient=addresses.pseudonym(context, box) if box else None,
        sender=envelope.parties.sender,
    )
    flags = (Flag("answer-without-error", "ERR-5"),) if code == names.OTHER else ()
    return Reading(facts=(outcome,), content="acknowledgement", patient=patient.UNKNOWN, flags=flags)


def _reason(err: Segment | None) -> str:
    """ERR-5.1 (DMP, SMTP or application code), else ERR-3.1 (table 0357), when it looks like a code; else ``other``."""
    if err is None:
        return names.OTHER
    for field in (5, 3):
        text = "".join(err.encoding.text(err.component(field, 1)).split())
        if text and text != '""':
            return names.code(text)
    return names.OTHER


def address(field: bytes, encoding: Encoding) -> str:
    """The mail address of an XTN field, lower case: the component with an ``@``, preferably the fourth; ``""`` without one."""
    for repetition in encoding.repetitions(field):
        parts = [encoding.text(part).strip() for part in encoding.components(repetition)]
        for part in (*parts[3:4], *parts):
            if "@" in part:
                return part.lower()
    return ""


def _nothing(flag: Flag) -> Reading:
    return Reading(facts=(), content="acknowledgement", patient=patient.UNKNOWN, flags=(flag,))
