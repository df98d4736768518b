"""The directory of correspondents: a hospital's table or the national extract, pseudonyms only, faults by line and never by value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from engine import correspondents
from engine.correspondents import Correspondents
from engine.parsers import addresses
from engine.parsers.addresses import Space
from engine.parsers.context import Context, default
from engine.privacy import Pseudonyms

SHIPPED = Path(__file__).resolve().parents[1] / "config/correspondents.csv"
KEY = Pseudonyms(b"k" * 32)
CONTEXT: Context = structs.replace(default(), pseudonym=KEY.of)
SPACE = Space(own=frozenset({"ch-fictif.mssante.fr"}), trusted=frozenset({"sante-fictive.fr"}))

# Of the extract of the Annuaire Santé, as its header is written; the columns after the structure are descriptive.
NATIONAL = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|Type identifiant structure|"
    "Identification Structure|Service de rattachement|Civilité d'exercice|Nom d'exercice|Prénom d'exercice|Pays"
)
DOCTOR = "PER|A@Cabinet-Fictif.mssante.fr|8|10990000011|810990000011|FINESS|990000019||Docteur|EXEMPLE|Andréa|France"
SECOND = "PER|b@maison-fictive.mssante.fr|8|10990000011|810990000011||||Docteur|EXEMPLE|Andréa|France"
SERVICE = "ORG|c@clinique-fictive.mssante.fr||||FINESS|990000019|Pharmacie||||France"
OTHER = "ORG|d@clinique-fictive.mssante.fr||||FINESS|990000019|Urgences||||France"


@pytest.fixture
def write(tmp_path: Path):
    """Writes a file and gives its path."""

    def _write(*lines: str | bytes) -> Path:
        path = tmp_path / "correspondents.csv"
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return path

    return _write


def load(path: Path) -> Correspondents:
    """The correspondents of a file, which must be without fault."""
    found, errors = correspondents.read(path, KEY.maker, SPACE)
    assert found is not None
    assert errors == []
    return found


def faults(path: Path) -> list[tuple[int, str]]:
    """Line and message of every fault."""
    return [(error.line, error.message) for error in correspondents.problems(path, SPACE)]


def box(found: Correspondents, address: str) -> bytes | None:
    """The correspondent of an address, as a mail would look it up."""
    return found.directory.names.get(addresses.pseudonym(CONTEXT, address))


def known(found: Correspondents, identifier: str) -> bytes | None:
    """The correspondent of an identifier, as a document would look it up."""
    return found.directory.names.get(addresses.correspondent(CONTEXT, identifier))


class TestTable:
    """The hospital's own table."""

    def test_shipped_file(self) -> None:
        """The shipped example is right: five correspondents, one of them without a mailbox."""
        found = load(SHIPPED)
        assert (found.count, found.equipped, found.faults) == (5, 4, 0)
        assert box(found, "claude.exemple@centre-fictif.mssante.fr") == box(found, "accueil@centre-fictif.mssante.fr")
        assert known(found, "10990000037") not in {None, *found.directory.equipped}

    def test_lines_of_one_correspondent(self, write) -> None:
        """Lines of one number, else of one RPPS, else of one FINESS, are one correspondent; an address alone is one of its own."""
        found = load(
            write(
                "id;rpps;finess;address",
                "1;;;a@x.mssante.fr",
                "1;10990000011;;b@x.mssante.fr",
                ";10990000011;;c@x.mssante.fr",
                ";10990000029;990000019;d@x.mssante.fr",
                ";;990000019;e@x.mssante.fr",
                ";;990000019;f@x.mssante.fr",
                ";;;g@x.mssante.fr",
            )
        )
        a, b, c, d, e, f, g = (box(found, f"{name}@x.mssante.fr") for name in "abcdefg")
        assert a == b == c == known(found, "10990000011")
        assert d == known(found, "810990000029")
        assert e == f == known(found, "990000019")
        assert len({a, d, e, g}) == found.count == found.equipped == 4

    def test_who_is_equipped(self, write) -> None:
        """A professional address equips; an ordinary one does not; our own and the test mailboxes are nobody's correspondents."""
        found = load(
            write(
                "rpps,address",
                "10990000011,a@sante-fictive.fr",
                "10990000029,b@exemple.fr",
                "10990000037,",
                "10990000045,c@ch-fictif.mssante.fr",
                f"10990000052,{addresses.NATIONAL_TEST}",
            )
        )
        assert (found.count, found.equipped) == (3, 1)
        assert known(found, "10990000011") in found.directory.equipped
        assert known(found, "10990000045") is None
        assert box(found, addresses.NATIONAL_TEST) is None

    def test_as_people_write(self, write) -> None:
        """Capitals, blanks, brackets, quotes, an ADELI, other columns, comments and a spreadsheet's first line do no harm."""
        found = load(
            write(
                b"\xef\xbb\xbfsep=;",
                "# ours",
                "Nom;RPPS;Adresse MSSanté;Téléphone",
                '"EXEMPLE; Dominique";990000011; <A@X.MSSANTE.FR> ;',
                ";;;",
                "Évariste;10990000029;mailto:b@x.mssante.fr\r",
                "Éloïse;810990000037;c@x.mssante.fr".encode("cp1252"),
            )
        )
        assert found.count == found.equipped == 3
        assert box(found, "a@x.mssante.fr") == known(found, "0990000011")
        assert box(found, "c@x.mssante.fr") == known(found, "10990000037")

    def test_two_settings_of_one_file(self, write) -> None:
        """The same lines in another order are the same directory, whose fingerprint is the same."""
        lines = ["1;10990000011;;a@x.mssante.fr", ";10990000029;;b@x.mssante.fr", ";;990000019;c@x.mssante.fr"]
        head = "id;rpps;finess;address"
        one, other = load(write(head, *lines)), load(write(head, *reversed(lines)))
        assert one.directory.fingerprint() == other.directory.fingerprint() != ""
        changed = load(write(head, *lines[:2], ";;990000019;d@x.mssante.fr"))
        assert changed.directory.fingerprint() != one.directory.fingerprint()

    def test_dates(self, write) -> None:
        """The directory is as old as its file, which another writing makes another."""
        path = write("address", "a@x.mssante.fr")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        before = correspondents.stamp(path)
        assert load(path).updated_at == 1_700_000_000
        os.utime(path, (1_700_000_001, 1_700_000_001))
        assert correspondents.stamp(path) != before
        assert correspondents.stamp(path.with_name("none.csv")) == correspondents.Stamp()


