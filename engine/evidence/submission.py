"""Handing the test message in to the operator's SMTP server, and every word it answers, for the proof.

RFC 5321 and 6409 (submission), 3207 (STARTTLS), 4954 (AUTH), 3461 (DSN). Each failure has a stable code of :data:`CODES`. Whether the message
left is never guessed: it did when the server answered 250 to its last octet; when the connection breaks between that octet and the
answer, nobody knows (``ps41-unconfirmed``).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectTimeoutError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from aiosmtplib.response import SMTPResponse

from engine import secret
from engine.evidence.record import Answer, Submission
from engine.evidence.settings import Smtp
from engine.tls import client_context

CODES: Final[dict[str, str]] = {
    "ps41-unreachable": "The SMTP server cannot be reached: check host and port, the name service and the firewall.",
    "ps41-timeout": "The SMTP server did not answer in time; try again, then ask the operator.",
    "ps41-greeting": "What answers at that address does not greet as an SMTP server (220): check host, port and transport.",
    "ps41-starttls": "The SMTP server offers no STARTTLS: nothing was sent to it; check port and transport.",
    "ps41-tls": "The certificate of the SMTP server is not trusted, or the TLS handshake failed: check tls.ca, host and the dates.",
    "ps41-certificate": "The SMTP server refused our client certificate, or wants one: check tls.certificate and tls.key (IGC-Santé, AUTH_CLI).",
    "ps41-login": "The SMTP server refused the login: check user and password_file.",
    "ps41-login-method": "The SMTP server offers no login by password (AUTH PLAIN or LOGIN): it wants a certificate, or another port.",
    "ps41-sender": "The SMTP server refused the sender: may this account send from that address?",
    "ps41-recipient": "The SMTP server refused the test address: see its answer; the operator must let mail go to patient.mssante.fr.",
    "ps41-refused": "The SMTP server refused the message itself: see its answer.",
    "ps41-lost": "The connection to the SMTP server broke before the message was handed in; try again.",
    "ps41-unconfirmed": "The connection broke after the message and before the answer: it may have left; watch for a reply before sending again.",
    "ps41-answer": "The SMTP server refused a command, or answered something that cannot be understood: see its answer.",
}

#: Commands of one session, for a bound on it as a whole.
_COMMANDS: Final = 12
_LONGEST: Final = 2_000


class _StepError(Exception):
    """One step failed: a code of :data:`CODES`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def submit(
    raw: bytes, sender: str, recipient: str, smtp: Smtp, *, clock: Callable[[], float] = time.time
) -> Submission:
    """Hand one message in. Raises :class:`ConfigError` when a file of the settings is wrong, before any connection; nothing else."""
    context = None if smtp.transport == "plain" else client_context(smtp.tls)
    password = secret.read(smtp.password_file) if smtp.password_file is not None else ""
    session = _Session(smtp, context, sender.rpartition("@")[2])
    began, error = int(clock()), ""
    try:
        async with asyncio.timeout(smtp.timeout_seconds * _COMMANDS):
            await session.run(raw, sender, recipient, password)
    except _StepError as failure:
        error = failure.code
    except TimeoutError:
        error = "ps41-unconfirmed" if session.handed_in else "ps41-timeout"
    finally:
        session.client.close()
    return Submission(
        server=f"{smtp.host}:{smtp.port}",
        protection=session.protection,
        answers=tuple(session.answers),
        began=began,
        ended=int(clock()),
        error=error,
    )


