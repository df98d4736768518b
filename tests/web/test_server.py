"""The web server answers three addresses, within bounds, and repeats nothing of what it was asked."""

import contextlib
import gzip
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.metrics import catalogue
from engine.metrics.exposition import Exposition
from engine.metrics.snapshot import Snapshot
from engine.web import server as web
from engine.web.application import Application
from engine.web.server import Web
from tests.metrics.snapshots import small

CATALOGUE = catalogue.load()
STATE = {"ready": True}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is no hostile client."""
    monkeypatch.setattr(web, "MAX_SECONDS", 60.0)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with the small snapshot."""
    snapshot = small()
    server = Web(Application(Exposition(lambda: snapshot, CATALOGUE, version="1"), lambda: STATE["ready"]))
    yield server.start()
    server.stop()


def ask(port: int, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): found for name, found in answer.getheaders()}, body


def send(port: int, data: bytes, *, finish: bool = True) -> bytes:
    """Everything the server answers to raw bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65_536):
            answer += received
        return answer
    return b""


class TestPages:
    """What each address answers."""

    def test_metrics(self, port: int) -> None:
        """The text format, with its length, by a server that does not tell its version."""
        status, headers, body = ask(port, "GET", "/metrics")

        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert headers["server"] == "jauge"
        assert int(headers["content-length"]) == len(body)
        assert b'jauge_indicator_ratio{establishment="990000001",indicator="DS1.1",window="official"} 0.8\n' in body

    def test_openmetrics_and_compression(self, port: int) -> None:
        """Both are given to a reader that asks for them."""
        asked = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "deflate, gzip"}
        _, headers, body = ask(port, "GET", "/metrics", asked)

        assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert headers["content-encoding"] == "gzip"
        assert gzip.decompress(body).endswith(b"# EOF\n")

    @pytest.mark.parametrize("refusal", ["gzip;q=0", "identity", "", "br"])
    def test_no_compression_unless_asked(self, port: int, refusal: str) -> None:
        """A reader that cannot unpack gets the plain page."""
        _, headers, _ = ask(port, "GET", "/metrics", {"Accept-Encoding": refusal})

        assert "content-encoding" not in headers

    def test_health(self, port: int) -> None:
        """The process lives."""
        assert ask(port, "GET", "/healthz")[::2] == (200, b"ok\n")

    def test_ready_follows_the_engine(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """200 while the engine keeps its promises, 503 otherwise; health stays."""
        assert ask(port, "GET", "/readyz")[::2] == (200, b"ready\n")
        monkeypatch.setitem(STATE, "ready", False)
        assert ask(port, "GET", "/readyz")[::2] == (503, b"not ready\n")
        assert ask(port, "GET", "/healthz")[0] == 200

    def test_head_has_the_headers_only(self, port: int) -> None:
        """Same length announced, no body."""
        _, get, _ = ask(port, "GET", "/metrics")
        status, head, body = ask(port, "HEAD", "/metrics")

        assert (status, body) == (200, b"")
        assert head["content-length"] == get["content-length"]

    @pytest.mark.parametrize("path", ["/", "/metric", "/metrics/", "/../etc/passwd", "/%2e%2e/metrics"])
    def test_anything_else_is_not_found(self, port: int, path: str) -> None:
        """404, and the path is not repeated."""
        status, _, body = ask(port, "GET", path)

        assert (status, body.decode()) == (404, "Cette page n’existe pas.\n")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
    def test_only_reading_is_allowed(self, port: int, method: str) -> None:
        """405 for every method but GET and HEAD."""
        status, headers, _ = ask(port, method, "/metrics")

        assert (status, headers["allow"]) == (405, "GET, HEAD")

    def test_a_query_changes_nothing(self, port: int) -> None:
        """What follows the question mark is not looked at."""
        assert ask(port, "GET", "/healthz?name=value")[0] == 200


class TestFailure:
    """A page that fails is told to the engine, and nothing to the caller."""

    def test_an_error_is_500_and_is_reported(self, capfd: pytest.CaptureFixture[str]) -> None:
        """The error goes to the engine; neither text nor traceback goes anywhere else."""

        def latest() -> Snapshot:
            raise ValueError("SECRET")

        failures: list[Exception] = []
        server = Web(Application(Exposition(latest, CATALOGUE, version="1"), lambda: True, failures.append))
        port = server.start()
        answer = send(port, b"GET /metrics HTTP/1.0\r\n\r\n")
        server.stop()

        assert answer.startswith(b"HTTP/1.0 500 ")
        assert b"SECRET" not in answer
        assert [type(error) for error in failures] == [ValueError]
        assert capfd.readouterr() == ("", "")


class TestHostile:
    """Requests that are long, late or no requests at all."""

    def test_nothing_of_a_request_is_printed(self, port: int, capfd: pytest.CaptureFixture[str]) -> None:
        """Good, bad and broken requests leave no trace on the outputs of the process."""
        for line in (
            b"GET /CANARY HTTP/1.0",
            b"CANARY",
            b"GET CANARY HTTP/9.9",
            b"CANARY /x HTTP/1.1",
            b"\xff\x00 CANARY",
        ):
            assert b"CANARY" not in send(port, line + b"\r\nX-A: CANARY\r\n\r\n")

        assert capfd.readouterr() == ("", "")

    def test_a_long_head_is_dropped(self, port: int) -> None:
        """Past the limit the connection is closed without an answer, whatever was announced."""
        assert send(port, b"GET /healthz HTTP/1.0\r\n" + b"X: y\r\n" * web.MAX_HEAD) == b""
        assert ask(port, "GET", "/healthz")[0] == 200

    def test_a_cut_head_has_no_answer(self, port: int) -> None:
        """A request that stops in the middle is not acted upon."""
        assert send(port, b"GET /healthz HTTP/1.0\r\nHost: x\r\n") == b""

    def test_a_head_in_crumbs_is_read(self, port: int) -> None:
        """One byte a packet gives the same answer."""
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /healthz HTTP/1.0\r\n\r\n":
                connection.sendall(bytes((byte,)))
            answer = b""
            while received := connection.recv(1_024):
                answer += received

        assert answer.startswith(b"HTTP/1.0 200 ")

    def test_a_late_head_is_dropped(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """The whole head has one deadline: a byte now and then does not extend it."""
        monkeypatch.setattr(web, "MAX_SECONDS", 0.3)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            with contextlib.suppress(OSError):
                for _ in range(200):
                    connection.sendall(b"G")
                    time.sleep(0.05)
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1_024) == b""

    def test_too_many_at_once_are_turned_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One more than the limit is told 503; when they leave, the next is served."""
        monkeypatch.setattr(web, "MAX_REQUESTS", 2)
        server = Web(Application(Exposition(Snapshot, CATALOGUE, version="1"), lambda: True))
        port = server.start()
        idle = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(2)]
        assert send(port, b"", finish=False).startswith(b"HTTP/1.0 503 ")
        for connection in idle:
            connection.close()
        while not send(port, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 "):
            time.sleep(0.01)  # until the threads have seen them go; the test's own time limit bounds it
        server.stop()

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        data=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda b: b"GET /metrics HTTP/1.1\r\n" + b))
    )
    def test_any_bytes_leave_it_standing(self, port: int, data: bytes) -> None:
        """Whatever is sent, the answer is HTTP or nothing."""
        answer = send(port, data + b"\r\n\r\n")

        assert answer == b"" or answer.startswith(b"HTTP/1.0 ")


