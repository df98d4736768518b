"""TLS of the web: with good clients, with hostile ones, and while its certificate is renewed."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.metrics import catalogue
from engine.metrics.exposition import Exposition
from engine.metrics.snapshot import Snapshot
from engine.tls import TlsSettings
from engine.web import server as web
from engine.web.access import problems
from engine.web.answer import Answer
from engine.web.application import Application
from engine.web.certificate import Certificate
from engine.web.server import Web
from engine.web.settings import Http

CATALOGUE = catalogue.load()
LARGE = b"x" * 2_000_000
HUGE = 64_000_000  # more than the buffers of any kernel


def issue(folder: Path, authority: trustme.CA, name: str = "localhost") -> TlsSettings:
    """Certificate and key of the server, written as a renewal does: one file after the other."""
    certificate = authority.issue_cert(name, "127.0.0.1")
    for path, blob in (
        (folder / "server.pem", certificate.cert_chain_pems[0]),
        (folder / "server.key", certificate.private_key_pem),
    ):
        part = path.with_suffix(".part")
        blob.write_to_path(part)
        part.replace(path)
    return TlsSettings(certificate=folder / "server.pem", key=folder / "server.key")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is no hostile client."""
    monkeypatch.setattr(web, "MAX_SECONDS", 60.0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs."""
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> TlsSettings:
    """The files of the server."""
    return issue(tmp_path, authority)


@pytest.fixture
def port(files: TlsSettings) -> Iterator[int]:
    """A server with a certificate, and one page that is large."""
    exposition = Exposition(Snapshot, CATALOGUE, version="1")
    sizes = {"/large": LARGE, "/huge": bytes(HUGE)}
    pages = (lambda path, _query: Answer(body=sizes[path]) if path in sizes else None,)
    server = Web(Application(exposition, lambda: True, sections=pages), certificate=Certificate(files))
    yield server.start()
    server.stop()


def context(authority: trustme.CA) -> ssl.SSLContext:
    """A client that believes this authority."""
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


def ask(port: int, trust: ssl.SSLContext, path: str = "/healthz") -> tuple[bytes, str]:
    """The whole answer, and the common name of the server's certificate; raises when the end is not a clean goodbye."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as secure,
    ):
        secure.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = bytearray()
        while received := secure.recv(65_536):
            answer += received
        found = secure.getpeercert()
        assert found is not None
        names = [value for kind, value in found["subjectAltName"] if kind == "DNS"]  # type: ignore[misc]
        return bytes(answer), names[0]


def raw(port: int, data: bytes) -> bytes:
    """What comes back to bytes without TLS."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while received := connection.recv(65_536):
            answer += received
    return answer


class TestGood:
    """Clients that mean well."""

    def test_an_answer(self, port: int, authority: trustme.CA) -> None:
        """The page comes, and the connection ends with a goodbye, so that nobody takes it for cut."""
        answer, name = ask(port, context(authority))
        assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nok\n")
        assert name == "localhost"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_versions(self, port: int, authority: trustme.CA, version: ssl.TLSVersion) -> None:
        """TLS 1.2 and 1.3."""
        trust = context(authority)
        trust.minimum_version = trust.maximum_version = version
        assert ask(port, trust)[0].startswith(b"HTTP/1.0 200 ")

    def test_a_large_page_is_whole(self, port: int, authority: trustme.CA) -> None:
        """Many records, every byte."""
        assert ask(port, context(authority), "/large")[0].endswith(b"\r\n\r\n" + LARGE)

    def test_mutual(self, tmp_path: Path, authority: trustme.CA) -> None:
        """With ``client_ca``, only who shows a certificate of that authority is answered."""
        own = trustme.CA()
        own.cert_pem.write_to_path(tmp_path / "clients.pem")
        files = issue(tmp_path, authority)
        mutual = TlsSettings(certificate=files.certificate, key=files.key, client_ca=tmp_path / "clients.pem")
        server = Web(
            Application(Exposition(Snapshot, CATALOGUE, version="1"), lambda: True), certificate=Certificate(mutual)
        )
        port = server.start()
        trust = context(authority)
        with pytest.raises(OSError, match=r"."):
            ask(port, trust)
        own.issue_cert("prometheus").configure_cert(trust)
        assert ask(port, trust)[0].startswith(b"HTTP/1.0 200 ")
        server.stop()


class TestRenewal:
    """A certificate that is renewed while the engine runs."""

    def test_new_files_are_taken(self, port: int, tmp_path: Path, authority: trustme.CA) -> None:
        """The next connection has the new certificate."""
        assert ask(port, context(authority))[1] == "localhost"
        issue(tmp_path, authority, "renewed.example")
        assert ask(port, context(authority))[1] == "renewed.example"

    def test_half_a_renewal_changes_nothing(self, port: int, tmp_path: Path, authority: trustme.CA) -> None:
        """While the key is not the certificate's, or a file is empty or gone, the former certificate answers."""
        key = (tmp_path / "server.key").read_bytes()
        issue(tmp_path, authority, "renewed.example")
        new = (tmp_path / "server.key").read_bytes()
        for damage in (
            lambda: (tmp_path / "server.key").write_bytes(key),
            lambda: (tmp_path / "server.key").write_bytes(b""),
            (tmp_path / "server.key").unlink,
        ):
            damage()
            assert ask(port, context(authority))[1] == "localhost"
        (tmp_path / "server.key").write_bytes(new)
        assert ask(port, context(authority))[1] == "renewed.example"

    def test_wrong_files_are_said_at_the_start(self, files: TlsSettings) -> None:
        """Nothing opens with a key that is not the certificate's."""
        files.key.write_text("no key")
        with pytest.raises(ConfigError, match="PEM private key"):
            Certificate(files)
        (found,) = problems(Http(tls=files))
        assert found.file == str(files.key)