class _Session:
    """One connection."""

    def __init__(self, smtp: Smtp, context: ssl.SSLContext | None, name: str) -> None:
        self.smtp = smtp
        self.context = context
        self.answers: list[Answer] = []
        self.protection = ""
        self.handed_in = False  # the message is on its way, its answer is not there yet
        self.client = SMTP(
            hostname=smtp.host,
            port=smtp.port,
            timeout=smtp.timeout_seconds,
            local_hostname=name,  # a name that the machine itself may not have
            use_tls=smtp.transport == "tls",
            start_tls=False,
            tls_context=context,
        )

    async def run(self, raw: bytes, sender: str, recipient: str, password: str) -> None:
        """Everything, step by step. Raises :class:`_StepError`."""
        client = self.client
        await self._connect()
        await self._step("EHLO", client.ehlo)
        if self.smtp.transport == "starttls":
            await self._secure()
        if password:
            await self._login(password)
        options = {"NOTIFY": "NOTIFY=SUCCESS,FAILURE,DELAY"} if client.supports_extension("dsn") else {}
        await self._step("MAIL FROM", lambda: client.mail(sender), "ps41-sender")
        await self._step("RCPT TO", lambda: client.rcpt(recipient, options=options.values()), "ps41-recipient")
        self.handed_in = True
        await self._step("DATA", lambda: client.data(raw), "ps41-refused")
        self.handed_in = False
        # The message is taken: what happens now to the connection changes nothing.
        with suppress(_StepError):
            await self._step("QUIT", client.quit)

    async def _connect(self) -> None:
        try:
            response = await self.client.connect()
        except SMTPConnectTimeoutError:
            raise _StepError("ps41-timeout") from None
        except SMTPResponseException as error:
            self._note("CONNECT", error.code, error.message)
            raise _StepError("ps41-greeting") from None
        except (SMTPException, ssl.SSLError, OSError, UnicodeError, ValueError) as error:
            if (refused := _alert(error)) is not None:
                raise _StepError("ps41-certificate" if refused else "ps41-tls") from None
            raise _StepError(self._silent(error)) from None
        self._note("CONNECT", response.code, response.message)
        self._protect()

    def _silent(self, error: BaseException) -> str:
        """Why there was no greeting: nobody is there, or who is there went away at once."""
        if not (isinstance(error, SMTPConnectError) and isinstance(error.__cause__, SMTPServerDisconnected)):
            return "ps41-unreachable"
        # TLS 1.3: the handshake was done, then the server looked at our certificate.
        return "ps41-certificate" if self.smtp.transport == "tls" else "ps41-greeting"

    async def _secure(self) -> None:
        if not self.client.supports_extension("starttls"):
            raise _StepError("ps41-starttls")
        try:
            response = await self.client.starttls()
        except SMTPTimeoutError:
            raise _StepError("ps41-timeout") from None
        except SMTPResponseException as error:
            self._note("STARTTLS", error.code, error.message)
            raise _StepError("ps41-starttls") from None
        except (SMTPException, ssl.SSLError, OSError, ValueError) as error:
            raise _StepError("ps41-certificate" if _alert(error) else "ps41-tls") from None
        self._note("STARTTLS", response.code, response.message)
        self._protect()
        # TLS 1.3: the server looks at our certificate after the handshake, and says what it thinks by going away.
        await self._step("EHLO", self.client.ehlo, lost="ps41-certificate")

    async def _login(self, password: str) -> None:
        """One method, once: a wrong password tried twice may lock the account."""
        client, user = self.client, self.smtp.user
        methods = client.supported_auth_methods
        if "plain" in methods:
            await self._step("AUTH", lambda: client.auth_plain(user, password), "ps41-login")
        elif "login" in methods:
            await self._step("AUTH", lambda: client.auth_login(user, password), "ps41-login")
        else:
            raise _StepError("ps41-login-method")

    async def _step(
        self, name: str, command: Callable[[], Awaitable[SMTPResponse]], refused: str = "ps41-answer", lost: str = ""
    ) -> None:
        """One command; its answer is noted whatever it is."""
        late = "ps41-unconfirmed" if self.handed_in else "ps41-timeout"
        gone = "ps41-unconfirmed" if self.handed_in else lost or "ps41-lost"
        try:
            response = await command()
        except SMTPTimeoutError:
            raise _StepError(late) from None
        except SMTPServerDisconnected as error:
            raise _StepError("ps41-certificate" if _alert(error) and not self.handed_in else gone) from None
        except SMTPAuthenticationError as error:
            self._note(name, error.code, error.message)
            raise _StepError("ps41-login") from None
        except SMTPResponseException as error:
            self._note(name, error.code, error.message)
            raise _StepError(refused) from None
        except (SMTPException, OSError):
            raise _StepError(gone) from None
        except (ValueError, UnicodeError):
            raise _StepError(refused) from None
        self._note(name, response.code, response.message)

    def _note(self, step: str, code: int, text: str) -> None:
        lines = "".join(c if c == "\n" or c.isprintable() else " " for c in text[:_LONGEST])
        self.answers.append(Answer(step, int(code), lines))

    def _protect(self) -> None:
        secured: Any = self.client.get_transport_info("ssl_object")
        if secured is not None:
            cipher = secured.cipher()
            self.protection = " ".join(filter(None, (secured.version(), cipher[0] if cipher else "")))


def _alert(error: BaseException) -> bool | None:
    """Whether TLS failed because the server said no (True) or for what we saw of it (False); None: it is not TLS that failed."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, ssl.SSLError):
            return "ALERT" in (cause.reason or "")
        cause = cause.__cause__ or cause.__context__
    return None