class TestNational:
    """The extract of the national directory."""

    def test_as_it_is(self, write) -> None:
        """A person is one correspondent by all its mailboxes, a structure by those of its services."""
        found = load(write(NATIONAL, DOCTOR, SECOND, SERVICE, OTHER))
        assert (found.count, found.equipped) == (2, 2)
        assert box(found, "a@cabinet-fictif.mssante.fr") == box(found, "b@maison-fictive.mssante.fr")
        assert box(found, "b@maison-fictive.mssante.fr") == known(found, "10990000011")
        assert box(found, "c@clinique-fictive.mssante.fr") == known(found, "990000019") == known(found, "1990000019")
        assert box(found, "d@clinique-fictive.mssante.fr") == known(found, "990000019")

    @pytest.mark.parametrize(
        "header",
        [
            NATIONAL.upper(),
            NATIONAL.replace("Type Identifiant", "Type d'identifiant").replace(
                "type identifiant", "type d’identifiant de"
            ),
            NATIONAL.replace("Identification Structure", "Identifiant de structure"),
        ],
    )
    def test_header_written_otherwise(self, write, header: str) -> None:
        """Capitals, articles and either apostrophe are the same header."""
        assert load(write(b"\xef\xbb\xbf" + header.encode(), DOCTOR, SERVICE)).count == 2

    def test_columns_in_another_order(self, write) -> None:
        """The header says where each column is, whatever their order and the others."""
        turned = ["|".join(reversed(line.split("|"))) for line in (NATIONAL, DOCTOR, SECOND, SERVICE)]
        assert load(write(*turned)).directory == load(write(NATIONAL, DOCTOR, SECOND, SERVICE)).directory

    def test_number_without_its_digit(self, write) -> None:
        """Without the column of the national identification, the type and the number make it."""
        lines = [
            "Adresse BAL|Type Identifiant PP|Identifiant PP",
            "a@x.mssante.fr|8|10990000011",
            "b@x.mssante.fr|0|990000011",
        ]
        found = load(write(*lines))
        assert box(found, "a@x.mssante.fr") == known(found, "810990000011")
        assert box(found, "b@x.mssante.fr") == known(found, "0990000011")

    def test_structures_of_every_type(self, write) -> None:
        """FINESS, SIREN and SIRET have the digit of the national identification of structures, written or not."""
        lines = ["Adresse BAL|Type identifiant structure|Identification Structure"]
        lines += [f"{n}@x.mssante.fr|{kind}|{text}" for n, (kind, text) in enumerate([
            ("FINESS", "990000019"), ("1", "1990000019"), ("SIREN", "999999998"), ("SIRET", "99999999800019"), ("3", "399999999800019"),
        ])]  # fmt: skip
        found = load(write(*lines))
        assert [box(found, f"{n}@x.mssante.fr") for n in range(5)] == [
            known(found, text)
            for text in ("1990000019", "1990000019", "2999999998", "399999999800019", "399999999800019")
        ]

    def test_one_address_of_two(self, write) -> None:
        """An address on two lines of the extract is the first one's, and no fault: the hospital cannot mend it."""
        found = load(write(NATIONAL, DOCTOR, DOCTOR.replace("10990000011", "10990000029"), DOCTOR))
        assert box(found, "a@cabinet-fictif.mssante.fr") == known(found, "10990000011")

    def test_ordinary_mail(self, write) -> None:
        """A mailbox of a domain that is not trusted does not equip, and our own ones are left out."""
        lines = [
            DOCTOR.replace("Cabinet-Fictif.mssante.fr", "exemple.fr"),
            SERVICE.replace("clinique-fictive", "ch-fictif"),
        ]
        found = load(write(NATIONAL, *lines))
        assert (found.count, found.equipped) == (1, 0)

    @given(
        st.lists(
            st.sampled_from([DOCTOR, SECOND, SERVICE, OTHER, "", "PER|x", "PER|a b@c.mssante.fr|||12|||"]), max_size=8
        ),
        st.data(),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
    def test_quick_way(self, write, lines: list[str], data: st.DataObject) -> None:
        """Ordinary lines are read five times as fast, and to the same end as one by one with all the checks."""
        for _ in range(data.draw(st.integers(0, 2)) if lines else 0):
            index = data.draw(st.integers(0, len(lines) - 1))
            cells = lines[index].split("|")
            cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(
                st.sampled_from(["", " ", "É", "8 1", "a@x.fr", "1" * 12])
            )
            lines[index] = "|".join(cells)
        path = write(NATIONAL, *lines)
        quick = correspondents.read(path, KEY.maker, SPACE)
        slow = correspondents.read(
            write("id|" + NATIONAL, *("|" + line if line.strip("|") else "" for line in lines)), KEY.maker, SPACE
        )
        assert quick[0] is not None
        assert slow[0] is not None
        assert quick[0].directory == slow[0].directory
        assert (quick[0].count, quick[0].faults) == (slow[0].count, slow[0].faults)
        assert [(error.line, error.message) for error in quick[1]] == [(error.line, error.message) for error in slow[1]]


HEADER = "id;rpps;finess;address"


class TestFaults:
    """What is wrong, and where; never what it says."""

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (";;;camille.exemple", "column address: is not a mail address"),
            (";;;Camille <c@x.mssante.fr> (b)", "column address: is not a mail address"),
            (";;;190129900129928@patient.mssante.fr", "column address: is the address of a patient"),
            (";;;camille@patient.mssante.fr", "column address: is the address of a patient"),
            (";1099000001;;a@x.mssante.fr", "column rpps: is not one"),
            (";;99000001;a@x.mssante.fr", "column finess: is not one"),
            ("8;;;", None),
            (";;;;;;", None),
            (";;;a@x.mssante.fr;b", "has 5 cells for 4 columns"),
            ('";;;a@x.mssante.fr', "is not a line of CSV"),
            ("2;;;first@x.mssante.fr", "column address: is another correspondent's, on a line above"),
            ("2;10990000011;;", "column rpps: is another correspondent's, on a line above"),
        ],
    )
    def test_one_line(self, write, line: str, said: str | None) -> None:
        """A line at fault is told by its number, left out and counted; the others are read."""
        path = write(HEADER, "1;10990000011;;first@x.mssante.fr", line, ";;;last@x.mssante.fr")
        assert faults(path) == ([(3, said)] if said else [])
        found = correspondents.load(path, KEY.maker, SPACE)
        assert found.faults == (1 if said else 0)
        assert box(found, "first@x.mssante.fr") is not None
        assert box(found, "last@x.mssante.fr") is not None

    @pytest.mark.parametrize(
        ("lines", "line", "said"),
        [
            ([], 1, "has no header"),
            (["", "# nothing"], 1, "has no header"),
            (["# ours", "nom;prenom;telephone"], 2, "column address is missing"),
            (["address;mssante"], 1, "columns 1 and 2 say the same"),
            (["address".encode("utf-16")], 1, "is not UTF-8"),
            (['"address;rpps'], 1, "is not a line of CSV"),
        ],
    )
    def test_another_file(self, write, lines: list[str | bytes], line: int, said: str) -> None:
        """A file that is no directory at all is refused, with the line."""
        path = write(*lines)
        assert faults(path) == [(line, said)]
        with pytest.raises(correspondents.ConfigError):
            correspondents.load(path, KEY.maker, SPACE)

    def test_not_there(self, tmp_path: Path) -> None:
        """A file that cannot be read is refused, with the reason of the system."""
        assert faults(tmp_path / "none.csv") == [(0, "cannot be read: No such file or directory")]
        assert faults(tmp_path) == [(0, "cannot be read: Is a directory")]

    def test_too_many(self, write) -> None:
        """The first faults are told one by one, and how many more there are."""
        path = write("address", *(["not one"] * (correspondents.MAX_FAULTS + 7)))
        found = faults(path)
        assert len(found) == correspondents.MAX_FAULTS + 1
        assert found[-1] == (0, "7 more lines are at fault")

    def test_no_value(self, write) -> None:
        """Neither the faults nor what is kept show an address or a number."""
        path = write(
            HEADER, "secret1;10990000011;;secret@x.mssante.fr", "secret2;secret;;secret@y", "3;10990000011;;secret@z"
        )
        found, errors = correspondents.read(path, KEY.maker, SPACE)
        assert len(errors) == 2
        assert "secret" not in repr((found, errors))
        assert "10990000011" not in repr((found, errors))
        assert "secret" not in repr(KEY.__class__) + str(KEY._known)

    @given(st.lists(st.binary(max_size=40), max_size=6))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
    def test_any_bytes(self, write, lines: list[bytes]) -> None:
        """Whatever the bytes, there is a directory or a fault with its line."""
        for header in ("", HEADER, NATIONAL):
            found, errors = correspondents.read(write(header, *lines), KEY.maker, SPACE)
            assert found is not None or errors
