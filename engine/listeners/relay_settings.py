"""Settings of a relay, for the engine's side and for the process that passes bytes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from engine.parsers.mllp import MAX_SIZE
from engine.tls import ClientTlsSettings, TlsSettings


class MllpRelaySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one relayed feed: the sender is set to us, we to the receiver."""

    host: Annotated[
        str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every address of the machine.")
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(ge=0, le=65535, description="TCP port that the sender is set to; 0 lets the system choose a free one."),
    ] = 2576
    target_host: Annotated[str, Meta(min_length=1, description="Address of the receiver that the sender meant.")]
    target_port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of that receiver.")]
    tls: Annotated[
        TlsSettings | None, Meta(description="TLS towards the sender, mutual with `client_ca`. Empty: plain.")
    ] = None
    target_tls: Annotated[
        ClientTlsSettings | None,
        Meta(description="TLS towards the receiver; `target_host` must be the name in its certificate. Empty: plain."),
    ] = None
    connect_timeout_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="How long the receiver may take to accept a connection; then its sender's is closed (target-unreachable).",
        ),
    ] = 5.0
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="Connections at a time; more are closed.")] = 256
    max_message_bytes: Annotated[
        int,
        Meta(ge=1024, description="A larger message goes by like any other, and no copy of it is read (too-large)."),
    ] = MAX_SIZE
    copy_buffer_bytes: Annotated[
        int,
        Meta(
            ge=1024 * 1024,
            description="Room for the copies that the engine has not taken yet. What does not fit goes by and is not measured (copy-dropped).",
        ),
    ] = 2 * MAX_SIZE
    dead_peer_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400,
            description="A side that gives no sign of life for so long, or takes nothing of what waits for it, is gone: the other is closed. "
            "0: as the system does by itself (two hours).",
        ),
    ] = 300

    def __post_init__(self) -> None:
        """A message of the largest size must fit, and a relay may not lead to itself."""
        if self.copy_buffer_bytes < self.max_message_bytes:
            raise ValueError(
                "copy_buffer_bytes is smaller than max_message_bytes: the largest messages would never be copied"
            )
        if self.port and (self.host, self.port) == (self.target_host, self.target_port):
            raise ValueError("target_host and target_port are the relay itself: give the address of the receiver")

    @property
    def idle_timeout_seconds(self) -> float:
        """Nobody is closed for being quiet; this is for a passage of which one half is over."""
        return float(self.dead_peer_seconds)
