"""How one message is written: its delimiters (MSH-1, MSH-2) and its character set; fields taken apart and read.

HL7 v2.5 chapter 2, sections 2.5.4 (delimiters), 2.7 (escapes). Delimiters are *characters*: an official French sample uses
U+02DC for the repetition, two bytes in UTF-8. So they are kept as the bytes of that character in the message's own set,
which is enough to split without decoding (UTF-8 and the single-byte sets never hide one character in another).
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

NULL: Final = b'""'
"""The explicit null: "erase the stored value". Never an identifier."""

_MARKS: Final = b"_-."
_HIGHLIGHT: Final = frozenset({"H", "N"})
_BREAK: Final = re.compile(r"\.(br|sp|fi|nf|in|ti|sk|ce)[+-]?\d*", re.IGNORECASE)
_HEX: Final = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")


class Encoding(Struct, frozen=True):
    """Delimiters as bytes of the message's character set, and the codec that reads its text."""

    field: bytes = b"|"
    component: bytes = b"^"
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"
    codec: str = "utf-8"

    def text(self, leaf: bytes) -> str:
        """A leaf (a component or sub-component) decoded and unescaped; never raises."""
        decoded = leaf.decode(self.codec, "replace")
        return self._unescape(decoded) if self.escape in leaf else decoded

    def value(self, leaf: bytes) -> bytes:
        """An identifier as UTF-8 without surrounding white space; empty for an empty leaf and for the null ``""``."""
        if leaf.isalnum():
            return leaf
        if leaf.isascii() and self.escape not in leaf:
            found = leaf.strip()
        else:
            found = self.text(leaf).strip().encode("utf-8", "replace")
        return b"" if found == NULL else found

    def code(self, leaf: bytes) -> str:
        """A code, upper case, with every white space removed (blanks inside codes occur); empty for ``""``."""
        if leaf.translate(None, _MARKS).isalnum():  # ASCII letters and digits only: nothing to unescape or to remove
            return leaf.decode("ascii").upper()
        if not leaf:
            return ""
        found = "".join(self.text(leaf).split()).upper()
        return "" if found == '""' else found

    def repetitions(self, field: bytes) -> list[bytes]:
        """The repetitions of a field; one empty one for an empty field."""
        return field.split(self.repetition)

    def components(self, repetition: bytes) -> list[bytes]:
        """The components of one repetition."""
        return repetition.split(self.component)

    def component_of(self, field: bytes, number: int) -> bytes:
        """Component ``number`` (from 1) of the first repetition of a field; empty when there is none."""
        first = field.partition(self.repetition)[0]
        if number == 1:
            return first.partition(self.component)[0]
        parts = first.split(self.component, number)
        return parts[number - 1] if len(parts) >= number else b""

    def subcomponents(self, component: bytes) -> list[bytes]:
        """The sub-components of a component."""
        return component.split(self.subcomponent)

    def _unescape(self, text: str) -> str:
        """Replace the escape sequences of a leaf; an unknown one is kept as it is."""
        mark = self.escape.decode(self.codec, "replace")
        pieces = text.split(mark)
        read = [pieces[0]]
        number = 1
        while number < len(pieces):
            # A sequence needs its closing mark; without one the mark is plain text.
            replaced = self._sequence(pieces[number]) if number + 1 < len(pieces) else None
            if replaced is None:
                read.append(mark + pieces[number])
                number += 1
            else:
                read.append(replaced)
                read.append(pieces[number + 1])
                number += 2
        return "".join(read)

    def _sequence(self, name: str) -> str | None:
        """What one escape sequence stands for, ``None`` when it is not known."""
        delimiter = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
        }.get(name)
        if delimiter is not None:
            return delimiter.decode(self.codec, "replace")
        if name in _HIGHLIGHT:
            return ""
        if _BREAK.fullmatch(name):
            return "\n"
        hexadecimal = _HEX.fullmatch(name)
        if hexadecimal:
            return bytes.fromhex(hexadecimal.group(1)).decode(self.codec, "replace")
        return None


DEFAULT: Final = Encoding()
r"""The usual delimiters ``|^~\&``, text in UTF-8 (or ASCII)."""
