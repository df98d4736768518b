"""``jauge check``: reads HL7, CDA, batch files, traces of submissions, XDM archives and mails offline, says what they are and what is wrong with them.

One :class:`Result` per message or lone document. Nothing is stored, and no value of a message is shown: only codes and places.
What is said of a trace is in ``engine.check_traces``, of an archive in ``engine.check_xdm``, of a mail in
``engine.check_mail``.
"""

from __future__ import annotations

import gzip
import os
import re
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from engine import check_document, check_mail, check_traces, check_xdm, facts
from engine.check_document import Document
from engine.check_traces import Trace
from engine.errors import Flag, ParseError
from engine.facts import INS_NONE
from engine.metrics import remedies
from engine.parsers import (
    batch,
    cda,
    charset,
    deep,
    er7,
    fhir,
    formats,
    hl7,
    ins,
    kinds,
    log,
    mail,
    patient,
    payloads,
    xdm,
)
from engine.parsers import context as contexts
from engine.parsers.context import Context
from engine.parsers.format import HEAD
from engine.parsers.log_mapping import LogMapping
from engine.parsers.parsed import Parsed

if TYPE_CHECKING:
    from rich.console import Console

Parse = Callable[[bytes, Context], Parsed]

CODES: Final[dict[str, str]] = {
    "batch-empty": "A batch file without any message.",
    "file-unreadable": "The file cannot be opened, or read to its end; check its name and its permissions.",
    "text-between-messages": "Text that is no message stands before or between the messages of the file; it was passed over.",
    "unknown-format": "Neither an HL7 v2 message, nor a batch of them, nor a CDA, nor a trace of a submission, nor an XDM archive, nor a mail.",
}
"""Codes of this module; the others are those of the parsers."""

SUFFIXES: Final = frozenset({".er7", ".hl7", ".hl7v2", ".xml", ".cda", ".txt"})
"""Read in a folder whatever they hold. Other files of a folder are read only when they begin as an HL7 message, a batch or a trace."""

_HL7: Final = re.compile(rb"(?:\A|[\r\n\x0b\x1c])[ \t]*(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS)[^\w\s]")
_HL7_START: Final = re.compile(rb"[\s\x0b]*(?:\xef\xbb\xbf)?[\s\x0b]*(?:MSH|FHS|BHS)[^\w\s]")
_XML: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<[A-Za-z_?!]|<\x00|\x00<")
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_HEAD: Final = 1 << 16  # of a file, where its first message must begin
_BODY_MAIL: Final = "CORPSMAIL"  # OBX-3 of the text of a mail, which is no document
_PLACEHOLDER: Final = "document-not-xml"


class Result(Struct, frozen=True):
    """One message (``hl7``), one lone document (``cda``), one message of a trace (the name of its format) or a file that is none (``unknown``)."""

    file: str
    format: str
    ok: bool
    problems: tuple[Flag, ...]
    message: str = ""  # of an HL7 message: "ADT^A01"; of a trace: "ITI-41 audit"
    document: Document | None = None  # of a CDA; of a message, the first one it carries that could be read
    documents: tuple[Document, ...] = ()  # of an HL7 message
    trace: Trace | None = None  # of a trace that could be read
    xdm: check_xdm.Xdm | None = None  # of an XDM archive that could be opened; its problems are there
    mail: check_mail.Mail | None = None  # of a mail that could be read


def check(
    paths: Iterable[Path], deep: bool = False, allow_test_ins: bool = False, mapping: LogMapping | None = None
) -> Iterator[Result]:
    """Read files and folders, one after the other; never raises for what they hold.

    ``deep`` adds the structural validation by hl7apy; ``allow_test_ins`` counts test and demonstration INS as real ones. With
    ``mapping`` every file is a log: a result for each line that is not passed over, ``file`` with the number of the line.
    """
    checker = _Checker(deep=deep, allow_test_ins=allow_test_ins, mapping=mapping)
    for path in paths:
        if path.is_dir():
            for file in _files(path):
                yield from checker.file(file, named=False)
        else:
            yield from checker.file(path, named=True)


