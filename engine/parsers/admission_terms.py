"""The words of the short way (``engine.parsers.admission``): which segments, which values, which sizes it takes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.parsers import movements, patient
from engine.parsers.encoding import DEFAULT

if TYPE_CHECKING:
    from engine.errors import Flag

START: Final = b"MSH|^~\\&|"
EVENTS: Final = movements.MOVES | {"A28", "A31"}
# Segments of ADT structures (HL7 v2.5 chapter 3, PAM-FR 5.3). Only a line that begins like one of them surely begins a segment.
KNOWN: Final = frozenset(
    name.encode() + b"|"
    for name in (
        "SFT EVN PID PD1 ROL NK1 PV1 PV2 DB1 OBX AL1 DG1 DRG PR1 GT1 IN1 IN2 IN3 ACC UB1 UB2 PDA NTE "
        "ZBE ZFA ZFP ZFV ZFM ZFD ZFS"
    ).split()
)
READ: Final = (b"EVN|", b"PID|", b"PV1|", b"ZBE|", b"ZFA|", b"ZFD|", b"ZFM|")
ACTIONS: Final = {b"INSERT": "INSERT", b"UPDATE": "UPDATE", b"CANCEL": "CANCEL"}
YES: Final = {b"": False, b"N": False, b"Y": True}
SEXES: Final = frozenset({b"M", b"F"})
LEGAL: Final = frozenset({b"L", b"L~"})
BIRTHPLACE: Final = b"^^^^^^BDL^^"
NOTHING: Final = (b"",) * 33
NO_FLAGS: Final[tuple[Flag, ...]] = ()

# Entries of one memory of fields: 2 MB of patient numbers at the very most, a few kB of codes.
FIELDS: Final = 4096
# Copies of one event come within seconds: 1,024 events of at most 4 kB.
BODIES: Final = 1024
BODY_SIZE: Final = 4096
HEADER_SIZE: Final = 1024
# A patient's PID and a stay's PV1 come again in every message about them: 4 MB of them at the very most.
SEGMENTS: Final = 2048
SEGMENT_SIZE: Final = 1024


class Odd(Exception):  # noqa: N818 -- not an error: "take the general way"
    """Something the short way does not read."""


def missing(fields: list[bytes]) -> tuple[Flag, ...]:
    """Flags of the traits. What is plainly complete is seen at once; the rest is looked at in full."""
    name = fields[5].split(b"^", 7)
    if (
        len(name) > 6
        and name[0][:1].isalpha()
        and name[1][:1].isalpha()
        and name[2][:1].isalpha()
        and name[6][:2] in LEGAL
        and fields[8] in SEXES
        and len(fields[7]) >= 8
        and fields[7][:8].isdigit()
        and b"~" not in fields[5][: -len(name[-1])]
    ):
        address = fields[11]
        place = address.find(BIRTHPLACE)
        if (place == 0 or address[place - 1 : place] == b"~") and address[place + 11 : place + 12].isalnum():
            return NO_FLAGS
    if not (fields[5].isascii() and fields[7].isascii() and fields[8].isascii() and fields[11].isascii()):
        raise Odd
    return patient.traits(fields[5], fields[7], fields[8], fields[11], DEFAULT)
