"""Content-Transfer-Encoding (RFC 2045 section 6): from the bytes of a part to what they stand for, at most once in memory."""

from __future__ import annotations

import binascii
import io
import re
from typing import Final

import pybase64

_AS_IS: Final = frozenset({"", "binary", "8bit", "7bit"})
_SPACE: Final = b" \t\r\n"
_PIECE: Final = 3 << 18  # 768 KiB: a multiple of 4, so that base64 on one line is decoded without a carry
# Java serialisers write the line breaks of inline base64 as character references.
_REFERENCE: Final = re.compile(rb"&#(?:13|10|9|32|[xX]0?[dDaA9]|[xX]20);")
_CDATA: Final = re.compile(rb"[ \t\r\n]*<!\[CDATA\[")
_CDATA_END: Final = b"]]>"


def decode(view: memoryview, encoding: str) -> bytes | memoryview | None:
    """What the bytes stand for; the bytes themselves, uncopied, where nothing is encoded; None when they cannot be decoded."""
    name = encoding.strip().lower()
    if name in _AS_IS:
        return view
    if name == "base64":
        return base64(view)
    if name == "quoted-printable":
        return binascii.a2b_qp(view)
    return None


def base64(view: memoryview) -> bytes | None:
    """Decode base64 with white space anywhere (RFC 2045 section 6.8); None for anything else, or when it was cut."""
    decoded = io.BytesIO()
    carry, ended = b"", False
    for offset in range(0, len(view), _PIECE):
        text: bytes | memoryview = view[offset : offset + _PIECE]
        found = _strict(text) if not carry and len(text) % 4 == 0 else None
        if found is None:
            bare = carry + bytes(text).translate(None, _SPACE)
            cut = len(bare) & ~3
            text, carry = bare[:cut], bare[cut:]
            found = _strict(text)
        if found is None or (ended and len(text)):
            return None
        ended = ended or text[-1:] == b"="
        decoded.write(found)
    return None if carry else decoded.getvalue()


def inline(data: bytes, start: int, end: int) -> bytes | None:
    """Decode ``data[start:end]``, the base64 content of an XML element as it is written there.

    It may stand in one CDATA section, or hold character references for its line breaks. None for anything else.
    """
    opening = _CDATA.match(data, start, end)
    if opening is not None:
        close = data.rfind(_CDATA_END, opening.end(), end)
        return base64(memoryview(data)[opening.end() : close]) if close >= 0 else None
    view = memoryview(data)[start:end]
    if data.find(b"&", start, end) >= 0:
        return base64(memoryview(_REFERENCE.sub(b"", view)))
    return base64(view)


def _strict(text: bytes | memoryview) -> bytes | None:
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
