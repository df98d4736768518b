"""The files of an XDM archive: where IHE_XDM is, what a URI of the metadata leads to, and their bytes, inflated once.

IHE ITI TF-2 3.32.4.1.2 (layout), TF-3 4.2.3.2.29 (URI, relative to its METADATA.XML). Names are compared without letter case: senders vary it.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from engine.errors import ParseError
from engine.parsers.archive_zip import Entry, Zip

CODES: Final[dict[str, str]] = {
    "xdm-file-fallback": "The URI of a document leads nowhere from its METADATA.XML; the file was found elsewhere in the archive.",
    "xdm-file-missing": "The archive does not hold the file that the URI of a document names.",
    "xdm-uri-outside": "The URI of a document leads out of the archive; nothing was read.",
}
"""Every code that :meth:`Files.find` gives, and what it means."""

_ROOT: Final = "ihe_xdm"
_METADATA: Final = "metadata.xml"
_ZIPPED: Final = (b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b\x08")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.ASCII)


class File:
    """A file that an entry names. ``code`` says why its bytes cannot be had; ``sha1`` is theirs, in lower case."""

    __slots__ = ("code", "content", "sha1", "where")

    def __init__(self, archive: Zip, entry: Entry) -> None:
        self.where = entry.where
        self.content = b""
        self.sha1 = self.code = ""
        try:
            self.content = archive.content(entry)
        except ParseError as error:
            if error.code == "zip-size-lies":  # no accident
                raise
            self.code = error.code
        else:
            self.sha1 = hashlib.sha1(self.content, usedforsecurity=False).hexdigest()

    def __repr__(self) -> str:
        return f"File({self.where})"


class Folder:
    """A folder of the archive that holds a METADATA.XML. ``root`` is the path of its IHE_XDM."""

    __slots__ = ("metadata", "path", "root")

    def __init__(self, path: str, root: str, metadata: Entry) -> None:
        self.path = path
        self.root = root
        self.metadata = metadata

    def __repr__(self) -> str:
        return f"Folder({self.metadata.where})"


class Files:
    """The files of one archive, by their path in one letter case."""

    __slots__ = ("_archive", "_folders", "_loaded", "_names", "_paths", "folders")

    def __init__(self, archive: Zip) -> None:
        self._archive = archive
        self._paths: dict[str, Entry] = {}
        self._names: dict[str, list[Entry]] = {}  # by the last part of their path
        self._folders: dict[str, list[tuple[str, Entry]]] = {}  # name and entry, by the rest of it
        self._loaded: dict[int, File] = {}
        self.folders: list[Folder] = []
        for entry in archive.entries:
            if entry.folder:
                continue
            path = posixpath.normpath(entry.name.casefold())
            self._paths.setdefault(path, entry)
            folder, _, name = path.rpartition("/")
            self._names.setdefault(name, []).append(entry)
            self._folders.setdefault(folder, []).append((name, entry))
            steps = folder.split("/")
            if name == _METADATA and _ROOT in steps:
                root = "/".join(steps[: steps.index(_ROOT) + 1])
                self.folders.append(Folder(folder, root, entry))

    def __repr__(self) -> str:
        return f"Files({len(self._paths)})"

    def holds(self, path: str) -> bool:
        """Whether a file is at this path (lower case)."""
        return path in self._paths

    def find(self, uri: str, folder: Folder) -> tuple[File | None, str]:
        """What a URI leads to, and a code when it leads elsewhere than it says, or nowhere.

        Raises :class:`ParseError` when the file lies about its size.
        """
        written = dict.fromkeys((uri.casefold(), unquote(uri).casefold()))
        for text in written:
            target = _inside(folder.path, text)
            if target is None:
                return None, "xdm-uri-outside"
            if target in self._paths:
                return self._load(self._paths[target]), ""
        for text in written:
            for base in (folder.root, ""):
                target = _inside(base, text.replace("\\", "/").lstrip("/"))
                if target in self._paths:
                    return self._load(self._paths[target]), "xdm-file-fallback"
            same = self._names.get(text.replace("\\", "/").rpartition("/")[2], ())
            if len(same) == 1:
                return self._load(same[0]), "xdm-file-fallback"
        return None, "xdm-file-missing"

    def unnamed(self, folder: Folder) -> Iterator[tuple[str, str]]:
        """Name (lower case) and place of the files of a folder that no URI led to."""
        for name, entry in self._folders[folder.path]:
            if entry.number not in self._loaded and name != _METADATA:
                yield name, entry.where

    def nested(self) -> Iterator[str]:
        """Places of the archives inside the archive."""
        for entry in self._paths.values():
            if self._archive.head(entry, 4).startswith(_ZIPPED):
                yield entry.where

    def _load(self, entry: Entry) -> File:
        file = self._loaded.get(entry.number)
        if file is None:
            file = self._loaded[entry.number] = File(self._archive, entry)
        return file


def _inside(folder: str, text: str) -> str | None:
    """The path of a relative URI; None when it leaves the archive."""
    if _SCHEME.match(text) is not None:
        return None
    path = posixpath.normpath(posixpath.join(folder, text))
    return None if path == ".." or path.startswith("../") else path
