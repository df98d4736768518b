"""What every check is given: the configuration, the account of the engine, and what a running engine says."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from engine.config import Config
from engine.doctor.account import Account
from engine.doctor.running import Running


class Site(Struct, frozen=True):
    """One engine on one machine, at one instant (``now``: epoch seconds)."""

    config: Config
    account: Account
    running: Running
    now: float

    def folders(self) -> dict[str, Path]:
        """Place -> folder that the engine writes into."""
        config = self.config
        found = {"store": config.store.parent, "keys": config.keys}
        if config.ps41.senders:
            found["ps41.folder"] = config.ps41.folder or config.store.parent / "ps41"
        for feed in config.feeds:
            state = getattr(feed.settings, "state", None)
            if isinstance(state, Path):
                found[f"feeds.{feed.name}.state"] = state
        return found
