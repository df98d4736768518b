"""The inventory of applications: tolerant of spreadsheets, strict on words, and the guide's exclusions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import inventory
from engine.errors import ConfigError
from engine.inventory import Application, Inventory

SHIPPED = Path(__file__).resolve().parents[1] / "config/applications.csv"
HEADER = "application;domain;endpoints;controller;contract;in_house;establishment\n"
FINESS = ("990000001", "990000019")


@pytest.fixture
def write(tmp_path: Path):
    """Writes a file and gives its path."""

    def _write(text: str | bytes) -> Path:
        path = tmp_path / "applications.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


class TestScope:
    """Which application is in which denominator."""

    @pytest.mark.parametrize(
        ("change", "p1_1", "p1_3"),
        [
            pytest.param({}, "", "", id="plain"),
            pytest.param({"domain": "hors_perimetre"}, "out_of_domain", "out_of_domain", id="domain"),
            pytest.param({"computerised": False}, "not_computerised", "not_computerised", id="paper"),
            pytest.param({"office_tool": True}, "office_tool", "office_tool", id="spreadsheet"),
            pytest.param({"biomedical_device": True}, "biomedical_device", "biomedical_device", id="device"),
            pytest.param({"controller": "third_party"}, "third_party_controller", "", id="hosted under contract"),
            pytest.param({"contract": False}, "", "no_contract", id="no contract"),
            pytest.param({"contract": False, "in_house": True}, "", "", id="written in-house"),
            pytest.param({"controller": "third_party", "in_house": True}, "", "", id="written by the GHT"),
            pytest.param(
                {"controller": "third_party", "contract": False}, "third_party_controller", "no_contract", id="external"
            ),
        ],
    )
    def test_exclusions(self, change: dict[str, object], p1_1: str, p1_3: str) -> None:
        """P1.1 asks who the controller is, P1.3 whether there is a contract; the rest is common."""
        app = Application(**({"name": "A", "domain": "pmsi"} | change))
        assert (app.excluded_p1_1, app.excluded_p1_3) == (p1_1, p1_3)
        assert (app.in_scope_p1_1, app.in_scope_p1_3) == (not p1_1, not p1_3)

    def test_shipped_file(self) -> None:
        """The shipped example is right, and shows every domain and every exclusion."""
        apps = inventory.load(SHIPPED, FINESS).applications
        assert {app.domain for app in apps} == set(inventory.DOMAINS)
        assert {app.excluded_p1_1 for app in apps} == {
            "", "out_of_domain", "not_computerised", "office_tool", "biomedical_device", "third_party_controller",
        }  # fmt: skip
        assert "no_contract" in {app.excluded_p1_3 for app in apps}

    def test_shipped_file_has_every_column(self) -> None:
        """The shipped header is the documented one, in its order."""
        header = next(line for line in SHIPPED.read_text("utf-8").splitlines() if not line.startswith("#"))
        assert header.split(";") == list(inventory.COLUMNS)


class TestFind:
    """From a name in a flow to an application."""

    APPS = Inventory(
        [
            Application(name="Lab", domain="pmsi", endpoints=("SGL@HX", "SGL@LABO")),
            Application(name="Any", domain="pmsi", endpoints=("RIS",)),
            Application(name="Ris of HY", domain="pmsi", endpoints=("RIS@HY",)),
            Application(name="Own", domain="pmsi", endpoints=("SGL@HX",), establishment="990000019"),
        ]
    )

    @pytest.mark.parametrize(
        ("endpoint", "establishment", "name"),
        [
            ("SGL@HX", "", "Lab"),
            ("sgl@labo", "", "Lab"),
            ("SGL@OTHER", "", None),
            ("SGL", "", None),
            ("RIS@HX", "", "Any"),
            ("RIS@", "", "Any"),
            ("RIS@HY", "", "Ris of HY"),
            ("SGL@HX", "990000019", "Own"),
            ("SGL@LABO", "990000019", "Lab"),
            ("", "", None),
            ("@", "", None),
        ],
    )
    def test_find(self, endpoint: str, establishment: str, name: str | None) -> None:
        """The most precise name wins, then the establishment's own line; nothing else is guessed."""
        for _ in range(2):
            found = self.APPS.find(endpoint, establishment)
            assert (found.name if found else None) == name

    def test_invented_names_do_not_fill_the_memory(self) -> None:
        """A sender that invents names for ever leaves no more than a bounded trace."""
        apps = Inventory(self.APPS.applications)
        for number in range(10_000):
            assert apps.find(f"X{number}@HX") is None
        assert len(apps._found) <= 4_096
        assert apps.find("SGL@HX") is not None

    def test_of(self) -> None:
        """An establishment uses its own applications and those of all."""
        assert [app.name for app in self.APPS.of("990000001")] == ["Lab", "Any", "Ris of HY"]
        assert len(self.APPS.of("990000019")) == 4


