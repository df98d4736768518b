"""Handing the message in: every word of the server kept, every failure a code, nothing guessed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from msgspec import structs

from engine.errors import ConfigError
from engine.evidence.record import Submission
from engine.evidence.settings import Smtp
from engine.evidence.submission import CODES, submit

from .establishment import ROBOT, SENDER
from .smtp_server import PASSWORD, USER, Certificates, Handler, serving

RAW = b"From: a\r\nMessage-ID: <1@ch-fictif.mssante.fr>\r\n\r\n.point\r\n..\r\ntexte\r\n"

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """An authority, a server's certificate, a client's."""
    return Certificates(tmp_path)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    """The right password."""
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@asynccontextmanager
async def answering(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **changes: Any
) -> AsyncIterator[Smtp]:
    """A server that says what it is told to, and settings that reach it."""
    writers: list[asyncio.StreamWriter] = []

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(conversation, "127.0.0.1", 0)
    try:
        yield Smtp(host="127.0.0.1", port=server.sockets[0].getsockname()[1], transport="plain", **changes)
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the transports close at the next turn of the loop


def put(path: Path, content: str, mode: int = 0o600) -> None:
    """Another content, or mode, of a file."""
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)


async def attempt(smtp: Smtp, **changes: Any) -> Submission:
    """One submission with these settings changed."""
    return await submit(RAW, SENDER, ROBOT, structs.replace(smtp, **changes) if changes else smtp)


class TestTaken:
    """The server takes the message."""

    async def test_every_answer_is_kept(self) -> None:
        """Greeting, EHLO, envelope, message: codes and texts in their order; the message arrives to the octet."""
        handler = Handler()
        async with serving(handler) as smtp:
            found = await attempt(smtp)
        assert found.accepted
        assert [(one.step, one.code) for one in found.answers] == [
            ("CONNECT", 220),
            ("EHLO", 250),
            ("MAIL FROM", 250),
            ("RCPT TO", 250),
            ("DATA", 250),
            ("QUIT", 221),
        ]
        assert found.answers[4].text == "2.0.0 Ok: queued as 4cXyZ01abc"
        assert found.answers[0].text == "smtp.ch-fictif.example ESMTP"
        assert handler.mails == [(SENDER, [ROBOT], RAW)]
        assert found.server == f"localhost:{smtp.port}"
        assert not found.protection

    @pytest.mark.parametrize("transport", ["starttls", "tls"])
    async def test_by_mutual_tls(self, certificates: Certificates, transport: Any) -> None:
        """With our certificate, to a server that lets nobody else in; the version and cipher are kept."""
        handler = Handler()
        async with serving(handler, transport=transport, context=certificates.context(mutual=True)) as smtp:
            found = await attempt(smtp, tls=certificates.tls())
        assert found.accepted
        assert found.protection.startswith("TLSv1.")
        assert len(handler.mails) == 1

    async def test_with_a_login(self, password_file: Path) -> None:
        """By the user and the password of the file, which is nowhere in what is kept."""
        handler = Handler()
        async with serving(handler, login=True) as smtp:
            found = await attempt(smtp, user=USER, password_file=password_file)
        assert found.accepted
        assert PASSWORD not in repr(found)

    async def test_a_server_that_leaves_after_the_message_has_taken_it(self) -> None:
        """What happens after the last 250 changes nothing."""
        async with answering(lambda reader, writer: _scripted(reader, writer, b"250 Ok: queued\r\n")) as smtp:
            found = await attempt(smtp)
        assert found.accepted
        assert found.answers[-1].text == "Ok: queued"


class TestRefused:
    """The server says no: one code for each, its words kept."""

    @pytest.mark.parametrize(
        ("step", "word", "code"),
        [
            ("mail", "553 5.7.1 Sender address rejected: not owned by user", "ps41-sender"),
            ("rcpt", "550 5.1.1 Recipient address rejected", "ps41-recipient"),
            ("rcpt", "451 4.7.1 Greylisted", "ps41-recipient"),
            ("data", "554 5.7.1 Message refused", "ps41-refused"),
        ],
    )
    async def test_a_step_is_refused(self, step: str, word: str, code: str) -> None:
        """The sender, the test address, the message."""
        handler = Handler(**{step: word})
        async with serving(handler) as smtp:
            found = await attempt(smtp)
        assert (found.error, found.accepted) == (code, False)
        assert f"{found.answers[-1].code} {found.answers[-1].text}" == word
        assert not handler.mails

    async def test_a_wrong_password_is_tried_once(self, password_file: Path) -> None:
        """A second try could lock the account."""
        put(password_file, "autre\n")
        handler = Handler()
        async with serving(handler, login=True) as smtp:
            found = await attempt(smtp, user=USER, password_file=password_file)
        assert found.error == "ps41-login"
        assert found.answers[-1].code == 535
        assert handler.logins == [b"autre"]

    async def test_no_login_is_offered(self, password_file: Path) -> None:
        """A server without AUTH: the password is not sent."""
        async with answering(lambda reader, writer: _scripted(reader, writer, b"250 Ok\r\n")) as smtp:
            found = await attempt(smtp, user=USER, password_file=password_file)
        assert found.error == "ps41-login-method"


class TestTls:
    """Certificates."""

    @pytest.mark.parametrize("transport", ["starttls", "tls"])
    async def test_a_server_that_wants_a_certificate_and_gets_none(
        self, certificates: Certificates, transport: Any
    ) -> None:
        """The handshake, or the first word after it in TLS 1.3, says no."""
        async with serving(Handler(), transport=transport, context=certificates.context(mutual=True)) as smtp:
            found = await attempt(smtp, tls=certificates.tls(shown=False))
        assert found.error == "ps41-certificate"

    @pytest.mark.parametrize("transport", ["starttls", "tls"])
    async def test_a_certificate_of_another_authority_is_refused(
        self, certificates: Certificates, transport: Any
    ) -> None:
        """One that the operator does not know."""
        other = certificates.client("other", trustme.CA())
        async with serving(Handler(), transport=transport, context=certificates.context(mutual=True)) as smtp:
            found = await attempt(smtp, tls=certificates.tls(other=other))
        assert found.error == "ps41-certificate"

    @pytest.mark.parametrize("transport", ["starttls", "tls"])
    async def test_a_server_that_we_do_not_trust(
        self, certificates: Certificates, tmp_path: Path, transport: Any
    ) -> None:
        """Its certificate comes from another authority: nothing is sent to it."""
        handler = Handler()
        stranger = tmp_path / "stranger"
        stranger.mkdir()
        async with serving(handler, transport=transport, context=Certificates(stranger).context()) as smtp:
            found = await attempt(smtp, tls=certificates.tls())
        assert found.error == "ps41-tls"
        assert not handler.mails

    async def test_a_server_of_another_name(self, certificates: Certificates) -> None:
        """The name of the certificate must be that of the settings."""
        context = certificates.context()
        certificates.authority.issue_cert("smtp.ailleurs.example").configure_cert(context)
        async with serving(Handler(), transport="starttls", context=context) as smtp:
            found = await attempt(smtp, tls=certificates.tls())
        assert found.error == "ps41-tls"

    async def test_a_server_without_starttls(self, certificates: Certificates) -> None:
        """Nothing is ever sent in clear because TLS was not offered."""
        handler = Handler()
        async with serving(handler) as smtp:
            found = await attempt(smtp, transport="starttls", tls=certificates.tls())
        assert found.error == "ps41-starttls"
        assert not handler.mails


class TestLost:
    """The connection, or the time."""

    async def test_nobody_listens(self) -> None:
        """No server at that port."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            found = await attempt(Smtp(host="127.0.0.1", port=taken.getsockname()[1], transport="plain"))
        assert found.error == "ps41-unreachable"
        assert found.answers == ()

    async def test_a_name_that_does_not_exist(self) -> None:
        """The name service knows no such server."""
        found = await attempt(Smtp(host="absent.invalid", transport="starttls"))
        assert found.error == "ps41-unreachable"

    async def test_a_server_that_says_nothing(self) -> None:
        """The wait ends after timeout_seconds."""
        async with answering(lambda reader, _: reader.readline(), timeout_seconds=1.0) as smtp:
            found = await attempt(smtp)
        assert found.error == "ps41-timeout"

    @pytest.mark.parametrize(
        "words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"554 no service here\r\n", b"", b"220\x00" + b"x" * 70_000]
    )
    async def test_something_else_than_smtp(self, words: bytes) -> None:
        """Whatever answers there is told from a server that cannot be reached."""

        async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(words)
            await writer.drain()

        async with answering(say) as smtp:
            found = await attempt(smtp)
        assert found.error == "ps41-greeting"

    @pytest.mark.parametrize(("word", "seconds"), [("close", 60.0), ("silence", 2.0)])
    async def test_no_answer_to_the_message_is_no_failure_that_is_known(self, word: str, seconds: float) -> None:
        """The message was on its way: whether it was taken, nobody knows, and it is said so."""
        async with serving(Handler(data=word)) as smtp:
            found = await attempt(smtp, timeout_seconds=seconds)
        assert found.error == "ps41-unconfirmed"

    async def test_words_of_the_server_hold_no_control_character(self) -> None:
        """Whatever it says is safe to print."""
        async with answering(lambda reader, writer: _scripted(reader, writer, b"250 \x1b[31mqueued\x07\r\n")) as smtp:
            found = await attempt(smtp)
        assert found.accepted
        assert all(one.text.replace("\n", "").isprintable() for one in found.answers)


