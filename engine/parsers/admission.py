r"""The short way through an ordinary ADT: identities (A28, A31) and movements (A01 ... Z99) as most feeds send them.

A hospital's feed is nine tenths ADT, so this path is written for speed. Two things make it short:

* an interface engine sends one event to dozens of applications, in copies that differ by MSH alone: what the segments after MSH
  say is remembered for a while;
* otherwise one split, fields taken only where they are needed, and every conversion that repeats (names, codes, numbers of the
  patient) remembered by the bytes of its field.

It calls the same functions as the general way (``engine.parsers.movements``) on what it has not seen, and gives up (``None``) on
anything odd: other delimiters than ``|^~\&``, LF, unknown segments, several patients, a merge, a shifted ZBE, a missing date,
accents in a field it reads. A test holds that both ways give equal results.

The memories are bounded, live as long as the context and hold clear identifiers: they are never shown, logged or stored.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import ParseError
from engine.facts import Identity, Movement, Sent
from engine.parsers import charset, envelope, movements, patient
from engine.parsers.admission_terms import (
    ACTIONS,
    BODIES,
    BODY_SIZE,
    EVENTS,
    FIELDS,
    HEADER_SIZE,
    KNOWN,
    NO_FLAGS,
    NOTHING,
    READ,
    SEGMENT_SIZE,
    SEGMENTS,
    START,
    YES,
    Odd,
    missing,
)
from engine.parsers.encoding import DEFAULT
from engine.parsers.er7 import LARGE
from engine.parsers.parsed import Parsed

if TYPE_CHECKING:
    from engine.errors import Flag
    from engine.parsers.context import Context

    # Facts, Sent.ins, Sent.ins_root, flags of the character set, other flags.
    Body = tuple[tuple[Any, ...], bool, int, tuple[Flag, ...], tuple[Flag, ...]]

Value = TypeVar("Value")
Short = Callable[[bytes], Parsed | None]
"""A reader of ordinary ADT: ``None`` means "take the general way"."""


def reader(context: Context) -> Short:
    """Make the short way for one context: a function that gives what a message says, or ``None`` to take the general way."""
    pseudonym = context.pseudonym
    establishment = context.establishment
    seconds = context.zone.seconds
    known_time = context.zone.whole.get
    pack = struct.Struct(">II").pack
    crc32 = zlib.crc32

    bodies: dict[tuple[str, str | None, bytes], Body] = {}
    heads: dict[bytes, tuple[str, str, str]] = {}
    tails: dict[bytes, str | None] = {}
    kinds: dict[bytes, tuple[str, str, str]] = {}
    modes: dict[bytes, tuple[str, tuple[Flag, ...]]] = {}
    patients: dict[bytes, tuple[Any, ...]] = {}
    stays: dict[bytes, tuple[Any, ...]] = {}
    people: dict[bytes, tuple[Any, ...]] = {}
    statuses: dict[bytes, tuple[str, tuple[Flag, ...], bool]] = {}
    dossiers: dict[bytes, bytes | None] = {}
    visits: dict[bytes, bytes | None] = {}
    classes: dict[bytes, str] = {}
    treatments: dict[bytes, str] = {}
    levels: dict[bytes, str] = {}
    originals: dict[bytes, str] = {}
    units: dict[bytes, str] = {}
    places: dict[bytes, str] = {}
    natures: dict[bytes, str] = {}
    dmps: dict[bytes, str] = {}
    feedings: dict[bytes, str] = {}

    def learn(memory: dict[bytes, Value], key: bytes, read: Callable[[bytes], Value]) -> Value:
        if not key.isascii():
            raise Odd
        value = read(key)
        if len(memory) >= FIELDS:
            memory.clear()
        memory[key] = value
        return value

    def whole(
        memory: dict[bytes, tuple[Any, ...]], segment: bytes, read: Callable[[bytes], tuple[Any, ...]]
    ) -> tuple[Any, ...]:
        """Read a segment that is the same in many messages (PID of a patient, PV1 of a stay), and remember it."""
        found = read(segment)
        if len(segment) <= SEGMENT_SIZE:
            if len(memory) >= SEGMENTS:
                memory.clear()
            memory[segment] = found
        return found

    def head(start: bytes) -> tuple[str, str, str]:
        fields = start.split(b"|")
        if len(fields) != 6 or len(start) > HEADER_SIZE:
            raise Odd
        who = envelope.parties((fields[2], fields[3]), (fields[4], fields[5]), DEFAULT)
        return who.sender, who.sender_scope, who.receiver

    def tail(rest: bytes) -> str | None:
        if len(rest) > HEADER_SIZE:
            raise Odd
        fields = rest.split(b"|", 7)
        declared = fields[6] if len(fields) > 6 else b""
        return charset.codec(declared.split(b"~", 1)[0].decode("ascii", "replace"))

    def kind(field: bytes) -> tuple[str, str, str]:
        try:
            type_, event = envelope.kind(field, DEFAULT)
        except ParseError:
            raise Odd from None
        if type_ != "ADT" or event not in EVENTS:
            raise Odd
        return f"{type_}^{event}", event, "movement" if event in movements.PROVING else "identity"

    def mode(field: bytes) -> tuple[str, tuple[Flag, ...]]:
        found = envelope.processing(field, DEFAULT)
        return found, () if found == "P" else (envelope.NOT_PRODUCTION,)

    def person(field: bytes) -> tuple[Any, ...]:
        found = patient.ordinary(field, context) or patient.numbers(field, DEFAULT, context)
        return found.ipp, found.ins, found.ins_root, found.key_valid, found.flags

    def status(field: bytes) -> tuple[str, tuple[Flag, ...], bool]:
        codes, flags = patient.status(field, DEFAULT)
        return codes, flags, patient.validated(codes)

    def dossier(field: bytes) -> bytes | None:
        return context.number("dossier", field, DEFAULT)

    def venue(field: bytes) -> bytes | None:
        return context.number("visit", field, DEFAULT)

    def move(field: bytes) -> bytes | None:
        value = field.partition(b"^")[0]
        plain = value.isalnum() and not context.authorities
        return pseudonym("movement", context.domain, value) if plain else context.entity("movement", field, DEFAULT)

    def time(field: bytes) -> int:
        return seconds(DEFAULT.component_of(field, 1))

    def coded(read: Callable[..., str]) -> Callable[[bytes], str]:
        return lambda field: read(field, DEFAULT)

    patient_class, treatment = coded(movements.patient_class), coded(movements.treatment)
    level, original = coded(movements.level), coded(movements.event_code)
    medical_unit, lodging_unit = coded(movements.medical_unit), coded(movements.lodging_unit)
    nature, dmp, feeding = coded(movements.nature), coded(movements.dmp), coded(movements.feeding)

    def read_body(body: bytes, event: str, declared: str | None, at: int) -> tuple[Body, bool]:
        """What the segments after MSH say, and whether a copy of them would say the same (EVN-2 dates them)."""
        if b"\n" in body or len(body) >= LARGE:
            raise Odd
        segments = body.split(b"\r")
        if not segments[-1]:
            segments.pop()
        del segments[0]  # the end of MSH
        if not segments or segments[-1][-1:] <= b" ":  # white space, NUL or what is left of the framing
            raise Odd
        by_name = {segment[:4]: segment for segment in segments}
        if not KNOWN.issuperset(by_name):
            raise Odd
        if len(by_name) != len(segments):
            names = [segment[:4] for segment in segments]
            if any(names.count(name) > 1 for name in READ):
                raise Odd
        get = by_name.get
        letters: tuple[Flag, ...] = NO_FLAGS
        if declared != "utf-8":
            if declared is None or not body.isascii():
                letters = charset.choose([body], declared)[1]
        elif not body.isascii():
            try:
                body.decode()
            except UnicodeDecodeError:
                letters = charset.choose([body], declared)[1]

        recorded = 0
        evn = get(b"EVN|")
        if evn is not None:
            fields = evn.split(b"|", 3)
            if len(fields) > 2:
                recorded = known_time(fields[2]) or time(fields[2])
        lasting = recorded != 0
        recorded = recorded or at

        pid = get(b"PID|")
        if pid is None:
            raise Odd
        ipp, ins, ins_root, key_valid, codes, flags, validated, owner, died = patients.get(pid) or whole(
            patients, pid, who
        )

        told_dmp = told_feeding = ""
        zfa = get(b"ZFA|")
        if zfa is not None:
            told = zfa.split(b"|", 10)
            if len(told) > 1:
                told_dmp = dmps[told[1]] if told[1] in dmps else learn(dmps, told[1], dmp)
            if len(told) > 9:
                told_feeding = feedings[told[9]] if told[9] in feedings else learn(feedings, told[9], feeding)
        corrected = False
        zfd = get(b"ZFD|")
        if zfd is not None:
            told = zfd.split(b"|", 5)
            if len(told) > 4:
                if told[4] not in YES:
                    raise Odd
                corrected = YES[told[4]]
        facts: tuple[Any, ...] = ()
        if ipp is not None or ins is not None:
            facts = (Identity(recorded, ipp, ins, ins_root, key_valid, codes, corrected, told_dmp, told_feeding),)
        if event in movements.MOVES:
            dead = died
            if dead is None:
                raise Odd
            zfm = get(b"ZFM|")
            if zfm is not None:
                told = zfm.split(b"|", 3)
                if len(told) > 2 and told[2]:
                    if not told[2].isalnum():
                        raise Odd
                    dead = dead or told[2] == b"9"
            facts = (*facts, movement(get, event, recorded, ipp, ins, owner, dead))
        return (facts, ins is not None and validated and not corrected, ins_root, letters, flags), lasting

    def who(pid: bytes) -> tuple[Any, ...]:
        """What a PID says: the patient's numbers and status, the flags, the dossier, and whether the patient died."""
        fields = pid.split(b"|", 33)
        if len(fields) < 33:
            fields += NOTHING[len(fields) :]
        ipp, ins, ins_root, key_valid, flags = people.get(fields[3]) or learn(people, fields[3], person)
        codes, remarks, validated = statuses.get(fields[32]) or learn(statuses, fields[32], status)
        if remarks:
            flags += remarks
        if ins is not None:
            remarks = missing(fields)
            if remarks:
                flags += remarks
        account = fields[18]
        owner = dossiers[account] if account in dossiers else learn(dossiers, account, dossier)
        died = None if fields[29] else YES.get(fields[30])  # a date of death is for the general way
        return ipp, ins, ins_root, key_valid, codes, flags, validated, owner, died

    def where(pv1: bytes) -> tuple[Any, ...]:
        """What a PV1 says: class, treatment, unit, venue, dates, level, and whether it was announced."""
        stay = pv1.split(b"|", 52)
        size = len(stay)
        if size < 22:
            raise Odd
        place, account, announced = stay[3], stay[19], stay[5]
        unit = places[place] if place in places else learn(places, place, lodging_unit)
        visit = visits[account] if account in visits else learn(visits, account, venue)
        if b"\\" in announced or not announced.isascii():
            raise Odd
        entry = leaving = 0
        if size > 44 and stay[44]:
            entry = known_time(stay[44]) or time(stay[44])
        if size > 45 and stay[45]:
            leaving = known_time(stay[45]) or time(stay[45])
        scale = stay[51] if size > 51 else b""
        return (
            classes[stay[2]] if stay[2] in classes else learn(classes, stay[2], patient_class),
            treatments[stay[21]] if stay[21] in treatments else learn(treatments, stay[21], treatment),
            unit,
            visit,
            entry,
            leaving,
            levels[scale] if scale in levels else learn(levels, scale, level),
            bool(announced) and bool(DEFAULT.value(DEFAULT.component_of(announced, 1))),
        )

    def movement(
        get: Callable[[bytes], bytes | None],
        event: str,
        recorded: int,
        ipp: bytes | None,
        ins: bytes | None,
        owner: bytes | None,
        dead: bool,
    ) -> Movement:
        zbe, pv1 = get(b"ZBE|"), get(b"PV1|")
        if zbe is None or pv1 is None:
            raise Odd
        moved = zbe.split(b"|", 10)
        if len(moved) < 10:
            raise Odd
        patient_class_, treatment_, unit_, visit, entry, leaving, level_, announced = stays.get(pv1) or whole(
            stays, pv1, where
        )
        action = ACTIONS.get(moved[4])
        historic = YES.get(moved[5])
        when = known_time(moved[2]) or time(moved[2])
        number = move(moved[1]) if moved[1].isascii() else None
        if action is None or historic is None or not when or number is None or (visit is None and owner is None):
            raise Odd
        former, place, letters = moved[6], moved[7], moved[9]
        unit = (units[place] if place in units else learn(units, place, medical_unit)) or unit_
        return Movement(
            recorded,
            when,
            establishment,
            ipp,
            ins,
            visit,
            owner,
            number,
            event,
            action,
            historic,
            originals[former] if former in originals else learn(originals, former, original),
            patient_class_,
            treatment_,
            unit,
            natures[letters] if letters in natures else learn(natures, letters, nature),
            entry,
            leaving,
            level_,
            announced,
            dead,
        )

    def short(raw: bytes) -> Parsed | None:
        if not raw.startswith(START):
            return None
        stop = raw.find(b"\r")
        if stop < 0 or raw[stop + 1 : stop + 2] == b"\n":
            # LF or CRLF: the same content, and the same digest, as with CR.
            if len(raw) >= LARGE:
                return None
            raw = raw.replace(b"\n", b"\r") if stop < 0 else raw.replace(b"\r\n", b"\r")
            raw = raw.rstrip(b"\r")
            stop = raw.find(b"\r")
            if stop < 0:
                return None
        msh = raw[:stop]
        # The names before the date (of this century) and the end of the segment are the same all day long.
        cut = msh.find(b"|20", 9)
        if cut < 0 or b"\n" in msh or not msh.isascii():
            return None
        fields = msh[cut + 1 :].split(b"|", 5)
        if len(fields) < 6:
            return None
        sent_at, _, about, control, processed, rest = fields
        control = control.strip()
        at = known_time(sent_at) or time(sent_at)
        if not at or not control or control == b'""' or b"\\" in control:
            return None
        try:
            start = msh[:cut]
            sender, scope, receiver = heads.get(start) or learn(heads, start, head)
            message, event, content = kinds.get(about) or learn(kinds, about, kind)
            processing, flags = modes.get(processed) or learn(modes, processed, mode)
            declared = tails[rest] if rest in tails else learn(tails, rest, tail)
            body = raw[stop:]
            key = (event, declared, body)
            said = bodies.get(key)
            if said is None:
                said, lasting = read_body(body, event, declared, at)
                if lasting and len(body) < BODY_SIZE:
                    if len(bodies) >= BODIES:
                        bodies.clear()
                    bodies[key] = said
        except Odd:
            return None
        facts, shows_ins, ins_root, letters, remarks = said
        if letters or remarks:
            flags = letters + flags + remarks
        whole = raw[:-1] if raw[-1] == 13 else raw
        sent = Sent(
            at,
            pseudonym("control", scope, control),
            pack(crc32(whole), len(whole)),
            sender,
            receiver,
            content,
            shows_ins,
            ins_root,
        )
        return Parsed(sender, receiver, control, at, processing, message, (*facts, sent), flags)

    return short
