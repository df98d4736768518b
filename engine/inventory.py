"""The inventory of applications: the denominator of P1.1 and P1.3, which no flow can tell.

One CSV file, one line an application, kept by people (often in a spreadsheet): both separators, a byte-order mark,
comments and empty lines are tolerated; a word that is not in its list is refused with its line, its column and the mend.

Which application counts is the guide's own test (HOP'EN guide of the indicators, P1.1 and P1.3), which differs: P1.1
leaves out what a third party is the controller of, P1.3 what no contract or agreement ties to the establishment.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.errors import ConfigError
from engine.strict import shown, suggest, word

OUT_OF_SCOPE: Final = "hors_perimetre"

DOMAINS: Final[Mapping[str, str]] = {
    "dossier_medical": "Dossier médical (observations et synthèses, comptes rendus, recueil de l'activité et des "
    "diagnostics)",
    "prescriptions": "Prescriptions (médicaments, demandes d'examens, chimiothérapie)",
    "dossier_de_soins": "Dossier de soins (prise en charge du patient, gestion du travail infirmier)",
    "dossiers_de_specialite": "Dossiers de spécialité (anesthésie, réanimation, urgences, dossier transfusionnel, autres)",
    "production_medico_technique": "Production des activités médico-techniques (bloc opératoire, anesthésie, laboratoire, "
    "pharmacie, anatomopathologie, imagerie SIR, imagerie PACS, radiothérapie)",
    "pmsi": "PMSI",
    "gestion_administrative": "Gestion administrative du patient",
    OUT_OF_SCOPE: "Hors des domaines de l'indicateur (listée pour être reconnue dans les flux)",
}
"""Functional domains of P1.1 and P1.3, with their French labels. The two guides' lists differ by the specialties they
name, not by what counts: both end with "autres"."""

COLUMNS: Final[Mapping[str, str]] = {
    "application": "Name of the application: the label `application` of the metrics. Required, once per establishment.",
    "domain": "Functional domain, one of the codes below. Required.",
    "function": "What it does, in your words.",
    "computerised": "`no`: the function is listed but still on paper; it is left out of both rates. Empty: `yes`.",
    "in_house": "`yes`: written by the establishment or the GHT; it counts. Empty: `no`.",
    "controller": "Controller of the data (GDPR): `establishment` or `third_party` (left out of P1.1). Empty: `establishment`.",
    "contract": "`no`: no contract or agreement with the establishment or the GHT (left out of P1.3 unless in-house). Empty: "
    "`yes`.",
    "office_tool": "`yes`: a spreadsheet and the like; never counts. Empty: `no`.",
    "biomedical_device": "`yes`: never counts. Empty: `no`.",
    "endpoints": "Its names in the flows (MSH-3@MSH-4, MSH-5@MSH-6): `APP@FACILITY`, or `APP` for any facility; several "
    "separated by spaces, or by `|` when a name holds a space. Capitals and small letters are the same.",
    "declared_identity": "`yes`: fed by the identity reference by a path that the engine does not see. Empty: `no`.",
    "declared_movement": "`yes`: fed by the reference of stays and movements, likewise. Empty: `no`.",
    "declared_ins": "`yes`: able to take in the INS, by the supplier's word. Empty: `no`.",
    "establishment": "FINESS of the establishment that uses it. Empty: all of them.",
}
"""Columns of the file, in the order of the shipped one, each with its documentation."""

_REQUIRED: Final = ("application", "domain")
_CONTROLLERS: Final = ("establishment", "third_party")
_WORDS: Final = {
    "yes": True,
    "oui": True,
    "true": True,
    "1": True,
    "no": False,
    "non": False,
    "false": False,
    "0": False,
}
_DEFAULT_YES: Final = frozenset({"computerised", "contract"})
_MAX_BYTES: Final = 4_194_304
_MAX_CELL: Final = 500
_MAX_CACHE: Final = 4_096


class Application(Struct, frozen=True, kw_only=True):
    """One line of the inventory. ``establishment`` "" means all of them."""

    name: str
    domain: str
    function: str = ""
    computerised: bool = True
    in_house: bool = False
    controller: str = "establishment"
    contract: bool = True
    office_tool: bool = False
    biomedical_device: bool = False
    endpoints: tuple[str, ...] = ()
    declared_identity: bool = False
    declared_movement: bool = False
    declared_ins: bool = False
    establishment: str = ""
    line: int = 0

    @property
    def excluded_p1_1(self) -> str:
        """Why it is out of P1.1; "" when it counts."""
        if not self._excluded and self.controller == "third_party" and not self.in_house:
            return "third_party_controller"
        return self._excluded

    @property
    def excluded_p1_3(self) -> str:
        """Why it is out of P1.3; "" when it counts."""
        if not self._excluded and not self.contract and not self.in_house:
            return "no_contract"
        return self._excluded

    @property
    def in_scope_p1_1(self) -> bool:
        """Whether it is in the denominator of P1.1."""
        return not self.excluded_p1_1

    @property
    def in_scope_p1_3(self) -> bool:
        """Whether it is in the denominator of P1.3."""
        return not self.excluded_p1_3

    @property
    def _excluded(self) -> str:
        """What the two indicators leave out alike."""
        if self.domain == OUT_OF_SCOPE:
            return "out_of_domain"
        if not self.computerised:
            return "not_computerised"
        if self.office_tool:
            return "office_tool"
        return "biomedical_device" if self.biomedical_device else ""


class Inventory:
    """The applications, found by their names in the flows."""

    def __init__(self, applications: Collection[Application] = ()) -> None:
        self.applications: tuple[Application, ...] = tuple(applications)
        self._by_endpoint = {
            (app.establishment, endpoint.upper()): app for app in self.applications for endpoint in app.endpoints
        }
        self._found: dict[tuple[str, str], Application | None] = {}

    def find(self, endpoint: str, establishment: str = "") -> Application | None:
        """The application of an endpoint "APP@FACILITY", None when the inventory has none.

        A line of the establishment (FINESS) wins over a line for all, APP@FACILITY over APP.
        """
        key = (endpoint, establishment)
        try:
            return self._found[key]
        except KeyError:
            pass
        if len(self._found) >= _MAX_CACHE:  # a sender that invents names must not fill the memory
            self._found.clear()
        self._found[key] = found = self._search(endpoint, establishment)
        return found

    def of(self, establishment: str) -> tuple[Application, ...]:
        """The applications that an establishment (FINESS) uses."""
        return tuple(app for app in self.applications if app.establishment in ("", establishment))

    def _search(self, endpoint: str, establishment: str) -> Application | None:
        full = endpoint.upper()
        for name in (full, full.partition("@")[0]):
            for scope in (establishment, ""):
                found = self._by_endpoint.get((scope, name))
                if found is not None:
                    return found
        return None


def read(path: Path | str, establishments: Collection[str] = ()) -> tuple[Inventory | None, list[ConfigError]]:
    """The inventory, and every fault of the file by line: exactly one of the two is there.

    ``establishments``: the declared FINESS, to check the column of that name (none: not checked).
    """
    table = _Table(Path(path), establishments)
    table.read()
    errors = sorted(table.errors, key=lambda error: error.line)
    return (None, errors) if errors else (Inventory(table.applications), [])


def problems(path: Path | str, establishments: Collection[str] = ()) -> list[ConfigError]:
    """Every fault of the file, in the order of its lines; empty when it can be loaded."""
    return read(path, establishments)[1]


def load(path: Path | str, establishments: Collection[str] = ()) -> Inventory:
    """The inventory. Raises the first :class:`ConfigError` of the file, if there is one."""
    inventory, errors = read(path, establishments)
    if inventory is None:
        raise errors[0]
    return inventory


class _Table:
    """Reads one file; ``errors`` holds every fault."""

    def __init__(self, path: Path, establishments: Collection[str]) -> None:
        self.path = path
        self.establishments = establishments
        self.errors: list[ConfigError] = []
        self.applications: list[Application] = []
        self._names: dict[tuple[str, str], int] = {}
        self._endpoints: dict[tuple[str, str], int] = {}

    def fail(self, line: int, message: str, mend: str = "") -> None:
        self.errors.append(ConfigError(str(self.path), line, message, mend))

    def read(self) -> None:
        text = self._text()
        if text is None:
            return
        header: list[str] | None = None
        separator = ";"
        for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
            line = raw.strip()
            if not line.strip("; ,") or line.startswith("#") or (header is None and line.lower().startswith("sep=")):
                continue  # "sep=;" is a spreadsheet's own first line
            if header is None:
                separator = ";" if line.count(";") >= line.count(",") else ","
            cells = self._cells(line, separator, number)
            if cells is None:
                continue
            if header is None:
                header = self._header(cells, number)
                if header is None:
                    return
            else:
                self._row(header, cells, number)
        if header is None:
            self.fail(1, "has no header", "first line: " + ";".join(COLUMNS))

    def _text(self) -> str | None:
        try:
            with self.path.open("rb") as stream:
                data = stream.read(_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
            self.fail(0, f"cannot be read: {reason}", "give the path of a CSV file that you may read")
            return None
        if len(data) > _MAX_BYTES:
            self.fail(0, f"is larger than {_MAX_BYTES} bytes", "this is not an inventory")
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.fail(line, "is not UTF-8", 'save it as "CSV UTF-8"')
            return None

    def _cells(self, line: str, separator: str, number: int) -> list[str] | None:
        if any(c < " " and c != "\t" for c in line):
            self.fail(number, "holds a control character", "remove it")
            return None
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator, strict=True))]
        except csv.Error:
            self.fail(number, "is not a line of CSV", "look for a quote that is not closed: one application a line")
            return None
        if any(len(cell) > _MAX_CELL for cell in cells):
            self.fail(number, f"a cell is longer than {_MAX_CELL} characters", "shorten it")
            return None
        return cells

    def _header(self, cells: list[str], number: int) -> list[str] | None:
        names = [word(cell) for cell in cells]
        while names and not names[-1]:
            names.pop()
        for index, name in enumerate(names, start=1):
            if name not in COLUMNS:
                mend = suggest(name, set(COLUMNS) - set(names))
                self.fail(number, f"column {index}: {shown(cells[index - 1])} is not a column of the inventory", mend)
            elif name in names[: index - 1]:
                self.fail(number, f"column {index}: {name} is there twice", "keep one")
        for name in _REQUIRED:
            if name not in names:
                self.fail(number, f"column {name} is missing", "first line: " + ";".join(COLUMNS))
        return None if self.errors else names

    def _row(self, header: list[str], cells: list[str], number: int) -> None:
        if any(cells[len(header) :]):
            self.fail(
                number, f"has {len(cells)} cells for {len(header)} columns", "quote the cell that holds a separator"
            )
            return
        row = dict.fromkeys(COLUMNS, "") | dict(zip(header, cells, strict=False))
        before = len(self.errors)
        yes = {
            name: self._yes(row[name], name, number)
            for name in COLUMNS
            if name in {"computerised", "in_house", "contract", "office_tool", "biomedical_device"}
            or name[:9] == "declared_"
        }
        if not row["application"]:
            self.fail(number, "column application: has no name", "name the application")
        domain = word(row["domain"])
        if domain not in DOMAINS:
            self.fail(number, f"column domain: {shown(row['domain'])} is not a domain", suggest(domain, DOMAINS))
        controller = word(row["controller"]) or "establishment"
        if controller not in _CONTROLLERS:
            mend = suggest(controller, _CONTROLLERS)
            self.fail(number, f"column controller: {shown(row['controller'])} is neither of the two", mend)
        finess = row["establishment"]
        if finess and self.establishments and finess not in self.establishments:
            mend = suggest(finess, self.establishments)
            self.fail(number, f"column establishment: {shown(finess)} is not declared in the configuration", mend)
        endpoints = self._split(row["endpoints"], finess, number)
        name = row["application"]
        for scope in (finess, "") if finess else self._scopes(name):
            if (scope, name) in self._names:
                first = self._names[scope, name]
                self.fail(number, f"column application: {shown(name)} is there twice", f"line {first} has it already")
                break
        self._names.setdefault((finess, name), number)
        if len(self.errors) == before:
            self.applications.append(
                Application(
                    name=name,
                    domain=domain,
                    function=row["function"],
                    controller=controller,
                    endpoints=endpoints,
                    establishment=finess,
                    line=number,
                    **yes,
                )
            )

    def _scopes(self, name: str) -> list[str]:
        """Every establishment that already has an application of that name (a line for all meets them all)."""
        return [scope for scope, known in self._names if known == name]

    def _yes(self, cell: str, column: str, number: int) -> bool:
        if not cell:
            return column in _DEFAULT_YES
        value = _WORDS.get(cell.lower())
        if value is None:
            self.fail(number, f"column {column}: {shown(cell)} is neither yes nor no", "write yes or no")
        return bool(value)

    def _split(self, cell: str, finess: str, number: int) -> tuple[str, ...]:
        parts = [part.strip() for part in (cell.split("|") if "|" in cell else cell.split())]
        endpoints: list[str] = []
        for part in filter(None, parts):
            if part.count("@") > 1 or part.startswith("@"):
                self.fail(number, f"column endpoints: {shown(part)} is not an endpoint", "write APP@FACILITY, or APP")
            elif (finess, part.upper()) in self._endpoints:
                first = self._endpoints[finess, part.upper()]
                mend = f"line {first} has it already: one endpoint leads to one application"
                self.fail(number, f"column endpoints: {shown(part)} is there twice", mend)
            else:
                self._endpoints[finess, part.upper()] = number
                endpoints.append(part)
        return tuple(endpoints)
