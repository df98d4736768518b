"""What `jauge init` asks, and what an answer may be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from engine.evidence.settings import is_loopback
from engine.scalars import Domain, Finess
from engine.strict import unwrap

EXAMPLE_FINESS: Final = "990000001"
EXAMPLE_NAME: Final = "Centre hospitalier d'exemple"
TRACES: Final = {
    "zam": "the acknowledgements ZAM, which come back through the interface engine",
    "log": "the log of the platform that submits",
    "fhir": "copies of ITI-65 and of its answers, posted to Jauge",
    "syslog": "audit messages (ATNA)",
    "captures": "ITI-41 and its answers, one message a file",
    "none": "none yet",
}
"""The traces that submissions to the DMP leave, with what each is."""

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


class Address(Struct, frozen=True):
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


class Answers(Struct, frozen=True, kw_only=True):
    """The answers, by default those of the shipped example.

    ``trace_path``: the log to follow, or the folder of captures. ``domain``: MSSanté domain of the establishment, empty: its mail
    is not read. ``certificate``, ``key``: what this machine shows to those who read and send over the network, None: one is made when it is
    needed. ``behind_proxy``: something in front of the page has the certificate and asks who is there. ``data``: folder of the store and of
    the keys, None: ``var`` beside the configuration.
    """

    finess: str = EXAMPLE_FINESS
    name: str = EXAMPLE_NAME
    listen: Address = Address("127.0.0.1", 2575)
    web: Address = Address("127.0.0.1", 9464)
    trace: str = "zam"
    trace_path: Path | None = None
    domain: str = ""
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False
    data: Path | None = None

    @property
    def guarded(self) -> bool:
        """Whether the page is shown to the network by the engine itself: with password, token and certificate."""
        return not self.web.local and not self.behind_proxy

    @property
    def everywhere(self) -> bool:
        """Whether the page is shown at every address of the machine."""
        return self.web.host in {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to

    @property
    def own_certificate(self) -> bool:
        """Whether the machine signs its certificate itself."""
        return self.guarded and (self.certificate is None or not self.certificate.is_absolute())


def address(text: str) -> Address:
    """``HOST:PORT``, ``[::1]:PORT``, or a port alone (of this machine only). Raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    host = host.strip("[]") if colon else "127.0.0.1"
    if not _HOST.fullmatch(host) or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise ValueError("write it as 10.1.2.3:2575: an address of this machine (0.0.0.0: all of them) and a port")
    return Address(host, int(port))


def finess(text: str) -> str:
    """A FINESS: 9 characters (no key is checked: the programmes' own examples have none). Raises ValueError."""
    return _matching(text.replace(" ", "").upper(), Finess)


def domain(text: str) -> str:
    """A MSSanté domain, or nothing. Raises ValueError."""
    text = text.strip().lower()
    return _matching(text, Domain) if text else ""


def name(text: str) -> str:
    """The name of an establishment. Raises ValueError."""
    cleaned = " ".join(text.split())
    if not 0 < len(cleaned) <= 200 or not cleaned.isprintable():
        raise ValueError("a name has 1 to 200 characters")
    return cleaned


def trace(text: str) -> str:
    """One of the traces. Raises ValueError."""
    word = text.strip().lower()
    if word not in TRACES:
        raise ValueError(f"one of: {', '.join(TRACES)}")
    return word


def _matching(text: str, hint: Any) -> str:
    meta = unwrap(hint)[1]
    if not re.search(meta["pattern"], text):
        raise ValueError(meta["hint"])
    return text
