"""A configuration with a store made of facts, for the tests of the commands."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from engine.assembly import keys_of, open_ledger
from engine.cli import main
from engine.facts import AnyFact
from engine.ledger.book import encode
from engine.ledger.journal import Entry
from engine.privacy import Pseudonyms
from engine.service import load_config
from tests.ledger.facts import FINESS

CONFIG = f"""\
store: var/jauge.db
keys: keys
dmp_errors: errors.yaml
establishments:
  - {{finess: "{FINESS}", name: CH Fictif}}
feeds:
  - {{name: his, listener: mllp, establishment: "{FINESS}", port: 0}}
"""
ERRORS = """\
codes:
  PFI-7: { kind: identity, label: DMP clos, advice: Ne pas renvoyer. }
"""


def site(folder: Path) -> Path:
    """A configuration, with the site's own codes of errors."""
    (folder / "errors.yaml").write_text(ERRORS, encoding="utf-8")
    (folder / "jauge.yaml").write_text(CONFIG, encoding="utf-8")
    return folder / "jauge.yaml"


def pseudonym(path: Path, kind: str, number: str) -> bytes:
    """The pseudonym of an invented number under the configuration's key."""
    return Pseudonyms(keys_of(load_config(path)).pseudonyms)(kind, FINESS, number.encode())


def fill(path: Path, *facts: AnyFact) -> None:
    """Put facts in the store of a configuration, and count them."""
    config = load_config(path)
    ledger = open_ledger(config, keys_of(config))
    try:
        ledger.record([Entry("his", 1, b"c%d" % n, b"x", encode([fact]), 1) for n, fact in enumerate(facts)])
        while ledger.fold(100):
            pass
    finally:
        ledger.close()


def jauge(*words: str | Path) -> Result:
    """One command."""
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False, env={"COLUMNS": "200"})
