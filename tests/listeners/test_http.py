"""The HTTP listener, over real sockets: what it answers, what it takes, what cannot work."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest

from engine.errors import ConfigError
from engine.listeners.http import HttpListener, HttpSettings
from engine.listeners.listener import PlainCounters
from engine.parsers import fhir, fhir_http
from engine.parsers.context import default
from engine.receipt import Receipt
from tests.listeners.conformance import MAX_MESSAGE_BYTES, REFUSED, UNAVAILABLE, ConnectedConformance, FakePipeline
from tests.listeners.http_client import BODY, FHIR, Peer, Server, chunked, post, said
from tests.listeners.place import silence
from tests.listeners.waiting_sender import WaitingSender


class HttpHarness(WaitingSender[Peer]):
    """A client with one connection."""

    listener: HttpListener

    def made(self, pipeline: FakePipeline, idle_timeout_seconds: float) -> HttpListener:
        """See :class:`WaitingSender`."""
        settings = HttpSettings(port=0, max_message_bytes=MAX_MESSAGE_BYTES, idle_timeout_seconds=idle_timeout_seconds)
        return HttpListener("test", settings, pipeline, PlainCounters())

    async def connect(self) -> Peer:
        """See :class:`WaitingSender`."""
        return await Peer.connect(self.listener.port)

    async def give(self, peer: Peer, payload: bytes) -> tuple[bool, bool]:
        """See :class:`WaitingSender`."""
        answer = await peer.ask(post(payload))
        return answer.status == 200, answer.fields.get("connection") != "close"

    async def silence(self) -> None:
        """See :class:`ConnectedHarness`."""
        await silence(self.listener)

    async def begin(self, payload: bytes) -> None:
        """See :class:`ConnectedHarness`."""
        assert self.peer
        await self.peer.write(post(payload)[:-2])


class TestConformance(ConnectedConformance):
    """What every listener keeps."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[HttpHarness]:
        """A listener and its peer."""
        harness = HttpHarness()
        yield harness
        await harness.close()


@pytest.fixture
async def place() -> AsyncIterator[Server]:
    """Where listeners live."""
    place = Server()
    yield place
    await place.close()


