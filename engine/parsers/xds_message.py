"""One dumped XDS message, opened: HTTP head, parts, envelope, registry objects, and its attachments on demand.

IHE ITI TF-2 3.41 (ITI-41 in MTOM), CI-SIS "Transport synchrone". The attachments stay where they are in the payload until they are
asked for, one at a time.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from engine.errors import ParseError
from engine.parsers import ebrim, http_head, multipart, soap, soap_reader, transfer_encoding

CODES: Final[dict[str, str]] = {
    "multipart-empty": "A multipart body without any part that can be read; look at how it was dumped.",
    "soap-part-undecodable": "The first part, which holds the message, cannot be decoded from its Content-Transfer-Encoding.",
}
"""Every code that :func:`read` raises besides those of the parsers that it calls, and what it means."""

REJECTIONS: Final = frozenset(CODES)

# The start tag of an element that expat has accepted.
_TAG: Final = re.compile(rb"""<[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""")
_CHARSETS: Final = frozenset({"iso-8859-1", "iso-8859-15", "windows-1252"})


class Attached:
    """The bytes of one attachment. ``data`` is None when they cannot be decoded, or are larger than the limit."""

    __slots__ = ("data", "too_large", "whole")

    def __init__(self, data: bytes | memoryview | None, *, whole: bool = True, too_large: bool = False) -> None:
        self.data = data
        self.whole = whole  # nothing says that the end was cut off
        self.too_large = too_large


class Message:
    """A message whose XML was read to its end."""

    __slots__ = ("_attachments", "_data", "_parts", "_payload", "action", "envelope", "flags", "http", "registry")

    def __init__(
        self,
        payload: bytes,
        http: http_head.HttpMessage,
        parts: multipart.Multipart | None,
        data: bytes,
        envelope: soap.Envelope,
        registry: ebrim.Registry,
    ) -> None:
        self.http = http
        self.envelope = envelope
        self.registry = registry
        self.flags = parts.flags if parts is not None else ()
        self.action = envelope.action or _action(http.headers)
        self._payload = payload
        self._data = data  # where the XML stands: the payload, or its decoded first part
        self._parts: dict[str, multipart.Part] = {}
        for part in parts.parts if parts is not None else ():
            self._parts.setdefault(part.id, part)
        self._attachments: dict[str, ebrim.Attachment] = {}
        for attachment in registry.attachments:
            self._attachments.setdefault(attachment.id, attachment)
        for attachment in registry.attachments:  # an official sample has ids that differ by their case
            self._attachments.setdefault(attachment.id.casefold(), attachment)

    def __repr__(self) -> str:
        return f"Message({self.registry!r})"

    @property
    def correlation(self) -> str:
        """The id by which HTTP joins a request and its response, where the platform sets one; clear."""
        return correlation(self.http.headers)

    def fingerprint(self) -> str:
        """What stands for a message without any id: a digest of its bytes, in hexadecimal."""
        return hashlib.sha256(self._payload).hexdigest()

    def attached(self, entry_id: str, limit: int) -> Attached | None:
        """The document of an entry, by the entry's id; None when the message holds none. Never raises."""
        found = self._attachments.get(entry_id) or self._attachments.get(entry_id.casefold())
        if found is None:
            return None
        if not found.href:
            return self._inline(found, limit)
        part = self._parts.get(multipart.content_id(found.href))
        if part is None:
            return None
        # Base64 takes four bytes for three, and its line breaks some more.
        if part.end - part.start > limit + limit // 2:
            return Attached(None, too_large=True)
        return Attached(part.content(self._payload), whole=part.whole)

    def _inline(self, found: ebrim.Attachment, limit: int) -> Attached | None:
        tag = _TAG.match(self._data, found.start, found.end)
        if tag is None:  # an empty element
            return None
        if found.end - tag.end() > limit + limit // 2:
            return Attached(None, too_large=True)
        data = transfer_encoding.inline(self._data, tag.end(), found.end)
        return Attached(data) if data is None or len(data) else None


def read(payload: bytes, http: http_head.HttpMessage) -> Message:
    """Open a message whose HTTP head was parted from it. Raises :class:`ParseError` with a code of this or the called parsers."""
    start = len(payload) - len(http.body)
    kind, parameters = http_head.media_type(http.headers.get("content-type", ""))
    parts = None
    data, end = payload, len(payload)
    # A platform may keep the head and dump the XML alone.
    if multipart.begins(http.body) or (kind.startswith("multipart/") and soap_reader.root(payload, start) < 0):
        parts = multipart.read(payload, start, parameters.get("boundary", ""))
        root = parts.root(parameters.get("start", ""))
        if root is None:
            raise ParseError("multipart-empty", f"byte {start}")
        content = root.content(payload)
        if content is None:
            raise ParseError("soap-part-undecodable", f"byte {root.start}")
        data, start, end = (
            (payload, root.start, root.end) if isinstance(content, memoryview) else (content, 0, len(content))
        )
        parameters = http_head.media_type(root.headers.get("content-type", ""))[1]
    registry = ebrim.Registry()
    envelope = soap.read(data, registry, start, end, _encoding(data, start, parameters.get("charset", "")))
    return Message(payload, http, parts, data, envelope, registry)


def correlation(headers: dict[str, str]) -> str:
    """The id of an HTTP exchange in its header fields (``X-Request-ID``, ``X-Correlation-ID``); empty without one."""
    return next(iter(http_head.correlations(headers)), "")


def _encoding(data: bytes, start: int, charset: str) -> str | None:
    """A single-byte set of the media type, for XML that declares nothing itself."""
    name = charset.strip().lower()
    return name if name in _CHARSETS and b"<?xml" not in data[start : start + 64] else None


def _action(headers: dict[str, str]) -> str:
    """The action of SOAP 1.2 (RFC 3902) or of SOAP 1.1 over HTTP."""
    _, parameters = http_head.media_type(headers.get("content-type", ""))
    return parameters.get("action", "") or headers.get("soapaction", "").strip('" ')
