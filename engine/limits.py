"""The limits of the configuration: what one message, or one sender, may cost."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What keeps one bad message, or one bad sender, from costing the others anything."""

    label_values: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Distinct values of one label on /metrics; the ones beyond are counted together as `other`.",
        ),
    ] = 200
    aside_bytes: Annotated[
        int,
        Meta(
            ge=0,
            description="Room for the messages put aside, sealed, in the store (bytes). When it is full the oldest leave; "
            "they stay counted. 0 keeps none.",
        ),
    ] = 268_435_456
    document_bytes: Annotated[
        int,
        Meta(
            ge=1_024,
            le=1_073_741_824,
            description="Largest CDA document that is read, decoded (bytes). A larger one is counted as unreadable.",
        ),
    ] = 67_108_864
    batch_messages: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Most messages made durable by one commit when they come faster than the disk.",
        ),
    ] = 512
