"""Marks that stand for names and numbers of patients: whether one of them is found in what an engine wrote, showed or said."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Collection, Iterable
from pathlib import Path
from subprocess import CompletedProcess

from engine.metrics import catalogue
from tests.e2e.engine import RunningEngine


def page(engine: RunningEngine) -> bytes:
    """Everything that /metrics and the page for people show."""
    shown = "\n".join(f"{name} {sorted(labels)} {value}" for (name, labels), value in engine.metrics().items()).encode()
    for indicator in catalogue.load():
        for window in ("officielle", "glissante"):
            shown += _get(engine, f"/indicateurs/{indicator.id}?fenetre={window}")
    return shown + b"".join(_get(engine, path) for path in ("/", "/flux", "/applications", "/ps41"))


def _get(engine: RunningEngine, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{engine.http}{path}", timeout=60) as answer:
        return bytes(answer.read())


def written(folder: Path, *, besides: Collection[str] = ()) -> dict[str, bytes]:
    """Every file of a folder, by its path in it; ``besides``: those that the test wrote itself."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {place: path.read_bytes() for place, path in files.items() if place not in besides}


def said(commands: Iterable[CompletedProcess[str]]) -> dict[str, bytes]:
    """What commands printed."""
    return {f"command {number}": (done.stdout + done.stderr).encode() for number, done in enumerate(commands)}


def unseen(marks: Iterable[str], numbers: Iterable[str], places: dict[str, bytes]) -> None:
    """Fails where a mark is found in any encoding, in the name of a place too, or a number as it is."""
    forms = {
        form: mark
        for mark in marks
        for form in (
            mark.encode(),
            mark.lower().encode(),
            mark.encode("utf-16-le"),
            base64.b64encode(mark.encode()).rstrip(b"=")[:-1],
        )
    }
    sought = [number.encode() for number in numbers]
    for place, content in places.items():
        for form, mark in forms.items():
            assert form not in content, f"{mark} in {place}"
        assert not any(number in content for number in sought), f"an INS in {place}"
        assert not any(mark.casefold() in place.casefold() for mark in forms.values())
