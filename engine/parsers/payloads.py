"""What OBX-5 of type ED carries: a whole document, in base64, in one field (HL7 v2.5 chapter 2, ED; CI-SIS volet CDA in HL7 v2).

The field is handed to the decoder as a ``memoryview`` of the received message, so that a document of tens of megabytes exists
once as received and once decoded.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

import pybase64

from engine.errors import ParseError
from engine.parsers.encoding import NULL

if TYPE_CHECKING:
    from engine.parsers.er7 import Message, Segment

CODES: Final[dict[str, str]] = {
    "document-empty": "The OBX announces a document and holds none.",
    "document-not-base64": "OBX-5.5 does not decode from base64 and is no XML either: the document was damaged on its way.",
    "document-not-xml": "OBX-5.5 decodes, but not to XML: a placeholder, or another format than a CDA.",
    "document-too-large": "The document is above the limit of the configuration (max_document_bytes): it was not decoded.",
}

# OBX-5.3 of formats that are no CDA and do not pretend to be. Anything else is looked at: senders write TEXT, XML, Octet-stream ...
NOT_CDA: Final = frozenset("PDF JPEG JPG PNG GIF TIFF TIF RTF HTML DICOM MSWORD ZIP POSTSCRIPT BASIC".split())

_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_WEB_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_BREAKS: Final = re.compile(rb"\\(?:\.br|X0[AaDd](?:0[AaDd])?)\\")
_XML_START: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<[A-Za-z?!]")
_XML_ESCAPED: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
_HEAD: Final = 512  # four short components precede the data


def subtype(obx: Segment, message: Message) -> str:
    """OBX-5.3: ``XML``, ``PDF`` ... upper case."""
    start, end = obx.span(5)
    parts = bytes(message.view(start, min(end, start + _HEAD))).split(message.encoding.component, 3)
    return message.encoding.code(parts[2]) if len(parts) > 3 else ""


def decode(message: Message, obx: Segment, limit: int) -> bytes:
    """The document of an OBX. Raises :class:`ParseError` with a code of :data:`CODES`; the place is ``OBX-5``."""
    start, end = obx.span(5)
    view = message.view(*_data(message, start, end))
    if not view or bytes(view[:3]) in (NULL, NULL + message.encoding.component):
        raise ParseError("document-empty", "OBX-5")
    # Four characters of base64 give three bytes; line breaks and padding only make the estimate larger.
    if len(view) // 4 * 3 > limit + limit // 32:
        raise ParseError("document-too-large", "OBX-5")
    try:
        document = pybase64.b64decode(view, validate=True)
    except (binascii.Error, ValueError):
        document = _leniently(message, view)
    if not _XML_START.match(document[:_HEAD]) and not document.startswith(_UTF16):
        raise ParseError("document-not-xml" if document else "document-empty", "OBX-5")
    return document


def _data(message: Message, start: int, end: int) -> tuple[int, int]:
    """Span of component 5 of the field; of the last component when there are fewer. Only its head is searched."""
    mark = message.encoding.component
    head = bytes(message.view(start, min(end, start + _HEAD)))
    at = 0
    for _ in range(4):
        found = head.find(mark, at)
        if found < 0:
            break
        at = found + len(mark)
    # Trailing empty components may follow the data.
    while end - len(mark) >= start + at and bytes(message.view(end - len(mark), end)) == mark:
        end -= len(mark)
    return start + at, end


def _leniently(message: Message, view: memoryview) -> bytes:
    """Base64 that is wrapped, unpadded, cut or URL-safe; else XML that was put in the field without base64."""
    data = bytes(view)
    if _XML_ESCAPED.match(data[:_HEAD]):
        return message.encoding.text(data).encode("utf-8", "replace")
    if b"\\" in data:
        data = _BREAKS.sub(b"", data)
    bare = b"".join(data.split()).rstrip(b"=").translate(_WEB_SAFE)
    if len(bare.translate(None, _NOT_BASE64)) != len(bare):
        raise ParseError("document-not-base64", "OBX-5")
    if len(bare) % 4 == 1:
        bare = bare[:-1]  # a character too many: the text was cut in the middle of a group
    try:
        return pybase64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ParseError("document-not-base64", "OBX-5") from None