def _ours(head: bytes) -> bool:
    """Whether a file met in a folder is plainly something to read; JSON is many other things than FHIR."""
    if _HL7_START.match(charset.utf8(head[:512])) or head.startswith(_ZIP):
        return True
    known = formats.of(head)
    return known is not hl7.FORMAT and (known is not fhir.FORMAT or b"resourceType" in head or b"fhir" in head)


def _prose(raw: bytes) -> bool:
    """Whether a piece of a file is plain text for people: printable, and no delimiter of HL7 or XML."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not set("|<>{}") & set(text) and all(line.isprintable() for line in text.splitlines())


def to_json(result: Result) -> dict[str, Any]:
    """A result as the JSON object that ``jauge check --json`` prints."""
    shown: dict[str, Any] = {"file": result.file, "format": result.format, "ok": result.ok}
    if result.format == "hl7" or result.trace is not None or result.mail is not None:
        shown["message"] = result.message
    shown["problems"] = check_document.problems_json(result.problems)
    if result.document is not None:
        shown |= check_document.to_json(result.document)
    if result.documents:
        shown["documents"] = [check_document.nested_json(one) for one in result.documents]
    if result.trace is not None:
        shown |= check_traces.to_json(result.trace, _remedies())
    if result.xdm is not None:
        shown |= check_xdm.to_json(result.xdm)
    if result.mail is not None:
        shown |= check_mail.to_json(result.mail)
    return shown


@cache
def _remedies() -> remedies.Remedies:
    return remedies.load()


def _files(folder: Path) -> Iterator[Path]:
    """Files of a folder, sorted, without hidden ones and without following links to folders."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)


