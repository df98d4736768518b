"""``jauge replay``: archives through the same pipeline as live traffic; what was counted already counts once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from engine.config import Config
from engine.listeners import archive
from engine.listeners.archive import Progress
from engine.listeners.listener import declarations
from engine.service import Engine

_MEAL: Final = 400


async def replay(
    config: Config, feed: str, paths: Sequence[Path], progress: Callable[[Progress], None]
) -> dict[str, int]:
    """Send the messages of files and folders through a feed's pipeline and count them; how many came to each status."""
    engine = Engine(config)
    listener = next(one.listener for one in config.feeds if one.name == feed)
    cut = archive.CUTS[declarations()[listener].archive]
    engine.pipeline.start()
    try:
        counts = await archive.replay(paths, engine.pipeline, feed, progress, cut=cut)
    finally:
        await engine.pipeline.stop()
        await asyncio.to_thread(_fold, engine)
    return counts


def _fold(engine: Engine) -> None:
    while engine.ledger.fold(_MEAL):
        pass
    engine.ledger.close()
