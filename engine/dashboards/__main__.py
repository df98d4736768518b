"""Writes the dashboards: ``python -m engine.dashboards FOLDER``, one file each, the same bytes each time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engine.dashboards import dmp, feeds, indicator, machine, mssante, overview
from engine.dashboards.panels import Json
from engine.metrics import catalogue


def boards() -> list[Json]:
    """Every dashboard, in the order of a visit."""
    known = catalogue.load()
    return [overview.make(known), indicator.make(known), feeds.make(), dmp.make(), mssante.make(), machine.make()]


def text(board: Json) -> str:
    """A dashboard as it is written: readable, and the same each time."""
    return json.dumps(board, ensure_ascii=False, indent=1) + "\n"


def write(folder: Path) -> list[Path]:
    """Writes every dashboard into the folder, named by its uid; a file of a dashboard that is no more goes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{board['uid']}.json" for board in boards()]
    for old in set(folder.glob("jauge-*.json")) - set(paths):
        old.unlink()
    for path, board in zip(paths, boards(), strict=True):
        path.write_text(text(board), encoding="utf-8")
    return paths


if __name__ == "__main__":
    for written in write(Path(sys.argv[1])):
        sys.stdout.write(f"{written}\n")