class _Checker:
    def __init__(self, *, deep: bool, allow_test_ins: bool, mapping: LogMapping | None) -> None:
        self._line = None if mapping is None else log.reader(mapping)
        self._deep = deep
        self._allow_test = allow_test_ins
        key = secrets.token_bytes(32)  # of this run only: nothing here can be joined with anything else

        def pseudonym(kind: str, scope: str, value: bytes) -> bytes:
            return blake2b(f"{kind}\0{scope}\0".encode() + value, key=key, digest_size=16).digest()

        self._context = msgspec.structs.replace(contexts.default(), pseudonym=pseudonym, memo=contexts.Memo())
        self._kinds = check_traces.Kinds(pseudonym)
        self._traced = msgspec.structs.replace(self._context, pseudonym=self._kinds, memo=contexts.Memo())

    def file(self, path: Path, *, named: bool) -> Iterator[Result]:
        """The results of one file; none when it was met in a folder and is nothing of ours."""
        name = os.fsencode(path).decode("utf-8", "replace")
        if self._line is not None:
            yield from self._lines(name, path, self._line)
            return
        try:
            if not named and path.suffix.lower() not in SUFFIXES:
                with path.open("rb") as file:
                    head = file.read(HEAD)
                if not _ours(head):
                    return
            data = path.read_bytes()
        except OSError:
            yield Result(name, "unknown", False, (Flag("file-unreadable", "file"),))
            return
        if data.startswith(_ZIP):
            if named or xdm.looks_like(data):
                yield self._archive(name, data)
            return
        known, plain = formats.opened(data)
        if known is mail.FORMAT:
            for raw in known.split(plain):
                yield self._mail(name, raw)
        elif known is not hl7.FORMAT:
            for raw in known.split(plain):
                yield self._trace(name, raw, known.name, formats.parse)
        elif _XML.match(plain[:512]):
            yield self._lone(name, data)
        elif _HL7.search(plain, 0, _HEAD):
            empty = True
            for raw in batch.split(plain):
                empty = False
                found = self._message(name, raw)
                if not found.ok and not _HL7.search(raw) and _prose(raw):
                    # A sentence before or between the messages of a file is no message.
                    found = Result(name, "text", True, (Flag("text-between-messages", "byte 0"),))
                yield found
            if empty:
                yield Result(name, "hl7", True, (Flag("batch-empty", "FHS"),))
        else:
            yield Result(name, "unknown", False, (Flag("unknown-format", "byte 0"),))

    def _lone(self, name: str, data: bytes) -> Result:
        """A file that is XML. A CDA has no status of identity: an INS in it is the sender's word that it is qualified."""
        try:
            found = cda.read(data)
        except ParseError as error:
            if error.code == "not-a-cda" or b"ClinicalDocument" not in data.replace(b"\0", b""):
                return Result(name, "unknown", False, (Flag("unknown-format", error.where),))
            document = check_document.unreadable("", error)
        else:
            qualified = ins.counts(found.ins_root, allow_test=self._allow_test) and bool(found.matricule)
            document = check_document.readable("", found, qualified=qualified)
        return Result(name, "cda", document.ok, document.problems, document=document)

    def _archive(self, name: str, data: bytes) -> Result:
        """A ZIP: an XDM, or nothing of ours."""
        try:
            found = check_xdm.read(data, allow_test=self._allow_test)
        except ParseError as error:
            form = "xdm" if xdm.looks_like(data) else "unknown"
            return Result(name, form, False, (Flag(error.code, error.where),))
        return Result(name, "xdm", found.ok, (), xdm=found)

    def _mail(self, name: str, raw: bytes) -> Result:
        """A mail, alone or of an mbox file."""
        try:
            parsed, found, problems = check_mail.read(raw, self._context, allow_test=self._allow_test)
        except ParseError as error:
            return Result(name, "mail", False, (Flag(error.code, error.where),))
        return Result(name, "mail", found.ok, problems, parsed.message, mail=found)

    def _lines(self, name: str, path: Path, parse: Parse) -> Iterator[Result]:
        """The lines of a log (``.gz`` too) that its mapping does not pass over."""
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
                for number, raw in enumerate(lines, 1):
                    found = self._trace(f"{name}:{number}", raw, "log", parse)
                    if found.problems or found.trace != Trace():
                        yield found
        except (OSError, EOFError, zlib.error):
            yield Result(name, "unknown", False, (Flag("file-unreadable", "file"),))

    def _trace(self, name: str, raw: bytes, form: str, parse: Parse) -> Result:
        """One message of a trace of a submission."""
        self._kinds.forget()
        try:
            parsed = parse(raw, self._traced)
        except ParseError as error:
            return Result(name, form, False, (Flag(error.code, error.where),))
        trace = check_traces.read(parsed, self._kinds, allow_test=self._allow_test, known_type=kinds.code)
        return Result(name, form, True, tuple(dict.fromkeys(parsed.flags)), parsed.message, trace=trace)

    def _message(self, name: str, raw: bytes) -> Result:
        try:
            parsed = hl7.parse(raw, self._context)
            message = er7.Message(raw)
        except ParseError as error:
            return Result(name, "hl7", False, (Flag(error.code, error.where),))
        documents = tuple(self._documents(message)) if parsed.message.startswith(("MDM", "ORU")) else ()
        if not any(isinstance(fact, facts.Document) for fact in parsed.facts):
            # A mail that came in, a request of teleradiology: what it carries need not be a CDA.
            documents = tuple(document for document in documents if document.ok)
        theirs = {flag for document in documents if document.ok for flag in document.problems}
        problems = tuple(dict.fromkeys(flag for flag in parsed.flags if flag not in theirs))
        if self._deep:
            problems += deep.validate(raw)
        # A placeholder, or another format than XML, is a remark on a message that was read; a damaged CDA is not.
        ok = all(document.ok or document.problems[0].code == _PLACEHOLDER for document in documents)
        read = next((document for document in documents if document.ok), None)
        return Result(name, "hl7", ok, problems, message=parsed.message, document=read, documents=documents)

    def _documents(self, message: er7.Message) -> Iterator[Document]:
        context = self._context
        pid, zfd = message.first(b"PID"), message.first(b"ZFD")
        who = patient.read(pid, message.encoding, context)
        verdict = ins.qualified(
            who.numbers.ins_root if who.numbers.ins is not None else INS_NONE,
            who.status,
            birth_corrected=zfd is not None and zfd.code(4) == "Y",
            allow_test=self._allow_test,
        )
        for place, obx in enumerate(message.all(b"OBX")):
            if obx.code(2) != "ED" or obx.code(3).startswith(_BODY_MAIL):
                continue
            if payloads.subtype(obx, message) in payloads.NOT_CDA:
                continue
            where = f"OBX[{place + 1}]-5"
            try:
                data = payloads.decode(message, obx, context.max_document_bytes)
                found = cda.read(data, cda.Limits(size=context.max_document_bytes))
            except ParseError as error:
                yield check_document.unreadable(where, error)
                continue
            same = found.ins_root == who.numbers.ins_root and (
                context.pseudonym("ins", "", found.matricule.encode("utf-8", "replace")) == who.numbers.ins
            )
            yield check_document.readable(where, found, qualified=verdict.qualified and same)


