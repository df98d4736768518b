"""The commands: what they print, and their exit codes."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine import arguments
from engine.cli import main
from engine.ledger.schema import Lock
from tests.messages import adt, stay

CONFIG = """\
store: var/jauge.db
keys: keys
inventory: applications.csv
establishments:
  - {finess: "990000001", name: CH Fictif}
feeds:
  - {name: his, listener: mllp, establishment: "990000001", port: 0}
"""
INVENTORY = """\
application;domain;function;endpoints
DPI;dossier_medical;dossier patient;DPI@HX
PACS;production_medico_technique;archives;PACS@HX
"""


def jauge(*words: str | Path) -> Result:
    """One command."""
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration, and an archive of three stays that ended some days ago."""
    (tmp_path / "applications.csv").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "jauge.yaml").write_text(CONFIG, encoding="utf-8")
    when = datetime.now(UTC) - timedelta(days=20)
    messages = [message for number in (1, 2, 3) for message in stay(number, when)]
    (tmp_path / "archive.hl7").write_bytes(b"\r".join(messages))
    return tmp_path


def replayed(site: Path) -> Path:
    """The configuration, once the archive was replayed."""
    config = site / "jauge.yaml"
    assert jauge("replay", site / "archive.hl7", "-c", config).exit_code == 0
    return config


def test_help_tells_every_command() -> None:
    """``jauge --help``."""
    text = jauge("--help").output
    for name in ("run", "demo", "check", "replay", "rates", "explain", "audit", "contradictions", "check-config"):
        assert name in text


def test_an_archive_is_replayed_once_however_often_it_is_sent(site: Path) -> None:
    """The second time everything is a duplicate, and the rates are the same."""
    config = replayed(site)
    first = jauge("rates", "--json", "-c", config).output
    again = jauge("replay", site / "archive.hl7", "-c", config)
    assert "duplicate: 6" in again.output
    assert jauge("rates", "--json", "-c", config).output == first


def test_an_archive_that_is_not_what_it_should_be_is_told(site: Path) -> None:
    """Nothing in it, or what cannot be read, such as another trace without its feed: what to do next, and no value of it."""
    config = replayed(site)
    (site / "empty").mkdir()
    assert "no message was found there" in jauge("replay", site / "empty", "-c", config).output
    (site / "other.log").write_text("MARKED 2026-03-02 something else\n")
    found = jauge("replay", site / "other.log", "-c", config).output
    assert "aside: 1" in found
    assert "jauge check says why (they were read as those of the feed his, another trace wants its own --feed)" in found
    assert "MARKED" not in found
    assert "jauge check" not in jauge("replay", site / "archive.hl7", "-c", config).output


def test_rates_are_shown_with_reasons_and_applications(site: Path) -> None:
    """Three stays without letter; an application that never acknowledged, one without traffic."""
    config = replayed(site)
    found = json.loads(jauge("rates", "--json", "-c", config).output)
    (letters,) = [v for v in found["indicators"] if (v["indicator"], v["window"]) == ("DS1.1", "rolling")]
    assert (letters["numerator"], letters["denominator"], letters["missed"], letters["ratio"]) == (
        0,
        3,
        {"not_produced": 3},
        0.0,
    )
    (identities,) = [v for v in found["indicators"] if (v["indicator"], v["window"]) == ("P1.1", "official")]
    assert identities["missed"] == {"not_acknowledged": 1, "not_connected": 1}
    assert found["unlisted"] == ["GAM@HX"]
    table = jauge("rates", "-c", config)
    assert table.exit_code == 0
    assert "GAM@HX" in table.output


def test_a_stay_is_explained_without_any_number(site: Path) -> None:
    """By its visit number or by its dossier number; 4 when nothing is known."""
    config = replayed(site)
    for number in ("260000002", "26000002"):
        (found,) = json.loads(jauge("explain", number, "--json", "-c", config).output)
        assert found["counted"]
        assert found["ins"] == "qualified"
        assert {v["indicator"]: v.get("reason") for v in found["verdicts"]}["DS1.1"] == "not_produced"
        assert number not in json.dumps(found)
    assert "not_produced" in jauge("explain", "260000002", "-c", config).output
    assert jauge("explain", "999", "-c", config).exit_code == 4


