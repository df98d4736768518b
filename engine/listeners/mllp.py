"""MLLP server: many connections, plain or TLS, one feed (HL7 v2.5.1 appendix C; IHE ITI TF-2 appendix C.2).

A block is answered only with what the pipeline says of it. Stop-and-wait senders, pipelined senders and many senders in
parallel all work; answers keep the order of each connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

from engine.listeners.connection import Connection
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.server import Server, Turns
from engine.parsers import hl7
from engine.parsers.acknowledgement import Acknowledger
from engine.parsers.mllp import MAX_SIZE
from engine.tls import TlsSettings

#: Bytes of unanswered messages of all connections before every reader stops.
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024
#: Connections that may be in the middle of a large message at a time; the others wait for their turn.
MAX_LARGE: Final = 8
_BACKLOG: Final = 512


class MllpSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one MLLP feed."""

    host: Annotated[
        str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every address of the machine.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 lets the system choose a free one.")] = 2575
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="Connections at a time; more are closed.")] = 256
    max_message_bytes: Annotated[
        int, Meta(ge=1024, description="A larger message is refused (too-large), without keeping it in memory.")
    ] = MAX_SIZE
    idle_timeout_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="A connection is closed when for so long its sender says nothing, stops in the middle of a "
            "message, or does not read its acknowledgements. 0: never.",
        ),
    ] = 300.0
    tls: Annotated[TlsSettings | None, Meta(description="TLS, mutual with `client_ca`. Empty: plain.")] = None


class MllpListener(Server[MllpSettings, Connection]):
    """One listening socket and its connections."""

    def __init__(
        self,
        feed: str,
        settings: MllpSettings,
        pipeline: Pipeline,
        counters: Counters,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """``texts`` gives the English sentence of each error code, for ERR-8 of a refusal (default: the HL7 reader's)."""
        super().__init__(feed, settings, counters, backlog=_BACKLOG)
        self.pipeline = pipeline
        self.acknowledger = Acknowledger(texts=hl7.CODES if texts is None else texts)
        self.turns = Turns(MAX_LARGE)
        self.waiting_bytes = 0
        self.held: set[Connection] = set()
        self._dirty: list[Connection] = []
        self._loop: asyncio.AbstractEventLoop

    # What connections call

    def left(self, connection: Connection) -> None:
        """A connection is gone."""
        self.held.discard(connection)
        super().left(connection)

    def soil(self, connection: Connection) -> None:
        """A connection has answers to send: all such connections are settled together, in the next turn of the loop."""
        if not self._dirty:
            self._loop.call_soon(self._settle)
        connection.dirty = True
        self._dirty.append(connection)

    def full(self, shift: int) -> bool:
        """Whether all connections together wait for too much (``shift`` 1: for more than half of it)."""
        return self.waiting_bytes >= MAX_WAITING_BYTES >> shift

    # Inside

    def _connection(self) -> Connection:
        return Connection(self)

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        await super()._listen()

    def _settle(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.dirty = False
            connection.settle()
        if self.held and not self.full(1):
            for connection in list(self.held):
                connection.settle()


register(
    Declaration(
        name="mllp",
        settings=MllpSettings,
        emits="one HL7 v2 message for each MLLP block",
        acknowledges="ACK on the same connection, original or enhanced mode",
        make=MllpListener,
    )
)