class TestLife:
    """Starting and stopping."""

    def test_the_port_is_free_again_after_stop(self) -> None:
        """The same port can be used at once, and nothing answers in between."""
        page = Application(Exposition(Snapshot, CATALOGUE, version="1"), lambda: True)
        first = Web(page)
        port = first.start()
        first.stop()
        with pytest.raises(ConnectionError):
            ask(port, "GET", "/healthz")
        second = Web(page, port=port)
        assert second.start() == port
        assert ask(port, "GET", "/healthz")[0] == 200
        second.stop()

    def test_a_port_in_use_is_an_error(self, port: int) -> None:
        """Starting on a port that is taken raises OSError."""
        with pytest.raises(OSError, match="in use"):
            Web(Application(Exposition(Snapshot, CATALOGUE, version="1"), lambda: True), port=port).start()

    def test_starting_twice_is_an_error(self) -> None:
        """One server is started once; stopping twice is harmless."""
        server = Web(Application(Exposition(Snapshot, CATALOGUE, version="1"), lambda: True))
        server.start()
        with pytest.raises(RuntimeError):
            server.start()
        server.stop()
        server.stop()

    def test_threads_are_daemons_and_end(self) -> None:
        """A request that hangs never keeps the process alive, and the server's own ends with it."""
        before = set(threading.enumerate())
        server = Web(Application(Exposition(Snapshot, CATALOGUE, version="1"), lambda: True))
        port = server.start()
        with socket.create_connection(("127.0.0.1", port), timeout=60):
            ask(port, "GET", "/healthz")
            assert all(thread.daemon for thread in set(threading.enumerate()) - before)
        server.stop()

        assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "jauge-web"]

    def test_ipv6(self) -> None:
        """An IPv6 address is listened to as such."""
        server = Web(Application(Exposition(Snapshot, CATALOGUE, version="1"), lambda: True), host="::1")
        try:
            port = server.start()
        except OSError:
            pytest.skip("this machine has no IPv6")
        with socket.create_connection(("::1", port), timeout=60) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert connection.recv(1_024).startswith(b"HTTP/1.0 200 ")
        server.stop()
