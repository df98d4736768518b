"""Who and what a FHIR reference names: literal, conditional (``Patient?identifier=system|value``), logical, contained, or in the bundle."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from msgspec import Raw

from engine.facts import INS_NONE
from engine.parsers import identifiers, ins, submissions
from engine.parsers.context import Context
from engine.parsers.fhir_elements import Contained, Identifier, Reference, listed, peek
from engine.parsers.submissions import Patient

_CONDITIONAL: Final = re.compile(r"\?(?:[^#]*&)?identifier=([^&#]*)")
_URI: Final = "urn:ietf:rfc:3986"
_VISIT: Final = frozenset({"VN"})  # HL7 table 0203: visit number
_DOSSIER: Final = frozenset({"AN"})  # account number: the dossier (PID-18)
_IPP: Final = frozenset({"PI", "MR"})  # an identifier of another kind is no IPP; without a kind it may be one
_LONGEST: Final = 1_024  # characters of a reference that is looked at

_MOST: Final = 100  # identifiers of one resource that are looked at


class Home:
    """Where references may lead to: the resources of a bundle (by ``fullUrl`` and ``Type/id``), or the contained ones (by ``#id``).

    Each resource is read once, however many references lead to it.
    """

    __slots__ = ("_known", "_resources", "_taken")

    def __init__(self) -> None:
        self._resources: dict[str, Raw] = {}
        self._known: dict[str, tuple[Identifier, ...]] = {}
        self._taken: set[int] = set()

    @classmethod
    def contained(cls, resources: Iterable[Raw] | None, place: str) -> Home:
        """That of a resource's own contained resources."""
        found = cls()
        for resource in resources or ():
            known = peek(resource, f"{place}.contained")
            if known.id:
                found.add(f"#{known.id}", resource)
        return found

    def add(self, reference: str, resource: Raw) -> None:
        """A resource under the URL that names it; the first one of a name stays."""
        self._resources.setdefault(reference.lower(), resource)
        self._resources.setdefault(name(reference), resource)

    def identifiers(self, reference: str, place: str) -> tuple[Identifier, ...]:
        """The identifiers of the resource that a reference leads to; none when it leads nowhere."""
        key = name(reference)
        found = self._known.get(key)
        if found is None:
            target = self._resources.get(key)
            found = own(peek(target, place), place) if target is not None else ()
            self._known[key] = found
        return found

    def take(self, reference: str) -> Raw | None:
        """A resource that belongs to one other only (a Binary): the second who asks gets nothing."""
        target = self._resources.get(reference.lower()) or self._resources.get(name(reference))
        if target is None or id(target) in self._taken:
            return None
        self._taken.add(id(target))
        return target


def name(reference: str) -> str:
    """One writing of a literal reference: ``type/id`` of a URL, in lower case."""
    if reference.startswith("#") or reference[:4].lower() == "urn:":
        return reference.lower()
    parts = reference.split("/_history/", 1)[0].rstrip("/").split("/")
    return "/".join(parts[-2:]).lower()


def identified(reference: Reference | None, place: str, *homes: Home) -> tuple[Identifier, ...]:
    """Every identifier that a reference gives of its target."""
    if reference is None:
        return ()
    found: tuple[Identifier, ...] = ()
    text = reference.reference or ""
    if 0 < len(text) <= _LONGEST:
        match = _CONDITIONAL.search(text)
        if match is not None:
            system, bar, value = unquote(match[1]).partition("|")
            found = (Identifier(system=system, value=value) if bar else Identifier(value=system),)
        else:
            found = next((known for home in homes if (known := home.identifiers(text, place))), ())
    return (*found, reference.identifier) if reference.identifier is not None else found


def own(resource: Contained, place: str) -> tuple[Identifier, ...]:
    """The identifiers of a resource, the first hundred at most; the ``masterIdentifier`` of a DocumentReference before them."""
    found = listed(resource.identifier, Identifier, f"{place}.identifier")[:_MOST]
    return found if resource.master_identifier is None else (resource.master_identifier, *found)


def patient(context: Context, found: Iterable[Identifier], into: Patient | None = None) -> Patient:
    """The INS and the IPP among identifiers of a patient, added to what is known."""
    who = into if into is not None else Patient()
    usable = [one for one in found if one.value and one.use != "old" and not _authority(one)]
    # What says that it is the patient's number goes before what says nothing.
    usable.sort(key=lambda one: 0 if _IPP & kinds(one) else 1)
    for one in usable:
        root = identifiers.root(one.system or "")
        if ins.root(root) == INS_NONE:
            said = kinds(one)
            if root.startswith(ins.ROOT_PREFIX) or (said and not _IPP & said):
                continue  # an INS-C, a social security number, a passport ...
        who = submissions.identified(context, one.value or "", root, who)
    return who


def _authority(one: Identifier) -> bool:
    """Whether the authority stands where the number should be (``Patient?identifier=urn:oid:1.2.3``): everybody's, so nobody's."""
    value = (one.value or "").strip()
    return not one.system and (identifiers.is_oid(identifiers.root(value)) or value[:4].lower() == "http")


def numbers(context: Context, found: Iterable[Identifier]) -> tuple[bytes | None, bytes | None]:
    """Venue (PV1-19) and dossier (PID-18) among identifiers of an encounter.

    A venue is known by its kind (VN), or by a root of ``encounter_roots``; anything else could be somebody else's number.
    """
    visit = dossier = None
    for one in found:
        if not one.value:
            continue
        root = identifiers.root(one.system or "")
        value = one.value.strip().encode("utf-8", "replace")
        said = kinds(one)
        if root in context.encounter_roots:
            visit = visit or context.pseudonym("visit", context.domain, value)
        elif _VISIT & said:
            visit = visit or context.pseudonym("visit", context.scope("", root), value)
        elif _DOSSIER & said:
            dossier = dossier or context.pseudonym("dossier", context.scope("", root), value)
    return visit, dossier


def kinds(one: Identifier) -> set[str]:
    """Codes of Identifier.type (HL7 table 0203)."""
    return {code.upper() for code in one.type.codes()} if one.type is not None else set()


def written(one: Identifier | None) -> str:
    """An identifier of a document or a submission set as XDS writes it: ``root`` or ``root^extension``; empty when there is none.

    In the system ``urn:ietf:rfc:3986`` the value is the whole (``urn:oid:...``).
    """
    if one is None or not one.value or not one.value.strip():
        return ""
    value, system = one.value.strip(), (one.system or "").strip()
    if not system or system == _URI or value[:4].lower() == "urn:":
        return value
    root = identifiers.root(system)
    return f"{root}^{value}" if identifiers.is_oid(root) else value
