"""HL7 identifiers (root and extension) brought to one writing, so that two systems that mean the same write the same.

Seen in the field: ``urn:oid:`` and ``urn:uuid:`` prefixes, white space, UUIDs in either case, root and extension swapped.
"""

from __future__ import annotations

import re
from typing import Final

from engine.facts import INS_NONE
from engine.parsers import ins

_OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){2,}", re.ASCII)
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


def is_oid(text: str) -> bool:
    """Whether a text is written as an OID of at least three arcs."""
    return _OID.fullmatch(text) is not None


def root(text: str) -> str:
    """A root without white space nor ``urn:`` prefix; a UUID in lower case."""
    text = text.strip()
    if text[:4].lower() == "urn:":
        text = text[4:].removeprefix("oid:").removeprefix("OID:").removeprefix("uuid:").removeprefix("UUID:")
    return text.lower() if len(text) == 36 and _UUID.fullmatch(text) else text


def document(root_text: str, extension: str = "") -> str:
    """One writing of a document id: ``root``, or ``root^extension`` when there is an extension."""
    base, extension = root(root_text), extension.strip()
    return f"{base}^{extension}" if extension else base


def swapped(root_text: str, extension: str) -> bool:
    """Whether root and extension stand in each other's place: the extension is an OID and the root is no root.

    An INS authority in the extension is a certain sign; otherwise the root must be neither an OID nor a UUID.
    """
    if "." not in extension:
        return False
    outer = root(extension)
    if not is_oid(outer) or ins.root(root_text) != INS_NONE:
        return False
    inner = root(root_text)
    return not is_oid(inner) and _UUID.fullmatch(inner) is None
