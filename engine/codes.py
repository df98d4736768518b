"""Every stable code that a message may be given, with what it means and what to do: collected from who declares it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from engine import feed


@cache
def codes() -> dict[str, str]:
    """Code -> one English sentence, of every parser and of the engine itself."""
    found: dict[str, str] = {}
    for module in _parsers():
        found |= getattr(module, "CODES", {})
    return found | feed.CODES


@cache
def rejections() -> tuple[str, ...]:
    """What may keep a whole message from being read, sorted; every other code is a remark on a message that was read.

    A parser declares its own in ``REJECTIONS``.
    """
    found = set(feed.REJECTIONS)
    for module in _parsers():
        found |= getattr(module, "REJECTIONS", set())
    return tuple(sorted(found))


def _parsers() -> Iterator[ModuleType]:
    package = importlib.import_module("engine.parsers")
    for module in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"engine.parsers.{module.name}")


def table() -> str:
    """The page docs/codes.md."""
    every = codes()
    lines = [
        "# Codes",
        "",
        "What a message may be given, with what it means and what to do. A code never changes its meaning. Made by",
        "`engine/codes.py` from the modules that declare them; `JAUGE_UPDATE=1 scripts/test tests/test_codes.py` writes it again.",
        "",
        "## Rejections",
        "",
        "The message could not be read: `jauge_messages_rejected_total{code}`; it is put aside, or refused.",
        "",
        "| code | means |",
        "|---|---|",
        *(f"| `{code}` | {every[code]} |" for code in rejections()),
        "",
        "## Remarks",
        "",
        "The message was read, and something in it is odd: `jauge_message_flags_total{code}`. A document that cannot be read is",
        "a remark on its message, and is counted as `not_cda`.",
        "",
        "| code | means |",
        "|---|---|",
        *(f"| `{code}` | {every[code]} |" for code in sorted(every.keys() - set(rejections()))),
        "",
    ]
    return "\n".join(lines)
