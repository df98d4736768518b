"""``jauge ps41``: what is refused before anything leaves, and what is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.cli import main

CONFIG = """\
store: var/jauge.db
keys: var/keys
establishments:
  - {finess: "990000001", name: CH Fictif}
  - {finess: "990000019", name: Clinique fictive}
feeds:
  - {name: his, listener: mllp, establishment: "990000001", port: 0}
"""
SENDER = """\
    - establishment: "%s"
      sender: %s
      smtp: {host: smtp.operateur-fictif.example}
"""
ONE = CONFIG + "ps41:\n  senders:\n" + SENDER % ("990000001", "sorties@ch-fictif.mssante.fr")
TWO = ONE + SENDER % ("990000019", "sorties@clinique-fictive.mssante.fr")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the configuration is written."""
    return tmp_path / "jauge.yaml"


def ps41(config: Path, text: str, *words: str) -> Result:
    """One command over a configuration."""
    config.write_text(text, encoding="utf-8")
    return CliRunner().invoke(main, ["ps41", *words, "-c", str(config)], catch_exceptions=False)


class TestRefused:
    """Wrong arguments (2) and wrong settings (3)."""

    @pytest.mark.parametrize("command", ["send", "watch", "evidence", "status"])
    def test_without_its_section(self, config: Path, command: str) -> None:
        """Nothing is configured: said with the mend."""
        done = ps41(config, CONFIG, command)
        assert done.exit_code == 3
        assert "add ps41.senders" in done.output

    @pytest.mark.parametrize("command", ["send", "evidence"])
    def test_several_and_none_named(self, config: Path, command: str) -> None:
        """Which establishment must be said."""
        assert ps41(config, TWO, command).exit_code == 2

    def test_an_establishment_that_is_not_there(self, config: Path) -> None:
        """Those that are there are told."""
        done = ps41(config, TWO, "status", "--establishment", "990000027")
        assert done.exit_code == 3
        assert "990000001, 990000019" in done.output

    def test_evidence_without_a_test(self, config: Path) -> None:
        """Nothing was sent: nothing is written."""
        assert ps41(config, ONE, "evidence").exit_code == 4

    def test_watch_without_a_mailbox_to_read(self, config: Path) -> None:
        """Nothing awaited is not an error of the settings; it is not done either."""
        assert ps41(config, ONE, "watch", "--timeout", "0").exit_code == 1

    @pytest.mark.parametrize(
        ("wrong", "mend"),
        [
            ("smtp: {host: smtp.fictif.example, transport: plain}", "this machine only"),
            ("smtp: {host: smtp.fictif.example, user: x}", "without its password"),
            ("smtp: {host: smtp.fictif.example, password_file: jauge.yaml}", "without its user"),
            ("smtp: {host: smtp.fictif.example, tls: {certificate: jauge.yaml}}", "certificate and key"),
            (
                "smtp: {host: a}\n      mailbox: {address: a@b.c, service: s, responsible: r, declared: 2026-02-31}",
                "not a date",
            ),
            ("smtp: {host: a}\n      facility: SA99", "SA99"),
        ],
    )
    def test_settings_that_cannot_be(self, config: Path, wrong: str, mend: str) -> None:
        """Each with its line and its mend, at every command."""
        text = ONE.replace("smtp: {host: smtp.operateur-fictif.example}", wrong)
        done = ps41(config, text, "status")
        assert done.exit_code == 3
        assert mend in done.output
        assert "jauge.yaml:" in done.output

    @pytest.mark.parametrize(
        ("wrong", "mend"),
        [
            ("message: {subject: sans le mot}", "XDM/1.0/DDM"),
            ('message: {subject: "XDM/1.0/DDM {nom}"}', "{label}"),
            ('message: {subject: "XDM/1.0/DDM {"}', "{label}"),
            ("message: {type_code: 00000-0}", "11490-0"),
            ("message: {headers: {X-MSS-INS: O}}", "X-..."),
            ("message: {headers: {From: a}}", "X-..."),
            ('patient: {matricule: "279035121518988"}', "key"),
            ("patient: {birth: 1979-02-30}", "not a date"),
        ],
    )
    def test_a_message_that_cannot_be(self, config: Path, wrong: str, mend: str) -> None:
        """Subject, type, headers and patient are checked when the configuration is read."""
        done = ps41(config, ONE.replace("ps41:\n", f"ps41:\n  {wrong}\n"), "status")
        assert done.exit_code == 3
        assert mend in done.output

    def test_a_sender_given_twice_or_unknown(self, config: Path) -> None:
        """One entry an establishment, and only of those that are declared."""
        twice = ps41(config, ONE + SENDER % ("990000001", "a@ch-fictif.mssante.fr"), "status")
        unknown = ps41(config, ONE + SENDER % ("990000027", "a@ch-fictif.mssante.fr"), "status")
        assert "declared twice" in twice.output
        assert "990000027 is not declared" in unknown.output


class TestSaid:
    """What the commands print."""

    def test_status_of_who_sent_nothing(self, config: Path) -> None:
        """Never, no, not met; as JSON too."""
        done = ps41(config, TWO, "status", "--json")
        assert done.exit_code == 1
        assert [one["establishment"] for one in json.loads(done.output)] == ["990000001", "990000019"]
        assert not any(one["valid"] or one["sent_at"] for one in json.loads(done.output))
        assert "never" in ps41(config, TWO, "status").output

    def test_a_dry_run_needs_nobody(self, config: Path) -> None:
        """No server, no register: the message is shown whole, with the settings of the second establishment."""
        done = ps41(config, TWO, "send", "--dry-run", "--establishment", "990000019")
        assert done.exit_code == 0
        for words in (
            "sorties@clinique-fictive.mssante.fr -> reponse.automatique-test@patient.mssante.fr",
            "smtp.operateur-fictif.example:587 (starttls)",
            "Clinique fictive (FINESS 990000019)",
            "IHE_XDM/SUBSET01/DOC00001.XML",
            "nothing wrong",
        ):
            assert words in done.output
        assert re.search(r"^attached   IHE_XDM\.zip, \d+ bytes, SHA-256 [0-9a-f]{64}$", done.output, re.MULTILINE)
        assert not (config.parent / "var").exists()