class TestTolerant:
    """What spreadsheets do to a file."""

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("application;domain\nA;pmsi\n", id="semicolons"),
            pytest.param("application,domain\nA,pmsi\n", id="commas"),
            pytest.param("\ufeffapplication;domain\r\nA;pmsi\r\n", id="bom and crlf"),
            pytest.param("sep=;\napplication;domain\nA;pmsi", id="sep line"),
            pytest.param("# list\n\napplication;domain;;\n;;;\n# more\nA;pmsi;;\n", id="comments and empty cells"),
            pytest.param('"application";"domain"\n"A";"PMSI"\n', id="quotes"),
            pytest.param("domain;Application\n pmsi ; A \n", id="order, capitals and spaces"),
        ],
    )
    def test_same_application(self, write, text: str) -> None:
        """Each of these is the same inventory."""
        (app,) = inventory.load(write(text)).applications
        assert (app.name, app.domain, app.computerised, app.contract) == ("A", "pmsi", True, True)

    def test_french_words(self, write) -> None:
        """oui, non and a domain written as a title are understood."""
        text = "application;domain;computerised;in_house\nA;Dossiers de spécialité;Non;OUI\n"
        (app,) = inventory.load(write(text)).applications
        assert (app.domain, app.computerised, app.in_house) == ("dossiers_de_specialite", False, True)

    def test_endpoints_with_spaces(self, write) -> None:
        """Endpoints are separated by spaces, or by bars when a name holds a space."""
        apps = inventory.load(write(HEADER + "A;pmsi;A@X B@X\nB;pmsi;|MY APP@X|C@X|\n")).applications
        assert [app.endpoints for app in apps] == [("A@X", "B@X"), ("MY APP@X", "C@X")]


WRONG = [
    pytest.param("A;pmi\n", 2, "column domain: 'pmi' is not a domain", "did you mean pmsi?", id="domain"),
    pytest.param("A;\n", 2, "column domain", "one of: ", id="no domain"),
    pytest.param(";pmsi\n", 2, "column application: has no name", "name", id="no name"),
    pytest.param("A;pmsi;;third-part\n", 2, "column controller", "third_party", id="controller"),
    pytest.param("A;pmsi;;;maybe\n", 2, "column contract: 'maybe'", "yes or no", id="boolean"),
    pytest.param("A;pmsi;@X\n", 2, "column endpoints: '@X'", "APP@FACILITY", id="endpoint"),
    pytest.param("A;pmsi;B@X b@x\n", 2, "is there twice", "line 2", id="endpoint twice"),
    pytest.param("A;pmsi;X@Y\nB;pmsi;x@y\n", 3, "is there twice", "line 2", id="endpoint of two"),
    pytest.param("A;pmsi\n#\nA;pmsi\n", 4, "'A' is there twice", "line 2", id="name twice"),
    pytest.param("A;pmsi;;;;;990000019\nA;pmsi\n", 3, "'A' is there twice", "line 2", id="name of one and of all"),
    pytest.param("A;pmsi\nA;pmsi;;;;;990000019\n", 3, "'A' is there twice", "line 2", id="name of all and of one"),
    pytest.param("A;pmsi;;;;;99000001\n", 2, "is not declared", "did you mean 9900000", id="establishment"),
    pytest.param("A;pmsi;;;;;;x\n", 2, "has 8 cells for 7 columns", "quote", id="too many cells"),
    pytest.param('A;"pmsi\n', 2, "is not a line of CSV", "quote", id="open quote"),
    pytest.param("A\x07;pmsi\n", 2, "control character", "remove", id="control character"),
    pytest.param("A" * 600 + ";pmsi\n", 2, "longer than 500", "shorten", id="long cell"),
]


class TestWrong:
    """What a wrong inventory says."""

    @pytest.mark.parametrize(("rows", "line", "message", "mend"), WRONG)
    def test_row(self, write, rows: str, line: int, message: str, mend: str) -> None:
        """A wrong cell gives one error: its line, its column, the mend."""
        (error,) = inventory.problems(write(HEADER + rows), FINESS)
        assert (error.line, message in error.message, mend in error.mend) == (line, True, True), error

    @pytest.mark.parametrize(
        ("text", "line", "message", "mend"),
        [
            pytest.param("", 1, "has no header", "application;domain", id="empty"),
            pytest.param("application\nA\n", 1, "column domain is missing", "application;domain", id="column missing"),
            pytest.param(
                "application;domain;endpoint\n", 1, "column 3: 'endpoint'", "did you mean endpoints?", id="unknown"
            ),
            pytest.param("application;domain;domain\n", 1, "column 3: domain is there twice", "keep one", id="twice"),
        ],
    )
    def test_header(self, write, text: str, line: int, message: str, mend: str) -> None:
        """A wrong header gives one error, whatever the rows."""
        (error,) = inventory.problems(write(text))
        assert (error.line, message in error.message, mend in error.mend) == (line, True, True), error

    def test_every_fault_at_once(self, write) -> None:
        """All the faults of a file are told, by line; load raises the first."""
        path = write(HEADER + "A;x\n;pmsi\n")
        assert [error.line for error in inventory.problems(path)] == [2, 3]
        with pytest.raises(ConfigError, match=r"applications\.csv:2"):
            inventory.load(path)

    def test_not_utf8(self, write) -> None:
        """A file saved in another charset is refused on the line that shows it."""
        (error,) = inventory.problems(write("application;domain\nRéa;pmsi\n".encode("latin-1")))
        assert (error.line, "UTF-8" in error.mend) == (2, True)

    @pytest.mark.parametrize("name", ["nope.csv", ".", "a\0b"])
    def test_no_file(self, tmp_path: Path, name: str) -> None:
        """A path that leads to no file is one error."""
        (error,) = inventory.problems(f"{tmp_path}/{name}")
        assert error.line == 0

    def test_too_large(self, write) -> None:
        """A file of megabytes is not an inventory."""
        (error,) = inventory.problems(write(b"#" * 5_000_000))
        assert "larger" in error.message

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.one_of(st.binary(max_size=120), st.text(alphabet='A;,"#@|\n\r pmsiyes\0é', max_size=80).map(str.encode)))
    def test_never_anything_else(self, write, data: bytes) -> None:
        """Any bytes, with or without a header, give an inventory or ConfigErrors."""
        for text in (data, HEADER.encode() + data):
            found, errors = inventory.read(write(text), FINESS)
            assert (found is None) == bool(errors)
            assert all(isinstance(error, ConfigError) for error in errors)
