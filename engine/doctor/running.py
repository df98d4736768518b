"""The engine that runs on the configuration, if one does: found by the lock of its store, asked over its own web address."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from engine import certificates, secret
from engine.config import Config
from engine.errors import ConfigError
from engine.web.settings import Http

_SECONDS: Final = 5.0
_ANY: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to
_LARGEST: Final = 64 * 1024 * 1024

Labels = frozenset[tuple[str, str]]


class Running(Struct, frozen=True):
    """``pid``: the process that holds the store, 0 when none (or none that can be seen from here). ``answers``: its web address answers as Jauge
    does; ``ready``: and says that it is ready; ``refused``: it wants a password or a token that is not known here; ``other``: something
    else answers there. ``samples``: what /metrics says. ``old_certificate``: it shows another certificate than the file holds.
    """

    pid: int = 0
    answers: bool = False
    ready: bool = False
    refused: bool = False
    other: bool = False
    old_certificate: bool = False
    samples: Mapping[tuple[str, Labels], float] = {}

    @property
    def runs(self) -> bool:
        """Whether an engine runs."""
        return bool(self.pid) or self.answers

    def value(self, name: str, **labels: str) -> float | None:
        """One sample, None when there is none."""
        return self.samples.get((name, frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        wanted = frozenset(labels.items())
        return sum(value for (known, had), value in self.samples.items() if known == name and wanted <= had)

    def label(self, name: str, label: str, **labels: str) -> list[tuple[str, float]]:
        """Each value of a label, with its sample, for the samples that have these labels."""
        wanted = frozenset(labels.items())
        return [
            (dict(had).get(label, ""), value)
            for (known, had), value in self.samples.items()
            if known == name and wanted <= had
        ]


def running(config: Config) -> Running:
    """What runs on this configuration, and what it says."""
    pid = holder(config.store.with_name(config.store.name + ".lock"))
    if not config.http.port:
        return Running(pid=pid)
    try:
        status, server, _, fresh = _get(config, "/healthz")
        if status != http.client.OK or server != "jauge":
            return Running(pid=pid, other=True)
        ready = _get(config, "/readyz")[0] == http.client.OK
        status, _, body, _ = _get(config, "/metrics", authorization(config.http))
    except (OSError, http.client.HTTPException) as error:
        # A peer that speaks, and not as we do, is somebody else.
        return Running(pid=pid, other=isinstance(error, http.client.HTTPException | ssl.SSLError))
    old = not fresh
    if status != http.client.OK:
        return Running(pid=pid, answers=True, ready=ready, refused=True, old_certificate=old)
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode("utf-8", "replace"))
        for sample in family.samples
    }
    return Running(pid=pid, answers=True, ready=ready, samples=samples, old_certificate=old)


def holder(lock: Path) -> int:
    """The process that holds a lock (flock), as the system lists them; 0 when none. The lock itself is not touched: an engine may be starting."""
    try:
        status = lock.stat()
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted and fields[4].isdigit():
            return int(fields[4])
    return 0


def authorization(settings: Http) -> str:
    """What opens /metrics: a token, else a password; empty when there is neither, or it cannot be read."""
    try:
        if settings.token_file is not None:
            return f"Bearer {_first(settings.token_file)}"
        if settings.password_file is not None:
            return "Basic " + base64.b64encode(f"doctor:{_first(settings.password_file)}".encode()).decode()
    except ConfigError:
        pass
    return ""


def _first(path: Path) -> str:
    """The first line of the file that is no remark."""
    lines = secret.content(path, "token").decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")


def _get(config: Config, path: str, authorization: str = "") -> tuple[int, str, bytes, bool]:
    """Status, server, body, and whether the certificate shown is that of the file."""
    host, port = _ANY.get(config.http.host, config.http.host), config.http.port
    tls = config.http.tls
    connection: http.client.HTTPConnection
    if tls is None:
        connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    else:
        # Our own, at the address that the configuration gives; the certificate is compared with the file below.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if tls.client_ca is not None:
            context.load_cert_chain(tls.certificate, tls.key)
        connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    try:
        connection.connect()
        fresh = True
        if tls is not None and isinstance(connection.sock, ssl.SSLSocket):
            shown = connection.sock.getpeercert(binary_form=True)
            fresh = shown == certificates.read(tls.certificate)[0].public_bytes(Encoding.DER)
        headers = {"Authorization": authorization} if authorization and fresh else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Server", ""), answer.read(_LARGEST), fresh
    finally:
        connection.close()