def render(results: Sequence[Result], console: Console) -> None:
    """Show results to people: a line for each message and document, then the sum."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("", "File", "Content", "Type", "Kind", "Level", "INS", "Remarks"):
        table.add_column(heading, overflow="fold")
    for result in results:
        name = Path(result.file).name
        if result.format == "cda" and result.document is not None:
            table.add_row(check_document.mark(result.ok), Text(name), "CDA", *check_document.cells(result.document))
            continue
        if result.xdm is not None:
            content = check_xdm.content(result.xdm)
            remarks = check_xdm.counted(result.xdm.problems)
            table.add_row(check_document.mark(result.ok), Text(name), content, "", "", "", "", remarks)
            for mark, place, *cells in check_xdm.rows(result.xdm):
                table.add_row(mark, "", Text(place), *cells)
            continue
        content = result.message or result.format
        remarks = check_document.listed(result.problems)
        if result.mail is not None and not result.mail.outcomes:
            remarks = Text("\n").join(filter(None, (Text(check_mail.summary(result.mail)), remarks)))
        table.add_row(check_document.mark(result.ok), Text(name), Text(content), "", "", "", "", remarks)
        for document in result.documents:
            table.add_row(
                check_document.mark(document.ok), "", Text(f"  CDA {document.where}"), *check_document.cells(document)
            )
        for row in check_traces.rows(result.trace, _remedies()) if result.trace is not None else ():
            table.add_row("", "", *map(Text, row))
        for mark, place, *cells in check_mail.rows(result.mail) if result.mail is not None else ():
            table.add_row(mark, "", Text(place), *cells)
    console.print(table)
    for result in results:
        lines = list(check_xdm.explained(result.xdm)) if result.xdm is not None else []
        lines += check_mail.explained(result.mail) if result.mail is not None else []
        if lines:
            console.print(Text(Path(result.file).name))
        for line in lines:
            console.print(line)
    outcomes = [outcome for result in results if result.trace is not None for outcome in result.trace.outcomes]
    for code, advice in check_traces.meanings(outcomes, _remedies()).items():
        console.print(Text(f"{code}: {advice}"))
    for code, sentence in _meanings(results).items():
        console.print(Text(f"{code}: {sentence}"))
    flawed = sum(not result.ok and (result.xdm or result.mail) is not None for result in results)
    wrong = sum(not result.ok for result in results) - flawed
    parts = [f"{len(results)} read", *([f"{wrong} not readable"] if wrong else [])]
    console.print(", ".join([*parts, *([f"{flawed} with errors"] if flawed else [])]) + ".")


def _meanings(results: Sequence[Result]) -> dict[str, str]:
    """Code -> what it means and what to do, of the remarks on messages and documents, as they come; those of archives and mails are beside them."""
    from engine.codes import codes

    said = [flag for result in results if result.xdm is None and result.mail is None for flag in result.problems]
    said += [flag for result in results for document in result.documents for flag in document.problems]
    known = {**codes(), **CODES} if said else {}
    return {flag.code: known[flag.code] for flag in said if flag.code in known}
