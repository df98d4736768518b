"""A real engine on every address: TLS, a password for people, a token for Prometheus."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.engine import free_port
from tests.web.test_access import PASSWORD, TOKEN, basic, bearer, secret
from tests.web.test_tls import context, issue

CONFIG = """\
store: var/jauge.db
keys: var/keys
http:
  host: 0.0.0.0
  port: {http}
  password_file: password
  token_file: token
  tls: {{certificate: server.pem, key: server.key}}
establishments:
  - {{finess: "990000001", name: CH Fictif}}
feeds:
  - {{name: his, listener: mllp, establishment: "990000001", port: {mllp}}}
"""


def jauge(*words: str | Path) -> list[str]:
    """The words of a command."""
    return [sys.executable, "-m", "engine.cli", *map(str, words)]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder of the configuration."""
    secret(tmp_path / "password", PASSWORD)
    secret(tmp_path / "token", TOKEN)
    (tmp_path / "jauge.yaml").write_text(CONFIG.format(http=free_port(), mllp=free_port()), encoding="utf-8")
    return tmp_path


@pytest.fixture
def engine(site: Path) -> Iterator[tuple[trustme.CA, int]]:
    """The authority of its certificate, and its port, once it is ready by its own account."""
    authority = trustme.CA()
    issue(site, authority)
    config = site / "jauge.yaml"
    with (site / "log").open("wb") as log:
        process = subprocess.Popen(jauge("run", "--config", config), stderr=log)
    try:
        deadline = time.monotonic() + 60
        while subprocess.run(jauge("health", "--config", config), capture_output=True, check=False).returncode:
            assert process.poll() is None, (site / "log").read_text()
            assert time.monotonic() < deadline
        yield authority, int(config.read_text().partition("port: ")[2].split()[0])
    finally:
        process.terminate()
        assert process.wait(60) == 0


def status(engine: tuple[trustme.CA, int], path: str, authorization: str = "") -> int:
    """What is answered to a client that believes the authority."""
    authority, port = engine
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}")
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=60, context=context(authority)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_who_reads_what(engine: tuple[trustme.CA, int], site: Path) -> None:
    """People with the password, Prometheus with the token, nobody else; no word of it in the log."""
    assert status(engine, "/readyz") == 200
    for path in ("/", "/metrics", "/aide", "/flux"):
        assert status(engine, path) == 401
        assert status(engine, path, basic("wrong-password")) in {401, 429}
        assert status(engine, path, basic(PASSWORD)) == 200
        assert status(engine, path, bearer(TOKEN)) == 200
    text = (site / "log").read_text(encoding="utf-8")
    assert "engine-started" in text
    assert not [word for word in (PASSWORD, TOKEN, "/flux", "wrong-password") if word in text]


@pytest.mark.parametrize("name", ["password", "token", "server.key"])
def test_a_wrong_file_keeps_it_from_starting(site: Path, name: str) -> None:
    """One sentence and 3, from the engine and from ``check-config`` alike, before any port is open."""
    issue(site, trustme.CA())
    (site / name).unlink()
    (site / name).write_text("short")
    (site / name).chmod(0o400)
    for command in ("run", "check-config"):
        done = subprocess.run(
            jauge(command, "--config", site / "jauge.yaml"), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 3
        assert str(site / name) in done.stderr
        assert "Traceback" not in done.stderr
