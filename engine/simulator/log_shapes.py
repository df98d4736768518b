"""How much the log says of one submission: all of it, its document, its HL7 message, or next to nothing."""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, Final

from engine.simulator import render_log
from engine.simulator.clock import DAY, Clock
from engine.simulator.patients import ROOT
from engine.simulator.platform import Answer, Entry, Submission

if TYPE_CHECKING:
    from engine.simulator.documents import Report

_FORMATS: Final = {1: "urn:ihe:iti:xds-sd:pdf:2008", 2: "urn:ihe:iti:xds-sd:text:2008", 3: "urn:ihe:lab:xd-lab:2008"}
_SHAPES: Final = {
    "full": 34,
    "two": 22,
    "split": 10,
    "lean": 14,
    "chain": 5,
    "hl7": 5,
    "sha1": 4,
    "control": 8,
    "weak": 6,
}
_FAR: Final = 3 * DAY

Lines = list[tuple[int, bytes]]


class Shapes:
    """Chooses a shape for each submission and writes its lines."""

    def __init__(self, random: Random, clock: Clock) -> None:
        self.random = random
        self.clock = clock

    def lines(self, submission: Submission) -> Lines:
        """The lines of one submission: (when they are written, the line)."""
        answer = submission.said("log")
        if submission.request == "deletion":
            if answer is None:
                return []
            status = "DELETED" if answer.accepted else "DELETION_REFUSED"
            return self._each(submission, answer.at, status, answer)
        shape = self._shape(submission, answer)
        status = _status(answer)
        if answer is None:
            self._seen(submission, submission.at)
            if shape == "lean":
                return self._named(submission, submission.at, "SENT", None, "document_id")
            return self._each(submission, submission.at, "SENT", None)
        if shape == "control":
            values = {
                "control_id": submission.control,
                "sender": str(submission.sender),
                "error_code": self._code(answer),
            }
            return [(answer.at, render_log.line(self.clock.iso(answer.at), status, dict(values)))]
        if shape in ("two", "split"):
            self._seen(submission, submission.at)
            first = self._each(submission, submission.at, "SENT", None)
            if shape == "split":
                last: dict[str, str | int] = {
                    "message_id": f"urn:uuid:{submission.message_id}",
                    "error_code": self._code(answer),
                }
                return [*first, (answer.at, render_log.line(self.clock.iso(answer.at), status, last))]
            if not answer.failed and self.random.random() < 0.2:
                first += self._each(submission, submission.at + 1, "TAKEN", None)
            self._seen(submission, answer.at)
            return first + self._each(submission, answer.at, status, answer)
        self._seen(submission, answer.at)
        if shape == "full":
            return self._each(submission, answer.at, status, answer)
        if shape == "weak":
            return self._weak(submission, answer)
        names = {"lean": "document_id", "chain": "chain_id", "hl7": "hl7_document_id", "sha1": "sha1"}
        return self._named(submission, answer.at, status, answer, names[shape])

    def _seen(self, submission: Submission, at: int) -> None:
        """A line that names the document is one more sending of it, at its own time."""
        if at not in submission.version.sent_at:
            submission.version.sent_at.insert(-1, at)

    def _shape(self, submission: Submission, answer: Answer | None) -> str:
        entries, report = submission.entries, submission.report
        shape = self.random.choices(list(_SHAPES), list(_SHAPES.values()))[0]
        if report.direct and answer is not None and answer.at - submission.at > DAY:
            return "two"  # a line of the answer alone would hide when it was sent, which decides the weaker rates
        if len(submission.traces) > 1 or not submission.alone or len(entries) > 1 or submission.disputed:
            return shape if shape in ("full", "two", "split") else "full"
        if answer is not None and answer.failed and shape not in ("two", "split"):
            return "full"  # a failure ends nothing: without a key, whether the next line goes on with it would be open
        if shape == "control" and (not submission.control or answer is None):
            return "full"
        if shape in ("hl7", "sha1") and (report.direct or entries[0].document.extension):
            return "lean"
        if (
            shape == "chain" and report.direct
        ):  # another line may name it by its id: nothing would say that they are one
            return "lean"
        if shape == "hl7" and report.volet == "1.2" and not report.mdm:  # no TXA: nothing has that number
            return "lean"
        if shape == "weak" and (answer is None or not self._certain(submission, answer)):
            return "lean"
        return shape

    def _certain(self, submission: Submission, answer: Answer) -> bool:
        """Whether the nearest in time, of this type, can only be this one."""
        report = submission.report
        if report.direct or report.owner.complicated or len(report.versions) > 1:
            return False
        moments = (submission.version.created, answer.at)

        def near(other: Report) -> bool:
            times = [other.created, *(at for each in other.versions for at in (each.created, *each.sent_at))]
            return any(abs(one - two) < _FAR for one in times for two in moments)

        rivals = [each for each in report.owner.reports if each.type_code == report.type_code and near(each)]
        sent = submission.version.sent_at
        return rivals == [report] and len(sent) == 1 and answer.at - sent[0] < DAY // 2

    # ---- lines

    def _each(self, submission: Submission, at: int, status: str, answer: Answer | None) -> Lines:
        """One line for each document, with everything that is known."""
        return [
            (at, render_log.line(self.clock.iso(at), status, self._everything(submission, entry, answer)))
            for entry in submission.entries
        ]

    def _everything(self, submission: Submission, entry: Entry, answer: Answer | None) -> dict[str, str | int]:
        report, version, document = submission.report, submission.version, entry.document
        parent = submission.parent if submission.request == "replacement" else None
        control = submission.control if submission.alone else ""
        values: dict[str, str | int] = {
            "document_id": entry.unique_id,
            "chain_id": document.chain,
            "version": document.version,
            "sha1": hashlib.sha1(entry.content, usedforsecurity=False).hexdigest(),
            "entry_uuid": entry.uuid if entry.named or answer is not None else entry.symbol,
            "submission_set": submission.set_id,
            "message_id": f"urn:uuid:{submission.message_id}",
            "control_id": control,
            "sender": str(submission.sender) if control else "",
            "ipp": document.ipp,
            "type_code": document.type_code,
            "format_code": _FORMATS[document.level],
            "created": self.clock.iso(version.created),
            "service_start": self.clock.iso(report.service_start),
            "visit": self._visit(report),
            "error_code": self._code(answer),
        }
        if submission.request != "deletion":
            values["request"] = submission.request
            values["replaces"] = parent.unique_id if parent is not None else ""
        return values | self._ins(entry)

    def _named(self, submission: Submission, at: int, status: str, answer: Answer | None, name: str) -> Lines:
        """One line that names the document by one identifier, and the patient."""
        report, entry = submission.report, submission.entries[0]
        document = entry.document
        values: dict[str, str | int] = dict(self._ins(entry))
        if name == "document_id":
            values[name] = entry.unique_id
        elif name == "chain_id":
            values |= {name: document.chain, "version": document.version}
        elif name == "sha1":
            values[name] = hashlib.sha1(entry.content, usedforsecurity=False).hexdigest()
        else:
            values[name] = str(submission.version.number) if report.volet == "1.2" else document.root
        if report.direct and len(report.versions) > 1:  # nothing else would tell whose version it is
            values |= {"chain_id": document.chain, "version": document.version}
        if report.direct:
            values |= {"type_code": document.type_code, "created": self.clock.iso(submission.version.created)}
            values |= {"service_start": self.clock.iso(report.service_start), "ipp": document.ipp}
            values |= {"visit": self._visit(report) if self.random.random() < 0.7 else ""}
        values["error_code"] = self._code(answer)
        return [(at, render_log.line(self.clock.iso(at), status, values))]

    def _weak(self, submission: Submission, answer: Answer) -> Lines:
        """One line without any identifier: a venue or a patient, a type and a time."""
        report, entry = submission.report, submission.entries[0]
        visit = self._visit(report)
        who: dict[str, str | int] = {"visit": visit} if visit and self.random.random() < 0.5 else dict(self._ins(entry))
        values = who | {
            "type_code": report.type_code,
            "created": self.clock.iso(submission.version.created),
            "error_code": self._code(answer),
        }
        return [(answer.at, render_log.line(self.clock.iso(answer.at), _status(answer), values))]

    def _ins(self, entry: Entry) -> dict[str, str | int]:
        return {"ins": entry.document.matricule, "ins_oid": f"{ROOT}{entry.document.ins_root}"}

    def _visit(self, report: Report) -> str:
        return report.stay.visit if report.stay is not None and report.linked == "visit" else ""

    def _code(self, answer: Answer | None) -> str:
        if answer is None:
            return ""
        return "soap-fault" if answer.failed else answer.code


def _status(answer: Answer | None) -> str:
    if answer is None:
        return "SENT"
    return "FAILED" if answer.failed else "ACCEPTED" if answer.accepted else "REFUSED"
