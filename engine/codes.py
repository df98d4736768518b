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
    """Code -> one English sentence, of every parser and listener and of the engine itself."""
    found: dict[str, str] = {}
    for module in (*_modules("engine.parsers"), *_modules("engine.listeners")):
        found |= getattr(module, "CODES", {})
    return found | feed.CODES


@cache
def rejections() -> tuple[str, ...]:
    """What may keep a whole message from being read, sorted; every other code is a remark on a message that was read.

    A parser declares its own in ``REJECTIONS``; every code of a listener is one.
    """
    found = set(feed.REJECTIONS)
    for module in _modules("engine.parsers"):
        found |= getattr(module, "REJECTIONS", set())
    for module in _modules("engine.listeners"):
        found |= getattr(module, "CODES", {}).keys()
    return tuple(sorted(found))


@cache
def checks() -> dict[str, str]:
    """Code -> one English sentence, of what ``jauge doctor`` may find; no message is ever given one of them."""
    found: dict[str, str] = {}
    for module in _modules("engine.doctor"):
        found |= getattr(module, "CODES", {})
    return found


def _modules(package: str) -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        yield importlib.import_module(f"{package}.{module.name}")


def table() -> str:
    """The page docs/codes.md."""
    every = codes()
    lines = [
        "# Codes",
        "",
        "What a message may be given, with what it means and what to do. A code never changes its meaning. Made by",
        "`engine/codes.py` from the modules that declare them; `JAUGE_UPDATE=1 scripts/test tests/test_codes.py` writes it again.",
        "The same in French, for the page and its help: [fr/codes.md](fr/codes.md), from `config/codes.fr.yaml`, where each has its sentence.",
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
        "## Findings",
        "",
        "What `jauge doctor` may find wrong; no message is ever given one of these.",
        "",
        "| code | means |",
        "|---|---|",
        *(f"| `{code}` | {sentence} |" for code, sentence in sorted(checks().items())),
        "",
    ]
    return "\n".join(lines)
