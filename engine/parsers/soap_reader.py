"""Walks the XML of a SOAP message with expat, by events, and never more than one value at a time.

Expat rather than a tree: a document that is attached inline is one text of tens of megabytes, which libxml2 refuses without
``huge_tree``, and which nobody needs as a text (its bytes are decoded where they stand). Names are those after the prefix:
prefixes are anybody's choice, and some platforms dump a fragment without its declarations. No DOCTYPE is ever shown to
expat, so there are no entities but XML's own five and no network.
"""

from __future__ import annotations

import pyexpat
import re
from pyexpat import errors as expat_errors
from typing import Any, Final, Protocol

from engine.errors import ParseError

CODES: Final[dict[str, str]] = {
    "soap-doctype": "A DOCTYPE is forbidden in SOAP and is never expanded; look at who sends this.",
    "soap-encoding": "The XML is not of the encoding it declares, or in UTF-32, or in UTF-16 without byte order mark; SOAP is read in UTF-8.",
    "soap-entity": "An entity that XML does not define; write the character itself.",
    "soap-malformed": "The XML of the message is not well-formed at this byte, or the payload is no XML.",
    "soap-too-deep": "Elements are nested deeper than 256; no SOAP message of XDS is.",
    "soap-too-large": "A tag, a comment or an attribute is longer than 1 MiB, or there are more than 500,000 elements; no SOAP message of XDS is so.",
    "soap-truncated": "The XML ends before its last element is closed; the dump was cut.",
}
"""Every code that :func:`walk` raises, and what it means."""

REJECTIONS: Final = frozenset(CODES)

MAX_DEPTH: Final = 256
MAX_TOKEN: Final = 1 << 20
"""Bytes of a tag, a comment or a processing instruction. Text is not a token: it may be of any length."""
MAX_ELEMENTS: Final = 500_000
"""A thousand documents have 300,000; more would keep the writer, and every acknowledgement, waiting for seconds."""
MAX_TEXT: Final = 1 << 16
"""Characters of a value that is asked for; a longer one is read as empty."""