class TestHostile:
    """Clients that are late, lost, or no TLS at all."""

    def test_plain_http_is_told_where_to_go(self, port: int) -> None:
        """A browser without https is told so, in one line, and not shown anything else."""
        answer = raw(port, b"GET /metrics HTTP/1.1\r\nHost: CANARY\r\n\r\n")
        assert answer.startswith(b"HTTP/1.0 400 ")
        assert "https://" in answer.decode()
        assert b"CANARY" not in answer
        assert b"jauge_" not in answer

    def test_a_late_handshake_is_dropped(self, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Silent, or in crumbs: the handshake has one deadline, and the connection is closed."""
        monkeypatch.setattr(web, "MAX_SECONDS", 0.3)
        for crumbs in (b"", b"\x16\x03\x01\x02\x00" + b"\x00" * 200):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                with contextlib.suppress(OSError):
                    for byte in crumbs:
                        connection.sendall(bytes((byte,)))
                        time.sleep(0.02)
                with contextlib.suppress(ConnectionError):
                    while connection.recv(1_024):
                        pass

    def test_who_does_not_read_is_left(self, port: int, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
        """An answer has one deadline as a whole: reading a little now and then does not extend it."""
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
            context(authority).wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            monkeypatch.setattr(web, "MAX_SECONDS", 0.5)  # of the answer; not of the handshake
            secure.sendall(b"GET /huge HTTP/1.0\r\n\r\n")
            count = 0
            with contextlib.suppress(OSError):
                for _ in range(50):
                    count += len(secure.recv(1_000))
                    time.sleep(0.02)
                while received := secure.recv(65_536):  # what was on its way
                    count += len(received)
        assert count < HUGE

    def test_gone_in_the_middle(self, port: int, authority: trustme.CA) -> None:
        """A reset during the handshake or the answer costs nothing to the next one."""
        for data in (b"\x16\x03\x01", b""):
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(data)
            connection.close()
        assert ask(port, context(authority))[0].startswith(b"HTTP/1.0 200 ")

    def test_one_peer_does_not_take_every_place(
        self, port: int, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who holds its places is turned away; another address is still served."""
        monkeypatch.setattr(web, "MAX_OF_PEER", 2)
        idle = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(2)]
        assert raw(port, b"") == b""
        with pytest.raises(OSError, match=r"."):
            ask(port, context(authority))
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60, source_address=("127.0.0.2", 0)) as plain,
            context(authority).wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert secure.recv(1_024).startswith(b"HTTP/1.0 200 ")
        for connection in idle:
            connection.close()

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda b: b"\x16\x03\x01" + b)))
    def test_any_bytes_leave_it_standing(self, port: int, data: bytes) -> None:
        """Whatever is sent without TLS, nothing of a page comes back."""
        answer = raw(port, data)
        assert b"jauge_" not in answer
        assert b"ok\n" not in answer

    def test_nothing_is_printed(self, files: TlsSettings, authority: trustme.CA, tmp_path: Path) -> None:
        """Failed handshakes, plain requests, refused certificates: neither output has a line of them."""
        program = tmp_path / "serve.py"
        program.write_text(
            "import sys\nfrom pathlib import Path\n"
            "from engine.metrics import catalogue\nfrom engine.metrics.exposition import Exposition\n"
            "from engine.metrics.snapshot import Snapshot\nfrom engine.tls import TlsSettings\n"
            "from engine.web.application import Application\nfrom engine.web.certificate import Certificate\n"
            "from engine.web.server import Web\n"
            "page = Application(Exposition(Snapshot, catalogue.load(), version='1'), lambda: True)\n"
            "files = TlsSettings(certificate=Path(sys.argv[1]), key=Path(sys.argv[2]))\n"
            "print(Web(page, certificate=Certificate(files)).start(), flush=True)\nsys.stdin.read()\n"
        )
        command = [sys.executable, str(program), str(files.certificate), str(files.key)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            assert process.stdout
            port = int(process.stdout.readline())
            raw(port, b"GET /CANARY HTTP/1.0\r\n\r\n")
            raw(port, b"\x16\x03\x01CANARY")
            with pytest.raises(ssl.SSLError):
                ask(port, ssl.create_default_context())
            assert ask(port, context(authority), "/CANARY")[0].startswith(b"HTTP/1.0 404 ")
            assert process.communicate(timeout=60) == (b"", b"")
