"""Replaying archives: every message of every file, with a bounded window."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.listeners import archive
from engine.listeners.archive import Progress, replay
from engine.listeners.listener import declarations
from engine.parsers.syslog_frames import counted
from tests.listeners.conformance import REFUSED, UNAVAILABLE, FakePipeline, message
from tests.parsers.audit_messages import audit


def write(folder: Path) -> list[str]:
    """An archive of plain, compressed and nested files; the control ids in order."""
    (folder / "2026" / "03").mkdir(parents=True)
    (folder / "2026" / "01.hl7").write_bytes(message("A1") + message("A2"))
    (folder / "2026" / "02.hl7.gz").write_bytes(gzip.compress(message("A3") + message("A4")))
    (folder / "2026" / "03" / "x.hl7").write_bytes(message("A5").replace(b"\r", b"\n"))
    (folder / "2026" / "half.tmp").write_bytes(message("A6"))
    (folder / "2026" / ".hidden").write_bytes(message("A7"))
    return ["A1", "A2", "A3", "A4", "A5"]


async def test_folders_and_files(tmp_path: Path) -> None:
    """Folders are walked in order, .gz included; what is hidden or unfinished is passed over."""
    expected = write(tmp_path)
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "archive") == {"accepted": 5}
    assert pipeline.ids == expected


async def test_counts_by_status(tmp_path: Path) -> None:
    """The outcome is how many messages came to each status."""
    write(tmp_path)
    pipeline = FakePipeline(receipt=lambda payload: REFUSED if b"|A3|" in payload else REFUSED.__class__("duplicate"))
    assert await replay([tmp_path], pipeline, "archive") == {"duplicate": 4, "refused": 1}


async def test_progress(tmp_path: Path) -> None:
    """Progress only grows and ends with everything."""
    write(tmp_path)
    told: list[Progress] = []
    await replay([tmp_path], FakePipeline(), "archive", told.append)
    assert [(one.files, one.messages) for one in told] == [(1, 2), (2, 4), (3, 5)]
    assert told[-1].bytes == told[-1].bytes_total > 0
    assert told[-1].files_total == 3


async def test_damaged_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    """A broken file is counted, the others are read."""
    write(tmp_path)
    (tmp_path / "2026" / "00.gz").write_bytes(b"\x1f\x8bnonsense")
    assert await replay([tmp_path], FakePipeline(), "archive") == {"accepted": 5, "damaged": 1}


async def test_unavailable_stops(tmp_path: Path) -> None:
    """When the engine can take nothing the replay stops and says so."""
    for number in range(5):
        (tmp_path / f"{number}.hl7").write_bytes(message(f"A{number}"))
    pipeline = FakePipeline(receipt=lambda payload: UNAVAILABLE)
    assert await replay([tmp_path], pipeline, "archive") == {"unavailable": 1}


async def test_too_large(tmp_path: Path) -> None:
    """A message beyond the limit is refused and never reaches the pipeline."""
    (tmp_path / "a.hl7").write_bytes(message("A1", size=5000) + message("A2"))
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "archive", max_message_bytes=2000) == {"refused": 1, "accepted": 1}
    assert pipeline.ids == ["A2"]


async def test_missing_path(tmp_path: Path) -> None:
    """A path that is not there is an error before anything is read."""
    write(tmp_path)
    pipeline = FakePipeline()
    with pytest.raises(FileNotFoundError):
        await replay([tmp_path, tmp_path / "none"], pipeline, "archive")
    assert pipeline.payloads == []


async def test_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many messages wait for their commit at a time."""
    monkeypatch.setattr(archive, "WINDOW", 10)
    (tmp_path / "a.hl7").write_bytes(b"".join(message(f"A{number}") for number in range(100)))
    pipeline = FakePipeline(held=True)
    replaying = asyncio.ensure_future(replay([tmp_path], pipeline, "archive"))
    while not replaying.done():
        assert len(pipeline.waiting) <= 10
        pipeline.release(3)
        await asyncio.sleep(0)
    assert replaying.result() == {"accepted": 100}
    assert pipeline.ids == [f"A{number}" for number in range(100)]


@pytest.mark.parametrize("piece", [1, 7, 100, 1000])
@pytest.mark.parametrize("framed", [False, True])
async def test_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, framed: bool) -> None:
    """A file read in small pieces gives the same messages as one read whole."""
    monkeypatch.setattr(archive, "PIECE", piece)
    every = [message(f"A{number}") + b"NTE|1||MSHA is no header\nMSH+AAA of base64 neither\r" for number in range(20)]
    data = b"".join(b"\x0b" + one + b"\x1c\r" if framed else one for one in every)
    (tmp_path / "a.hl7").write_bytes(data)
    pipeline = FakePipeline()
    assert await replay([tmp_path / "a.hl7"], pipeline, "archive") == {"accepted": 20}
    assert [payload.strip() for payload in pipeline.payloads] == [one.strip() for one in every]