_PIECE: Final = 1 << 16
_SPACE: Final = re.compile(rb"[ \t\r\n]+")
_BOM: Final = b"\xef\xbb\xbf"
_TRUNCATED: Final = frozenset(
    expat_errors.codes[message]
    for message in (
        expat_errors.XML_ERROR_NO_ELEMENTS,
        expat_errors.XML_ERROR_UNCLOSED_TOKEN,
        expat_errors.XML_ERROR_PARTIAL_CHAR,
        expat_errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)
_ENTITY: Final = expat_errors.codes[expat_errors.XML_ERROR_UNDEFINED_ENTITY]
_ENCODING: Final = frozenset(
    expat_errors.codes[message]
    for message in (expat_errors.XML_ERROR_UNKNOWN_ENCODING, expat_errors.XML_ERROR_INCORRECT_ENCODING)
)
_INVALID: Final = expat_errors.codes[expat_errors.XML_ERROR_INVALID_TOKEN]


class Sink(Protocol):
    """Who listens to a walk. ``path`` is the local names from the root to this element, and is the walker's own list."""

    def start(self, path: list[str], attributes: dict[str, str], place: int) -> bool:
        """An element opens at byte ``place``; whether its text is wanted."""

    def end(self, path: list[str], text: str, place: int) -> None:
        """An element closes at byte ``place``: its own text when it was wanted, and when no element stood in it."""


def root(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Where the root element (or a DOCTYPE) begins: after white space, XML declaration, comments and instructions; -1 without one."""
    stop = len(data) if end is None else end
    position = start + len(_BOM) if data.startswith(_BOM, start) else start
    while True:
        position = _after_space(data, position, stop)
        if data.startswith(b"<?", position, stop):
            mark = b"?>"
        elif data.startswith(b"<!--", position, stop):
            mark = b"-->"
        else:
            return position if data.startswith(b"<", position, stop) else -1
        close = data.find(mark, position + len(mark), stop)
        if close < 0:
            return -1
        position = close + len(mark)


def walk(data: bytes, sink: Sink, start: int = 0, end: int | None = None, encoding: str | None = None) -> None:
    """Tell ``sink`` the elements of ``data[start:end]``. ``encoding`` is one that the transport declares, which holds.

    Raises :class:`ParseError` with a code of :data:`CODES` at a byte of ``data``, or what the sink raises.
    """
    stop = len(data) if end is None else end
    if b"\0" in data[start : min(start + 64, stop)]:
        raise ParseError("soap-encoding", f"byte {start}")
    first = root(data, start, stop)
    if first < 0:
        cut = data.startswith((b"<", _BOM + b"<"), start, stop) or start == stop
        raise ParseError("soap-truncated" if cut else "soap-malformed", f"byte {start}")
    if data.startswith(b"<!", first, stop):
        raise ParseError("soap-doctype", f"byte {first}")
    # Empty lines may stand before the XML declaration in a dump, even after a byte order mark.
    begin = start + len(_BOM) if data.startswith(_BOM, start) else start
    _Walk(data, sink, (_after_space(data, begin, stop), stop), encoding).run()


def _after_space(data: bytes, start: int, end: int) -> int:
    space = _SPACE.match(data, start, end)
    return space.end() if space is not None else start


class _Walk:
    """One walk; see :func:`walk`."""

    __slots__ = ("_count", "_data", "_origin", "_parser", "_path", "_sink", "_size", "_stop", "_text")

    def __init__(self, data: bytes, sink: Sink, span: tuple[int, int], encoding: str | None) -> None:
        self._data = data
        self._sink = sink
        self._origin, self._stop = span
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._size = 0
        self._count = 0
        self._parser: Any = pyexpat.ParserCreate(encoding)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def run(self) -> None:
        parser, view = self._parser, memoryview(self._data)
        try:
            for at in range(self._origin, self._stop, _PIECE):
                after = min(at + _PIECE, self._stop)
                parser.Parse(view[at:after], False)
                if after - self._origin - parser.CurrentByteIndex > MAX_TOKEN + _PIECE:
                    raise ParseError("soap-too-large", f"byte {self._place()}")
            parser.Parse(b"", True)
        except pyexpat.ExpatError as error:
            raise self._error(error) from None
        except (ValueError, LookupError):  # an encoding that Python refuses, or bytes that are not of it
            raise ParseError("soap-encoding", f"byte {self._origin}") from None
        finally:  # cut the loop between the parser and this object: the payload must not wait for the collector
            parser.StartDoctypeDeclHandler = parser.CharacterDataHandler = None
            parser.StartElementHandler = parser.EndElementHandler = None

    def _place(self) -> int:
        return self._origin + max(int(self._parser.CurrentByteIndex), 0)

    def _error(self, error: pyexpat.ExpatError) -> ParseError:
        if error.code in _TRUNCATED:
            code = "soap-truncated"
        elif error.code == _ENTITY:
            code = "soap-entity"
        elif error.code in _ENCODING:
            code = "soap-encoding"
        else:
            code = "soap-malformed"
        place = self._origin + max(self._parser.ErrorByteIndex, 0)
        if error.code == _INVALID and place < self._stop and self._data[place] >= 0x80:
            code = "soap-encoding"
        return ParseError(code, f"byte {place}")

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise ParseError("soap-doctype", f"byte {self._place()}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        path = self._path
        if len(path) >= MAX_DEPTH:
            raise ParseError("soap-too-deep", f"byte {self._place()}")
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise ParseError("soap-too-large", f"byte {self._place()}")
        path.append(name.rpartition(":")[2])
        if self._sink.start(path, attributes, self._place()):
            self._text, self._size = [], 0
            self._parser.CharacterDataHandler = self._chars
        elif self._text is not None:
            self._text = None
            self._parser.CharacterDataHandler = None

    def _chars(self, text: str) -> None:
        self._size += len(text)
        if self._text is not None and self._size <= MAX_TEXT:
            self._text.append(text)

    def _end(self, name: str) -> None:
        text = ""
        if self._text is not None:
            if self._size <= MAX_TEXT:
                text = "".join(self._text)
            self._text = None
            self._parser.CharacterDataHandler = None
        self._sink.end(self._path, text, self._place())
        self._path.pop()
