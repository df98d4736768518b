"""Damage that messages meet: the same mutations for hypothesis and for the fuzzer."""

from __future__ import annotations

import random

from tests.parsers.messages import (
    EVN,
    MSH,
    NAMES,
    PID,
    PV1,
    ZBE,
    build,
    document,
    field,
    fixture,
    mark,
    oru,
)

_PIECES = [
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\r",
    b"\n",
    b"\r\n",
    b'""',
    b" ",
    b"\x0b",
    b"\x1c",
    b"\x00",
    b"\xc2\xa0",
    b"\xe9",
    b"Y",
    b"N",
]
_TOKENS = [
    "INSERT",
    "UPDATE",
    "CANCEL",
    "A01",
    "A40",
    "Z99",
    "PROV",
    "VALI",
    "\\F\\",
    "\\X41\\",
    "20260302",
    "0",
    "É",
    "185057599900150",
    '""',
    "",
]


def corpus() -> list[bytes]:
    """Messages of every kind to start from."""
    return [fixture(name) for name in NAMES] + [oru(document(), mark("DESTDMP", "Y")), build(MSH, EVN, PID, PV1, ZBE)]


def mutated(raw: bytes, source: random.Random) -> bytes:
    """The message with one to four accidents."""
    for _ in range(source.randint(1, 4)):
        raw = source.choice(_ACCIDENTS)(raw, source)
    return raw


def _cut(raw: bytes, source: random.Random) -> bytes:
    return raw[: source.randint(0, len(raw))]


def _insert(raw: bytes, source: random.Random) -> bytes:
    at = source.randint(0, len(raw))
    return raw[:at] + source.choice(_PIECES) + raw[at:]


def _remove(raw: bytes, source: random.Random) -> bytes:
    at = source.randint(0, len(raw))
    return raw[:at] + raw[at + source.randint(1, 12) :]


def _flip(raw: bytes, source: random.Random) -> bytes:
    data = bytearray(raw)
    if data:
        data[source.randrange(len(data))] = source.randrange(256)
    return bytes(data)


def _shuffle(raw: bytes, source: random.Random) -> bytes:
    head, *rest = raw.split(b"\r")
    source.shuffle(rest)
    return b"\r".join([head, *rest])


def _repeat(raw: bytes, source: random.Random) -> bytes:
    lines = raw.split(b"\r")
    lines.insert(source.randint(0, len(lines)), source.choice(lines))
    return b"\r".join(lines)


def _drop(raw: bytes, source: random.Random) -> bytes:
    lines = raw.split(b"\r")
    del lines[source.randrange(len(lines))]
    return b"\r".join(lines)


def _redelimit(raw: bytes, source: random.Random) -> bytes:
    old, new = source.sample([b"|", b"^", b"~", b"\\", b"&", b"#", "˜".encode(), b"$"], 2)
    return raw.replace(old, new)


def _end(raw: bytes, source: random.Random) -> bytes:
    return raw.replace(b"\r", source.choice([b"\n", b"\r\n", b"\r\r", b"\n\r"]))


def _set(raw: bytes, source: random.Random) -> bytes:
    lines = raw.split(b"\r")
    at = source.randrange(len(lines))
    text = lines[at].decode("utf-8", "surrogateescape")
    lines[at] = field(text, source.randint(1, 52), source.choice(_TOKENS)).encode("utf-8", "surrogateescape")
    return b"\r".join(lines)


_ACCIDENTS = [_cut, _insert, _remove, _flip, _shuffle, _repeat, _drop, _redelimit, _end, _set, _set, _set]
