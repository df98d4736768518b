"""Every stable code that a message may be given, with what it means and what to do: collected from who declares it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Final

from engine import feed

# What may keep a whole message from being read; every other code is a remark on a message that was read.
REJECTIONS: Final = (
    "bad-delimiters",
    "batch",
    "internal",
    "internal-error",
    "no-message-type",
    "not-folded",
    "not-hl7",
    "segment-missing",
    "several-messages",
    "too-large",
    "truncated",
)


@cache
def codes() -> dict[str, str]:
    """Code -> one English sentence, of every parser and of the engine itself."""
    found: dict[str, str] = {}
    package = importlib.import_module("engine.parsers")
    for module in pkgutil.iter_modules(package.__path__):
        found |= getattr(importlib.import_module(f"engine.parsers.{module.name}"), "CODES", {})
    return found | feed.CODES
