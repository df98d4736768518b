"""The HTTP listener: connections that last, break, trickle or end, and clients that people use."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.listeners import http_connection
from tests.listeners.conformance import FakePipeline, message, until
from tests.listeners.http_client import BODY, FHIR, Peer, Server, chunked, post, said


@pytest.fixture
async def place() -> AsyncIterator[Server]:
    """Where listeners live."""
    place = Server()
    yield place
    await place.close()


class TestConnection:
    """Keep-alive, pipelining, and what ends a connection."""

    async def test_pipelined(self, place: Server) -> None:
        """Requests sent ahead are taken one after the other, each after the answer of the one before."""
        pipeline = FakePipeline(held=True)
        await place.listen(pipeline)
        peer = await place.connect()
        await peer.write(b"".join(post(message(f"A{number}")) for number in range(200)))
        for number in range(200):
            await until(lambda: len(pipeline.waiting) == 1)
            assert pipeline.ids[-1] == f"A{number}"
            pipeline.release()
            assert (await peer.answer()).status == 200
        assert len(pipeline.ids) == 200

    async def test_old_and_closing_clients(self, place: Server) -> None:
        """HTTP/1.0 and Connection: close end the connection after the answer."""
        await place.listen(FakePipeline())
        for data in (post(BODY, Connection="close"), post(BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1)):
            peer = await place.connect()
            assert (await peer.ask(data)).status == 200
            assert await peer.end() == b""

    async def test_half_closed(self, place: Server) -> None:
        """A peer that ends its side after the request still gets the answer."""
        pipeline = FakePipeline(held=True)
        await place.listen(pipeline)
        peer = await place.connect()
        await peer.write(post(BODY))
        peer.writer.write_eof()
        await until(lambda: len(pipeline.waiting) == 1)
        pipeline.release()
        assert (await peer.answer()).status == 200
        assert await peer.end() == b""

    @pytest.mark.parametrize("gone", ["close", "abort"])
    async def test_peer_that_dies_in_the_middle(self, place: Server, gone: str) -> None:
        """A bundle that was cut is not taken, and is counted; the next connection is not hurt."""
        pipeline = FakePipeline()
        listener = await place.listen(pipeline)
        for data in (post(BODY * 100)[:-1], post(b"", Transfer_Encoding="chunked") + chunked(BODY)[:-5]):
            peer = await place.connect()
            await peer.write(data)
            await until(lambda: listener.connections == 1)
            await asyncio.sleep(0.02)
            if gone == "close":
                await peer.close()
            else:
                peer.abort()
            await until(lambda: listener.connections == 0)
        assert pipeline.payloads == []
        assert place.tally.rejected_total == {"truncated": 2}
        assert (await said(place, post(BODY))).status == 200

    async def test_peer_that_dies_before_its_answer(self, place: Server) -> None:
        """What was received whole is with the pipeline; its receipt goes to nobody."""
        pipeline = FakePipeline(held=True)
        listener = await place.listen(pipeline)
        peer = await place.connect()
        await peer.write(post(BODY))
        await until(lambda: len(pipeline.waiting) == 1)
        peer.abort()
        await asyncio.sleep(0.02)
        pipeline.release()
        await until(lambda: listener.connections == 0)
        assert place.tally.rejected_total == {}

    async def test_slow_heads_and_bodies(self, place: Server) -> None:
        """A peer that trickles never holds its place: 408, head or body, plain or chunked."""
        await place.listen(FakePipeline(), idle_timeout_seconds=0.2)
        for data in (post(BODY), post(b"", Transfer_Encoding="chunked") + chunked(BODY * 9), post(BODY)[:-1] + b"x"):
            peer = await place.connect()

            async def trickle(peer: Peer = peer, data: bytes = data) -> None:
                for byte in data[:-1]:
                    await peer.write(bytes([byte]))
                    await asyncio.sleep(0.03)

            task = asyncio.ensure_future(trickle())
            assert (await peer.answer()).status == 408
            assert await peer.end() == b""
            task.cancel()
        assert place.tally.idle_closed_total == 3

    async def test_idle_between_requests(self, place: Server) -> None:
        """A connection that is kept for later is closed without a word after the timeout, and not before."""
        listener = await place.listen(FakePipeline(), idle_timeout_seconds=3_600)
        peer = await place.connect()
        for _ in range(4):
            assert (await peer.ask(post(BODY))).status == 200
            (connection,) = listener._connections
            for _ in range(8):  # one timeout of the listener's clock, which comes a first time after minutes
                connection.tick(8)
        assert place.tally.idle_closed_total == 0
        connection.tick(8)
        assert await peer.end() == b""
        assert place.tally.idle_closed_total == 1

    async def test_too_many_connections(self, place: Server) -> None:
        """One more than allowed is closed at once."""
        await place.listen(FakePipeline(), max_connections=1)
        peer = await place.connect()
        await peer.ask(post(BODY))
        assert await (await place.connect()).end() == b""
        assert place.tally.turned_away_total == 1

    async def test_stop(self, place: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """At a stop: answered what was taken, 503 to who is in the middle, goodbye to who is idle, nobody else let in."""
        monkeypatch.setattr(http_connection, "LINGER_SECONDS", 0.05)
        pipeline = FakePipeline(held=True)
        listener = await place.listen(pipeline)
        port = listener.port
        middle = await place.connect()
        await middle.write(post(message("A3"))[:-1])
        await until(lambda: any(connection._received for connection in listener._connections))
        taken, idle = await place.connect(), await place.connect()
        await taken.write(post(message("A1")) + post(message("A2")))
        await until(lambda: len(pipeline.waiting) == 1 and listener.connections == 3)
        stopping = asyncio.ensure_future(listener.stop())
        assert (await middle.answer()).status == 503
        assert await idle.end() == b""
        with pytest.raises(ConnectionError):
            await Peer.connect(port)
        pipeline.release()
        answer = await taken.answer()
        assert (answer.status, answer.fields["connection"]) == (200, "close")
        assert await taken.end() == b""
        await stopping
        assert pipeline.ids == ["A1"]

    async def test_stop_with_a_pipeline_that_never_answers(self, place: Server) -> None:
        """After its grace the stop goes on: what has no receipt has no answer."""
        pipeline = FakePipeline(held=True)
        listener = await place.listen(pipeline)
        peer = await place.connect()
        await peer.write(post(BODY))
        await until(lambda: len(pipeline.waiting) == 1)
        await listener.stop(grace_seconds=0.05)
        assert await peer.end() == b""
        pipeline.release()

    async def test_pipeline_that_fails(self, place: Server) -> None:
        """A fault of ours is told to the sender, and costs no one else."""

        class Broken(FakePipeline):
            def submit(self, payload: bytes, feed: str, done: object) -> None:
                raise RuntimeError("ours")

        await place.listen(Broken())
        peer = await place.connect()
        assert [(await peer.ask(post(BODY))).status for _ in range(2)] == [503, 503]


class TestClients:
    """Clients that people use."""

    async def test_standard_library(self, place: Server) -> None:
        """http.client, keep-alive, in a thread."""
        pipeline = FakePipeline()
        listener = await place.listen(pipeline)

        def work() -> list[int]:
            client = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=30)
            found = []
            for _ in range(3):
                client.request("POST", "/fhir/Bundle", BODY, {"Content-Type": FHIR})
                answer = client.getresponse()
                answer.read()
                found.append(answer.status)
            client.close()
            return found

        assert await asyncio.to_thread(work) == [200, 200, 200]
        assert place.tally.opened_total == 1

    async def test_curl(self, place: Server, tmp_path: Path) -> None:
        """curl, with a body large enough for it to ask first, and one that is refused while it sends."""
        program = shutil.which("curl")
        if program is None:
            pytest.skip("curl is not here")
        pipeline = FakePipeline()
        listener = await place.listen(pipeline, max_message_bytes=3_000_000)
        (tmp_path / "body").write_bytes(BODY + b" " * 2_000_000)
        (tmp_path / "large").write_bytes(b" " * 20_000_000)
        for name, status in (("body", "200"), ("large", "413")):
            command = [program, "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*"]
            command += ["-H", f"Content-Type: {FHIR}", "--data-binary", f"@{tmp_path / name}"]
            command.append(f"http://127.0.0.1:{listener.port}/fhir")
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False, timeout=60)
            assert done.stdout.decode() == status
        assert [len(payload) for payload in pipeline.payloads] == [2_000_000 + len(BODY)]
