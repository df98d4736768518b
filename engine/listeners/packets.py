"""Messages from a capture of the network (pcap, pcapng), as a mirror port gives it: MLLP on any port, both directions.

Link layers, tunnels, addresses and connections are told by ``tshark`` (Wireshark's own, a program of the system: the only kept one that
knows all of them); it is asked for segments alone, and no dissector of an application runs. The segments are put together here. A message of
which a piece is missing in the capture is counted as incomplete, and nothing of it is delivered.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.errors import ConfigError
from engine.parsers.mllp import MAX_SIZE, VT, Event, Framer, Junk
from engine.parsers.tcp_stream import TcpStream

_MAGIC: Final = frozenset(bytes.fromhex(word) for word in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a"))
_GZIP: Final = b"\x1f\x8b"
_FIELDS: Final = (
    "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "tcp.seq_raw", "tcp.len", "tcp.flags.syn", "tcp.payload"
)  # fmt: skip
_ARGUMENTS: Final = (
    *("-n", "-l", "-Q"),
    *("-o", "tcp.desegment_tcp_streams:FALSE", "-o", "tcp.try_heuristic_first:FALSE"),
    *("-d", "tcp.port==0-65535,data"),
    *("-Y", "tcp.len > 0 || tcp.flags.syn == 1"),
    *("-T", "fields", "-E", "separator=/t", "-E", "occurrence=l"),
    *(word for name in _FIELDS for word in ("-e", name)),
)
_READ: Final = 1024 * 1024
# What begins a message: a block that begins with anything else is a piece of one whose beginning is missing.
_BEGINNINGS: Final = (b"MSH", b"FHS", b"BHS")
_OPENING: Final = VT + b"MSH"


class CutShortError(Exception):
    """A capture that could not be read to its end. What came before it was delivered."""


class Missing(Struct):
    """What a capture lacks. ``messages``: at least so many are incomplete; ``bytes``: so many were sent and not captured."""

    messages: int = 0
    bytes: int = 0


def recognises(path: Path) -> bool:
    """Whether a file is a capture, plain or gzip, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head[:2] == _GZIP:
            with gzip.open(path) as stream:
                head = stream.read(4)
    except (OSError, EOFError):
        return False
    return head in _MAGIC


async def messages(path: Path, missing: Missing, on_bytes: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    """The messages of a capture, both directions. Fills ``missing``; raises :class:`ConfigError` without tshark."""
    program = shutil.which("tshark")
    if program is None:
        raise ConfigError(str(path), 0, "a capture of the network is read with tshark", "apt-get install tshark")
    flows: dict[tuple[bytes, ...], _Flow] = {}
    with tempfile.TemporaryDirectory() as home:  # nobody's own settings of Wireshark
        process = await asyncio.create_subprocess_exec(
            program,
            *("-r", str(path), *_ARGUMENTS),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "LC_ALL": "C"},
        )
        assert process.stdout is not None
        try:
            rest, done = b"", 0
            while data := await process.stdout.read(_READ):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    *fields, payload = line.split(b"\t")
                    if len(fields) != len(_FIELDS) - 1:
                        continue
                    flow = flows.setdefault(tuple(fields[:4]), _Flow())
                    for message in flow.segment(int(fields[4]), int(fields[5]), fields[6], payload):
                        yield message
                done += len(data) // 2
                on_bytes(done)
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    for flow in flows.values():
        for message in flow.close():
            yield message
        if flow.speaks:
            missing.messages += flow.incomplete
            missing.bytes += flow.lost
    if code:
        raise CutShortError


class _Flow:
    """One direction of one connection. ``speaks``: a message of HL7 began in it; else what it lacks is not ours to count."""

    __slots__ = ("_framer", "_stream", "_torn", "incomplete", "lost", "speaks")

    def __init__(self) -> None:
        self.speaks = False
        self.incomplete = 0
        self.lost = 0
        self._stream = TcpStream()
        self._framer = Framer(MAX_SIZE)
        self._torn = False  # what comes may be the end of a message of which the beginning is missing

    def segment(self, sequence: int, length: int, syn: bytes, payload: bytes) -> list[bytes]:
        """A line of tshark: the messages that it completes. A payload may be cut short (``snaplen``): its rest is a gap."""
        if syn in {b"1", b"True"}:
            self._stream.opened(sequence)
        data = bytes.fromhex(payload.decode("ascii"))
        return self._read(self._stream.feed(sequence, data[:length]))

    def close(self) -> list[bytes]:
        """The end of the capture."""
        found = self._read(self._stream.close())
        self._break()
        return found

    def _read(self, pieces: list[bytes | int]) -> list[bytes]:
        found: list[bytes] = []
        for piece in pieces:
            if isinstance(piece, int):
                self.lost += piece
                self._break()
            else:
                self.speaks = self.speaks or _OPENING in piece
                found += self._events(self._framer.feed(piece))
        return found

    def _break(self) -> None:
        """The stream breaks off here: a message that had begun is incomplete, and its end, if it comes, is no other one."""
        inside = self._framer.inside
        self._events(self._framer.close())
        self._torn = not inside

    def _events(self, events: list[Event]) -> list[bytes]:
        found: list[bytes] = []
        for event in events:
            if isinstance(event, bytes) and event.startswith(_BEGINNINGS):
                found.append(event)
            elif isinstance(event, Junk):
                self.incomplete += self._torn
            else:
                self.incomplete += 1
            self._torn = False
        return found
