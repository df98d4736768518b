"""Where the files shipped with Jauge are (``config/``, ``docs/fr/``): in a checkout, or inside an installed wheel.

In a checkout (and an editable install) they are folders beside ``engine/``; the wheel carries the same folders as
``engine/_config`` and ``engine/_help`` (``hatch_build.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent


def folder() -> Path:
    """The folder of shipped files.

    Raises ``FileNotFoundError`` when the installation lacks it.
    """
    return _first("configuration", _PACKAGE / "_config", _PACKAGE.parent / "config")


def path(name: str) -> Path:
    """The path of one shipped file, e.g. ``path("indicators.yaml")`` or ``path("prometheus/prometheus.yml")``.

    Raises ``FileNotFoundError`` when there is no such file.
    """
    found = folder() / name
    if not found.exists():
        raise FileNotFoundError(f"no shipped file {name!r} in {found.parent}")
    return found


def help_folder() -> Path:
    """The folder of the pages for hospital staff (``docs/fr``).

    Raises ``FileNotFoundError`` when the installation lacks it.
    """
    return _first("help", _PACKAGE / "_help", _PACKAGE.parent / "docs" / "fr")


def _first(what: str, *candidates: Path) -> Path:
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no shipped {what} beside {_PACKAGE}: install jauge again")
