"""The TLS handshake of one connection that comes in, within bounds; the contexts are made in ``engine.tls``."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from engine.listeners.listener import Counters

#: A handshake takes two round trips; ten seconds is a peer that does not speak TLS, or does not mean to.
HANDSHAKE_SECONDS: Final = 10.0
#: How long a peer may take to say goodbye.
SHUTDOWN_SECONDS: Final = 2.0


class Gate(asyncio.Protocol):
    """The plain side of one TLS connection until the handshake is done; then ``make()`` takes its place.

    asyncio's own TLS servers say nothing of handshakes that fail and let them escape the connection cap; this does not.
    ``admit()`` says whether one more connection may come in, ``release()`` that one which was admitted is gone before it
    became a connection.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.Protocol],
        admit: Callable[[], bool],
        release: Callable[[], None],
        counters: Counters,
        handshakes: set[asyncio.Task[None]],
    ) -> None:
        self._context = context
        self._make = make
        self._admit = admit
        self._release = release
        self._counters = counters
        self._handshakes = handshakes
        self._early: list[bytes] = []
        self._lost = False
        self._ended = False
        self._successor: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake, unless there are too many connections."""
        plain = cast("asyncio.Transport", transport)
        if not self._admit():
            self._counters.turned_away()
            plain.abort()
            return
        # The first bytes of the handshake must wait for whoever reads them.
        plain.pause_reading()
        task = asyncio.get_running_loop().create_task(self._shake(plain))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    def data_received(self, data: bytes) -> None:
        """Deciphered bytes that came with the end of the handshake."""
        self._early.append(data)

    def eof_received(self) -> None:
        """The peer said goodbye right after the handshake."""
        self._ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone; asyncio may have bound this method just before the successor took over."""
        self._lost = True
        if self._successor is not None:
            self._successor.connection_lost(exc)

    async def _shake(self, plain: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            secure = await loop.start_tls(
                plain,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except (OSError, TimeoutError):
            secure = None
        except asyncio.CancelledError:
            plain.abort()
            self._release()
            return
        if secure is None or self._lost:
            # Also None: the peer left in the middle, which asyncio does not report as an error.
            if secure is None:
                self._counters.tls_failed()
            plain.abort()
            self._release()
            return
        protocol = self._successor = self._make()
        secure.set_protocol(protocol)
        protocol.connection_made(secure)
        for data in self._early:
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()
