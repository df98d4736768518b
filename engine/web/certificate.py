"""The certificate of the web: its TLS context, made again when one of its files was renewed."""

from __future__ import annotations

import ssl
from pathlib import Path
from threading import Lock
from typing import Final

import structlog

from engine.errors import ConfigError
from engine.tls import TlsSettings, server_context

_log: Final = structlog.get_logger(__name__)


class Certificate:
    """The context to use now. Any thread may ask."""

    def __init__(self, settings: TlsSettings) -> None:
        """Read the files. Raises ConfigError that names the one which is wrong."""
        self._settings: Final = settings
        self._lock: Final = Lock()
        self._seen = self._signature()
        self._context = server_context(settings)

    def context(self) -> ssl.SSLContext:
        """The context of the files as they are now; of the last good ones while they cannot be used together.

        (A renewal writes two files, one after the other: in between, the key is not the certificate's.)
        """
        if self._lock.acquire(blocking=False):
            try:
                seen = self._signature()
                if seen != self._seen:
                    self._seen = seen
                    self._context = server_context(self._settings)
                    _log.info("certificate-read", kind="http")
            except ConfigError:
                _log.error("certificate-unusable", kind="http")
            finally:
                self._lock.release()
        return self._context

    def _signature(self) -> tuple[tuple[int, int, int], ...]:
        settings = self._settings
        return tuple(_stamp(path) for path in (settings.certificate, settings.key, settings.client_ca) if path)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
