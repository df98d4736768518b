"""Files of messages, read piece by piece and handed to the pipeline with a window of outstanding messages.

Used by the watched folder and by ``jauge replay``. Plain and gzip files, of any size: memory is bounded by the piece and the
window, not by the file.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from engine.listeners import packets
from engine.listeners.listener import Pipeline
from engine.parsers import atna, mbox, syslog
from engine.parsers.batch import HEADER, split
from engine.parsers.format import HEAD
from engine.parsers.mllp import MAX_SIZE
from engine.parsers.syslog_frames import Framer, TooLarge, Truncated
from engine.receipt import Receipt

#: Bytes of a file read at a time; a longer message makes the piece longer.
PIECE: Final = 16 * 1024 * 1024
#: Outstanding messages and bytes: enough for a full group commit, little enough to stay small.
WINDOW: Final = 512
WINDOW_BYTES: Final = 32 * 1024 * 1024
# Messages handed over before the event loop gets a turn.
_BURST: Final = 64


class Progress(Struct, frozen=True):
    """How far a replay is: files, messages, and bytes as stored (compressed ones for .gz)."""

    files: int
    files_total: int
    bytes: int
    bytes_total: int
    messages: int


class DamagedError(Exception):
    """A file that could not be read to its end (permission, disk, broken gzip). What came before it was delivered."""


class Delivery:
    """Hands messages to the pipeline, in order, and counts the receipts by status.

    ``statuses`` is complete after ``settled``. ``stopped`` becomes true at the first ``unavailable`` receipt: the engine
    cannot take anything now. ``rejected`` is told the code of a message that never reaches the pipeline.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        feed: str,
        max_message_bytes: int = MAX_SIZE,
        rejected: Callable[[str], None] | None = None,
    ) -> None:
        self.statuses: Counter[str] = Counter()
        self.stopped = False
        self._pipeline = pipeline
        self._feed = feed
        self._max = max_message_bytes
        self._rejected = rejected
        self._count = 0
        self._bytes = 0
        self._burst = 0
        self._moved = asyncio.Event()

    async def give(self, message: bytes) -> None:
        """Hand over one message, when there is room for it."""
        size = len(message)
        if size > self._max:
            self.statuses["refused"] += 1
            if self._rejected is not None:
                self._rejected("too-large")
            return
        while self._count and (self._count >= WINDOW or self._bytes + size > WINDOW_BYTES):
            self._moved.clear()
            await self._moved.wait()
        self._count += 1
        self._bytes += size

        def done(receipt: Receipt) -> None:
            self.statuses[receipt.status] += 1
            self.stopped = self.stopped or receipt.status == "unavailable"
            self._count -= 1
            self._bytes -= size
            self._moved.set()

        self._pipeline.submit(message, self._feed, done)
        self._burst += 1
        if self._burst >= _BURST:
            self._burst = 0
            await asyncio.sleep(0)

    async def settled(self) -> None:
        """Wait until everything handed over has its receipt."""
        while self._count:
            self._moved.clear()
            await self._moved.wait()


Cut = Callable[[bytes, bool], tuple[Iterable[bytes], bytes]]
"""What has been read of a file, and whether that is all -> its messages that are surely complete, and the rest.

The messages are taken before the next call, and may raise :class:`DamagedError` at their end. A cut may keep a state: one cut reads one file.
"""


def hl7_messages(data: bytes, last: bool) -> tuple[Iterable[bytes], bytes]:
    """Messages of HL7 v2, in any of the ways files hold them."""
    whole, rest = _cut(data, last=last)
    return (list(split(whole)) if whole else []), rest


def lines(data: bytes, last: bool) -> tuple[Iterable[bytes], bytes]:
    """Lines, without their ends; empty ones are no messages."""
    end = len(data) if last else data.rfind(b"\n") + 1
    if not end and len(data) > 2 * MAX_SIZE:  # beyond any limit: handed over as it is, and refused for its size
        end = len(data)
    return [line for one in data[:end].split(b"\n") if (line := one.rstrip(b"\r"))], data[end:]


def whole_file(data: bytes, last: bool) -> tuple[Iterable[bytes], bytes]:
    """The file is one message."""
    return ([data] if data else [], b"") if last or len(data) > 2 * MAX_SIZE else ([], data)


class SyslogMessages:
    """Messages of syslog, by the beginning of the file: as they went over the wire, in either framing; one audit message; else lines."""

    def __init__(self) -> None:
        self._cut: Cut | None = None

    def __call__(self, data: bytes, last: bool) -> tuple[Iterable[bytes], bytes]:
        """See :data:`Cut`."""
        if self._cut is None:
            if len(data) < HEAD and not last:
                return (), data
            self._cut = self._chosen(data[:HEAD])
        return self._cut(data, last)

    def _chosen(self, head: bytes) -> Cut:
        if syslog.FORMAT.recognises(head):
            framer = Framer(2 * MAX_SIZE)
            return lambda data, last: (_framed(framer, data, last=last), b"")
        return whole_file if atna.FORMAT.recognises(head) else lines


def _framed(framer: Framer, data: bytes, *, last: bool) -> Iterator[bytes]:
    damaged = False
    for event in framer.feed(data) + (framer.close() if last else []):
        if isinstance(event, bytes):
            yield event
        elif isinstance(event, TooLarge | Truncated):
            damaged = True
    if damaged:
        raise DamagedError