def test_the_configuration_of_the_service_is_the_default(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server nobody types --config: what the service reads is taken, where there is one; else the shipped example."""
    monkeypatch.delenv("JAUGE_CONFIG", raising=False)
    monkeypatch.setattr(arguments, "INSTALLED", site / "nowhere.yaml")
    assert arguments.path_of(None).samefile("config/jauge.yaml")
    monkeypatch.setattr(arguments, "INSTALLED", site / "jauge.yaml")
    assert arguments.path_of(None) == site / "jauge.yaml"
    assert jauge("check-config").output == f"{site / 'jauge.yaml'}: right\n"
    assert arguments.path_of(Path("other.yaml")) == Path("other.yaml")


def test_one_engine_writes_to_a_store(site: Path) -> None:
    """A replay while another process holds the store: 3, and what to do; reading is never in the way."""
    config = replayed(site)
    lock = Lock(site / "var" / "jauge.db")
    found = jauge("replay", site / "archive.hl7", "-c", config)
    assert found.exit_code == 3
    assert "another engine" in found.output
    assert jauge("rates", "-c", config).exit_code == 0
    lock.release()
    assert jauge("replay", site / "archive.hl7", "-c", config).exit_code == 0


def test_an_audit_finds_a_tally_that_was_changed(site: Path) -> None:
    """0 when every tally equals its recount, 1 when one does not."""
    config = replayed(site)
    assert jauge("audit", "-c", config).exit_code == 0
    store = sqlite3.connect(site / "var" / "jauge.db")
    store.execute("UPDATE tallies SET n = n + 1 WHERE indicator = 'DS1.1'")
    store.commit()
    store.close()
    found = jauge("audit", "-c", config)
    assert found.exit_code == 1
    assert "DS1.1" in found.output
    assert json.loads(jauge("audit", "--json", "-c", config).output)["differences"] == 1


def test_a_change_of_the_counting_judges_everything_again(site: Path) -> None:
    """Class E counted instead of I: after the next start the old verdicts are gone."""
    config = replayed(site)
    config.write_text(CONFIG + "indicators: {classes: [E]}\n", encoding="utf-8")
    (site / "more.hl7").write_bytes(adt(99, visit=9))
    assert jauge("replay", site / "more.hl7", "-c", config).exit_code == 0
    found = json.loads(jauge("rates", "--json", "-c", config).output)
    assert {v["denominator"] for v in found["indicators"] if v["indicator"].startswith("DS")} == {0}
    assert jauge("audit", "-c", config).exit_code == 0


def test_figures_of_other_settings_are_said_to_be_old(site: Path) -> None:
    """Between a change of the counting and the next start: the old figures with a warning, and an audit that compares nothing."""
    config = replayed(site)
    assert json.loads(jauge("rates", "--json", "-c", config).output)["stale"] is False
    assert "Old figures" not in jauge("rates", "-c", config).output
    config.write_text(CONFIG + "indicators: {classes: [E]}\n", encoding="utf-8")
    found = json.loads(jauge("rates", "--json", "-c", config).output)
    assert found["stale"] is True
    assert {v["denominator"] for v in found["indicators"] if v["indicator"] == "DS1.1"} == {0, 3}
    shown = jauge("rates", "-c", config)
    assert shown.exit_code == 0
    assert "Old figures: the settings of the counting changed" in shown.output
    for words in (("audit",), ("audit", "--json")):
        refused = jauge(*words, "-c", config)
        assert refused.exit_code == 2
        assert "restart the engine" in refused.stderr
        assert refused.stdout == ""
    (site / "more.hl7").write_bytes(adt(99, visit=9))
    assert jauge("replay", site / "more.hl7", "-c", config).exit_code == 0
    assert jauge("audit", "-c", config).exit_code == 0
    assert "Old figures" not in jauge("rates", "-c", config).output


def test_wrong_files_stop_the_engine_before_it_starts(site: Path) -> None:
    """3, one line that names the file and the line, and nothing made."""
    config = site / "jauge.yaml"
    config.write_text(CONFIG.replace("listener", "listner"), encoding="utf-8")
    for words in (("check-config",), ("run",), ("rates",), ("replay", site / "archive.hl7")):
        found = jauge(*words, "-c", config)
        assert found.exit_code == 3, words
        assert "jauge.yaml:7" in found.output
    config.write_text(CONFIG, encoding="utf-8")
    (site / "applications.csv").write_text(INVENTORY.replace("dossier_medical", "dosier_medical"), encoding="utf-8")
    for words in (("check-config",), ("run",)):
        found = jauge(*words, "-c", config)
        assert found.exit_code == 3
        assert "applications.csv:2" in found.output
    assert not (site / "var").exists()
    assert jauge("check-config", "-c", site / "none.yaml").exit_code in {2, 3}


def test_a_right_configuration_is_said_to_be_right(site: Path) -> None:
    """``check-config``: 0."""
    assert jauge("check-config", "-c", site / "jauge.yaml").exit_code == 0


def test_reading_commands_want_a_store(site: Path) -> None:
    """No store yet: 3, and a sentence; never an empty table."""
    for words in (("rates",), ("audit",), ("explain", "1")):
        found = jauge(*words, "-c", site / "jauge.yaml")
        assert found.exit_code == 3
        assert "no store" in found.output
    assert not (site / "keys").exists()


def test_check_reads_files_offline(site: Path) -> None:
    """0 when all can be read, 1 when one cannot."""
    found = jauge("check", site / "archive.hl7", "--json")
    assert found.exit_code == 0
    assert len(found.output.splitlines()) == 6
    (site / "bad.hl7").write_bytes(b"H|^~\\&|")
    assert jauge("check", site / "bad.hl7").exit_code == 1


def test_a_feed_must_exist(site: Path) -> None:
    """2 for wrong arguments."""
    assert jauge("replay", site / "archive.hl7", "--feed", "nobody", "-c", site / "jauge.yaml").exit_code == 2
