"""The settings of one establishment (``establishments`` in the configuration)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from engine.scalars import Code, Domain, Endpoint, Finess, Oid, Ratio, ZoneName


class Establishment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One establishment whose indicators are computed. There is at least one."""

    finess: Annotated[Finess, Meta(description="FINESS (9 characters, between quotes) as reported to the programme.")]
    name: Annotated[str, Meta(min_length=1, max_length=200, description="Name shown on pages and reports.")]
    time_zone: Annotated[
        ZoneName, Meta(description="IANA time zone: a stay is counted on the local day of its exit.")
    ] = "Europe/Paris"
    holidays: Annotated[
        Literal[
            "national",
            "alsace_moselle",
            "guadeloupe",
            "guyane",
            "martinique",
            "mayotte",
            "reunion",
            "saint_barthelemy",
            "saint_martin",
        ],
        Meta(
            description="Public holidays, on which a feed is expected to be as quiet as on a Sunday: the eleven `national` ones, or those and "
            "the territory's own (`alsace_moselle`: Good Friday and 26 December; overseas: the abolition of slavery)."
        ),
    ] = "national"
    identity_domain: Annotated[
        str,
        Meta(
            max_length=64,
            description="Establishments with the same value share patient and visit numbers (GHT with one identity "
            "reference). Empty: the FINESS, that is to say numbers of its own.",
        ),
    ] = ""
    identity_authorities: Annotated[
        tuple[Code, ...],
        Meta(
            description="Assigning authorities (PID-3.4: name, OID or FINESS) whose numbers are the establishment's own. Empty: "
            "every authority is."
        ),
    ] = ()
    encounter_roots: Annotated[
        tuple[Oid, ...],
        Meta(
            description="Roots under which a CDA's encompassingEncounter/id is a visit number of this establishment. Empty: "
            "never used (many senders put another number there)."
        ),
    ] = ()
    external_senders: Annotated[
        tuple[Endpoint, ...],
        Meta(
            description="Senders (MSH-3@MSH-4) whose documents are not the establishment's own: external laboratory ..."
        ),
    ] = ()
    theatre_units: Annotated[
        tuple[Code, ...],
        Meta(description="DS1.3: codes of the functional units (ZBE-7) of the operating theatre."),
    ] = ()
    theatre_applications: Annotated[
        tuple[Endpoint, ...],
        Meta(description="DS1.3: applications (MSH-3@MSH-4) whose orders and appointments are operations."),
    ] = ()
    proof: Annotated[
        Literal["accepted", "taken", "sent"],
        Meta(
            description="What proves that a document feeds the DMP, for the rates under their plain names: `accepted` (the DMP said "
            "yes), `taken` (the platform acknowledged it) or `sent` (it was asked for). The rates by each proof are published beside, "
            "under names of their own."
        ),
    ] = "accepted"
    mssante_domains: Annotated[
        tuple[Domain, ...],
        Meta(
            description="MSSanté domains of the establishment's own mailboxes (`ch-exemple.mssante.fr`): what is sent from them is its sending. "
            "Required of an establishment whose mail is read."
        ),
    ] = ()
    official_values: Annotated[
        Mapping[str, bool],
        Meta(
            description="Official values (as oSIS or the ANS says them) of the indicators that are yes or no, D6.2, P4.3, PS3.2 and PS4.1: "
            "`{P4.3: true}`. Shown beside what is observed, never mixed with it."
        ),
    ] = field(default_factory=dict)
    targets: Annotated[
        Mapping[str, Ratio],
        Meta(description="Targets of this establishment, by indicator; they win over `indicators.targets`."),
    ] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """Scope of the establishment's patient and visit numbers."""
        return self.identity_domain or self.finess
