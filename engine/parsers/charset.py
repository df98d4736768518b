"""Character sets of HL7 v2 messages: what MSH-18 says, what the bytes say, and which of the two is believed.

French feeds declare ``8859/1``, ``8859/15``, ``UNICODE UTF-8`` or nothing, and are sometimes wrong (PAM-FR section 6). Bytes that are
valid UTF-8 beyond ASCII are UTF-8: Latin text is practically never valid UTF-8 by chance. Everything else is read with
the declared single-byte set, or with ISO-8859-15 (Windows-1252 when it uses bytes 80-9F). A file in UTF-16, as Windows saves
"Unicode", says so by its byte order mark.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

from engine.errors import Flag

CODES: Final[dict[str, str]] = {
    "charset-fallback": "The bytes are not in the character set of MSH-18: another one was used. Correct MSH-18 at the sender.",
    "charset-undeclared": "Non-ASCII characters but MSH-18 is empty. Have the sender declare its character set.",
    "charset-unknown": "MSH-18 names a character set that is not read here. Use UNICODE UTF-8 or 8859/15.",
}

_NAMES: Final = {
    "": "",
    "ASCII": "ascii",
    "USASCII": "ascii",
    "88591": "iso8859-1",
    "885915": "iso8859-15",
    "ISO88591": "iso8859-1",
    "ISO885915": "iso8859-15",
    "LATIN1": "iso8859-1",
    "LATIN9": "iso8859-15",
    "UNICODE": "utf-8",  # which of its encodings, the byte order mark says: see utf8()
    "UNICODEUTF16": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF16": "utf-8",
    "UTF8": "utf-8",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
}
_PUNCTUATION: Final = re.compile(r"[^A-Z0-9]")
_DECLARED: Final = re.compile(rb"""\A(\s*<\?xml\b[^>?]{0,64}?encoding\s*=\s*["'])[\w.:-]{1,40}""")
_WINDOWS: Final = re.compile(rb"[\x80-\x9f]")

FALLBACK: Final = (Flag("charset-fallback", "MSH-18"),)
UNDECLARED: Final = (Flag("charset-undeclared", "MSH-18"),)
UNKNOWN: Final = (Flag("charset-unknown", "MSH-18"),)


def utf8(data: bytes) -> bytes:
    """What begins with the byte order mark of UTF-16, in UTF-8 and without the mark; anything else as it is. Never raises.

    An XML declaration then says UTF-8.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace").encode("utf-8", "replace")
        return _DECLARED.sub(rb"\1UTF-8", text, count=1)
    return data


@lru_cache(maxsize=64)
def codec(declared: str) -> str | None:
    """Python codec of a value of MSH-18, however it is spelled; ``""`` when empty, ``None`` when unknown."""
    return _NAMES.get(_PUNCTUATION.sub("", declared.upper()))


def choose(parts: list[bytes], declared: str | None) -> tuple[str, tuple[Flag, ...]]:
    """Codec that reads ``parts`` (the message, without its huge segments), and the flags this choice deserves.

    ``declared`` is what :func:`codec` gave. Linear in the bytes; never raises.
    """
    unknown = UNKNOWN if declared is None else ()
    if all(part.isascii() for part in parts):
        return "utf-8", unknown
    try:
        for part in parts:
            part.decode("utf-8")
    except UnicodeDecodeError:
        if declared in _SINGLE:
            return declared or "", ()
        chosen = "cp1252" if any(_WINDOWS.search(part) for part in parts) else "iso8859-15"
        return chosen, unknown or (FALLBACK if declared else UNDECLARED)
    if declared == "utf-8":
        return "utf-8", ()
    return "utf-8", unknown or (FALLBACK if declared else UNDECLARED)


_SINGLE: Final = frozenset({"iso8859-1", "iso8859-15", "cp1252"})
