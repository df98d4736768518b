"""What every listener declares and is given: one transport in, nothing else.

A listener takes payloads off its transport, hands them to the :class:`Pipeline` and tells the peer what became of them, and
only then. It knows nothing of formats, facts or storage. A new transport is one file of this folder that calls
:func:`register`; the configuration, the documentation's table and the conformance tests find it there.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from engine.errors import ConfigError
from engine.parsers.context import Context
from engine.parsers.parsed import Parsed
from engine.receipt import Receipt


class Pipeline(Protocol):
    """Where payloads go. Both ways give the receipt once it is true, that is after the commit."""

    def submit(self, payload: bytes, feed: str, done: Callable[[Receipt], None]) -> None:
        """Take a payload, on the event loop's thread.

        ``done`` is called exactly once, on the same thread, in the order of submission of the feed; maybe before
        ``submit`` returns. A large payload is read beside the others: its receipt may come after those of later ones.
        """

    async def accept(self, payload: bytes, feed: str) -> Receipt:
        """The same, awaited."""


class Counters(Protocol):
    """Where a listener reports what the pipeline cannot see. Every method is cheap and never fails."""

    def opened(self) -> None:
        """A peer connected and was let in."""

    def closed(self) -> None:
        """A connection that had been let in ended."""

    def turned_away(self) -> None:
        """A peer was not let in: too many connections."""

    def idle_closed(self) -> None:
        """A connection was closed because its peer fell silent, or no longer reads its answers."""

    def tls_failed(self) -> None:
        """A TLS handshake failed: wrong protocol, unknown certificate, time out."""

    def junk(self, size: int) -> None:
        """``size`` bytes that belong to no message were dropped."""

    def rejected(self, code: str) -> None:
        """The listener itself refused or lost a message before the pipeline saw it (``too-large``, ``truncated``)."""


class PlainCounters:
    """The simplest :class:`Counters`: numbers that only grow. ``connections`` is how many are open now."""

    def __init__(self) -> None:
        self.connections = 0
        self.opened_total = 0
        self.turned_away_total = 0
        self.idle_closed_total = 0
        self.tls_failed_total = 0
        self.junk_bytes_total = 0
        self.rejected_total: dict[str, int] = {}

    def opened(self) -> None:
        """See :class:`Counters`."""
        self.connections += 1
        self.opened_total += 1

    def closed(self) -> None:
        """See :class:`Counters`."""
        self.connections -= 1

    def turned_away(self) -> None:
        """See :class:`Counters`."""
        self.turned_away_total += 1

    def idle_closed(self) -> None:
        """See :class:`Counters`."""
        self.idle_closed_total += 1

    def tls_failed(self) -> None:
        """See :class:`Counters`."""
        self.tls_failed_total += 1

    def junk(self, size: int) -> None:
        """See :class:`Counters`."""
        self.junk_bytes_total += size

    def rejected(self, code: str) -> None:
        """See :class:`Counters`."""
        self.rejected_total[code] = self.rejected_total.get(code, 0) + 1


class Listener(Protocol):
    """A running transport."""

    async def start(self) -> None:
        """Begin to take payloads; raises :class:`engine.errors.ConfigError` when the settings cannot work."""

    async def stop(self) -> None:
        """Take nothing more, finish what was taken, tell the peers, let go of everything."""


class Declaration(Struct, frozen=True):
    """What a listener says of itself.

    ``name`` is the word used in the configuration, ``settings`` its strict settings struct, ``emits`` the format of its
    payloads in one phrase, ``acknowledges`` how a peer learns the outcome, ``make(feed, settings, pipeline, counters)``
    builds it. ``parse(settings)`` gives what reads its payloads where they do not say themselves what they are (lines of a
    log); without it they are recognised (``engine.parsers.formats``). ``problems(settings)`` tells everything that is wrong in
    the files that the settings name, for ``jauge check-config``; ``parse`` raises the first of them. ``archive``: what a file given to ``jauge
    replay`` holds, HL7 messages, lines, or one message. ``mail``: it reads the mail of its establishment, which must then tell its domains.
    """

    name: str
    settings: type[Struct]
    emits: str
    acknowledges: str
    make: Callable[[str, Any, Pipeline, Counters], Listener]
    parse: Callable[[Any], Callable[[bytes, Context], Parsed]] | None = None
    problems: Callable[[Any], list[ConfigError]] = lambda settings: []
    archive: Literal["hl7", "lines", "file", "syslog", "mail"] = "hl7"
    mail: bool = False


_REGISTRY: Final[dict[str, Declaration]] = {}


def register(declaration: Declaration) -> None:
    """Make a listener known under its name. Called once, at the import of its module."""
    if declaration.name in _REGISTRY:
        raise ValueError(f"two listeners are named {declaration.name}")
    _REGISTRY[declaration.name] = declaration


def declarations() -> dict[str, Declaration]:
    """Every listener of this folder, by name."""
    package = importlib.import_module("engine.listeners")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"engine.listeners.{module.name}")
    return dict(sorted(_REGISTRY.items()))
