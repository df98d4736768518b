"""The directory of correspondents: who can be written to by MSSanté, which no flow can tell (D6.2, D6.3, DS4.1).

One file, one address a line: a table kept by the hospital (``config/correspondents.csv``), or the national extract of MSSanté mailboxes
("Extraction_Correspondance_MSSante" of the Annuaire Santé: UTF-8, columns separated by ``|``, half a million lines). Which of the two, and the
place of each column, the header tells. Addresses and identifiers become pseudonyms line by line: nothing clear is kept, and no fault shows a
value. What is at fault is one line's: it is left out and counted.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from engine.errors import ConfigError
from engine.facts import CITIZEN, OWN, PROFESSIONAL, TEST
from engine.metrics.settings import Directory
from engine.parsers import addresses
from engine.parsers.context import default
from engine.strict import word

COLUMNS: Final[Mapping[str, str]] = {
    "address": "MSSanté address, one a line. Empty: a correspondent without a mailbox (not equipped).",
    "id": "Your own number of the correspondent: lines of one number are one correspondent. Empty: the RPPS, else the FINESS, else the address "
    "tells who it is.",
    "rpps": "RPPS (11 digits) of the person, or ADELI (9 digits). Empty: the mailbox of a service or of a structure.",
    "finess": "FINESS (9 characters) of the structure. Beside an RPPS it only says where the person works: it names nobody.",
}
"""Columns of the hospital's own table, each with its documentation."""

MAX_BYTES: Final = 268_435_456
"""Three times the national extract."""
MAX_FAULTS: Final = 100
"""So many faults are told one by one; the others are counted."""

