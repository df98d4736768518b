"""How the lines of a log are read: what a mapping says, as typed and frozen settings. No file is opened here (``engine.mappings``).

A mapping names the log's own fields for ours, the log's words for an outcome, and how its times are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field, structs

Status: TypeAlias = Literal[
    "sent", "taken", "accepted", "refused", "failed", "deleted", "deletion_refused", "ignored"
]  # fmt: skip

ISO8601: Final = "iso8601"
EPOCH: Final = "epoch"
EPOCH_MS: Final = "epoch-ms"
HL7_TIME: Final = "hl7"
TIMES: Final = (ISO8601, EPOCH, EPOCH_MS, HL7_TIME)
"""Ways of writing a time that have a name; anything else is a pattern of ``strptime``."""


class Fields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log's name of each of our fields; empty: the log does not have it."""

    at: Annotated[str, Meta(description="When the line was written.")] = ""
    status: Annotated[str, Meta(description="What became of the submission, in the words of `status`.")] = ""
    document: Annotated[str, Meta(description="uniqueId of the document: root, or root^extension.")] = ""
    set_id: Annotated[str, Meta(description="setId of the CDA.")] = ""
    version: Annotated[str, Meta(description="versionNumber of the CDA.")] = ""
    hl7_document: Annotated[str, Meta(description="TXA-12 of the HL7 message that carried the document.")] = ""
    sha1: Annotated[str, Meta(description="SHA-1 of the document, in hexadecimal.")] = ""
    entry: Annotated[str, Meta(description="entryUUID of the document in the DMP.")] = ""
    submission_set: Annotated[str, Meta(description="uniqueId of the submission set.")] = ""
    message: Annotated[str, Meta(description="wsa:MessageID of the request, or correlation id of the HTTP one.")] = ""
    control: Annotated[str, Meta(description="MSH-10 of the HL7 message that asked for the submission.")] = ""
    sender: Annotated[str, Meta(description="Who sent that message: APP@FACILITY (MSH-3 and MSH-4).")] = ""
    ins: Annotated[str, Meta(description="Matricule INS of the patient.")] = ""
    ins_root: Annotated[str, Meta(description="OID of its authority: 1.2.250.1.213.1.4.8 ...")] = ""
    ipp: Annotated[str, Meta(description="IPP of the patient.")] = ""
    ipp_root: Annotated[str, Meta(description="OID of its authority.")] = ""
    visit: Annotated[str, Meta(description="Number of the venue (PV1-19).")] = ""
    dossier: Annotated[str, Meta(description="Number of the dossier (PID-18).")] = ""
    type_code: Annotated[str, Meta(description="typeCode (LOINC, JDV_J07).")] = ""
    format_code: Annotated[str, Meta(description="formatCode.")] = ""
    created: Annotated[str, Meta(description="When the document was made.")] = ""
    service_start: Annotated[str, Meta(description="Begin of the act or stay it is about.")] = ""
    service_stop: Annotated[str, Meta(description="End of it.")] = ""
    replaces: Annotated[str, Meta(description="uniqueId of the document that it replaces.")] = ""
    request: Annotated[str, Meta(description="Whether it is an initial version or a replacement.")] = ""
    code: Annotated[str, Meta(description="Code of the error.")] = ""


NAMES: Final[tuple[str, ...]] = tuple(info.name for info in structs.fields(Fields))
"""Our fields."""
MOMENTS: Final = ("at", "created", "service_start", "service_stop")
"""Those that are times."""


class LogMapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mapping, as its YAML file says it."""

    format: Annotated[Literal["json", "csv", "regex"], Meta(description="How a line is cut into its fields.")]
    encoding: Annotated[
        Literal["utf-8", "windows-1252", "iso-8859-1", "iso-8859-15"], Meta(description="Charset of the log.")
    ] = "utf-8"
    delimiter: Annotated[str, Meta(description="csv: what is between two columns; `tab` for a tabulation.")] = ";"
    quote: Annotated[str, Meta(max_length=1, description="csv: what is around a column.")] = '"'
    columns: Annotated[
        tuple[str, ...],
        Meta(description="csv: names of the columns, in their order. A line that holds them is a header."),
    ] = ()
    patterns: Annotated[
        tuple[str, ...],
        Meta(
            description="regex: matched from the begin of the line, one after the other; named groups are the fields."
        ),
    ] = ()
    other_lines: Annotated[
        Literal["ignore", "reject"] | None,
        Meta(
            description="A line of another form: `reject` (put aside, counted) or `ignore`. None given: ignore for regex only."
        ),
    ] = None
    where: Annotated[
        Mapping[str, tuple[str, ...]],
        Meta(description="Fields of the log and the values of the lines to read; every other line is passed over."),
    ] = field(default_factory=dict)
    absent: Annotated[tuple[str, ...], Meta(description="Words that stand for no value.")] = ("-", "null", "NULL")
    time: Annotated[str, Meta(min_length=1, description="How times are written.")] = ISO8601
    times: Annotated[Mapping[str, str], Meta(description="How one of our fields is written, when not as `time`.")] = (
        field(default_factory=dict)
    )
    zone: Annotated[
        str,
        Meta(
            description="IANA time zone of times without offset. Empty: the feed's.", extra={"vocabulary": "time zone"}
        ),
    ] = ""
    fields: Annotated[Fields, Meta(description="The log's name of each of our fields.")]
    constants: Annotated[
        Mapping[str, str], Meta(description="Value of one of our fields that the log does not write.")
    ] = field(default_factory=dict)
    status: Annotated[Mapping[str, Status], Meta(description="The log's word for each outcome.")] = field(
        default_factory=dict
    )
    requests: Annotated[
        Mapping[str, Literal["initial", "replacement"]], Meta(description="The log's words for `request`.")
    ] = field(default_factory=dict)

    @property
    def ignores_others(self) -> bool:
        """Whether a line of another form is passed over."""
        return (self.other_lines or ("ignore" if self.format == "regex" else "reject")) == "ignore"

    @property
    def separator(self) -> str:
        """The character between two columns."""
        return "\t" if self.delimiter == "tab" else self.delimiter

    def source(self, name: str) -> str:
        """The log's name of one of our fields; empty when it has none."""
        return str(getattr(self.fields, name))

    def has(self, name: str) -> bool:
        """Whether a line can give this field."""
        return bool(self.source(name)) or name in self.constants

    def time_format(self, name: str) -> str:
        """How this field writes a time."""
        return self.times.get(name, self.time)
