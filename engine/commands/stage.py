"""A folder that is being written aside, with the modes and owners that its files will have."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final


class Stage:
    """``folder`` is empty at first. ``owner``: user and group of what only the engine's account may read; None: who runs this.

    ``files``: each file that was written, relative to the folder, and what it is (empty: not worth a word).
    """

    def __init__(self, folder: Path, owner: tuple[int, int] | None) -> None:
        self.folder: Final = folder
        self.files: Final[dict[str, str]] = {}
        self._owner = owner

    def put(self, name: str, text: str, what: str = "") -> None:
        """A file that everybody may read."""
        path = self._place(name)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        self.files[name] = what

    def private(self, name: str, text: str) -> Path:
        """A file for who runs this alone, from its first instant."""
        path = self._place(name)
        with open(path, "x", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
        return path

    def secret(self, name: str, text: str, what: str = "") -> None:
        """A file for the engine's account alone, and its folder."""
        path = self.private(name, text)
        path.parent.chmod(0o700)
        self._give(path)
        self._give(path.parent)
        self.files[name] = what

    def make(self, name: str, what: str) -> None:
        """An empty folder of the engine's account."""
        (self.folder / name).mkdir()
        (self.folder / name).chmod(0o755)
        self._give(self.folder / name)
        self.files[f"{name}/"] = what

    def _place(self, name: str) -> Path:
        """Where a file goes; its folders are made, to be entered by the engine whatever the habits of who runs this (umask)."""
        path = self.folder / name
        for parent in reversed(path.relative_to(self.folder).parents[:-1]):
            if not (self.folder / parent).exists():
                (self.folder / parent).mkdir()
                (self.folder / parent).chmod(0o755)
        return path

    def _give(self, path: Path) -> None:
        if self._owner is not None:
            os.chown(path, *self._owner)


def new_secret() -> str:
    """A password or token that cannot be guessed (192 bits), as the line of a file."""
    return secrets.token_urlsafe(24) + "\n"