_ID, _ADDRESS, _PERSON, _PERSON_TYPE, _STRUCTURE, _STRUCTURE_TYPE = range(6)  # what a column means
_PLAIN: Final = 10
# The second value: of several columns of one meaning, the smallest is read.
_NAMES: Final[Mapping[str, tuple[int, int]]] = {
    "address": (_ADDRESS, 0),
    "adresse_mssante": (_ADDRESS, 0),
    "mssante": (_ADDRESS, 0),
    "adresse_bal": (_ADDRESS, 0),
    "id": (_ID, 0),
    "correspondant": (_ID, 0),
    "rpps": (_PERSON, 0),
    "identification_nationale_pp": (_PERSON, 0),
    "identifiant_pp": (_PERSON, _PLAIN),
    "type_identifiant_pp": (_PERSON_TYPE, 0),
    "finess": (_STRUCTURE, 0),
    "identification_structure": (_STRUCTURE, 0),
    "identifiant_structure": (_STRUCTURE, 0),
    "type_identifiant_structure": (_STRUCTURE_TYPE, 0),
}
_ARTICLES: Final = frozenset({"d", "de", "la", "l", "du", "des"})
_FORM: Final = re.compile(r"[!#-'*+./0-9=?^_`a-z{|}~-]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.ASCII)
_BARE_FORM: Final = re.compile(_FORM.pattern.encode())
_RPPS: Final = re.compile(r"8?[0-9]{11}", re.ASCII)
_ADELI: Final = re.compile(r"0?[0-9][0-9AB][0-9]{7}", re.ASCII)
_FINESS: Final = re.compile(r"1?[0-9][0-9AB][0-9]{7}", re.ASCII)
_NATIONAL: Final = re.compile(r"[0-9A-Za-z/._-]{1,64}", re.ASCII)
# Struct_IdNat: the digit before an identifier of each type, as the extract writes the type.
_STRUCTURE_DIGITS: Final = {"1": "1", "FINESS": "1", "2": "2", "SIREN": "2", "3": "3", "SIRET": "3"}


Maker = Callable[[str], Callable[[bytes], bytes]]
"""Of a kind of pseudonym, what makes them."""


class Correspondents(Struct, frozen=True):
    """What a file of correspondents says."""

    directory: Directory = Directory()
    updated_at: int = 0  # when the file was last written: seconds since 1970-01-01 UTC; 0 without a file
    count: int = 0  # correspondents, equipped or not
    faults: int = 0  # lines left out

    @property
    def equipped(self) -> int:
        """How many correspondents have a professional address."""
        return len(self.directory.equipped)


class Stamp(Struct, frozen=True):
    """What tells one writing of a file from another."""

    nanoseconds: int = 0
    size: int = -1
    inode: int = 0


def stamp(path: Path) -> Stamp:
    """The stamp of a file; of one that is not there, that of none."""
    try:
        found = path.stat()
    except OSError:
        return Stamp()
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def load(path: Path, maker: Maker, space: addresses.Space) -> Correspondents:
    """The correspondents of a file, but for its lines at fault. Raises :class:`ConfigError` when it is no such file at all."""
    found, errors = read(path, maker, space)
    if found is None:
        raise errors[0]
    return found


def problems(path: Path, space: addresses.Space) -> list[ConfigError]:
    """Every fault of a file, in the order of its lines: the first ones, and how many there are more."""
    unkeyed = default().pseudonym
    return read(path, lambda kind: lambda value: unkeyed(kind, "", value), space)[1]


def read(path: Path, maker: Maker, space: addresses.Space) -> tuple[Correspondents | None, list[ConfigError]]:
    """The correspondents and the faults of a file; no correspondents when it is no such file at all.

    ``maker(kind)`` makes pseudonyms of one kind, as ``engine.privacy.Pseudonyms.maker``. ``space``: whose addresses are whose.
    """
    table = _Table(path, maker, space)
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
            if found.st_size > MAX_BYTES:
                table.refuse(0, f"is larger than {MAX_BYTES} bytes", "this is not a directory of correspondents")
            else:
                table.read(stream)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        table.refuse(0, f"cannot be read: {reason}", "give the path of a file that you may read")
    if table.refused:
        return None, table.errors
    if table.faults > len(table.errors):
        more = table.faults - len(table.errors)
        table.errors.append(
            ConfigError(str(path), 0, f"{more} more lines are at fault", "mend the first ones, then look again")
        )
    bare = Directory(table.names, frozenset(table.equipped))
    directory = structs.replace(bare, digest=bare.fingerprint())
    return Correspondents(directory, int(found.st_mtime), len(table.keys), table.faults), table.errors


def _plain(structure: bytes) -> bool:
    """Whether an identifier of a structure needs no other look: letters and digits, or none at all."""
    return not structure or (structure.isalnum() and len(structure) <= 64)


class _Table:
    """Reads one file. ``names``, ``keys`` and ``equipped`` hold pseudonyms only."""

    def __init__(self, path: Path, maker: Maker, space: addresses.Space) -> None:
        self.path = path
        self.errors: list[ConfigError] = []
        self.faults = 0
        self.refused = False
        self.names: dict[bytes, bytes] = {}
        self.keys: set[bytes] = set()
        self.equipped: set[bytes] = set()
        self._makers = {kind: maker(kind) for kind in ("address", "correspondent", "correspondent-id")}
        self._boxes, self._persons = self._makers["address"], self._makers["correspondent"]
        self._context = structs.replace(default(), pseudonym=self._pseudonym, mail=space)
        self._national = False
        self._places: list[int] = []  # of each meaning: its column, -1 when there is none
        self._bare_person = False  # the column of persons has no digit of the type before it
        self._domains: dict[bytes, bool] = {}  # whether every address of it is professional
        self._structures: dict[tuple[bytes, bytes], bytes] = {}  # as the extract writes them -> pseudonym

    def _pseudonym(self, kind: str, _: str, value: bytes) -> bytes:
        return self._makers[kind](value)

    def refuse(self, line: int, message: str, mend: str) -> None:
        """The whole file is another one."""
        self.refused = True
        self.errors = [ConfigError(str(self.path), line, message, mend)]

    def fail(self, line: int, message: str, mend: str) -> None:
        """One line is at fault, and left out."""
        self.faults += 1
        if self.faults <= MAX_FAULTS:
            self.errors.append(ConfigError(str(self.path), line, message, mend))

    def read(self, lines: Iterable[bytes]) -> None:
        """Take every line in."""
        separator = b""
        width = last = 0
        quick = False
        for number, raw in enumerate(lines, start=1):
            line = raw.strip(b"\r\n")
            if not separator:
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                    if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
                        self.refuse(1, "is not UTF-8", 'save it as "CSV UTF-8"')
                        return
                if not line.strip(b"; ,|\t") or line[:1] == b"#" or line[:4].lower() == b"sep=":
                    continue  # "sep=;" is a spreadsheet's own first line
                separator = max((b"|", b";", b",", b"\t"), key=line.count)
                cells = self._cells(line, separator, number)
                if cells is None:
                    self.refused = True
                    return
                if not self._header(cells, number):
                    return
                width, last = len(cells), max(self._places) + 1
                quick = separator == b"|" and self._ordinary()
                continue
            if quick and self._quick(line.split(b"|", last)):
                continue
            if not line.strip(b"; ,|\t") or line[:1] == b"#":
                continue
            if separator == b"|" or b'"' not in line:
                cells = line.decode("latin-1").split(separator.decode())  # ASCII where it matters
            else:
                quoted = self._cells(line, separator, number)
                if quoted is None:
                    continue
                cells = quoted
            if len(cells) > width and any(cells[width:]):
                mend = "quote the cell that holds a separator" if separator != b"|" else "remove the separator too many"
                self.fail(number, f"has {len(cells)} cells for {width} columns", mend)
                continue
            self._row(cells + [""] * (width - len(cells)), number)
        if not separator:
            self.refuse(1, "has no header", "first line: " + ";".join(COLUMNS))

    def _cells(self, line: bytes, separator: bytes, number: int) -> list[str] | None:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("cp1252", "replace")
        if separator == b"|":
            return text.split("|")
        try:
            return next(csv.reader([text], delimiter=separator.decode(), strict=True))
        except (csv.Error, StopIteration):
            self.fail(number, "is not a line of CSV", "look for a quote that is not closed: one address a line")
            return None

    def _header(self, cells: list[str], number: int) -> bool:
        found: dict[int, tuple[int, int]] = {}
        for index, cell in enumerate(cells):
            name = "_".join(part for part in word(cell).split("_") if part not in _ARTICLES)
            meaning, rank = _NAMES.get(name, (-1, 0))
            if meaning < 0:
                continue
            if meaning in found and found[meaning][0] == rank:
                self.refuse(number, f"columns {found[meaning][1] + 1} and {index + 1} say the same", "keep one")
                return False
            found[meaning] = min(found.get(meaning, (rank, index)), (rank, index))
            self._national |= name == "adresse_bal"
        if _ADDRESS not in found:
            mend = f"first line: {';'.join(COLUMNS)}, or the national extract as it is"
            self.refuse(number, "column address is missing", mend)
            return False
        self._places = [found[meaning][1] if meaning in found else -1 for meaning in range(6)]
        self._bare_person = _PERSON in found and found[_PERSON][0] == _PLAIN
        return True

    def _ordinary(self) -> bool:
        """Whether the columns are those of the national extract as it is."""
        return self._national and not self._bare_person and self._places[_ID] < 0 and min(self._places[1:]) >= 0

    def _quick(self, cells: list[bytes]) -> bool:
        """Take in an ordinary line of the national extract, five times as fast as ``_row``; False when it is another."""
        places = self._places
        try:
            address = cells[places[_ADDRESS]].lower()
            form = _BARE_FORM.fullmatch(address)
            if form is None or not (self._domains.get(form[1]) or self._professional(form[1])):
                return False
            person = cells[places[_PERSON]]
            if not person:
                name = self._structures[cells[places[_STRUCTURE_TYPE]], cells[places[_STRUCTURE]]]
            elif len(person) == 12 and person.isdigit() and _plain(cells[places[_STRUCTURE]]):
                name = self._persons(person)
            else:
                return False
        except (IndexError, KeyError):
            return False
        box = self._boxes(address)
        names = self.names
        key = names.get(name) or names.get(box) or name
        names.setdefault(name, key)
        names.setdefault(box, key)
        self.keys.add(key)
        self.equipped.add(key)
        return True

    def _professional(self, domain: bytes) -> bool:
        """Whether every address of a domain is a professional one."""
        space, text = self._context.mail, domain.decode("ascii")
        found = addresses.category(f"a@{text}", space) == PROFESSIONAL
        found = found and not any(addresses.domain(test) == text for test in space.tests)
        self._domains[domain] = found
        return found

    def _row(self, cells: list[str], number: int) -> None:
        own, address, person, person_type, structure, structure_type = (
            cells[place].strip() if place >= 0 else "" for place in self._places
        )
        context = self._context
        category = ""
        if address:
            address = addresses.normal(address)
            category = addresses.category(address, context.mail)
            if category in (OWN, TEST):
                return  # our own mailboxes are in the national extract too: they are nobody's correspondents
            if not _FORM.fullmatch(address):
                self.fail(number, "column address: is not a mail address", "write one address, without name or comment")
                return
            if category == CITIZEN or addresses.domain(address) == addresses.CITIZEN_DOMAIN:
                self.fail(
                    number,
                    "column address: is the address of a patient",
                    "remove the line: a patient is no correspondent",
                )
                return
        written = structure_type.encode("latin-1", "replace"), structure.encode("latin-1", "replace")
        person = self._person(person, person_type)
        structure = self._structure(structure, structure_type)
        if "?" in (person, structure):
            column, form = ("rpps", "11 digits (or 9 of an ADELI)") if person == "?" else ("finess", "9 characters")
            self.fail(number, f"column {column}: is not one", f"{form}, as text: a spreadsheet drops a leading 0")
            return
        identifier = person or structure
        name = addresses.correspondent(context, identifier) if identifier else None
        if name is not None and self._national and not person:
            self._structures[written] = name
        box = addresses.pseudonym(context, address) if address else None
        known = self.names.get(name or b"") or self.names.get(box or b"")
        key = context.pseudonym("correspondent-id", "", own.encode()) if own else known or name or box
        if key is None:
            self.fail(number, "names nobody", "give an address, a number, an RPPS or a FINESS")
            return
        for column, named in (("rpps" if person else "finess", name), ("address", box)):
            if named is not None and self.names.get(named, key) != key and not self._national:
                self.fail(
                    number, f"column {column}: is another correspondent's, on a line above", "keep one of the two"
                )
                return
        for named in (name, box):
            if named is not None:
                self.names.setdefault(named, key)
        self.keys.add(key)
        if category == PROFESSIONAL:
            self.equipped.add(key)

    def _person(self, text: str, kind: str) -> str:
        """PS_IdNat of a person, "" without one, "?" when it is none."""
        if not text:
            return ""
        if self._national:
            if not _NATIONAL.fullmatch(text):
                return "?"
            return f"{kind}{text}" if self._bare_person and kind in ("0", "8") else text
        if _RPPS.fullmatch(text):
            return text
        return addresses.identifier(text, "ADELI") if _ADELI.fullmatch(text) else "?"

    def _structure(self, text: str, kind: str) -> str:
        """Struct_IdNat of a structure, "" without one, "?" when it is none."""
        if not text:
            return ""
        if not self._national:
            return text if _FINESS.fullmatch(text) else "?"
        if not _NATIONAL.fullmatch(text):
            return "?"
        digit = _STRUCTURE_DIGITS.get(kind.upper(), "")
        expected = {"1": 9, "2": 9, "3": 14}.get(digit)
        return f"{digit}{text}" if len(text) == expected else text
