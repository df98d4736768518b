"""Walks a CDA with expat, without building a tree: header by callbacks, body at the speed of C.

The common document is read once: callbacks stop at the body, and expat alone checks that the rest is well-formed. When bytes
alone cannot tell what the body holds, callbacks go on to the end (``quick=False``). Expat keeps about 100 bytes for each
open element and never recurses, so the depth limit guards memory only; it is exact in both ways.
"""

from __future__ import annotations

import pyexpat
import re
from pyexpat import errors as expat_errors
from typing import Any, Final

from engine.errors import ParseError
from engine.parsers.cda_body import Payload, begins, closed_at, embedded, has_entry, payload, pictures, shallow
from engine.parsers.cda_header import HEADER, NAMESPACE, TEXT, Attributes, Found, Tree, close_text

_DOCUMENT: Final = f"{NAMESPACE} ClinicalDocument"
_COMPONENT: Final = f"{NAMESPACE} component"
_STRUCTURED: Final = f"{NAMESPACE} structuredBody"
_NON_XML: Final = f"{NAMESPACE} nonXMLBody"
_NON_XML_TEXT: Final = f"{NAMESPACE} text"
_SECTION: Final = f"{NAMESPACE} section"
_ENTRY: Final = f"{NAMESPACE} entry"

# Two thirds of the elements of a header stand in these, which are on no path that is read.
_UNREAD: Final = {
    f"{NAMESPACE} {name}": name.encode()
    for name in (
        "author",
        "dataEnterer",
        "informant",
        "legalAuthenticator",
        "authenticator",
        "participant",
        "performer",
        "responsibleParty",
        "encounterParticipant",
        "healthCareFacility",
        "guardian",
        "providerOrganization",
        "addr",
    )
}

# CI-SIS "Structuration minimale": a CDA "autopresentable" is an XSLT sheet, a signed one sits inside its signature.
_WRAPPERS: Final = {
    "http://www.w3.org/1999/XSL/Transform stylesheet": "stylesheet",
    "http://www.w3.org/1999/XSL/Transform transform": "stylesheet",
    "http://www.w3.org/2000/09/xmldsig# Signature": "signature",
}

_START: Final = re.compile(rb"(\xef\xbb\xbf)?([ \t\r\n]*)")
_DECLARED: Final = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
_ASCII_SUPERSET: Final = re.compile(
    rb"(?:utf-?8|us-ascii|ascii|iso-?8859-?\d+|latin-?1|windows-125\d|cp125\d)", re.IGNORECASE
)

_NAME: Final = 64  # more than a start tag's name and its prefix
_MARGIN: Final = 32  # levels left to what stands around a stretch that is counted by itself
_EMPTY: Final[Tree] = {}  # children of what is passed over
_BODY: Final[Tree] = {}  # marks the text of a level-1 body

