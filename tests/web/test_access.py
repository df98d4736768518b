"""Who may read what: the password of people, the token of Prometheus, and those who guess."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.metrics import catalogue
from engine.metrics.exposition import Exposition
from engine.metrics.snapshot import Snapshot
from engine.web import throttle
from engine.web.access import Access, problems
from engine.web.answer import Answer
from engine.web.application import Application
from engine.web.server import Web
from engine.web.settings import Http, loopback
from engine.web.throttle import MAX_PEERS, Throttle
from tests.web.test_server import ask

PASSWORD = "motdepasse-inventé"
TOKEN = "invented-token-0123456789"
CATALOGUE = catalogue.load()


def secret(path: Path, text: str, mode: int = 0o400) -> Path:
    """A file of its own."""
    path.unlink(missing_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Password and token."""
    return {
        "password_file": secret(tmp_path / "password", PASSWORD),
        "token_file": secret(tmp_path / "token", TOKEN),
    }


def basic(password: str, user: str = "qui-que-ce-soit") -> str:
    """The header of a browser."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def bearer(token: str) -> str:
    """The header of Prometheus."""
    return f"Bearer {token}"


def status(access: Access, authorization: str, peer: str = "192.0.2.1") -> int:
    """200, or that of the refusal."""
    refusal = access.refusal(authorization, peer)
    return 200 if refusal is None else refusal.status


class Clock:
    """A clock that the test moves."""

    now = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class TestWho:
    """Decided from one header."""

    def test_nobody_is_asked_when_nothing_is_given(self) -> None:
        """Without password and token, whoever reaches the address reads."""
        assert status(Access(Http()), "") == 200

    def test_password_and_token(self, files: dict[str, Path]) -> None:
        """Each in its own scheme, whatever the user name and the case of the scheme; neither in the other's."""
        access = Access(Http(**files))
        assert status(access, basic(PASSWORD)) == 200
        assert status(access, basic(PASSWORD, user="")) == 200
        assert status(access, basic(PASSWORD).replace("Basic", "bASIC")) == 200
        assert status(access, bearer(TOKEN)) == 200
        assert status(access, bearer(PASSWORD)) == 401
        assert status(access, basic(TOKEN)) == 401

    @pytest.mark.parametrize("name", ["password_file", "token_file"])
    def test_one_of_them_alone(self, files: dict[str, Path], name: str) -> None:
        """What was not given lets nobody in, and is not asked for."""
        access = Access(Http(**{name: files[name]}))
        found = access.refusal("", "192.0.2.1")
        assert found is not None
        asked = [value.split()[0] for header, value in found.headers if header == "WWW-Authenticate"]
        assert asked == (["Basic"] if name == "password_file" else ["Bearer"])
        assert status(access, basic(PASSWORD)) == (200 if name == "password_file" else 401)
        assert status(access, bearer(TOKEN)) == (200 if name == "token_file" else 401)

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic é",
            "Bearer",
            "Digest x",
            basic(""),
            bearer(""),
            basic("#"),
            "Basic cGFz",
        ],
    )
    def test_anything_else_is_refused(self, files: dict[str, Path], header: str) -> None:
        """Cut, empty, of another scheme, in no base64: 401."""
        assert status(Access(Http(**files)), header) == 401

    @given(header=st.text(st.characters(max_codepoint=255), max_size=80))
    def test_whatever_the_header(self, header: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Any header gives a refusal, never an error."""
        folder = tmp_path_factory.getbasetemp()
        given = Http(password_file=folder / "p", token_file=folder / "t")
        if not (folder / "p").exists():
            secret(folder / "p", PASSWORD)
            secret(folder / "t", TOKEN)
        assert status(Access(given), header) == 401
        assert status(Access(given), f"Basic {header}") == 401
        assert status(Access(given), f"Bearer {header}") == 401

    def test_a_new_password_holds_without_restart(self, files: dict[str, Path]) -> None:
        """Written again, the file is read again; a file that became unusable keeps the former one."""
        access = Access(Http(**files))
        secret(files["password_file"], "another-password\n" + PASSWORD)
        assert (status(access, basic("another-password")), status(access, basic(PASSWORD))) == (200, 200)
        secret(files["password_file"], "another-password")
        assert (status(access, basic("another-password")), status(access, basic(PASSWORD))) == (200, 401)
        secret(files["password_file"], PASSWORD, 0o644)
        assert (status(access, basic("another-password")), status(access, basic(PASSWORD))) == (200, 401)


class TestFiles:
    """Files that cannot be used are said before anything is open."""

    @pytest.mark.parametrize(
        ("name", "text", "mode", "problem"),
        [
            ("password_file", "elevenchars", 0o400, "too short"),
            ("password_file", PASSWORD, 0o440, "others than its owner"),
            ("token_file", "nineteen-characters", 0o400, "too short"),
            ("token_file", TOKEN, 0o604, "others than its owner"),
            ("token_file", "# " + TOKEN, 0o400, "no token"),
        ],
    )
    def test_what_is_wrong(self, files: dict[str, Path], name: str, text: str, mode: int, problem: str) -> None:
        """The file and the mend, without what is in it."""
        secret(files[name], text, mode)
        (found,) = problems(Http(**{name: files[name]}))
        assert problem in found.message
        assert found.file == str(files[name])
        assert text not in str(found)
        with pytest.raises(ConfigError):
            Access(Http(**{name: files[name]}))

    def test_credentials_of_systemd(self, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        """In the folder of the unit's credentials, 0440 is what systemd writes beside an ACL."""
        secret(files["password_file"], PASSWORD, 0o440)
        assert problems(Http(**files))
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(files["password_file"].parent))
        assert not problems(Http(**files))
        secret(files["password_file"], PASSWORD, 0o444)
        assert problems(Http(**files))


