"""What every fuzzer is run by."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.fuzz.runner import Fuzzer


def test_a_finding_ends_the_run_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The payload is in a file, whose name is told with the seed that finds it again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def target(raw: bytes) -> None:
        assert raw != b"bad", "found"

    fuzzer = Fuzzer(target, lambda: [b"good", b"bad"], lambda raw, source: raw, ".x")
    with pytest.raises(AssertionError, match="found"):
        fuzzer.main(["60", "4"])
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == b"bad"
    assert kept.suffix == ".x"
    said = capsys.readouterr().out
    assert "seed 4" in said
    assert str(kept) in said
