"""The settings of the web: where it listens, who may read, its certificate."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from engine.scalars import Port
from engine.tls import TlsSettings


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where people and Prometheus read: the page, /metrics, /healthz, /readyz. The last two are open to everybody and say nothing else than yes or no."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address to listen on. Anything else than 127.0.0.1 shows the rates to the whole network, and needs `tls` with "
            "`password_file`, `token_file` or `tls.client_ca`, or `behind_proxy`.",
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="TCP port; 0 lets the system choose a free one.")] = 9464
    password_file: Annotated[
        Path | None,
        Meta(
            description="File with the password that people are asked for (any user name), of 12 characters at least, mode 0400; several: "
            "one a line. Read again when it changes. With neither this nor `token_file`: nobody is asked.",
            extra={"exists": "file"},
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        Meta(
            description="File with the bearer token that Prometheus and scripts show, of 20 characters at least, mode 0400; several: one a "
            "line. Read again when it changes.",
            extra={"exists": "file"},
        ),
    ] = None
    tls: Annotated[
        TlsSettings | None,
        Meta(
            description="TLS, mutual with `client_ca`. Files that were renewed are taken without a restart. Empty: plain HTTP."
        ),
    ] = None
    behind_proxy: Annotated[
        bool,
        Meta(
            description="Something in front (a reverse proxy, the network of a container) asks who is there, and nothing else reaches "
            "`host`: it may then be another address than 127.0.0.1 without `tls` and without password."
        ),
    ] = False

    def exposed(self) -> str:
        """What is missing before the network may reach this; empty when nothing is."""
        if self.behind_proxy or loopback(self.host):
            return ""
        mutual = self.tls is not None and self.tls.client_ca is not None
        asks = mutual or self.password_file is not None or self.token_file is not None
        missing = [] if asks else ["password_file (or token_file)"]
        if self.tls is None:
            missing.append("tls")
        return " and ".join(missing)


def loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
