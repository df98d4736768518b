"""Who may read: a password for people (HTTP Basic, RFC 7617, any user name), a token for Prometheus and scripts (Bearer, RFC 6750).

A token is long enough that it cannot be guessed, and is always looked at: whatever others do from the same address,
Prometheus is let in. A password is a person's: after some wrong ones, that address waits (429).
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Final

import structlog

from engine.errors import ConfigError
from engine.tls import server_context
from engine.tokens import Tokens
from engine.web.answer import Answer
from engine.web.settings import Http
from engine.web.throttle import Throttle

MIN_PASSWORD: Final = 12
_PLAIN: Final = "text/plain; charset=utf-8"

_log: Final = structlog.get_logger(__name__)


class Access:
    """Decides from one header. Without password and token, everybody is let in."""

    def __init__(self, settings: Http, throttle: Throttle | None = None) -> None:
        """Read the files. Raises ConfigError that says what is wrong with one of them."""
        log = _log.bind(kind="http")
        password, token = settings.password_file, settings.token_file
        self._passwords: Final = password and Tokens(password, log, what="password", least=MIN_PASSWORD)
        self._tokens: Final = token and Tokens(token, log)
        self._throttle: Final = Throttle() if throttle is None else throttle
        asked = []
        if self._passwords:
            asked.append(("WWW-Authenticate", 'Basic realm="Jauge", charset="UTF-8"'))
        if self._tokens:
            asked.append(("WWW-Authenticate", 'Bearer realm="Jauge"'))
        self._asked: Final = tuple(asked)

    def refusal(self, authorization: str, peer: str) -> Answer | None:
        """The answer to somebody who may not read; None to who may.

        ``authorization``: the header of that name, in latin-1 as WSGI gives it; ``peer``: the address of the caller.
        """
        if not self._asked:
            return None
        scheme, _, given = authorization.partition(" ")
        given = given.strip()
        if self._tokens and scheme.lower() == "bearer" and self._tokens.allows(given.encode("latin-1", "replace")):
            return None
        if self._passwords and scheme.lower() == "basic" and given:
            wait = self._throttle.take(peer)
            if wait:
                headers = (("Retry-After", str(math.ceil(wait))),)
                return Answer(429, "Trop d’essais. Attendez un peu.\n".encode(), _PLAIN, headers)
            if self._passwords.allows(_password(given)):
                self._throttle.give_back(peer)
                return None
        return Answer(401, "Accès réservé : le mot de passe ou le jeton est demandé.\n".encode(), _PLAIN, self._asked)


def problems(settings: Http) -> list[ConfigError]:
    """Everything that is wrong in the files that the settings name."""
    found: list[ConfigError] = []
    try:
        Access(settings)
    except ConfigError as error:
        found.append(error)
    try:
        if settings.tls is not None:
            server_context(settings.tls)
    except ConfigError as error:
        found.append(error)
    return found


def _password(credentials: str) -> bytes:
    """The password of ``base64(user:password)``; nothing when it is not that."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