class TestAnswers:
    """Status and OperationOutcome."""

    @pytest.mark.parametrize(
        ("receipt", "status", "issue"),
        [
            (Receipt("accepted"), 200, ("information", "informational", "accepted")),
            (Receipt("duplicate"), 200, ("information", "duplicate", "duplicate: received before, not counted again")),
            (
                Receipt("aside", "fhir-unjoined", "Bundle"),
                200,
                ("warning", "processing", "put aside: fhir-unjoined at Bundle"),
            ),
            (REFUSED, 422, ("error", "invalid", "segment-missing at PID")),
            (UNAVAILABLE, 503, ("error", "transient", "unavailable: store-full")),
        ],
    )
    async def test_each_receipt(
        self, place: Server, receipt: Receipt, status: int, issue: tuple[str, str, str]
    ) -> None:
        """What the pipeline says, in FHIR's words."""
        await place.listen(FakePipeline(receipt=lambda payload: receipt))
        answer = await said(place, post(BODY))
        assert (answer.status, answer.issue) == (status, issue)
        assert answer.fields["content-type"] == FHIR
        assert ("retry-after" in answer.fields) is (status == 503)
        assert fhir.validate(answer.body) == ()

    @pytest.mark.parametrize(
        ("request_", "status", "code"),
        [
            (post(BODY, "/"), 404, "http-unknown-path"),
            (post(BODY, "/fhirx"), 404, "http-unknown-path"),
            (post(BODY, "/fhir/Patient"), 404, "http-unknown-path"),
            (post(BODY, "/fhir/AuditEvent/12", method="PUT"), 404, "http-unknown-path"),
            (post(b"", method="GET"), 405, "http-wrong-method"),
            (post(BODY, "/fhir/metadata"), 405, "http-wrong-method"),
            (post(BODY, method="DELETE"), 405, "http-wrong-method"),
            (post(BODY, kind="application/fhir+xml"), 415, "http-wrong-type"),
            (post(BODY, kind=None), 415, "http-wrong-type"),
            (post(BODY, Content_Encoding="br"), 415, "http-wrong-type"),
            (post(BODY, Content_Encoding="gzip"), 400, "http-damaged-gzip"),
            (post(gzip.compress(BODY)[:-3], Content_Encoding="gzip"), 400, "http-damaged-gzip"),
            (post(b""), 400, "http-empty"),
            (post(b"", Transfer_Encoding="chunked") + chunked(b""), 400, "http-empty"),
            (post(b"x" * 20_000), 413, "too-large"),
            (post(b"", Transfer_Encoding="chunked") + chunked(b"x" * 20_000), 413, "too-large"),
            (post(gzip.compress(b"x" * 2_000_000), Content_Encoding="gzip"), 413, "too-large"),
            (b"GET\r\n\r\n", 400, "http-malformed"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "http-malformed"),
            (b"POST /fhir HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "http-malformed"),
            (b"POST /fhir HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000, 431, "http-malformed"),
            (b"POST /fhir HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "http-malformed"),
            (b"MSH|^~\\&|GAM|HX\r\nPID|1\r\n\r\n", 400, "http-malformed"),
        ],
    )
    async def test_what_is_not_taken(self, place: Server, request_: bytes, status: int, code: str) -> None:
        """Refused with the right status, counted, never with the pipeline; the connection ends in order."""
        pipeline = FakePipeline()
        await place.listen(pipeline, max_message_bytes=10_000)
        peer = await place.connect()
        answer = await peer.ask(request_)
        assert (answer.status, answer.issue[2]) == (status, code)
        assert answer.fields["connection"] == "close"
        assert await peer.end() == b""
        assert place.tally.rejected_total == {code: 1}
        assert pipeline.payloads == []
        assert fhir.validate(answer.body) == ()

    def test_codes_are_declared(self) -> None:
        """Every refusal has a code with its sentence."""
        for refusal in (fhir_http.UNAUTHORIZED, fhir_http.EMPTY, fhir_http.DAMAGED, fhir_http.malformed(400)):
            assert refusal.code in fhir_http.CODES
        assert fhir_http.CODES.keys() == fhir_http.REJECTIONS

    async def test_head_request(self, place: Server) -> None:
        """The answer to a HEAD has no body."""
        await place.listen(FakePipeline())
        peer = await place.connect()
        await peer.write(post(b"", method="HEAD", kind=None))
        found = await peer.end()
        assert found.startswith(b"HTTP/1.1 405 ")
        assert found.endswith(b"\r\n\r\n")

    async def test_metadata(self, place: Server) -> None:
        """Clients that ask what the server can before they send get an answer, and the connection goes on."""
        await place.listen(FakePipeline())
        peer = await place.connect()
        answer = await peer.ask(post(b"", "/fhir/metadata", kind=None, method="GET"))
        assert (answer.status, json.loads(answer.body)["resourceType"]) == (200, "CapabilityStatement")
        assert fhir.validate(answer.body) == ()
        assert (await peer.ask(post(BODY))).status == 200

    async def test_paths(self, place: Server) -> None:
        """The base, and what may be created under it; with a query, and in absolute form."""
        pipeline = FakePipeline()
        await place.listen(pipeline, path="/jauge/r4/")
        peer = await place.connect()
        for path in ("", "/", "/Bundle", "/AuditEvent", "/DocumentReference", "?_format=json"):
            assert (await peer.ask(post(BODY, f"/jauge/r4{path}"))).status == 200
        assert (await peer.ask(post(BODY, "http://jauge.example:8480/jauge/r4/Bundle"))).status == 200
        assert pipeline.payloads == [BODY] * 7


class TestPayload:
    """What reaches the pipeline."""

    async def test_body_alone(self, place: Server) -> None:
        """Without correlation id the body is the payload, whatever other fields there are."""
        pipeline = FakePipeline()
        await place.listen(pipeline)
        await said(place, post(BODY, Date="Tue, 10 Mar 2026 15:20:05 GMT", User_Agent="x"))
        assert pipeline.payloads == [BODY]

    async def test_kept_fields(self, place: Server) -> None:
        """With one, four fields go before it, and no other; a parser reads them."""
        pipeline = FakePipeline()
        await place.listen(pipeline)
        date = "Tue, 10 Mar 2026 15:20:05 GMT"
        await said(
            place,
            post(
                BODY,
                kind="application/json; charset=utf-8",
                X_Request_Id="r1",
                X_Correlation_ID="c1",
                Date=date,
                Cookie="secret",
            ),
        )
        assert pipeline.payloads == [
            b"Content-Type: application/fhir+json\r\nDate: %b\r\nX-Request-Id: r1\r\nX-Correlation-Id: c1\r\n\r\n%b"
            % (date.encode(), BODY)
        ]
        assert fhir.parse(pipeline.payloads[0], default()).message == "AuditEvent"

    async def test_gzip(self, place: Server) -> None:
        """A compressed body, in one member or several, is what it was."""
        pipeline = FakePipeline()
        await place.listen(pipeline)
        peer = await place.connect()
        two = gzip.compress(BODY[:9]) + gzip.compress(BODY[9:])
        for body in (gzip.compress(BODY), two):
            assert (await peer.ask(post(body, Content_Encoding="gzip"))).status == 200
            assert (
                await peer.ask(post(b"", Content_Encoding="gzip", Transfer_Encoding="chunked") + chunked(body, 3))
            ).status == 200
        assert pipeline.payloads == [BODY] * 4

    async def test_byte_by_byte(self, place: Server) -> None:
        """However the bytes come."""
        pipeline = FakePipeline()
        await place.listen(pipeline)
        peer = await place.connect()
        for byte in post(BODY) + post(b"", Transfer_Encoding="chunked") + chunked(BODY, 5):
            await peer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert [(await peer.answer()).status for _ in range(2)] == [200, 200]
        assert pipeline.payloads == [BODY] * 2

    async def test_large_body(self, place: Server) -> None:
        """Many large bodies at a time, plain, chunked and compressed, are handed over whole, some after the others."""
        pipeline = FakePipeline()
        await place.listen(pipeline)
        body = BODY + b" " * 3_000_000
        shapes = [
            post(body),
            post(b"", Transfer_Encoding="chunked") + chunked(body, 100_000),
            post(gzip.compress(body), Content_Encoding="gzip"),
        ]
        answers = await asyncio.gather(*(said(place, shapes[number % 3]) for number in range(24)))
        assert [answer.status for answer in answers] == [200] * 24
        assert pipeline.payloads == [body] * 24

    @pytest.mark.parametrize("shape", ["chunks", "members", "bomb"])
    async def test_a_body_that_costs_time(self, place: Server, shape: str) -> None:
        """A body of very many chunks or gzip members, or that expands very much, does not keep the others waiting."""
        pipeline = FakePipeline()
        await place.listen(pipeline)
        if shape == "chunks":
            body, request = b"x" * 20_000, post(b"", Transfer_Encoding="chunked") + chunked(b"x" * 20_000, 1)
        elif shape == "members":
            packed = gzip.compress(b"") * 5_000 + gzip.compress(b"x")
            body, request = b"x", post(packed, Content_Encoding="gzip")
        else:
            body = bytes(32_000_000)
            request = post(gzip.compress(body), Content_Encoding="gzip")
        slow, quick = await place.connect(), await place.connect()
        slow.writer.write(request)
        quick.writer.write(post(BODY))
        answers = await asyncio.gather(slow.answer(), quick.answer())
        assert [answer.status for answer in answers] == [200, 200]
        assert pipeline.payloads == [BODY, body]

    async def test_half_closed_while_it_costs_time(self, place: Server) -> None:
        """The end of a peer that has sent everything does not cut short what is still being read of it."""
        await place.listen(FakePipeline())
        peer = await place.connect()
        await peer.write(post(b"", Transfer_Encoding="chunked") + chunked(b"x" * 20_000, 1))
        peer.writer.write_eof()
        assert (await peer.answer()).status == 200
        assert await peer.end() == b""

    async def test_continue(self, place: Server) -> None:
        """A peer that asks first is told to go on, or why not; a large body waits for its turn."""
        await place.listen(FakePipeline(), max_message_bytes=4_000_000)
        for size in (10, 2_000_000):
            head, _, body = post(b"x" * size, Expect="100-continue").partition(b"\r\n\r\n")
            peer = await place.connect()
            first = await peer.ask(head + b"\r\n\r\n")
            assert first.status == 100
            assert (await peer.ask(body)).status == 200
        peer = await place.connect()
        head = post(b"x" * 5_000_000, Expect="100-continue").partition(b"\r\n\r\n")[0]
        assert (await peer.ask(head + b"\r\n\r\n")).status == 413


class TestSettings:
    """What cannot work is said at the start."""

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "jauge.example"])
    async def test_open_to_everybody(self, place: Server, host: str) -> None:
        """Without token nor mutual TLS only this machine may send."""
        with pytest.raises(ConfigError, match="anybody who reaches") as caught:
            await place.listen(FakePipeline(), host=host)
        assert "token_file" in caught.value.mend

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
    async def test_this_machine(self, place: Server, host: str) -> None:
        """On the loopback interface nothing is asked."""
        await place.listen(FakePipeline(), host=host)

    @pytest.mark.parametrize("path", ["fhir", "/fhir?x", "/a//b", "/é", "/a b"])
    async def test_path(self, place: Server, path: str) -> None:
        """A path that is none."""
        with pytest.raises(ConfigError, match="path"):
            await place.listen(FakePipeline(), path=path)

    async def test_port_taken(self, place: Server) -> None:
        """Another program listens there."""
        listener = await place.listen(FakePipeline())
        other = HttpListener("other", HttpSettings(port=listener.port), FakePipeline(), PlainCounters())
        with pytest.raises(ConfigError, match="cannot listen"):
            await other.start()
