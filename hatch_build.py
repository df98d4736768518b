"""Puts config/ into the wheel as engine/_config, where engine/resources.py looks for it.

An editable install gets no copy: it reads config/ in the checkout. (A plain ``force-include`` would copy it there too,
and the copy would grow old; it would also take ``config/var``, the ledger and the keys of an engine run in the checkout.)
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShippedFiles(BuildHookInterface):
    """Hatchling's hook for the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files of the folder one by one, unless the build is an editable one."""
        if version == "editable":
            return
        folder = Path(self.root) / "config"
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if path.is_file() and place.parts[0] != "var":
                build_data["force_include"][str(path)] = f"engine/_config/{place.as_posix()}"
