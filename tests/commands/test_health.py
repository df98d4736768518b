"""`jauge health`: what a container asks of its engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from engine.cli import main
from engine.commands.health import settings
from engine.metrics import catalogue
from engine.metrics.exposition import Exposition
from engine.metrics.snapshot import Snapshot
from engine.tls import TlsSettings
from engine.web.access import Access
from engine.web.application import Application
from engine.web.certificate import Certificate
from engine.web.server import Web
from engine.web.settings import Http
from tests.web.test_tls import issue

STATE = {"ready": True}


def health(folder: Path, port: int, more: str = "") -> Result:
    """The command on a configuration that has this section alone."""
    path = folder / "jauge.yaml"
    path.write_text(f"http:\n  port: {port}\n{more}", encoding="utf-8")
    return CliRunner().invoke(main, ["health", "--config", str(path)], catch_exceptions=False)


def application(access: Access | None = None) -> Application:
    """Routes whose readiness the test decides."""
    exposition = Exposition(Snapshot, catalogue.load(), version="1")
    return Application(exposition, lambda: STATE["ready"], access=access)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server that asks for a password."""
    password = tmp_path / "password"
    password.write_text("motdepasse-inventé")
    password.chmod(0o400)
    server = Web(application(Access(Http(password_file=password))))
    yield server.start()
    server.stop()


def test_ready_or_not(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 and 1, without any secret."""
    found = health(tmp_path, port)
    assert (found.exit_code, found.output) == (0, "ready\n")
    monkeypatch.setitem(STATE, "ready", False)
    found = health(tmp_path, port)
    assert (found.exit_code, found.output) == (1, "not ready: messages cannot be acknowledged now\n")


@pytest.mark.parametrize("host", ["0.0.0.0", '"::"', "127.0.0.1"])
def test_every_address_is_asked_on_loopback(port: int, tmp_path: Path, host: str) -> None:
    """An engine that listens everywhere is asked on this machine."""
    found = health(tmp_path, port, f"  host: {host}\n")
    assert found.exit_code == (1 if "::" in host else 0)


def test_nobody(tmp_path: Path) -> None:
    """No engine, or one whose port cannot be known: 1."""
    server = Web(application())
    port = server.start()
    server.stop()
    assert health(tmp_path, port).output == "not ready: nobody answers\n"
    assert health(tmp_path, 0).exit_code == 1


@pytest.mark.parametrize("mutual", [False, True])
def test_tls(tmp_path: Path, mutual: bool) -> None:
    """Whatever the certificate is; with mutual TLS, an open port is all that can be said."""
    authority = trustme.CA()
    files = issue(tmp_path, authority)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    given = TlsSettings(certificate=files.certificate, key=files.key, client_ca=tmp_path / "ca.pem" if mutual else None)
    server = Web(application(), certificate=Certificate(given))
    port = server.start()
    ca = ", client_ca: ca.pem" if mutual else ""
    more = f"  tls: {{certificate: server.pem, key: server.key{ca}}}\n"
    assert health(tmp_path, port, more).exit_code == 0
    server.stop()
    assert health(tmp_path, port, more).exit_code == 1


@pytest.mark.parametrize("text", ["http: [1]", "http: {port: x}", "http: {prot: 1}", "http: {", "- 1\n- {", "\0"])
def test_a_wrong_file_is_said(tmp_path: Path, text: str) -> None:
    """3, as for every command."""
    (tmp_path / "jauge.yaml").write_text(text)
    found = CliRunner().invoke(main, ["health", "--config", str(tmp_path / "jauge.yaml")])
    assert found.exit_code == 3
    assert "jauge.yaml" in found.output


def test_no_file(tmp_path: Path) -> None:
    """The configuration that is not there is named."""
    found = CliRunner().invoke(main, ["health", "--config", str(tmp_path / "absent.yaml")])
    assert found.exit_code == 3
    assert "absent.yaml" in found.output


def test_defaults(tmp_path: Path) -> None:
    """A file without the section has its defaults."""
    (tmp_path / "jauge.yaml").write_text("store: x\n")
    assert settings(tmp_path / "jauge.yaml") == Http()
