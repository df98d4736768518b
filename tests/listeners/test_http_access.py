"""Who may send to the HTTP listener: bearer tokens, TLS and mutual TLS."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
import trustme

from engine.errors import ConfigError
from engine.listeners import http_connection
from engine.tokens import Tokens
from tests.listeners.conformance import FakePipeline, until
from tests.listeners.http_client import BODY, FHIR, Server, post
from tests.listeners.test_mllp_tls import client, files

TOKEN = "invented-token-of-the-tests-1"
OTHER = "invented-token-of-the-tests-2"


@pytest.fixture
async def place() -> AsyncIterator[Server]:
    """Where listeners live."""
    place = Server()
    yield place
    await place.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority of this test."""
    return trustme.CA()


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """A token file, put in place at once as a careful program does."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)
    return path


class TestToken:
    """Bearer tokens."""

    @pytest.mark.parametrize(
        ("field", "status"),
        [
            (f"Bearer {TOKEN}", 200),
            (f"bearer  {TOKEN}", 200),
            (f"Bearer {OTHER}", 200),
            (f"Bearer {TOKEN}x", 401),
            (f"Bearer {TOKEN[:-1]}", 401),
            ("Bearer", 401),
            ("Bearer # a remark that is long enough", 401),
            (f"Basic {TOKEN}", 401),
            (TOKEN, 401),
            ("Bearer \xe9", 401),
            (None, 401),
        ],
    )
    async def test_who_gets_in(self, place: Server, tmp_path: Path, field: str | None, status: int) -> None:
        """Only who shows one of the tokens; the others are told how, and counted, before anything of their body is read."""
        path = write(tmp_path / "token", f"# a remark that is long enough\n{TOKEN}\n\n{OTHER}\n")
        pipeline = FakePipeline()
        await place.listen(pipeline, token_file=path)
        data = post(BODY) if field is None else post(BODY, Authorization=field).decode().encode("latin-1")
        answer = await (await place.connect()).ask(data)
        assert answer.status == status
        assert len(pipeline.payloads) == (status == 200)
        if status == 401:
            assert answer.fields["www-authenticate"].startswith("Bearer")
            assert answer.issue == ("error", "login", "http-unauthorized")
            assert place.tally.rejected_total == {"http-unauthorized": 1}

    async def test_renewed(self, place: Server, tmp_path: Path) -> None:
        """A new file holds from the next request on; one that cannot be used leaves the former tokens as they were."""
        path = write(tmp_path / "token", TOKEN)
        await place.listen(FakePipeline(), token_file=path)

        async def status(token: str) -> int:
            return (await (await place.connect()).ask(post(BODY, Authorization=f"Bearer {token}"))).status

        assert await status(TOKEN) == 200
        write(path, OTHER)
        assert (await status(TOKEN), await status(OTHER)) == (401, 200)
        for damage in (lambda: write(path, "short"), lambda: write(path, TOKEN, 0o644), path.unlink):
            damage()
            assert (await status(TOKEN), await status(OTHER)) == (401, 200)
        write(path, TOKEN)
        assert (await status(TOKEN), await status(OTHER)) == (200, 401)

    @pytest.mark.parametrize(
        ("text", "mode", "problem"),
        [
            (TOKEN, 0o640, "others than its owner"),
            (TOKEN, 0o604, "others than its owner"),
            ("", 0o600, "no token"),
            ("# only a remark, long enough\n", 0o600, "no token"),
            ("tiny1", 0o600, "too short"),
            (f"{TOKEN}\ntiny1\n", 0o600, "too short"),
        ],
    )
    def test_file_that_is_wrong(self, tmp_path: Path, text: str, mode: int, problem: str) -> None:
        """The start says what is wrong, and how to mend it, without showing the token."""
        path = write(tmp_path / "token", text, mode)
        with pytest.raises(ConfigError, match=problem) as caught:
            Tokens(path, structlog.get_logger())
        assert caught.value.mend
        assert not text or text not in caught.value.message + caught.value.mend

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        """As for a folder in its place."""
        with pytest.raises(ConfigError, match="does not exist"):
            Tokens(tmp_path / "token", structlog.get_logger())
        with pytest.raises(ConfigError, match="not a file"):
            Tokens(tmp_path, structlog.get_logger())

    def test_fifo(self, tmp_path: Path) -> None:
        """Something else than a file is refused, not waited for."""
        os.mkfifo(tmp_path / "token", 0o600)
        with pytest.raises(ConfigError, match="not a file"):
            Tokens(tmp_path / "token", structlog.get_logger())

    async def test_beyond_this_machine(self, place: Server, tmp_path: Path) -> None:
        """With a token the listener may be reached from elsewhere."""
        await place.listen(FakePipeline(), token_file=write(tmp_path / "token", TOKEN), host="0.0.0.0")


class TestTls:
    """TLS and mutual TLS."""

    async def test_mutual(self, place: Server, authority: trustme.CA, tmp_path: Path) -> None:
        """Only a peer with a certificate of the authority gets in; the others are counted."""
        pipeline = FakePipeline()
        await place.listen(pipeline, tls=files(tmp_path, authority, mutual=True), host="0.0.0.0")
        peer = await place.connect(client(authority, certificate=True))
        for _ in range(3):
            assert (await peer.ask(post(BODY))).status == 200
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            stranger = await place.connect(client(authority))
            await stranger.write(post(BODY))
            assert await stranger.end() == b""
        await until(lambda: place.tally.tls_failed_total == 1)
        assert pipeline.payloads == [BODY] * 3

    async def test_tls_alone_is_not_who(self, place: Server, authority: trustme.CA, tmp_path: Path) -> None:
        """A server certificate says nothing of the sender."""
        with pytest.raises(ConfigError, match="anybody who reaches"):
            await place.listen(FakePipeline(), tls=files(tmp_path, authority), host="0.0.0.0")

    async def test_token_over_tls(self, place: Server, authority: trustme.CA, tmp_path: Path) -> None:
        """Both are asked where both are set; a real client, in a thread."""
        path = write(tmp_path / "token", TOKEN)
        listener = await place.listen(FakePipeline(), tls=files(tmp_path, authority, mutual=True), token_file=path)

        def work(token: str) -> int:
            found = http.client.HTTPSConnection(
                "localhost", listener.port, timeout=30, context=client(authority, certificate=True)
            )
            found.request("POST", "/fhir", BODY, {"Content-Type": FHIR, "Authorization": f"Bearer {token}"})
            status = found.getresponse().status
            found.close()
            return status

        assert await asyncio.to_thread(work, TOKEN) == 200
        assert await asyncio.to_thread(work, OTHER) == 401

    async def test_large_bodies_and_stop(
        self, place: Server, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Pausing, resuming and the graceful stop work through TLS."""
        monkeypatch.setattr(http_connection, "LINGER_SECONDS", 0.05)
        pipeline = FakePipeline(held=True)
        listener = await place.listen(pipeline, tls=files(tmp_path, authority))
        peers = [await place.connect(client(authority)) for _ in range(12)]
        asking = [asyncio.ensure_future(peer.ask(post(BODY + b" " * 2_000_000))) for peer in peers]
        await until(lambda: len(pipeline.waiting) == 8)  # the tickets for large bodies; the others wait
        await asyncio.sleep(0.05)
        assert len(pipeline.waiting) == 8
        pipeline.release()
        await until(lambda: len(pipeline.waiting) == 4)
        stopping = asyncio.ensure_future(listener.stop())
        await asyncio.sleep(0.02)
        pipeline.release()
        assert [(await one).status for one in asking] == [200] * 12
        await stopping

    async def test_cut_in_the_middle(self, place: Server, authority: trustme.CA, tmp_path: Path) -> None:
        """A bundle cut inside TLS is not taken."""
        pipeline = FakePipeline()
        listener = await place.listen(pipeline, tls=files(tmp_path, authority))
        peer = await place.connect(client(authority))
        await peer.write(post(BODY * 100)[:-1])
        await until(lambda: listener.connections == 1)
        peer.abort()
        await until(lambda: listener.connections == 0)
        assert pipeline.payloads == []
        assert place.tally.rejected_total == {"truncated": 1}

    async def test_plain_peer(self, place: Server, authority: trustme.CA, tmp_path: Path) -> None:
        """HTTP on an HTTPS port is a failed handshake."""
        await place.listen(FakePipeline(), tls=files(tmp_path, authority))
        peer = await place.connect()
        await peer.write(post(BODY))
        await peer.end()
        await until(lambda: place.tally.tls_failed_total == 1)