class TestThrottle:
    """Wrong passwords cost time, to who gives them."""

    def test_after_a_burst_one_try_at_a_time(self, files: dict[str, Path]) -> None:
        """Ten wrong ones, then 429 with the wait, the right password included; with time, one more try."""
        clock = Clock()
        access = Access(Http(**files), Throttle(clock))
        assert [status(access, basic("wrong-password")) for _ in range(throttle.BURST)] == [401] * throttle.BURST
        refusal = access.refusal(basic(PASSWORD), "192.0.2.1")
        assert refusal is not None
        assert (refusal.status, dict(refusal.headers)) == (429, {"Retry-After": "6"})
        clock.now += throttle.SECONDS
        assert status(access, basic("wrong-password")) == 401
        assert status(access, basic(PASSWORD)) == 429
        clock.now += throttle.SECONDS
        assert status(access, basic(PASSWORD)) == 200
        assert status(access, basic(PASSWORD)) == 200  # a right one costs nothing

    def test_the_token_is_always_looked_at(self, files: dict[str, Path]) -> None:
        """Prometheus is let in whatever was guessed from its address."""
        access = Access(Http(**files))
        for _ in range(3 * throttle.BURST):
            status(access, basic("wrong-password"))
        assert status(access, basic(PASSWORD)) == 429
        assert status(access, bearer(TOKEN)) == 200

    def test_others_are_not_concerned(self, files: dict[str, Path]) -> None:
        """Another address has tries of its own; in IPv6, another /64."""
        access = Access(Http(**files))
        for peer in ("192.0.2.1", "2001:db8::1"):
            for _ in range(throttle.BURST):
                assert status(access, basic("wrong-password"), peer) == 401
        assert status(access, basic(PASSWORD), "192.0.2.2") == 200
        assert status(access, basic(PASSWORD), "::ffff:192.0.2.1") == 429
        assert status(access, basic(PASSWORD), "2001:db8::ffff:1") == 429
        assert status(access, basic(PASSWORD), "2001:db8:0:1::1") == 200

    def test_no_header_is_no_try(self, files: dict[str, Path]) -> None:
        """A browser that has not asked its user yet is told 401 as often as it likes."""
        access = Access(Http(**files))
        assert {status(access, "") for _ in range(5 * throttle.BURST)} == {401}
        assert status(access, basic(PASSWORD)) == 200

    def test_memory_is_bounded(self) -> None:
        """Whatever the number of addresses, so many are remembered; the ones of long ago are forgotten."""
        memory = Throttle(Clock())
        for number in range(MAX_PEERS + 100):
            memory.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        assert len(memory) == MAX_PEERS


class TestWeb:
    """Over the wire."""

    @pytest.fixture
    def port(self, files: dict[str, Path]) -> Iterator[int]:
        """A server that asks, with one page."""

        def page(path: str, query: Any) -> Answer | None:
            return Answer(body=f"page {sorted(query.items())}".encode()) if path == "/été" else None

        exposition = Exposition(Snapshot, CATALOGUE, version="1")
        server = Web(Application(exposition, lambda: True, sections=(page,), access=Access(Http(**files))))
        yield server.start()
        server.stop()

    @pytest.mark.parametrize("path", ["/", "/metrics", "/absent", "/%C3%A9t%C3%A9", "/metrics/", "/healthz/"])
    def test_everything_asks(self, port: int, path: str) -> None:
        """Pages, metrics and what does not exist answer alike: 401, both schemes, the same headers."""
        code, headers, body = ask(port, "GET", path)
        assert code == 401
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert b"page" not in body

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_yes_or_no_is_open(self, port: int, path: str) -> None:
        """What says only yes or no is asked by machines that have no secret."""
        assert ask(port, "GET", path)[0] == 200

    def test_let_in(self, port: int) -> None:
        """With the token or the password, what exists is shown and what does not is 404."""
        for header in (basic(PASSWORD), bearer(TOKEN)):
            given = {"Authorization": header}
            assert ask(port, "GET", "/metrics", given)[0] == 200
            assert ask(port, "GET", "/absent", given)[0] == 404
            assert (
                ask(port, "GET", "/%C3%A9t%C3%A9?b=1&a=2&b=3&c=", given)[2]
                == b"page [('a', '2'), ('b', '3'), ('c', '')]"
            )

    def test_head_is_asked_too(self, port: int) -> None:
        """HEAD tells no more than GET."""
        assert ask(port, "HEAD", "/metrics")[::2] == (401, b"")


class TestExposed:
    """What the network may reach."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
    def test_this_machine(self, host: str) -> None:
        """Loopback needs nothing."""
        assert loopback(host)
        assert Http(host=host).exposed() == ""

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "jauge.ch-exemple.fr", ""])
    def test_elsewhere(self, host: str, files: dict[str, Path]) -> None:
        """Anything else says what is missing, unless something in front asks."""
        assert not loopback(host)
        assert Http(host=host).exposed() == "password_file (or token_file) and tls"
        assert Http(host=host, **files).exposed() == "tls"
        assert Http(host=host, behind_proxy=True).exposed() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_of_another_account_may_be_looked_at_by_root(files: dict[str, Path]) -> None:
    """``jauge check-config`` by root accepts what belongs to the engine's account."""
    os.chown(files["password_file"], 65_534, 65_534)
    assert not problems(Http(**files))
