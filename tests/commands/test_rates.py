"""``jauge rates`` breaks the rejected down by code, with what to do."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from engine import resources
from engine.commands import rates
from engine.metrics import catalogue
from engine.service import load_config
from tests.commands.store import CONFIG, fill, site
from tests.ledger.build import PARIS, answer, document, movement
from tests.ledger.facts import handle

TODAY = datetime.now(PARIS)


def day(ago: int, hour: str) -> str:
    """An hour of a day of Paris, so many days ago: the rates are those of today."""
    return f"{TODAY - timedelta(days=ago):%Y-%m-%d} {hour}"


def stay(number: int, code: str) -> tuple[Any, ...]:
    """A stay of some days ago whose letter the DMP refused with this code."""
    visit, ipp = handle("visit", number), handle("ipp", number)
    who = {"visit": visit, "ipp": ipp, "ins": handle("ins", number), "dossier": handle("dossier", number)}
    return (
        movement("A01", day(23, "10:00"), 2 * number, **who),
        movement("A03", day(20, "14:00"), 2 * number + 1, **who),
        document(day(20, "15:00"), number, cda_ins=who["ins"], **who),
        answer(day(20, "16:00"), number, accepted=False, code=code),
    )


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """Four letters refused: two with a public code, one with the site's, one without any."""
    path = site(tmp_path)
    codes = ("XDSUnknownPatientId", "XDSUnknownPatientId", "PFI-7", "")
    fill(path, *(fact for number, code in enumerate(codes, 1) for fact in stay(number, code)))
    return path


def read(path: Path) -> rates.Rates:
    """The rates of today."""
    return rates.rates(load_config(path))


def shown(found: rates.Rates, width: int = 220) -> str:
    """The tables of it, in a terminal of so many columns."""
    out = StringIO()
    rates.table(found, catalogue.load(), {}, Console(file=out, width=width))
    return " ".join(word for word in out.getvalue().split() if not word.startswith("─"))


class TestTables:
    """What a person sees in a terminal."""

    def test_nothing_is_cut_in_eighty_columns(self, refused: Path) -> None:
        """The indicators, their rates, the reasons, the refusals and the applications are whole words, as on a wide screen."""
        refused.write_text(f"inventory: {resources.path('applications.csv')}\n{CONFIG}", encoding="utf-8")
        found = read(refused)
        words = shown(found, width=80).split()

        assert "…" not in " ".join(words)
        assert {value.indicator for value in found.indicators} <= set(words)
        assert {"0/4", "rejected=4", "XDSUnknownPatientId", "Chimiothérapie", "never"} <= set(words)
        assert {line.application.split()[-1] for line in found.applications} <= set(words)
        missed = [v.missed for v in found.indicators if catalogue.load()[v.indicator].kind == "rate"]
        assert {f"{reason}={n}" for each in missed for reason, n in each.items() if n} <= {w.rstrip(",") for w in words}

    def test_a_table_a_window_and_establishment(self, refused: Path) -> None:
        """Official first, in the order of the catalogue, each indicator before its variants."""
        told = shown(read(refused))

        official, rolling = told.index("990000001, official period, on"), told.index("990000001, rolling period, on")
        assert official < told.index(" D2.2 ") < told.index(" D2.2_active ") < told.index(" DS1.1 ") < rolling
        assert told.index(" DS4.1 ") < told.index(" DS4.1_directory ")