class Mails:
    """The file is one mail, or an mbox of many."""

    def __init__(self) -> None:
        self._mbox: mbox.Splitter | None = None
        self._known = False

    def __call__(self, data: bytes, last: bool) -> tuple[Iterable[bytes], bytes]:
        """See :data:`Cut`."""
        if not self._known:
            if len(data) < len(mbox.MARK) and not last:
                return (), data
            self._known = True
            self._mbox = mbox.Splitter(2 * MAX_SIZE) if data.startswith(mbox.MARK) else None
        if self._mbox is None:
            return whole_file(data, last)
        return self._mbox.feed(data) + (self._mbox.close() if last else []), b""


CUTS: Final[dict[str, Callable[[], Cut]]] = {
    "hl7": lambda: hl7_messages,
    "lines": lambda: lines,
    "file": lambda: whole_file,
    "syslog": SyslogMessages,
    "mail": Mails,
}
"""How an archive of each kind of feed is cut into messages (``Declaration.archive``): makes the cut of one file."""


async def messages(
    path: Path, on_bytes: Callable[[int], None] | None = None, cut: Callable[[], Cut] = CUTS["hl7"]
) -> AsyncGenerator[bytes, None]:
    """The messages of one file. Raises :class:`DamagedError` when it cannot be read to its end.

    ``on_bytes`` is told how far in the stored file the reading is; ``cut`` is one of :data:`CUTS`.
    """
    cut_file = cut()
    try:
        stored = await asyncio.to_thread(path.open, "rb")
    except OSError:
        raise DamagedError from None
    try:
        stream: BinaryIO = gzip.GzipFile(fileobj=stored) if path.suffix == ".gz" else stored  # type: ignore[assignment]
        rest = b""
        while True:
            try:
                piece = await asyncio.to_thread(stream.read, PIECE)
            except (OSError, EOFError, zlib.error):
                # The last message is cut: it is not delivered as if it were whole.
                raise DamagedError from None
            if on_bytes is not None:
                on_bytes(stored.tell())
            found, rest = cut_file(rest + piece if rest else piece, not piece)
            for message in found:
                yield message
            if not piece:
                return
    finally:
        stored.close()


def _cut(data: bytes, last: bool) -> tuple[bytes, bytes]:
    """What is surely complete, and the rest that may go on in the next piece."""
    if last:
        return data, b""
    start = _last_start(data)
    if start > 0:
        return data[:start], data[start:]
    # One message longer than a piece. Beyond any limit it is handed over as it is, and refused for its size.
    return (data, b"") if len(data) > 2 * MAX_SIZE else (b"", data)


def _last_start(data: bytes) -> int:
    """Where the last message of ``data`` surely begins: MSH after VT, CR or LF, and a separator behind it; else 0."""
    for mark, kept in ((b"\x0bMSH", 1), (b"\rMSH", 0), (b"\nMSH", 0)):
        end = len(data) - 2
        while (found := data.rfind(mark, 0, end)) >= 0:
            if HEADER.match(data, found + 1):
                return found + 1 - kept
            end = found + 3
    return 0


def files(paths: Sequence[Path]) -> list[Path]:
    """The files to read: each path itself, or everything below a folder, sorted; no hidden file, no ``.tmp``.

    Raises FileNotFoundError for a path that is not there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                inner for inner in path.rglob("*") if inner.is_file() and not _passed_over(inner.relative_to(path))
            )
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(path)
    return found


def _passed_over(path: Path) -> bool:
    return path.suffix == ".tmp" or any(part.startswith(".") for part in path.parts)


async def replay(
    paths: Sequence[Path | str],
    pipeline: Pipeline,
    feed: str,
    on_progress: Callable[[Progress], None] | None = None,
    max_message_bytes: int = MAX_SIZE,
    cut: Callable[[], Cut] = CUTS["hl7"],
) -> dict[str, int]:
    """Hand every message of files and folders to the pipeline; how many came to each status.

    Besides the statuses of :class:`Receipt`: ``damaged``, files that could not be read to their end, and captures of the network that lack
    something: ``incomplete`` messages (at least so many) and ``missing-bytes``. Stops at the first
    ``unavailable``: replay again later, what is counted already is not counted twice. Raises FileNotFoundError.
    """
    every = await asyncio.to_thread(files, [Path(path) for path in paths])
    sizes = [path.stat().st_size for path in every]
    total, before, delivered = sum(sizes), 0, 0
    delivery = Delivery(pipeline, feed, max_message_bytes)
    damaged = 0
    missing = packets.Missing()

    def tell(count: int, reached: int) -> None:
        if on_progress is not None:
            on_progress(Progress(count, len(every), before + reached, total, delivered))

    for number, (path, size) in enumerate(zip(every, sizes, strict=True)):
        reached = 0

        def note(position: int) -> None:
            nonlocal reached
            reached = position

        try:
            captured = cut is CUTS["hl7"] and packets.recognises(path)
            source = packets.messages(path, missing, note) if captured else messages(path, note, cut)
            async with aclosing(source) as stream:
                async for message in stream:
                    await delivery.give(message)
                    delivered += 1
                    if delivered % _BURST == 0:
                        tell(number, reached)
                    if delivery.stopped:
                        break
        except (DamagedError, packets.CutShortError):
            damaged += 1
        if delivery.stopped:
            break
        before += size
        tell(number + 1, 0)
    await delivery.settled()
    counts: dict[str, int] = dict(delivery.statuses)
    if missing.messages or missing.bytes:
        counts |= {"incomplete": missing.messages, "missing-bytes": missing.bytes}
    if damaged:
        counts["damaged"] = damaged
    return counts
