"""Where the files shipped with Jauge are (``config/``): in a checkout, or inside an installed wheel.

In a checkout (and an editable install) they are the folder ``config/`` beside ``engine/``; the wheel carries the same
folder as ``engine/_config`` (see ``force-include`` in ``pyproject.toml``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent


def folder() -> Path:
    """The folder of shipped files.

    Raises ``FileNotFoundError`` when the installation lacks it.
    """
    for candidate in (_PACKAGE / "_config", _PACKAGE.parent / "config"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no shipped configuration beside {_PACKAGE}: install jauge again")


def path(name: str) -> Path:
    """The path of one shipped file, e.g. ``path("indicators.yaml")`` or ``path("prometheus/prometheus.yml")``.

    Raises ``FileNotFoundError`` when there is no such file.
    """
    found = folder() / name
    if not found.exists():
        raise FileNotFoundError(f"no shipped file {name!r} in {found.parent}")
    return found
