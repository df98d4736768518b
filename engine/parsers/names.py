"""Names and codes that may leave a message: what is kept of them, and what becomes ``other``.

They end up in metric labels and in the store, so only what is plainly a name of an application or a code of a table passes; a run
of ten digits could be somebody's number and never does.
"""

from __future__ import annotations

import re
from typing import Final

OTHER: Final = "other"

_APPLICATION: Final = re.compile(r"[A-Za-z0-9._ -]{1,40}", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)
# UF codes are short (PMSI: 4 characters); a longer one is a label that strayed there.
_UNIT: Final = re.compile(r"[A-Za-z0-9_./-]{1,10}", re.ASCII)
# A single word could be somebody's name: one passes when it has a digit, an underscore, the prefix of the field's own codes or
# several humps (InvalidDocumentContent), or when it is in a public table.
_CODED: Final = re.compile(r"[0-9_]|\A(?:XD[SRM]|DMP|IHE|INS|MSS|HL7)[A-Z]|(?:[a-z][A-Z].*){2}", re.ASCII)
# HL7 table 0008; ITI TF-3 table 4.2.4.1-2; FHIR IssueType; Jauge's own.
_WORDS: Final = frozenset(
    """
    AA CA AE AR CE CR DocumentQueued UnknownRecipient UnavailableRecipient
    invalid structure required value invariant security login unknown expired forbidden suppressed processing not-supported
    duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict transient
    lock-error no-store exception timeout incomplete throttled informational success soap-fault http-error
    """.split()
)
_NUMBER: Final = re.compile(r"[0-9]{10}", re.ASCII)


def application(text: str) -> str:
    """The name of an application or facility (MSH-3 to 6), trimmed; ``""`` when absent, else ``other`` if it is odd."""
    name = text.strip()
    if not name or name == '""':
        return ""
    return name if _APPLICATION.fullmatch(name) and not _NUMBER.search(name) else OTHER


def code(text: str) -> str:
    """A code of a public table; ``other`` when it is not plainly one."""
    if text in _WORDS:
        return text
    return text if _CODE.fullmatch(text) and not _NUMBER.search(text) and _CODED.search(text) else OTHER


def unit(text: str) -> str:
    """The code of a UF (ZBE-7, PV1-3); ``""`` when it is not plainly a code."""
    name = "".join(text.split())
    return name if _UNIT.fullmatch(name) and not _NUMBER.search(name) else ""
