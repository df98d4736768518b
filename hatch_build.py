"""Puts config/ and docs/fr/ into the wheel as engine/_config and engine/_help, where engine/resources.py looks for them.

An editable install gets no copy: it reads them in the checkout. (A plain ``force-include`` would copy them there too,
and the copy would grow old; it would also take ``config/var``, the ledger and the keys of an engine run in the checkout.)
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = {"config": "engine/_config", "docs/fr": "engine/_help"}


class ShippedFiles(BuildHookInterface):
    """Hatchling's hook for the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files of the folders one by one, unless the build is an editable one."""
        if version == "editable":
            return
        for source, target in FOLDERS.items():
            folder = Path(self.root) / source
            for path in sorted(folder.rglob("*")):
                place = path.relative_to(folder)
                if path.is_file() and place.parts[0] != "var":
                    build_data["force_include"][str(path)] = f"{target}/{place.as_posix()}"
