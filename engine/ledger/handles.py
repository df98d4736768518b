"""By what a fact belongs to a patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.facts import (
    HL7,
    Activity,
    Alias,
    AnyFact,
    Document,
    Entry,
    Identity,
    InsRetired,
    Mailed,
    Movement,
    Reattached,
    Submission,
)

_HANDLES: Final[dict[type, Callable[[Any], tuple[bytes | None, ...]]]] = {
    Identity: lambda fact: (fact.ipp,),
    InsRetired: lambda fact: (fact.ipp,),
    Movement: lambda fact: (fact.ipp, fact.visit, fact.dossier),
    Document: lambda fact: (fact.ipp, fact.visit, fact.dossier),
    Alias: lambda fact: (fact.kept, fact.dropped),
    Reattached: lambda fact: (fact.ipp, fact.former, fact.moved),
    Activity: lambda fact: (fact.ipp, fact.visit, fact.dossier),
    Submission: lambda fact: (fact.ipp,),
    Entry: lambda fact: (fact.ipp,),
    Mailed: lambda fact: (fact.ipp,),
}


def handles(fact: AnyFact) -> tuple[list[bytes], bytes | None]:
    """The identifiers by which a fact belongs to a patient, the surest first, and the INS it says the patient has.

    The INS is a handle only for a fact that names the patient by nothing else (two patients may wrongly share one), and for
    a trace of a submission, whose IPP may be of another domain: the DMP knows its patients by the INS alone. So it is for a mail. A
    document that names nobody is filed under its own exchange, a mail under its own Message-ID: they still count.
    """
    of = _HANDLES.get(type(fact))
    if of is None:
        return [], None
    known = [handle for handle in of(fact) if handle is not None]
    ins: bytes | None = getattr(fact, "ins", None)
    if ins is not None and (
        isinstance(fact, Submission | Entry | Mailed) or (isinstance(fact, Document) and fact.trace != HL7)
    ):
        return [ins, *known[fact.ipp is not None :]], None
    if known:
        return known, ins
    if ins is not None:
        return [ins], None
    if isinstance(fact, Mailed):
        return [fact.message], None
    return ([fact.exchange] if isinstance(fact, Document) else []), None
