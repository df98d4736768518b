"""Whether the engine of a configuration is ready: asked over its own port, for a container or a script that has no curl."""

from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path
from typing import Final

import msgspec
import yaml

from engine.errors import ConfigError
from engine.web.settings import Http

_SECONDS: Final = 4.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked on, not bound to


def settings(path: Path) -> Http:
    """The section ``http`` alone, in a tenth of the time that the whole configuration takes: this is asked twice a minute.

    Raises ConfigError when there is none that can be read (`jauge check-config` then says more).
    """
    mend = "jauge check-config says what"
    try:
        found = yaml.safe_load(path.read_bytes())
        given = found.get("http") if isinstance(found, dict) else None
        return msgspec.convert(given or {}, Http, dec_hook=lambda kind, value: kind(value))
    except OSError:
        raise ConfigError(str(path), 0, "this file cannot be read", "give the configuration of the engine") from None
    except (yaml.YAMLError, msgspec.ValidationError, ValueError, TypeError):
        raise ConfigError(str(path), 0, "something is wrong under http", mend) from None


def health(http_settings: Http) -> str:
    """What is wrong, in a few words; empty when the engine is ready."""
    host, port = _EVERYWHERE.get(http_settings.host, http_settings.host), http_settings.port
    if not port:
        return "the port is chosen by the system (port: 0), and only the engine's log tells it"
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    if http_settings.tls is not None:
        # We ask ourselves, we show nothing and learn one bit: whose certificate it is does not matter.
        trust = ssl._create_unverified_context()  # noqa: S323, SLF001
        connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=trust)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        if http_settings.tls is not None and http_settings.tls.client_ca is not None and _listens(host, port):
            return ""  # mutual TLS: only who has a certificate is told more
        return "nobody answers"
    finally:
        connection.close()
    return "" if status == http.client.OK else "messages cannot be acknowledged now"


def _listens(host: str, port: int) -> bool:
    """Whether the port is open."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS):
            return True
    except OSError:
        return False
