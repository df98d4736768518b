"""The metrics of the feeds and of the engine itself; those of the hospital are in ``families``."""

from __future__ import annotations

from typing import Final

from engine.metrics.family import Family

MESSAGES_RECEIVED: Final = Family(
    "jauge_messages_received_total",
    "counter",
    ("feed",),
    "Messages handed in by the listener, duplicates and unreadable ones included.",
)
MESSAGES_REJECTED: Final = Family(
    "jauge_messages_rejected_total",
    "counter",
    ("feed", "code"),
    "Messages that could not be read, put aside or refused, by code.",
)
MESSAGES_DUPLICATE: Final = Family(
    "jauge_messages_duplicate_total",
    "counter",
    ("feed",),
    "Messages received again with the same sender, control id and content: acknowledged, not counted twice.",
)
CONTROL_IDS_REUSED: Final = Family(
    "jauge_control_ids_reused_total",
    "counter",
    ("feed",),
    "Messages whose control id (MSH-10) had served for other content: counted as new messages.",
)
MESSAGES_NOT_PRODUCTION: Final = Family(
    "jauge_messages_not_production_total",
    "counter",
    ("feed",),
    "Messages read and left out of the indicators because of their processing id (MSH-11).",
)
MESSAGE_FLAGS: Final = Family(
    "jauge_message_flags_total",
    "counter",
    ("feed", "code"),
    "Remarks on messages that were read all the same, by code.",
)
FEED_LAST: Final = Family(
    "jauge_feed_last_message_timestamp_seconds",
    "gauge",
    ("feed",),
    "Latest message received on the feed; 0 when none ever came.",
)
FEED_SILENCE_LIMIT: Final = Family(
    "jauge_feed_silence_limit_seconds",
    "gauge",
    ("feed",),
    "A silence since the latest message that lasts longer is unusual for this feed at these hours of the week, as its own past weeks tell; 0 as "
    "long as they tell too little (docs/metrics.md).",
)
FEED_CONNECTIONS: Final = Family(
    "jauge_feed_connections",
    "gauge",
    ("feed",),
    "Connections open now on the feed.",
)
CONNECTIONS_REFUSED: Final = Family(
    "jauge_connections_refused_total",
    "counter",
    ("feed",),
    "Connections turned away since the start: too many of them (max_connections).",
)
CONNECTIONS_IDLE: Final = Family(
    "jauge_connections_idle_closed_total",
    "counter",
    ("feed",),
    "Connections closed since the start because the peer fell silent, or no longer read its answers.",
)
TLS_FAILURES: Final = Family(
    "jauge_tls_failures_total",
    "counter",
    ("feed",),
    "TLS handshakes that failed since the start: wrong protocol, unknown certificate, time out.",
)
JUNK_BYTES: Final = Family(
    "jauge_junk_bytes_total",
    "counter",
    ("feed",),
    "Bytes that belong to no message, dropped since the start: the peer's framing is wrong.",
)
PARSE_SECONDS: Final = Family(
    "jauge_parse_seconds",
    "histogram",
    (),
    "Time to read one message, from bytes to facts.",
)
COMMIT_SECONDS: Final = Family(
    "jauge_commit_seconds",
    "histogram",
    (),
    "Time to make one batch of messages durable, before any of them is acknowledged.",
)
LEDGER_PENDING: Final = Family(
    "jauge_ledger_pending_messages",
    "gauge",
    (),
    "Messages on disk and acknowledged, not yet counted in the indicators.",
)
LEDGER_DROPPED: Final = Family(
    "jauge_ledger_facts_dropped_total",
    "counter",
    (),
    "Facts left out since the start because one patient held too many: somebody's number is on everybody.",
)
ASIDE_MESSAGES: Final = Family(
    "jauge_aside_messages",
    "gauge",
    (),
    "Messages kept sealed because they could not be read.",
)
ASIDE_BYTES: Final = Family(
    "jauge_aside_bytes",
    "gauge",
    (),
    "Room taken by the messages kept sealed.",
)
CERTIFICATE_EXPIRY: Final = Family(
    "jauge_certificate_expiry_timestamp_seconds",
    "gauge",
    ("certificate",),
    "When the certificate of a role of the configuration (feeds.his, http, ps41.990000001 ...) expires; no series for a file that cannot be read.",
)
READY: Final = Family(
    "jauge_ready",
    "gauge",
    (),
    "1 when messages can be acknowledged, 0 when the store refuses to write (as /readyz).",
)
STORE_SIZE: Final = Family(
    "jauge_store_size_bytes",
    "gauge",
    (),
    "Room taken by the ledger: the database and its write-ahead log.",
)
STORE_FREE: Final = Family(
    "jauge_store_free_bytes",
    "gauge",
    (),
    "Room left to the engine on the disk of the ledger.",
)
LABEL_VALUES_DROPPED: Final = Family(
    "jauge_label_values_dropped_total",
    "counter",
    (),
    "Distinct label values put together as `other` since the start (limits.label_values).",
)
SNAPSHOT_TIMESTAMP: Final = Family(
    "jauge_snapshot_timestamp_seconds",
    "gauge",
    (),
    "When the values of this page were taken: it ages when the engine is stuck.",
)
START_TIMESTAMP: Final = Family(
    "jauge_start_timestamp_seconds",
    "gauge",
    (),
    "When the engine started. The counters of messages go on across starts; the others begin at 0.",
)
BUILD_INFO: Final = Family(
    "jauge_build_info",
    "gauge",
    ("version", "python"),
    "Always 1: version of Jauge and of Python.",
)

FAMILIES: Final[tuple[Family, ...]] = tuple(value for value in dict(vars()).values() if isinstance(value, Family))
"""All of them, in the order of the page."""
