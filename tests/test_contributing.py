"""The worked example of CONTRIBUTING.md: its blocks, taken out of the page, do what the page says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from datetime import date
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.facts import LOG, Document, Outcome
from engine.feed import Feed
from engine.ledger.ledger import Ledger
from engine.metrics.periods import rolling
from engine.metrics.settings import RuleSettings
from engine.parsers import context, formats
from engine.parsers.format import Format
from engine.privacy import Digests
from engine.seal import Seal
from tests.messages import stay

ROOT = Path(__file__).resolve().parent.parent
SECTION = (
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("### A trace format of your own, worked\n")[2]
)
BLOCKS = re.findall(r"^```(text|python)\n(.*?)^```$", SECTION.partition("\n## ")[0], re.DOTALL | re.MULTILINE)
KEY = b"k" * 32
EXIT_DAY = date(2026, 3, 5).toordinal()  # on which the stays of tests.messages end


def test_blocks() -> None:
    """The page has the lines of the platform, the file and the entry, in this order."""
    assert [language for language, _ in BLOCKS] == ["text", "python", "text"]


SAMPLE, FILE, ENTRY = (text for _, text in BLOCKS)


def written(folder: Path) -> ModuleType:
    """The module of the page, written where it can be imported."""
    path = folder / "relais.py"
    path.write_text(FILE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("relais", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def loaded() -> ModuleType:
    """The module of the page, once for all examples."""
    with tempfile.TemporaryDirectory() as folder:
        return written(Path(folder))


@pytest.fixture
def relais(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with its format where the page's entry puts it."""
    module = loaded()
    entry: tuple[Format, ...] = eval(f"({ENTRY})", {"relais": module})
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, *entry))
    return module


def feed() -> Feed:
    """A feed of the invented establishment."""
    return Feed("relais", context.default(), Digests(KEY), Seal(KEY))


def test_the_file_keeps_the_rules_of_the_house() -> None:
    """What newcomers copy passes the style check, and declares its codes as every parser does."""
    told = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--stdin-filename", "engine/parsers/relais.py", "-"],
        input=FILE,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    module = loaded()
    assert set(re.findall(r'ParseError\("([a-z-]+)"', FILE)) == set(module.CODES)
    assert set(module.CODES) >= module.REJECTIONS
    assert all(len(sentence) > 20 for sentence in module.CODES.values())


def test_lines_are_recognised_cut_and_read(relais: ModuleType) -> None:
    """A file of receipts is as many messages; each gives a document named to the DMP and its answer."""
    payload = SAMPLE.encode()
    assert formats.of(payload) is relais.FORMAT
    lines = list(formats.split(payload))
    assert len(lines) == 2
    for line, accepted in zip(lines, (True, False), strict=True):
        document, answer = formats.parse(line, context.default()).facts
        assert isinstance(document, Document)
        assert isinstance(answer, Outcome)
        assert (document.trace, document.kind, document.dmp, document.weak) == (LOG, "ldl-ses", "Y", False)
        assert answer.exchange == document.exchange
        assert answer.accepted is accepted


@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.text("|0123456789OK.\r\n\xe9", max_size=16), max_size=12).map("|".join).map(str.encode),
    )
)
@example(b"DMPREC|20260305161502|OK||\xff|\xff|\xff|\xff|\xff|\xff")
def test_any_bytes(data: bytes) -> None:
    """Whatever the bytes: facts, or one of its codes; the cutting never fails."""
    module = loaded()
    for line in module.FORMAT.split(b"DMPREC|" + data):
        try:
            module.parse(line, context.default())
        except ParseError as error:
            assert error.code in module.REJECTIONS


def test_the_stay_of_its_document_is_met(relais: ModuleType, tmp_path: Path) -> None:
    """Two stays by HL7 and the two receipts of the page: DS1.1 has one met and one refused by its code, once each."""
    reading = feed()
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(), {"pseudonyms": b"12345678"})
    try:
        for payload in (*stay(1), *stay(2), SAMPLE.encode(), SAMPLE.encode()):
            ledger.record(reading.entries(payload, 0))
        while ledger.journal.pending:
            ledger.fold(1_000)
        found = ledger.sums.totals("DS1.1", "990000001", rolling(EXIT_DAY + 10, 3))
        assert ledger.audit() == []
    finally:
        ledger.close()
    assert (found.met, found.missed, found.rejected) == (1, {"rejected": 1}, {"XDSRepositoryError": 1})
