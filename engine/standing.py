"""Where an establishment stands with PS4.1: what the register of tests gives, and the metrics show."""

from __future__ import annotations

from msgspec import Struct


class Standing(Struct, frozen=True):
    """PS4.1 of one establishment. Times are whole seconds since 1970-01-01 UTC; 0 means never."""

    establishment: str  # FINESS
    sent_at: int = 0  # latest test that the SMTP server took
    replied_at: int = 0  # latest reply that was received
    proven_at: int = 0  # when the latest test that was answered was made: the date of the proof
    expires_at: int = 0  # first instant at which that proof no longer holds
    declared: bool = False  # an organisational mailbox is declared in the settings
    awaiting: bool = False  # the latest test has neither a reply nor a failure yet

    def valid(self, now: float) -> bool:
        """Whether the indicator is met: sent with its XDM, answered, mailbox declared, and not too old."""
        return self.declared and 0 < self.proven_at <= now < self.expires_at
