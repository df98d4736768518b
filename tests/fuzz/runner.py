"""What every fuzzer is run by: damaged payloads for as long as asked, or atheris (coverage-guided) where it is installed."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from msgspec import Struct


class Fuzzer(Struct, frozen=True):
    """Throws payloads at a reader.

    ``target(payload)`` raises on a finding; ``corpus()`` gives payloads to damage and ``mutated(payload, source)`` damages one; ``suffix`` is that of the file
    which keeps a finding.
    """

    target: Callable[[bytes], None]
    corpus: Callable[[], Sequence[bytes]]
    mutated: Callable[[bytes, random.Random], bytes]
    suffix: str

    def main(self, arguments: list[str]) -> int:
        """``[SECONDS] [SEED]`` or ``--atheris`` and its own arguments. 0 when nothing was found; a finding is raised, its payload in a temporary file."""
        if "--atheris" in arguments:
            import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

            atheris.Setup([sys.argv[0], *(one for one in arguments if one != "--atheris")], self.target)
            atheris.Fuzz()
            return 0
        seconds = float(arguments[0]) if arguments else 30.0
        seed = int(arguments[1]) if len(arguments) > 1 else 1
        source = random.Random(seed)
        seeds, count, end = self.corpus(), 0, time.monotonic() + seconds
        while time.monotonic() < end:
            raw = self.mutated(source.choice(seeds), source)
            try:
                self.target(raw)
            except Exception as error:
                with tempfile.NamedTemporaryFile(prefix="jauge-finding-", suffix=self.suffix, delete=False) as file:
                    file.write(raw)
                print(f"{type(error).__name__} after {count} payloads (seed {seed}): {file.name}")
                raise
            count += 1
        print(f"{count} payloads, nothing found (seed {seed})")
        return 0

    def try_out(self, seed: int, count: int) -> None:
        """A few damaged payloads, always the same."""
        source = random.Random(seed)
        seeds = self.corpus()
        for _ in range(count):
            self.target(self.mutated(source.choice(seeds), source))
