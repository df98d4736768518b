"""The applications of the synthetic hospital, what each does with what it is sent, and their inventory (P1.1, P1.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple


class Endpoint(NamedTuple):
    """An application as it is named in a message: MSH-3/MSH-4, or MSH-5/MSH-6."""

    name: str
    facility: str

    def __str__(self) -> str:
        return f"{self.name}@{self.facility}"


GAM: Final = Endpoint("GAM", "HX")
DPI: Final = Endpoint("DPI", "HX")
SGL: Final = Endpoint("SGL", "LABO")
RIS: Final = Endpoint("RIS", "HX")
BLOC: Final = Endpoint("BLOC", "HX")
PFI: Final = Endpoint("PFI", "HX")
AIRE: Final = Endpoint("AIRE", "HX")
LABEXT: Final = Endpoint("LABEXT", "VILLE")
TLR: Final = Endpoint("TLR", "REGION")

THEATRE_UNITS: Final = ("BLOC1", "BLOC2")
EXTERNAL_SENDERS: Final = (str(LABEXT),)
THEATRE_APPLICATIONS: Final = (str(BLOC),)


@dataclass(slots=True)
class Application:
    """One line of the inventory and how it behaves; ``seen_*`` is the bookkeeping of what it was sent and answered.

    ``diet`` says which copies of the reference it is sent: ``all``, ``identity`` (A28, A31, A40 ...: no movement),
    ``anonymous`` (only messages that hold no INS), ``none``. ``answer`` is its acknowledgement, "" when it is silent.
    """

    name: str
    domain: str
    endpoints: tuple[Endpoint, ...] = ()
    diet: str = "none"
    answer: str = "AA"
    computerised: bool = True
    in_house: bool = False
    controller: str = "establishment"
    contract: bool = True
    office_tool: bool = False
    device: bool = False
    declared_identity: bool = False
    declared_movement: bool = False
    declared_ins: bool = False
    listed: bool = True
    sent_identity: bool = field(default=False, init=False)
    sent_movement: bool = field(default=False, init=False)
    taken_identity: bool = field(default=False, init=False)
    taken_movement: bool = field(default=False, init=False)
    ins_roots: set[int] = field(default_factory=set, init=False)

    def line(self) -> str:
        """Its line in the inventory (columns of config/applications.csv)."""
        flags = (self.computerised, self.in_house)
        more = (self.contract, self.office_tool, self.device)
        declared = (self.declared_identity, self.declared_movement, self.declared_ins)
        return ";".join(
            [
                self.name,
                self.domain,
                "",
                *map(_word, flags),
                self.controller,
                *map(_word, more),
                " ".join(map(str, self.endpoints)),
                *map(_word, declared),
                "",
            ]
        )

    def missed_identity(self, count_test_ins: bool) -> str | None:
        """P1.1: None outside the indicator, "" when connected and able to take the INS, else the reason."""
        if not self._counts or (self.controller == "third_party" and not self.in_house):
            return None
        if not (self.declared_identity or self.taken_identity):
            return "not_acknowledged" if self.sent_identity else "not_connected"
        counted = {8, 9, 10, 11} if count_test_ins else {8, 9}
        return "" if self.declared_ins or self.ins_roots & counted else "ins_not_proven"

    def missed_movement(self) -> str | None:
        """P1.3: None outside the indicator, "" when connected, else the reason."""
        if not self._counts or not (self.contract or self.in_house):
            return None
        if self.declared_movement or self.taken_movement:
            return ""
        return "not_acknowledged" if self.sent_movement else "not_connected"

    @property
    def _counts(self) -> bool:
        out = self.domain == "hors_perimetre" or not self.computerised or self.office_tool or self.device
        return self.listed and not out


def _word(value: bool) -> str:
    return "yes" if value else "no"


_HEADER: Final = (
    "application;domain;function;computerised;in_house;controller;contract;office_tool;biomedical_device;endpoints;"
    "declared_identity;declared_movement;declared_ins;establishment"
)


def _application(name: str, domain: str, *names: str, diet: str = "none", answer: str = "AA") -> Application:
    endpoints = tuple(Endpoint(*each.split("@")) for each in names)
    return Application(name, domain, endpoints, diet, answer)


class Landscape:
    """Every application, and who is sent a copy of what."""

    def __init__(self) -> None:
        medical, technical, special = "dossier_medical", "production_medico_technique", "dossiers_de_specialite"
        paper = Application("Reanimation", special, computerised=False)
        declared = Application("Dossier de soins", "dossier_de_soins", declared_identity=True, declared_movement=True)
        declared.declared_ins = True
        pacs = _application("PACS", technical, "PACS@HX", diet="all", answer="CA")
        pacs.controller = "third_party"
        agency = _application("Labo de ville", technical, "LABEXT@VILLE", diet="identity")
        agency.controller, agency.contract = "third_party", False
        homemade = _application("Cancerologie", special, "ONCO@HX", diet="all")
        homemade.in_house, homemade.contract = True, False
        sheet = Application("Tableau des lits", "gestion_administrative", office_tool=True)
        device = _application("Moniteurs", special, "MONIT@HX", diet="all")
        device.device = True
        gateway = _application("Passerelle", "hors_perimetre", "PFI@HX")
        stranger = _application("Inconnue", "hors_perimetre", "CARDIO@HX", diet="all")
        stranger.listed = False
        self.primary = _application("DPI", medical, "DPI@HX", diet="all")
        self.aire = _application("Anesthesie", special, "AIRE@HX", diet="anonymous")
        self.applications: list[Application] = [
            self.primary,
            _application("SGL", technical, "SGL@LABO", "SGL@HX", diet="all"),
            _application("SIR", technical, "RIS@HX", diet="all", answer="CA"),
            _application("Pharmacie", technical, "PHARMA@HX", diet="anonymous"),
            _application("Bloc", technical, "BLOC@HX", diet="all", answer="AE"),
            _application("Prescription", "prescriptions", "PRESC@HX", diet="all", answer=""),
            _application("Chimiotherapie", "prescriptions", "CHIMIO@HX", diet="identity"),
            _application("Urgences", special, "URG@HX", diet="all"),
            _application("PMSI", "pmsi", "PMSI@HX", diet="all"),
            _application("Sterilisation", technical, "STERI@HX"),
            *(self.aire, declared, pacs, agency, homemade, paper, sheet, device, gateway, stranger),
        ]
        self.by_endpoint = {str(end): app for app in self.applications for end in app.endpoints}

    def inventory(self) -> str:
        """The inventory file, in the format of config/applications.csv."""
        lines = [app.line() for app in self.applications if app.listed]
        return "\n".join([_HEADER, *lines]) + "\n"

    def sent_by(self, sender: Endpoint, ins_root: int, qualified: bool) -> None:
        """Notes that an application sent a message with this INS (0: none): a proof for P1.1 when it is qualified."""
        application = self.by_endpoint.get(str(sender))
        if application is not None and qualified and ins_root:
            application.ins_roots.add(ins_root)
