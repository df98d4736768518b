"""Acknowledgements from the raw MSH of the message they answer, readable or not (HL7 v2.5 section 2.9; CI-SIS volet
"Transmission de documents CDA en HL7 v2", profils-messages).

Only the MSH segment is needed, so a listener keeps :func:`header` of each waiting message and lets the payload go.
Fields are copied as bytes: the sender gets back exactly its delimiters, its control id and its charset.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from engine.parsers import mllp
from engine.receipt import Receipt

#: First characters of every control id (MSH-10) that this program gives.
PREFIX: Final = b"JAUGE"

CODES: Final[dict[str, str]] = {
    "internal-error": "The engine failed on this message; nothing was kept of it, send it again later.",
    "unavailable": "The engine cannot store messages now (disk full or store locked); send it again later.",
}

# Table 0357 (ERR-3), by the codes that refuse a message; every other code is 207, and is told in ERR-5 and ERR-7.
_CONDITIONS: Final[dict[str, str]] = {
    "bad-delimiters": "199",
    "batch": "100",
    "document-empty": "101",
    "document-not-base64": "102",
    "document-not-xml": "102",
    "no-message-type": "200",
    "not-a-cda": "102",
    "not-hl7": "199",
    "segment-missing": "100",
    "several-messages": "100",
}
_LABELS: Final[dict[str, str]] = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "199": "Other HL7 syntax error",
    "200": "Unsupported message type",
    "207": "Application error",
}

_PLACE: Final = re.compile(r"^([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\.(\d+))?(?:\.(\d+))?)?$")
_HEADER: Final = re.compile(rb"(?:^|[\r\n\x0b]|\xef\xbb\xbf)[ \t]*(MSH)")
_MSA: Final = re.compile(rb"[\r\n]MSA(.)[^\r\n]{2}\1([^\r\n]{0,%d})" % len(PREFIX + b"01234567"))
_EVENT: Final = re.compile(rb"^[A-Z][A-Z0-9]{2}$")
# The MSH of a message that opens with something else (byte order mark, batch header, blank lines) is looked for so far.
_PREAMBLE: Final = 1024
_MSA_REACH: Final = 64 * 1024
_SEQUENCE_END: Final = 10_000_000
_ALPHABET: Final = b"0123456789ABCDEFGHJKLMNPQRSTUVWX"

# A letter, a digit, a blank or half a character cannot be a separator: the rest would be cut at random.
_SEPARATORS: Final = frozenset(bytes([code]) for code in range(0x21, 0x7F) if not chr(code).isalnum())

_NO_BLOCK: Final = bytes.maketrans(mllp.VT + mllp.FS, b"  ")

_LETTER: Final = {"accepted": b"A", "duplicate": b"A", "aside": b"A", "refused": b"E", "unavailable": b"R"}
_EMPTY: Final = (b"", b'""')


def header(payload: bytes) -> bytes:
    """The MSH segment of a message, at most :data:`engine.parsers.mllp.HEAD_SIZE` bytes; empty when there is none."""
    start = 0
    if payload[:3] != b"MSH":
        found = _HEADER.search(payload, 0, _PREAMBLE)
        if found is None:
            return b""
        start = found.start(1)
    end = payload.find(b"\r", start, start + mllp.HEAD_SIZE)
    line = payload[start : start + mllp.HEAD_SIZE if end < 0 else end]
    end = line.find(b"\n")
    return line if end < 0 else line[:end]


def fields(line: bytes) -> list[bytes]:
    """MSH-1 is at 0, MSH-2 at 1 ... MSH-18 at 17; empty list when the segment cannot be read."""
    separator = line[3:4]
    if separator not in _SEPARATORS:
        return []
    values = line.split(separator)
    if len(line) >= mllp.HEAD_SIZE:
        values.pop()  # cut in the middle
    values[0] = separator
    if len(values) < 18:
        values += [b""] * (18 - len(values))
    return values


@lru_cache(maxsize=1024)
def _type(value: bytes, component: bytes) -> tuple[bytes, bytes]:
    """MSH-9 and MSH-12 of the answer, from MSH-9 of the message."""
    parts = [b"".join(part.split()) for part in value.split(component)]
    event = parts[1].upper() if len(parts) > 1 else b""
    version = b"2.6" if parts[0].upper() in {b"MDM", b"ZAM"} else b"2.5"
    return (component.join((b"ACK", event, b"ACK")) if _EVENT.match(event) else b"ACK"), version


@lru_cache(maxsize=1024)
def _error(code: str, where: str, text: str, separator: bytes, encoding: bytes) -> bytes:
    """The ERR segment: where (ERR-2), what (ERR-3, table 0357), our code (ERR-5, ERR-7) and a sentence (ERR-8)."""
    number = _CONDITIONS.get(code, "102" if code.startswith("xml-") else "207")
    place = _PLACE.match(where)
    location: list[str] = []
    if place:
        segment, sequence, field, part, subpart = place.groups()
        location = [segment, sequence or "1"]
        if field:
            location += [field]
            if part:
                location += ["1", part] + ([subpart] if subpart else [])
    # Our own words hold no delimiter of the standard set, but a sender may have chosen any other.
    unsafe = dict.fromkeys(separator + encoding, " ")
    join = encoding[:1].decode("latin-1").join

    def safe(*parts: str) -> str:
        return join(part.encode("ascii", "replace").decode().translate(unsafe) for part in parts)

    values = (
        "ERR",
        "",
        join(location),
        safe(number, _LABELS[number], "messageErrorCondition"),
        "E",
        safe(code, text, PREFIX.decode()),
        "",
        safe(code),
        safe(text),
    )
    return separator.decode("latin-1").join(values).encode("latin-1") + b"\r"


class Acknowledger:
    """Answers of one listener.

    ``clock`` gives seconds since 1970; ``texts`` gives one English sentence per code, for ERR-8 (a code without a sentence
    is spelled out).
    """

    __slots__ = ("_clock", "_date", "_prefix", "_prefixes", "_second", "_sequence", "_texts")

    def __init__(self, clock: Callable[[], float] = time.time, texts: Mapping[str, str] | None = None) -> None:
        self._clock = clock
        self._texts = {**mllp.CODES, **CODES, **(texts or {})}
        self._second = -1
        self._date = b""
        self._prefixes: set[bytes] = set()
        self._renew()

    def ours(self, payload: bytes, line: bytes) -> bool:
        """Whether this is an answer to one of our own answers: never acknowledged again (HL7 v2.5 section 2.9.2)."""
        if b"ACK" not in line:
            return False
        values = fields(line)
        if not values or values[8].lstrip()[:3].upper() != b"ACK":
            return False
        found = _MSA.search(payload, 0, _MSA_REACH)
        return found is not None and found[2] in self._prefixes

    def answers(self, line: bytes, receipt: Receipt) -> list[bytes]:
        """The messages to send back, in order, for the message whose MSH is ``line``.

        Original mode (MSH-15 and MSH-16 empty): one of AA, AE, AR. Enhanced mode: the accept acknowledgement that MSH-15
        asks for (CA, CE, CR), then the application acknowledgement that MSH-16 asks for, unless the message was refused
        already. Both may be unwanted: then the list is empty. Without a readable MSH: one answer with an empty MSA-2.
        """
        values = fields(line)
        letter = _LETTER[receipt.status]
        if not values:
            return [self._message(_NAMELESS, b"A" + letter, receipt, b"")]
        accept, application = values[14], values[15]
        if accept in _EMPTY and application in _EMPTY:
            return [self._message(values, b"A" + letter, receipt, b"")]
        messages = []
        refused = letter != b"A"
        if _wanted(accept, refused):
            messages.append(self._message(values, b"C" + letter, receipt, b""))
        if not (refused and messages) and _wanted(application, refused):
            # NE: the sender need not acknowledge the acknowledgement.
            messages.append(self._message(values, b"A" + letter, receipt, b"NE"))
        return messages

    def _message(self, values: list[bytes], code: bytes, receipt: Receipt, mode: bytes) -> bytes:
        now = int(self._clock())
        if now != self._second:
            self._second = now
            self._date = time.strftime("%Y%m%d%H%M%S%z", time.localtime(now)).encode()
        self._sequence += 1
        if self._sequence >= _SEQUENCE_END:
            self._renew()
        separator, encoding = values[0], values[1] or b"^~\\&"
        component = encoding[:1]
        kind, version = _type(values[8], component)
        message = separator.join(
            (
                b"MSH",
                encoding,
                values[4] or PREFIX,
                values[5],
                values[2],
                values[3],
                self._date,
                b"",
                kind,
                b"%b%07d" % (self._prefix, self._sequence),
                values[10] or b"P",
                version,
                b"",
                b"",
                mode,
                mode,
                b"FRA",
                values[17] + b"\rMSA",
                code,
                values[9] + b"\r",
            )
        )
        if code[1:] != b"A":
            reason = receipt.code or ("unavailable" if receipt.status == "unavailable" else "refused")
            text = self._texts.get(reason) or reason.replace("-", " ")
            message += _error(reason, receipt.where, text, separator, encoding)
        # A vertical tab pasted into a header field would begin another block.
        return message.translate(_NO_BLOCK) if mllp.VT in message or mllp.FS in message else message

    def _renew(self) -> None:
        """A new series of control ids: 40 random bits, so that no restart and no other listener gives the same."""
        self._prefix = PREFIX + bytes(_ALPHABET[byte & 31] for byte in os.urandom(8))
        self._prefixes.add(self._prefix)
        self._sequence = 0


def _wanted(value: bytes, refused: bool) -> bool:
    """Whether MSH-15 or MSH-16 asks for an answer (table 0155). An unknown word is read as "always"."""
    if value in _EMPTY:
        return False
    word = value.strip().upper()
    if word == b"NE":
        return False
    if word == b"ER":
        return refused
    if word == b"SU":
        return not refused
    return True


_NAMELESS: Final = [b"|", *[b""] * 17]
