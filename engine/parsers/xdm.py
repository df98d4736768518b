"""An XDM archive (IHE_XDM.ZIP): the documents it carries, and everything that is wrong with it.

IHE ITI TF-2 3.32 (media, ZIP over mail), TF-3 4.2 (metadata); Référentiel MSSanté #2 (one person in a mail, a PDF copy beside each CDA).

What is dangerous refuses the archive (``engine.parsers.archive_zip``); anything else is read, and is a :class:`Problem` with its place:
``zip[2]`` is the second entry of the ZIP, ``zip[1]/ExtrinsicObject[3]/hash`` an attribute of the third document of the METADATA.XML that is
its first. Names of files and values are never told.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.errors import ParseError
from engine.parsers import archive_zip, cda, identifiers, kinds, xdm_checks, xdm_metadata
from engine.parsers.archive_zip import Limits
from engine.parsers.xdm_checks import CDA_TYPES, PDF, Problem
from engine.parsers.xdm_files import File, Files, Folder
from engine.parsers.xdm_metadata import Entry, Metadata, SubmissionSet

__all__ = ["Archive", "Limits", "Problem", "SubmissionSet", "XdmDocument", "looks_like", "read"]

CODES: Final[dict[str, str]] = {
    "xdm-file-unlisted": "A file beside METADATA.XML is named by no document; receivers pass over it.",
    "xdm-id-repeated": "Two entries have the same uniqueId; they are one document for receivers.",
    "xdm-index-missing": "There is no INDEX.HTM at the root of the archive; IHE asks for it, receivers do without.",
    "xdm-metadata-total": "The METADATA.XML of the archive hold more than 4 MiB together; no archive of a mail does.",
    "xdm-no-document": "A METADATA.XML describes no document.",
    "xdm-none": "There is no METADATA.XML in a folder IHE_XDM: this is an ordinary ZIP, not an XDM.",
    "xdm-pdf-copy": "The archive holds a PDF copy of a CDA; it is not another document.",
    "xdm-pdf-missing": "The archive holds no PDF copy of its CDA; MSSanté asks for one in the mail, beside it or in it.",
    "xdm-readme-missing": "There is no README.TXT at the root of the archive; IHE asks for it, receivers do without.",
    "xdm-set-missing": "A METADATA.XML has no submission set.",
    "xdm-set-several": "A METADATA.XML has several submission sets; IHE allows one in each.",
    "xdm-too-many-documents": "The archive describes more than 1,000 documents; no mail does.",
    "xdm-wrapped": "The folder IHE_XDM is inside another one; strict receivers do not find it.",
    "zip-nested": "An archive is inside the archive; it was not opened.",
}
"""Every code that :func:`read` raises or tells besides those of the modules that it calls, and what it means."""

MAX_METADATA: Final = 4 << 20
MAX_DOCUMENTS: Final = 1_000

_NEVER: Final = frozenset({"signature", "kos"})
_STYLESHEET: Final = "FEUILLE-DE-STYLE"
_XML: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*<|\xff\xfe|\xfe\xff|<\x00|\x00<")


class XdmDocument(Struct, frozen=True):
    """One document of an archive, in clear: for memory only. "" when unknown."""

    unique_id: str  # as in the metadata: an OID, maybe with ^extension
    mime_type: str  # as announced, lower case
    type_code: str
    type_system: str  # OID
    class_code: str
    format_code: str
    patient: str  # patientId of the entry, else of its set (CX)
    source_patient: str  # CX
    hash: str  # SHA-1 of the stored octets, 40 hexadecimal digits in lower case; without file, as announced
    size: int  # octets as stored; without file, as announced (0: unknown)
    uri: str
    created: str  # creationTime, UTC
    content: bytes  # b"" when the file is missing or damaged
    cda: cda.Cda | None  # what the file says, when it is a CDA that can be read
    is_copy: bool  # the PDF copy of a CDA of the same set: no document of its own
    announced_cda: bool  # its media type says a CDA
    where: str = ""  # its place
    action: str = ""  # "D" (delete), "C" (replace) or ""
    replaces: str = ""  # id of the document that it replaces: of the CDA, else of the metadata
    service_start: str = ""  # UTC

    @property
    def kind(self) -> str:
        """What it is for the indicators (``engine.parsers.kinds``), by the CDA, else by the metadata."""
        return kinds.kind(self.cda.type_code if self.cda is not None else self.type_code)

    def __repr__(self) -> str:
        return f"XdmDocument({self.where!r}, kind={self.kind!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # rich would print every field
        return [("where", self.where), ("kind", self.kind)]


class Archive(Struct, frozen=True):
    """An archive that was read. ``deletes``: its metadata ask for a deletion (action D), nothing was sent to be kept."""

    documents: tuple[XdmDocument, ...]
    sets: tuple[SubmissionSet, ...]
    problems: tuple[Problem, ...]
    deletes: bool = False

    @property
    def flawed(self) -> bool:
        """Whether something is wrong, and not only odd."""
        return any(problem.severity == "error" for problem in self.problems)


def looks_like(data: bytes | memoryview) -> bool:
    """Whether a ZIP names a METADATA.XML in a folder IHE_XDM; an unsafe one may. Reads its directory only, and never raises."""
    return archive_zip.names_xdm(data)


def read(
    data: bytes | memoryview, limits: Limits = archive_zip.DEFAULT, establishments: Collection[str] = ()
) -> Archive:
    """Read an archive. ``establishments``: FINESS whose documents are expected in it; empty, any.

    Raises :class:`ParseError`: ``xdm-none`` when it is no XDM, ``zip-...`` when it is unsafe, ``xdm-...`` when it holds more than any real one
    or when no METADATA.XML can be read; nothing else, whatever the bytes.
    """
    return _Reading(archive_zip.read(data, limits), limits, establishments).read()


class _Reading:
    """One archive being read."""

    def __init__(self, archive: archive_zip.Zip, limits: Limits, establishments: Collection[str]) -> None:
        self.files = Files(archive)
        self.archive = archive
        self.limits = cda.Limits(size=limits.entry)
        self.establishments = establishments
        self.problems: list[Problem] = []
        self.headers: dict[str, cda.Cda | None] = {}  # by the place of the file

    def read(self) -> Archive:
        folders = self.files.folders
        if not folders:
            raise ParseError("xdm-none", "zip")
        if sum(folder.metadata.size for folder in folders) > MAX_METADATA:
            raise ParseError("xdm-metadata-total", "zip")
        self._layout()
        documents: list[XdmDocument] = []
        described: list[Metadata] = []
        failure = None
        for folder in folders:
            where = folder.metadata.where
            try:
                metadata = self._metadata(folder)
            except ParseError as error:
                failure = failure or error
                self._tell(error.code, error.where, "error")
                continue
            described.append(metadata)
            if sum(len(one.entries) for one in described) > MAX_DOCUMENTS:
                raise ParseError("xdm-too-many-documents", where)
            documents += self._folder(folder, metadata)
        if failure is not None and not described:
            raise failure
        for place in self.files.nested():
            self._tell("zip-nested", place, "warning")
        self._repeated(documents)
        everything: list[Entry | SubmissionSet] = []
        for metadata in described:
            everything += metadata.entries
            everything += metadata.sets
        self.problems += xdm_checks.patients(one.patient for one in everything)
        return Archive(
            documents=tuple(documents),
            sets=tuple(one for metadata in described for one in metadata.sets),
            problems=tuple(dict.fromkeys(self.problems)),
            deletes=any(one.action == "D" for one in everything),
        )

    def _tell(self, code: str, where: str, severity: xdm_checks.Severity) -> None:
        self.problems.append(Problem(code, where, severity))

    def _layout(self) -> None:
        for root in sorted({folder.root for folder in self.files.folders}):
            above = root.rpartition("/")[0]
            if above:
                self._tell("xdm-wrapped", "zip", "warning")
            for name, code in (("index.htm", "xdm-index-missing"), ("readme.txt", "xdm-readme-missing")):
                if not self.files.holds(posixpath.join(above, name)):
                    self._tell(code, "zip", "warning")

    def _metadata(self, folder: Folder) -> Metadata:
        content = self.archive.content(folder.metadata)
        try:
            return xdm_metadata.read(content)
        except ParseError as error:
            raise ParseError(error.code, f"{folder.metadata.where}/{error.where}") from None

    def _folder(self, folder: Folder, metadata: Metadata) -> list[XdmDocument]:
        """The documents of one METADATA.XML."""
        where = folder.metadata.where
        if not metadata.entries:
            self._tell("xdm-no-document", where, "error")
        if not metadata.sets:
            self._tell("xdm-set-missing", f"{where}/RegistryPackage", "error")
        elif len(metadata.sets) > 1:
            self._tell("xdm-set-several", f"{where}/RegistryPackage", "warning")
        for number, one in enumerate(metadata.sets, 1):
            self.problems += xdm_checks.submitted(one, f"{where}/RegistryPackage[{number}]")
        lot = metadata.sets[0] if len(metadata.sets) == 1 else None
        read = [(entry, self._document(entry, folder, lot)) for entry in metadata.entries]
        found = self._copies([(entry, document) for entry, document in read if not _never(entry)])
        copied = any(document.is_copy for document in found)
        for name, place in self.files.unnamed(folder):
            copied = copied or name.endswith(".pdf")
            self._tell("xdm-pdf-copy" if name.endswith(".pdf") else "xdm-file-unlisted", place, "info")
        if not copied and any(document.cda is not None for document in found):
            self._tell("xdm-pdf-missing", where, "info")
        return found

    def _document(self, entry: Entry, folder: Folder, lot: SubmissionSet | None) -> XdmDocument:
        where = f"{folder.metadata.where}/ExtrinsicObject[{entry.number}]"
        self.problems += xdm_checks.described(entry, where)
        self.problems += xdm_checks.differs(entry, where, lot)
        file = self._file(entry, folder, where)
        announced = entry.mime_type in CDA_TYPES
        found = None
        if file is not None:
            self.problems += xdm_checks.stored(entry, where, len(file.content), file.sha1)
            if not _never(entry):
                found = self._cda(file, announced=announced)
                if found is not None:
                    self.problems += xdm_checks.carried(entry, where, found, self.establishments)
                elif entry.mime_type and not announced and entry.mime_type != PDF:
                    self._tell("xdm-mime-unexpected", f"{where}/mimeType", "warning")
        return XdmDocument(
            unique_id=entry.unique_id,
            mime_type=entry.mime_type,
            type_code=entry.type_code,
            type_system=entry.type_system,
            class_code=entry.class_code,
            format_code=entry.format_code,
            patient=entry.patient or (lot.patient if lot is not None else ""),
            source_patient=entry.source_patient,
            hash=file.sha1 if file is not None else entry.hash.lower(),
            size=len(file.content) if file is not None else xdm_checks.octets(entry.size),
            uri=entry.uri,
            created=entry.created,
            content=file.content if file is not None else b"",
            cda=found,
            is_copy=False,
            announced_cda=announced,
            where=where,
            action=entry.action or (lot.action if lot is not None else ""),
            replaces=(found.replaces if found is not None else "") or entry.replaces,
            service_start=entry.service_start,
        )

    def _file(self, entry: Entry, folder: Folder, where: str) -> File | None:
        """The file of an entry, whole; None without one."""
        if not entry.uri or entry.on_demand:
            return None
        file, code = self.files.find(entry.uri, folder)
        if code:
            self._tell(code, f"{where}/URI", "error" if file is None else "warning")
        if file is not None and file.code:
            self._tell(file.code, file.where, "error")
            return None
        return file

    def _cda(self, file: File, *, announced: bool) -> cda.Cda | None:
        """What a file says as a CDA; wrong only when it was announced as one."""
        if file.where in self.headers:
            return self.headers[file.where]
        found = None
        if announced or _XML.match(file.content) is not None:
            try:
                found = cda.read(file.content, self.limits)
            except ParseError as error:
                if announced:
                    self._tell(error.code, f"{file.where}/{error.where.removeprefix('/')}", "error")
        self.headers[file.where] = found
        return found

    def _copies(self, read: list[tuple[Entry, XdmDocument]]) -> list[XdmDocument]:
        """The documents of a set, those that are the PDF of a CDA of the set marked."""
        originals = [
            (entry, document) for entry, document in read if document.cda is not None or document.announced_cda
        ]
        marks = {("id", entry.id) for entry, _ in originals} | {
            ("type", document.type_code) for _, document in originals
        }
        marks |= {("name", _stem(entry.uri)) for entry, _ in originals}
        marks -= {("id", ""), ("type", ""), ("name", "")}
        documents = []
        for entry, document in read:
            if document.mime_type == PDF and document.cda is None:
                own = {("id", entry.copy_of), ("type", document.type_code), ("name", _stem(entry.uri))}
                if marks & own:
                    self._tell("xdm-pdf-copy", document.where, "info")
                    document = msgspec.structs.replace(document, is_copy=True)
            documents.append(document)
        return documents

    def _repeated(self, documents: list[XdmDocument]) -> None:
        seen: set[str] = set()
        for document in documents:
            bare = identifiers.root(document.unique_id)
            if bare and bare in seen:
                self._tell("xdm-id-repeated", f"{document.where}/uniqueId", "error")
            seen.add(bare)


def _never(entry: Entry) -> bool:
    """Whether an entry is no document: the signature of the lot, a reference to images, a style sheet, a promise."""
    if entry.signature or entry.on_demand or entry.type_code == _STYLESHEET:
        return True
    return kinds.kind(entry.type_code) in _NEVER


def _stem(uri: str) -> str:
    """The path of a file without its suffix."""
    return posixpath.splitext(uri.casefold())[0]