@pytest.mark.parametrize(("piece", "packed"), [(7, False), (64, True), (1 << 20, False)])
async def test_an_archive_of_a_log_is_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, packed: bool
) -> None:
    """Wherever the pieces of the file are cut; empty lines are none, the last one needs no end."""
    monkeypatch.setattr(archive, "PIECE", piece)
    data = b"one\r\n\ntwo two two two\nthree"
    path = tmp_path / ("dmp.log.gz" if packed else "dmp.log")
    path.write_bytes(gzip.compress(data) if packed else data)
    pipeline = FakePipeline()
    assert await replay([path], pipeline, "log", cut=archive.CUTS["lines"]) == {"accepted": 3}
    assert pipeline.payloads == [b"one", b"two two two two", b"three"]


async def test_an_archive_of_captures_is_one_message_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is inside: an empty file is nothing."""
    monkeypatch.setattr(archive, "PIECE", 5)
    (tmp_path / "a.mime").write_bytes(b"--B1\r\nMSH|x\r\n--B1--")
    (tmp_path / "b.mime").write_bytes(b"")
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "captures", cut=archive.CUTS["file"]) == {"accepted": 1}
    assert pipeline.payloads == [b"--B1\r\nMSH|x\r\n--B1--"]


HEADER = b"<85>1 2026-03-10T16:20:05+01:00 pfi dmp 7 IHE+RFC-3881 - "
AUDITS = [HEADER + audit(set_id=f"1.2.250.1.999.42.20.{number}") for number in range(9)]
PIECES = [1, 7, 5000, 1 << 20]


def on_lines(messages: list[bytes]) -> bytes:
    """The second framing of RFC 6587."""
    return b"".join(one + b"\n" for one in messages)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("framed", [on_lines, lambda messages: b"".join(map(counted, messages))])
async def test_an_archive_of_syslog_is_its_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, packed: bool, framed: Callable[[list[bytes]], bytes]
) -> None:
    """In either framing, wherever the pieces of the file are cut, and every file has its own."""
    monkeypatch.setattr(archive, "PIECE", piece)
    data = framed(AUDITS)
    for name in ("a.log", "b.log"):
        path = tmp_path / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(data) if packed else data)
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "atna", cut=archive.CUTS["syslog"]) == {"accepted": 18}
    assert pipeline.payloads == AUDITS + AUDITS


@pytest.mark.parametrize("piece", PIECES)
async def test_a_daemons_file_of_syslog_is_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """What a daemon writes into its files has no priority: one message a line."""
    monkeypatch.setattr(archive, "PIECE", piece)
    every = [one.replace(b"<85>1 ", b"") for one in AUDITS]
    (tmp_path / "audit.log").write_bytes(on_lines(every))
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "atna", cut=archive.CUTS["syslog"]) == {"accepted": 9}
    assert pipeline.payloads == every


@pytest.mark.parametrize("piece", PIECES)
async def test_a_lone_audit_message_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """A file that is one AuditMessage, over as many lines as it likes."""
    monkeypatch.setattr(archive, "PIECE", piece)
    data = b'<?xml version="1.0"?>\n' + audit().replace(b"><", b">\n<")
    (tmp_path / "audit.xml").write_bytes(data)
    (tmp_path / "empty.xml").write_bytes(b"")
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "atna", cut=archive.CUTS["syslog"]) == {"accepted": 1}
    assert pipeline.payloads == [data]


@pytest.mark.parametrize("piece", PIECES)
async def test_a_cut_frame_of_syslog_damages_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """What came before it is delivered; the message that is not whole is not."""
    monkeypatch.setattr(archive, "PIECE", piece)
    (tmp_path / "audit.log").write_bytes(b"".join(map(counted, AUDITS))[:-1])
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "atna", cut=archive.CUTS["syslog"]) == {"accepted": 8, "damaged": 1}
    assert pipeline.payloads == AUDITS[:-1]


@pytest.mark.parametrize("piece", PIECES)
async def test_an_archive_of_mail_is_one_mail_or_an_mbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """A file that begins with an mbox's line holds many mails; any other is one, whatever its body says."""
    monkeypatch.setattr(archive, "PIECE", piece)
    one = b"From: a@ch-fictif.mssante.fr\r\nSubject: x\r\n\r\nFrom here on\r\n\r\nFrom there on\r\n"
    two = [b"Subject: 1\n\nOne\n", b"Subject: 2\n\nTwo\n"]
    (tmp_path / "1.eml").write_bytes(one)
    (tmp_path / "2.mbox.gz").write_bytes(gzip.compress(b"".join(b"From x 2026\n" + mail + b"\n" for mail in two)))
    (tmp_path / "3.eml").write_bytes(b"")
    pipeline = FakePipeline()
    assert await replay([tmp_path], pipeline, "mail", cut=archive.CUTS["mail"]) == {"accepted": 3}
    assert pipeline.payloads == [one, *two]


def test_every_listener_says_how_its_archives_are_cut() -> None:
    """What a declaration says of archives is a cut that there is; audit messages are many in one file."""
    declared = {name: one.archive for name, one in declarations().items()}
    assert set(declared.values()) <= archive.CUTS.keys()
    assert declared["syslog"] == "syslog"
