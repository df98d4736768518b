"""A small configuration that is right, the listeners it may name, and the faults of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from engine import config

ROOT = Path(__file__).resolve().parents[1]


class Tls(Struct, frozen=True, kw_only=True):
    """Files."""

    certificate: Annotated[Path, Meta(extra={"exists": "file"})]


class Wire(Struct, frozen=True, kw_only=True):
    """A listener with a port."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 2575
    idle_timeout_seconds: Annotated[float, Meta(gt=0)] = 300.0
    tls: Tls | None = None


class Shelf(Struct, frozen=True, kw_only=True):
    """A listener with a folder and a rule of its own."""

    path: Annotated[Path, Meta(extra={"exists": "folder"})]
    poll_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.poll_seconds > 60:
            raise ValueError("poll_seconds is longer than a minute")


LISTENERS: dict[str, type[Struct]] = {"mllp": Wire, "folder": Shelf}

GOOD = """\
store: var/jauge.db
keys: var/keys
establishments:
  - finess: "990000001"
    name: Centre hospitalier d'exemple
feeds:
  - name: his
    listener: mllp
    establishment: "990000001"
"""


def written(folder: Path, text: str | bytes) -> Path:
    """A configuration in this folder that says this."""
    path = folder / "jauge.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults(path: Path, indicators: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
    """Line, message and mend of every fault."""
    return [(error.line, error.message, error.mend) for error in config.problems(path, LISTENERS, indicators)]