_CODES: Final = expat_errors.codes
_TRUNCATED: Final = frozenset(
    _CODES[message]
    for message in (
        expat_errors.XML_ERROR_NO_ELEMENTS,
        expat_errors.XML_ERROR_UNCLOSED_TOKEN,
        expat_errors.XML_ERROR_PARTIAL_CHAR,
        expat_errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)
_ENTITY: Final = frozenset(
    _CODES[message]
    for message in (expat_errors.XML_ERROR_UNDEFINED_ENTITY, expat_errors.XML_ERROR_RECURSIVE_ENTITY_REF)
)
_ENCODING: Final = frozenset(
    _CODES[message] for message in (expat_errors.XML_ERROR_UNKNOWN_ENCODING, expat_errors.XML_ERROR_INCORRECT_ENCODING)
)
_INVALID_TOKEN: Final = _CODES[expat_errors.XML_ERROR_INVALID_TOKEN]


class Reader:
    """One reading of one document; ``found`` holds the header, the other attributes what was seen around it."""

    __slots__ = (
        "_blind",
        "_chars",
        "_data",
        "_depth",
        "_done",
        "_guess",
        "_guessed",
        "_limit",
        "_names",
        "_offset",
        "_origin",
        "_parser",
        "_quick",
        "_skipped",
        "_stack",
        "_tree",
        "encoding",
        "entry",
        "found",
        "indented",
        "payload",
        "unsure",
        "unwatched",
        "wrapper",
    )

    def __init__(self, data: bytes, depth: int, *, quick: bool) -> None:
        self.found = Found()
        self.encoding = ""  # as declared, upper case
        self.wrapper = ""  # "", "stylesheet" or "signature"
        self.indented = False  # white space stands before the XML declaration
        self.entry = False  # section/entry was met
        self.payload: Payload | None = None  # of the first text of a level-1 body
        self.unwatched = -1  # byte from which no callback looked, -1: none
        self.unsure = False  # a level-1 body stands where none was expected: it may have been left out
        self._blind = False  # base64 of a structured body was left out
        self._data = data
        self._limit = depth
        self._depth = 0  # outside ClinicalDocument
        self._done = False
        self._stack: list[Tree] = []  # inside ClinicalDocument
        self._names: list[str] = []  # inside structuredBody
        self._skipped = ""  # the element that is passed over
        self._chars: list[str] = []
        self._guess: tuple[int, int, int] | None = None
        self._guessed: Payload | None = None
        lead = _START.match(data)
        self._origin = lead.end() if lead is not None else 0
        self._offset = self._origin  # of what expat counts
        self.indented = lead is not None and bool(lead[2]) and data.startswith(b"<?xml", self._origin)
        self._quick = quick and self._plain()
        self._tree: Tree = HEADER | {
            _COMPONENT: (
                None,
                {
                    _STRUCTURED: (self._structured, _EMPTY),
                    _NON_XML: (self._non_xml, {_NON_XML_TEXT: (self._text, _BODY)}),
                },
            ),
        }
        self._parser = pyexpat.ParserCreate(None, " ")

    def _plain(self) -> bool:
        """Whether a search of ASCII bytes means what it seems to mean in this encoding."""
        head = self._data[self._origin : self._origin + 200]
        if not head.startswith(b"<") or b"\x00" in head:
            return False
        declared = _DECLARED.match(head)
        return declared is None or _ASCII_SUPERSET.fullmatch(declared[1]) is not None

    def read(self) -> Reader:
        """Read the whole document; raises :class:`ParseError` only."""
        parser = self._parser
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._outer_start
        parser.EndElementHandler = self._outer_end
        try:
            self._feed()
        except pyexpat.ExpatError as error:
            raise self._error(error) from None
        except (ValueError, LookupError):  # an encoding that Python refuses, or bytes that are not of it
            raise ParseError("xml-encoding", self._place()) from None
        finally:
            self._release()
        if not self._done and self.unwatched < 0:
            raise ParseError("not-a-cda", "/*")
        return self

    def _feed(self) -> None:
        """Give the document to expat, without the base64 that it embeds."""
        data, view, parser, position = self._data, memoryview(self._data), self._parser, self._origin
        doctype = data.find(b"<!DOCTYPE", position, max(data.find(b"ClinicalDocument", position), 0))
        if doctype >= 0:
            # Refused by its handler: nothing after it must reach expat, which would go on without handlers.
            parser.Parse(view[position : doctype + _NAME], False)
            position = doctype + _NAME
        body = begins(data, position) if self._quick else -1
        if body >= 0:
            self._guess = embedded(data, body)
        holes: list[tuple[int, int]] = []
        if self._guess is not None:
            _, start, end = self._guess
            self._guessed = payload(data, start, end)
            if not self._guessed.valid and data.find(b"&", start, end) >= 0:
                self._guess = None  # character references: only expat can tell
            elif self._guessed.valid:
                holes = [(start, end)]
        elif body >= 0 and data.find(b"structuredBody", body, body + _NAME) >= 0:
            holes = pictures(data, body)
            self._blind = bool(holes)
        for start, end in holes:
            # Base64 and white space are well-formed wherever they stand: expat need not see them.
            parser.Parse(view[position:start], False)
            self._offset += end - start
            position = end
        parser.Parse(view[position:], True)

    def _release(self) -> None:
        """Cut the loops between the parser, its handlers and this object: 30 MB must not wait for the collector."""
        parser: Any = self._parser
        parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = None
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
        self._tree = _EMPTY
        self._stack.clear()

    def _place(self) -> str:
        return f"byte {max(self._parser.ErrorByteIndex, 0) + self._offset}"

    def _error(self, error: pyexpat.ExpatError) -> ParseError:
        if error.code in _TRUNCATED:
            code = "xml-truncated"
        elif error.code in _ENTITY:
            code = "xml-entity"
        elif error.code in _ENCODING or (
            error.code == _INVALID_TOKEN and self.encoding in {"", "UTF-8"} and not _is_utf8(self._data)
        ):
            code = "xml-encoding"
        else:
            code = "xml-malformed"
        return ParseError(code, self._place())

    # Around ClinicalDocument.

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.encoding = (encoding or "").upper()

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise ParseError("xml-doctype", f"byte {self._parser.CurrentByteIndex + self._offset}")

    def _outer_start(self, name: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > self._limit:
            raise ParseError("xml-too-deep", f"byte {self._parser.CurrentByteIndex + self._offset}")
        if name == _DOCUMENT and not self._done:
            self._stack.append(self._tree)
            self._parser.StartElementHandler = self._start
            self._parser.EndElementHandler = self._end
        elif self._depth == 1 and not self._done:
            self.wrapper = _WRAPPERS.get(name, "")
            if not self.wrapper:
                raise ParseError("not-a-cda", "/*")

    def _outer_end(self, name: str) -> None:
        self._depth -= 1

    # Inside ClinicalDocument.

    def _start(self, name: str, attributes: Attributes) -> None:
        stack = self._stack
        node = stack[-1].get(name)
        if node is None:
            if name in _UNREAD and self._quick and self._skippable(name):
                return
            stack.append(_EMPTY)
        else:
            action, children = node
            stack.append(children)
            if children is TEXT:
                self._parser.CharacterDataHandler = self._chars.append
            if action is not None:
                action(self.found, attributes)
        if len(stack) + self._depth > self._limit:
            raise ParseError("xml-too-deep", f"byte {self._parser.CurrentByteIndex + self._offset}")

    def _skippable(self, name: str) -> bool:
        """Pass over a whole element that nobody reads, with one cheap callback for each end tag in it."""
        position = self._parser.CurrentByteIndex + self._offset
        end = closed_at(self._data, position, _UNREAD[name])
        if end < 0 or not shallow(self._data, position, self._limit - _MARGIN, end):
            return False
        self._skipped = name
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = self._skip_end
        return True

    def _skip_end(self, name: str) -> None:
        if name == self._skipped:
            self._parser.StartElementHandler = self._start
            self._parser.EndElementHandler = self._end

    def _end(self, name: str) -> None:
        children = self._stack.pop()
        if children is TEXT:
            self._parser.CharacterDataHandler = None
            close_text(self.found, "".join(self._chars))
            self._chars.clear()
        elif children is _BODY:
            self._parser.CharacterDataHandler = None
            if self.payload is not None:
                self.payload.finish()
        elif not self._stack:
            self._done = True
            self._depth -= 1
            self._parser.StartElementHandler = self._outer_start
            self._parser.EndElementHandler = self._outer_end

    def _non_xml(self, found: Found, attributes: Attributes) -> None:
        found.non_xml += 1

    def _text(self, found: Found, attributes: Attributes) -> None:
        if self.payload is not None:
            return
        found.media_type = attributes.get("mediaType", "").strip().lower()
        found.representation = attributes.get("representation", "").strip().upper()
        if self._guess is not None and self._guess[0] == self._parser.CurrentByteIndex + self._offset:
            self.payload = self._guessed
        else:
            self.unsure = self._blind
            self.payload = Payload()
            self._parser.buffer_size = 1 << 16
            self._parser.CharacterDataHandler = self._body_chars

    def _body_chars(self, text: str) -> None:
        if self.payload is not None:
            self.payload.feed(text.encode("utf-8"))

    def _structured(self, found: Found, attributes: Attributes) -> None:
        found.structured += 1
        if self._quick and self._guess is None:
            position = self._parser.CurrentByteIndex + self._offset
            if has_entry(self._data, position) and shallow(self._data, position, self._limit - _MARGIN):
                # Nothing more to learn, no depth to fear: expat alone reads the rest.
                self.entry = True
                self.unwatched = position
                self._parser.StartElementHandler = self._parser.EndElementHandler = None
                return
        self._names.append(_STRUCTURED)
        self._parser.StartElementHandler = self._body_start
        self._parser.EndElementHandler = self._body_end

    def _body_start(self, name: str, attributes: Attributes) -> None:
        names = self._names
        if name == _ENTRY and names[-1] == _SECTION:
            self.entry = True
        names.append(name)
        if len(names) + len(self._stack) + self._depth > self._limit:
            raise ParseError("xml-too-deep", f"byte {self._parser.CurrentByteIndex + self._offset}")

    def _body_end(self, name: str) -> None:
        self._names.pop()
        if not self._names:
            self._stack.pop()
            self._parser.StartElementHandler = self._start
            self._parser.EndElementHandler = self._end


def read(data: bytes, depth: int) -> Reader:
    """Read a document the quick way, and once more with callbacks to the end when the quick way may have missed something."""
    reader = Reader(data, depth, quick=True).read()
    if reader.unsure:
        return Reader(data, depth, quick=False).read()
    if reader.unwatched >= 0:
        found = reader.found
        last = data.rfind(b"structuredBody")
        second_body = data.find(b"nonXMLBody", last) >= 0
        if second_body or not (found.ids and found.code and found.records):
            return Reader(data, depth, quick=False).read()
    return reader


def _is_utf8(data: bytes) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