class TestRefusals:
    """The second table."""

    def test_the_most_frequent_code_comes_first_with_its_words(self, refused: Path) -> None:
        """Public and own codes have their label and advice; a refusal without code is `other`."""
        found = read(refused)
        mine = [
            (each.code, each.count, each.label)
            for each in found.refusals
            if (each.indicator, each.window) == ("DS1.1", "rolling")
        ]

        assert mine == [
            ("XDSUnknownPatientId", 2, "Patient inconnu du DMP"),
            ("PFI-7", 1, "DMP clos"),
            ("other", 1, "Autre refus (sans code)"),
        ]

    def test_the_codes_add_up_to_the_reason(self, refused: Path) -> None:
        """By indicator and window, as many by code as are `rejected`."""
        found = read(refused)
        for value in found.indicators:
            by_code = sum(
                each.count
                for each in found.refusals
                if (each.indicator, each.window) == (value.indicator, value.window)
            )
            assert by_code == value.missed.get("rejected", 0)
        assert any(value.missed.get("rejected") == 4 for value in found.indicators)

    def test_the_table_shows_each_code_once(self, refused: Path) -> None:
        """Variants have the same refusals and are not repeated."""
        told = shown(read(refused))

        assert "990000001, rolling period: rejected by the DMP, by code" in told
        assert told.count("DMP clos") == 3  # DS1.1, and D2.2 and D6.1 that count the same letter
        assert "Ne pas renvoyer." in told

    def test_json_has_them_under_their_own_key(self, refused: Path) -> None:
        """`refusals`, beside `indicators`."""
        found = json.loads(json.dumps(rates.to_json(read(refused))))

        assert {"indicator", "establishment", "window", "code", "count", "label", "advice"} == set(found["refusals"][0])

    def test_a_weaker_proof_does_not_hide_the_refusals(self, refused: Path) -> None:
        """Where the plain rate asks for the sending alone, the refusals of the strict one are shown."""
        refused.write_text(CONFIG.replace("name: CH Fictif", "name: CH Fictif, proof: sent"), encoding="utf-8")
        fill(refused)
        found = read(refused)
        (plain,) = [v for v in found.indicators if (v.indicator, v.window) == ("DS1.1", "rolling")]

        assert (plain.numerator, plain.rejected) == (4, {})
        assert "DS1.1_accepted" in shown(found)
        assert "DMP clos" in shown(found)

    def test_no_refusal_no_table(self, tmp_path: Path) -> None:
        """Nothing was refused: nothing is said of it."""
        path = site(tmp_path)
        fill(path, *stay(1, "XDSRegistryBusy")[:2])

        assert "by code" not in shown(read(path))


class TestMetOrNot:
    """The table of what is met or not."""

    def test_beside_the_official_value(self, tmp_path: Path) -> None:
        """Yes or no, the official value beside, why not and what to do; none of it is in the table of rates."""
        path = site(tmp_path)
        text = CONFIG.replace("name: CH Fictif", "name: CH Fictif, official_values: {P4.3: true, D6.2: false}")
        path.write_text(text + "correspondents: correspondents.csv\n", encoding="utf-8")
        (tmp_path / "correspondents.csv").write_text("address\na@x.mssante.fr\nb@x.mssante.fr\nnot one\n")
        fill(path)
        found = read(path)
        words = shown(found)

        assert "D6.2 Annuaire des correspondants à jour yes no" in words
        assert "P4.3 Messagerie MSSanté opérationnelle no yes Aucun envoi MSSanté vu" in words
        assert "PS3.2 Messagerie MSSanté opérationnelle (SUN-ES) no - " in words
        assert words.count("D6.2 ") == 1
        assert "2 correspondents, 2 equipped; 0 addresses were written to that it does not know." in words
        assert "1 lines of the directory are at fault" in words

    def test_json(self, tmp_path: Path) -> None:
        """For programs: a rate of one, the official values, the directory."""
        path = site(tmp_path)
        path.write_text(CONFIG.replace("name: CH Fictif", "name: CH Fictif, official_values: {P4.3: true}"))
        fill(path)
        found = rates.to_json(read(path))

        (one,) = [v for v in found["indicators"] if (v["indicator"], v["window"]) == ("D6.2", "official")]
        assert (one["numerator"], one["denominator"], one["missed"], one["ratio"]) == (0, 1, {"no_directory": 1}, 0.0)
        assert list(found["official"]) == [{"indicator": "P4.3", "establishment": "990000001", "met": True}]
        assert found["directory"]["updated_at"] == 0
