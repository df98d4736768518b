"""The small web server of the engine: one request, one answer, and the connection is closed.

It lives in threads of its own, so that rendering never holds the event loop for longer than the interpreter's switch
interval. A request may be late, long, hostile: it is bounded in bytes and in time, handshake included; there are at most
``MAX_REQUESTS`` at once, of one peer ``MAX_OF_PEER``; and nothing of it is ever logged or sent back.
"""

from __future__ import annotations

import socket
import socketserver
import time
from collections import Counter
from contextlib import suppress
from io import BytesIO
from socketserver import ThreadingMixIn
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from engine.web.certificate import Certificate

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

MAX_HEAD: Final = 16_384
"""Bytes of a request line and its headers: Prometheus sends some 500; nginx and Apache stop at 8 to 32 kB."""

MAX_SECONDS: Final = 5.0
"""For the handshake, for the whole head to arrive, for the whole answer to leave: half the usual scrape timeout each."""

MAX_REQUESTS: Final = 48
"""Served at once; one more is told 503 (with TLS: nothing) and closed."""

MAX_OF_PEER: Final = 24
"""Of these, from one address: nobody keeps the others out alone."""

_CLIENT_HELLO: Final = b"\x16"
"""First byte of a TLS handshake (RFC 8446, 5.1: ContentType handshake); no method of HTTP begins so."""

_BUSY: Final = b"HTTP/1.0 503 Service Unavailable\r\nServer: jauge\r\nContent-Length: 0\r\n\r\n"
_TLS_ONLY: Final = "HTTP/1.0 400 Bad Request\r\nServer: jauge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nIci, l’adresse commence par https://\n".encode()


class _Silent:
    """Takes what the standard library would print about a request, and forgets it."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is held."""


class _Outgoing:
    """What leaves, all of it within :data:`MAX_SECONDS` of the first byte, however slowly it is read."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection: Final = connection
        self._deadline: float | None = None

    def write(self, data: bytes) -> int:
        """Send everything, or raise OSError."""
        if self._deadline is None:
            self._deadline = time.monotonic() + MAX_SECONDS
        rest = memoryview(data)
        while rest:
            # One deadline for all: `sendall` of TLS has one for each record.
            self._connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
            rest = rest[self._connection.send(rest) :]
        return len(data)

    def flush(self) -> None:
        """Nothing is held."""


class _Handler(WSGIRequestHandler):
    """Reads the head of a request whole, within its bounds, before anything looks at it; says nothing of it."""

    server: _Server

    def handle(self) -> None:
        """One request, one answer, and the connection is closed."""
        head = _read_head(self.connection)
        if head is None:
            return
        self.rfile = BytesIO(head)
        self.raw_requestline = self.rfile.readline()
        if not self.parse_request():  # an error answer has been sent
            return
        silent: Any = _Silent()
        out: Any = _Outgoing(self.connection)
        handler = ServerHandler(BytesIO(), out, silent, self.get_environ(), multithread=True)
        handler.request_handler = self  # type: ignore[attr-defined]  # wsgiref's own way to reach close_connection
        handler.run(self.server.page)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request that is no HTTP: its own words are never sent back."""
        self.wfile.write(b"HTTP/1.0 400 Bad Request\r\nServer: jauge\r\nContent-Length: 0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """No line for a request: its path is a value that somebody chose."""


def _read_head(connection: socket.socket) -> bytes | None:
    """Request line and headers with their empty line; None when they are too long, too late or cut short."""
    deadline = time.monotonic() + MAX_SECONDS
    head = bytearray()
    while (end := _end_of_head(head)) < 0:
        left = deadline - time.monotonic()
        if left <= 0 or len(head) >= MAX_HEAD:
            return None
        connection.settimeout(left)
        try:
            received = connection.recv(MAX_HEAD - len(head))
        except OSError:
            return None
        if not received:
            return None
        head += received
    return bytes(head[:end])


def _end_of_head(head: bytearray) -> int:
    ends = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := head.find(mark)) >= 0]
    return min(ends, default=-1)


class _Server(ThreadingMixIn, WSGIServer):
    """One daemon thread a request, at most :data:`MAX_REQUESTS`."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, application: WSGIApplication, certificate: Certificate | None) -> None:
        self.page: Final = application
        self._certificate: Final = certificate
        self._lock: Final = Lock()
        self._served: Final[Counter[str]] = Counter()  # peer -> requests being served; at most MAX_REQUESTS entries
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Binds without asking the DNS for the machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "jauge", self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a request, or turns it away when there are too many."""
        peer = client_address[0]
        if not self._admit(peer):
            if self._certificate is None:
                with suppress(OSError):
                    request.settimeout(0)
                    request.send(_BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._leave(peer)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The life of a request's thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(client_address[0])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """One request, behind its handshake when there is a certificate."""
        if self._certificate is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(MAX_SECONDS)
        if request.recv(1, socket.MSG_PEEK) not in {_CLIENT_HELLO, b""}:
            if _read_head(request) is not None:
                _Outgoing(request).write(_TLS_ONLY)
            return
        context = self._certificate.context()
        with context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secure:
            secure.settimeout(MAX_SECONDS)
            secure.do_handshake()
            super().finish_request(secure, client_address)
            with suppress(OSError):  # our goodbye; the peer's is not waited for
                secure.settimeout(0)
                secure.unwrap()

    def _admit(self, peer: str) -> bool:
        with self._lock:
            if self._served.total() >= MAX_REQUESTS or self._served[peer] >= MAX_OF_PEER:
                return False
            self._served[peer] += 1
            return True

    def _leave(self, peer: str) -> None:
        with self._lock:
            self._served[peer] -= 1
            if not self._served[peer]:
                del self._served[peer]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away is nobody's business; errors of pages are told by the application."""


class Web:
    """The server: ``start`` then ``stop``, from any thread."""

    def __init__(
        self,
        application: WSGIApplication,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
    ) -> None:
        self._application: Final = application
        self._certificate: Final = certificate
        self._address: Final = (host, port)
        self._server: _Server | None = None
        self._thread: Thread | None = None

    def start(self) -> int:
        """Listens, and returns the port (the one chosen by the system for port 0). Raises OSError when it cannot."""
        if self._server is not None:
            raise RuntimeError("already started")
        self._server = server = _Server(*self._address, self._application, self._certificate)
        self._thread = Thread(target=server.serve_forever, args=(0.2,), name="jauge-web", daemon=True)
        self._thread.start()
        return server.server_port

    def stop(self) -> None:
        """Stops listening; answers being sent end by themselves. Does nothing when not started."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None and thread is not None:
            server.shutdown()
            thread.join()
            server.server_close()
