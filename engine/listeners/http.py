"""HTTP endpoint that takes FHIR (R4 http.html): submissions, responses and audit events, as copies of what the platform sends and is answered.

A request is answered with what the pipeline says of it, in an OperationOutcome. Who may send is known by a bearer token, by mutual TLS,
or by both; without either only this machine may.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final

import structlog
from msgspec import Meta, Struct

from engine.errors import ConfigError
from engine.listeners.http_connection import Connection
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.server import Server, Turns
from engine.tls import TlsSettings
from engine.tokens import Tokens

_log: Final = structlog.get_logger(__name__)

#: Bytes of the largest body, once decompressed: a document of the largest size in base64, with its metadata.
MAX_SIZE: Final = 64 * 1024 * 1024
#: Connections that may be in the middle of a large body at a time, until it is answered; the others wait for their turn.
MAX_LARGE: Final = 8
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one HTTP feed."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address to listen on; 0.0.0.0 for every address of the machine, which needs a `token_file` or mutual TLS.",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 lets the system choose a free one.")] = 8480
    path: Annotated[
        str,
        Meta(
            description="Base of the endpoint: bundles are posted there, or to `Bundle`, `AuditEvent` and `DocumentReference` under it."
        ),
    ] = "/fhir"
    token_file: Annotated[
        Path | None,
        Meta(
            description="File with the bearer tokens that senders must show, one a line, mode 0600; read again when it changes.",
            extra={"exists": "file"},
        ),
    ] = None
    tls: Annotated[TlsSettings | None, Meta(description="TLS, mutual with `client_ca`. Empty: plain.")] = None
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=2_147_483_647,
            description="A larger body (once decompressed) is refused (413), without keeping it in memory.",
        ),
    ] = MAX_SIZE
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="Connections at a time; more are closed.")] = 64
    idle_timeout_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="A connection is closed when for so long its sender says nothing, or when a request takes longer than that "
            "and a second more for each kilobyte. 0: never.",
        ),
    ] = 60.0


class HttpListener(Server[HttpSettings, Connection]):
    """One listening socket and its connections."""

    def __init__(self, feed: str, settings: HttpSettings, pipeline: Pipeline, counters: Counters) -> None:
        super().__init__(feed, settings, counters)
        self.pipeline = pipeline
        self.path = settings.path.rstrip("/")
        self.tokens: Tokens | None = None
        self.turns = Turns(MAX_LARGE)

    async def start(self) -> None:
        """Listen. Raises :class:`ConfigError` when the address, the path, the token or the certificate cannot be used."""
        self._check()
        if self.settings.token_file is not None:
            self.tokens = Tokens(self.settings.token_file, _log.bind(feed=self.feed))
        await super().start()

    # Inside

    def _connection(self) -> Connection:
        return Connection(self)

    def _check(self) -> None:
        settings = self.settings
        place = f"feed {self.feed}"
        if not _PATH.fullmatch(settings.path):
            raise ConfigError(place, 0, "path is not the path of a URL", "write it as /fhir")
        mutual = settings.tls is not None and settings.tls.client_ca is not None
        if settings.token_file is None and not mutual and not _loopback(settings.host):
            raise ConfigError(
                place,
                0,
                f"anybody who reaches {settings.host} could send",
                "set token_file or tls.client_ca, or listen on 127.0.0.1",
            )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


register(
    Declaration(
        name="http",
        settings=HttpSettings,
        emits="one FHIR payload (JSON) for each request: a resource, a Bundle, or NDJSON",
        acknowledges="HTTP status and OperationOutcome: 200 taken, 422 refused, 503 come back later",
        make=HttpListener,
        archive="file",
    )
)
