"""An SMTP server of an operator, for the tests: TLS with or without client certificates, logins, and every way of saying no."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from engine.evidence.settings import Smtp
from engine.tls import ClientTlsSettings

USER, PASSWORD = "sorties@ch-fictif.mssante.fr", "mot de passe é"


class Handler:
    """Takes mail; ``words`` say something else than 250 at a step. ``mails``: what was taken, with its envelope."""

    def __init__(self, **words: str) -> None:
        self.words = words
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.options: list[str] = []
        self.logins: list[bytes] = []
        self.taken: Callable[[bytes], None] = lambda _: None

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's own name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender."""
        envelope.mail_from = address
        return self.words.get("mail", "250 2.1.0 Ok")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's own name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """A recipient."""
        self.options += options
        envelope.rcpt_tos.append(address)
        return self.words.get("rcpt", "250 2.1.5 Ok")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        """The message."""
        if self.words.get("data") == "close":
            assert server.transport is not None
            server.transport.abort()
            return "421 gone"
        if self.words.get("data") == "silence":
            await asyncio.sleep(3_600)
        content = envelope.original_content
        assert content is not None
        if "data" not in self.words:
            self.mails.append((str(envelope.mail_from), list(envelope.rcpt_tos), content))
            self.taken(content)
        return self.words.get("data", "250 2.0.0 Ok: queued as 4cXyZ01abc")

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """A login."""
        assert isinstance(data, LoginPassword)
        self.logins.append(data.password)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


class Certificates:
    """What a test's authority signed, as files."""

    def __init__(self, folder: Path, authority: trustme.CA | None = None) -> None:
        self.authority = authority or trustme.CA()
        self.server = self.authority.issue_cert("localhost", "127.0.0.1")
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self.certificate, self.key = self.client("client", self.authority)

    def client(self, name: str, authority: trustme.CA) -> tuple[Path, Path]:
        """A client certificate and its key."""
        issued = authority.issue_cert(f"{name}@ch-fictif.mssante.fr")
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        issued.private_key_pem.write_to_path(key)
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(certificate, append=number > 0)
        key.chmod(0o600)
        return certificate, key

    def tls(self, *, shown: bool = True, other: tuple[Path, Path] | None = None) -> ClientTlsSettings:
        """Settings that believe the authority, and show the client certificate, another, or none."""
        certificate, key = other or ((self.certificate, self.key) if shown else (None, None))
        return ClientTlsSettings(ca=self.ca, certificate=certificate, key=key)

    def context(self, *, mutual: bool = False) -> ssl.SSLContext:
        """Of the server; ``mutual``: it wants a client certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)
        if mutual:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@asynccontextmanager
async def serving(
    handler: Handler,
    *,
    transport: Literal["plain", "starttls", "tls"] = "plain",
    context: ssl.SSLContext | None = None,
    login: bool = False,
    host: str = "127.0.0.1",
) -> AsyncIterator[Smtp]:
    """The server, on this loop; gives settings that reach it (without certificates or login)."""
    sessions: list[SMTP] = []

    def session() -> SMTP:
        made = SMTP(
            handler,
            hostname="smtp.ch-fictif.example",
            ident="ESMTP",
            tls_context=context if transport == "starttls" else None,
            require_starttls=transport == "starttls",
            authenticator=handler.authenticate if login else None,
            auth_required=login,
            auth_require_tls=False,
            data_size_limit=25 * 1024 * 1024,
        )
        sessions.append(made)
        return made

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, host, 0, ssl=context if transport == "tls" else None)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Smtp(host="localhost", port=port, transport=transport, timeout_seconds=60)
    finally:
        server.close()
        for one in sessions:
            if one.transport is not None:
                one.transport.abort()
        await asyncio.sleep(0)  # the transports close at the next turn of the loop


class Served:
    """The same server in a thread of its own, for a command that has its own loop. ``smtp``: settings that reach it."""

    def __init__(self, handler: Handler, **options: Any) -> None:
        self._handler, self._options = handler, options
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self.smtp = Smtp(host="localhost", transport="tls")

    def __enter__(self) -> Self:
        """Start, and wait until it takes connections."""
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with serving(self._handler, **self._options) as smtp:
            self.smtp = smtp
            self._ready.set()
            await self._stop.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        await asyncio.sleep(0.05)