class TestSettings:
    """Files of the settings."""

    @pytest.mark.parametrize(("content", "mode", "word"), [("x\n", 0o644, "others"), ("\n", 0o600, "no secret")])
    async def test_a_password_file_is_for_its_owner_and_holds_one(
        self, password_file: Path, content: str, mode: int, word: str
    ) -> None:
        """Said before any connection, with the file and the mend."""
        put(password_file, content, mode)
        with pytest.raises(ConfigError, match=word):
            await attempt(Smtp(host="127.0.0.1", transport="plain", user=USER, password_file=password_file))

    async def test_a_file_that_is_no_certificate_is_named(self, certificates: Certificates) -> None:
        """Said before any connection."""
        certificates.certificate.write_text("nothing")
        with pytest.raises(ConfigError, match=r"client\.crt"):
            await attempt(Smtp(host="localhost", tls=certificates.tls()))


def test_every_code_is_explained_to_the_staff() -> None:
    """docs/fr/ps41.md says of each code what it means and what to do."""
    page = (Path(__file__).parents[2] / "docs" / "fr" / "ps41.md").read_text(encoding="utf-8")
    assert not [code for code in CODES if f"`{code}`" not in page]


async def _scripted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last: bytes) -> None:
    """A server that takes one message, says ``last`` of it, and goes away."""
    writer.write(b"220 fictif ESMTP\r\n")
    for answer in (b"250 fictif\r\n", b"250 Ok\r\n", b"250 Ok\r\n", b"354 go on\r\n"):
        await reader.readline()
        writer.write(answer)
    await reader.readuntil(b"\r\n.\r\n")
    writer.write(last)
    await writer.drain()
