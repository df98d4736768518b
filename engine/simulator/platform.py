"""The platform (PFI) that submits documents to the DMP: each submission, what the DMP answered, and the traces it leaves.

It decides and remembers; the traces are written at the end by ``traces``. One submission is one attempt of docs/rules.md section
7, however many traces it leaves: :class:`Attempt` is what the hospital knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from engine.simulator.applications import LABEXT, PFI, Endpoint
from engine.simulator.clock import DAY, Clock
from engine.simulator.render_cda import BIOLOGY, IMAGING, LETTER, OIDS, OPERATION, PRESCRIPTION, Document

if TYPE_CHECKING:
    from engine.simulator.documents import Report, Version

Trace = Literal["zam", "log", "syslog", "fhir", "capture", "all"]
TRACES: Final[tuple[Trace, ...]] = ("zam", "log", "syslog", "fhir", "capture", "all")

CODES: Final = (
    "XDSUnknownPatientId", "XDSPatientIdDoesNotMatch", "XDSRegistryMetadataError", "XDSRepositoryMetadataError",
    "XDSDuplicateUniqueIdInRegistry", "InvalidDocumentContent", "XDSRegistryBusy", "DMPHorsTable",
)  # fmt: skip
"""Why the DMP refuses; the last one is in no public table."""

PUBLIC: Final = frozenset({*CODES[:-1], "AE", "AR", "CE", "CR", "audit-8", "soap-fault"})
"""The codes of public tables: any other is counted as ``other``."""

STRENGTH: Final = {"log": 0, "audit": 1, "zam": 2, "fhir": 3, "capture": 3}

# What a submission of each mode leaves; in "all", subsets with their weights: each names its document, or is tied to one that does.
_ALONE: Final = {"log": ("log",), "syslog": ("audit",), "fhir": ("fhir",), "capture": ("capture",)}
_TOGETHER: Final = {
    ("zam",): 18, ("log",): 12, ("capture",): 12, ("fhir",): 6, ("zam", "log"): 10, ("zam", "capture"): 9, ("zam", "fhir"): 4,
    ("log", "capture"): 8, ("log", "fhir"): 4, ("log", "audit"): 5, ("audit", "capture"): 4, ("zam", "log", "capture"): 4,
    ("zam", "log", "audit"): 2, ("log", "audit", "capture"): 2,
}  # fmt: skip
_DISPUTES: Final = (("log", "capture"), ("log", "zam"), ("zam", "capture"), ("log", "fhir"), ("audit", "capture"))
_DIRECT: Final = frozenset({LETTER, PRESCRIPTION, OPERATION, BIOLOGY, IMAGING})
_SHARE: Final = 0.12
_STEADY: Final = 8 * DAY

# What cannot be played outside the ZAM, because the rules would leave it open, and what is played in its stead.
_INSTEAD: Final[dict[str, dict[str, str]]] = {
    "log": {"skewed": "accepted", "twice": "accepted"},
    "capture": {"skewed": "accepted", "twice": "accepted"},
    "fhir": {"skewed": "accepted", "twice": "accepted", "kept": "accepted"},
    "syslog": {"skewed": "accepted", "twice": "accepted", "kept": "accepted", "flipped": "healed", "flopped": "insisted"},
    "all": {"skewed": "accepted", "twice": "accepted", "flipped": "healed", "flopped": "insisted", "copied": "accepted"},
}  # fmt: skip
_BYPASSING: Final = frozenset(
    {
        "accepted", "tardy", "flipped", "flopped", "refused", "healed", "insisted", "silent", "faulted", "recovered",
        "replaced", "spoiled", "corrected", "deleted", "erased", "withdrawn", "kept", "resubmitted", "disputed",
    }
)  # fmt: skip
_REMOVING: Final = frozenset({"deleted", "erased", "withdrawn", "kept", "resubmitted"})


@dataclass(slots=True)
class Answer:
    """What came back of a submission. ``failed``: a SOAP fault or a broken connection; the DMP itself said nothing."""

    at: int
    accepted: bool
    code: str = ""
    failed: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Entry:
    """One document of a submission: the CDA, its bytes, and the names it has in the request and at the DMP."""

    document: Document
    content: bytes
    symbol: str  # its id in the request: a symbol, or the UUID itself
    uuid: str  # the DMP's entryUUID
    shown: bool = False  # some dumped request tells the two together

    @property
    def unique_id(self) -> str:
        """XDSDocumentEntry.uniqueId: the CDA id."""
        return self.document.root + (f"^{self.document.extension}" if self.document.extension else "")

    @property
    def named(self) -> bool:
        """Whether the request itself tells the entryUUID."""
        return self.symbol == self.uuid

    @property
    def known(self) -> bool:
        """Whether a dumped request tied the entryUUID to the document."""
        return self.named and self.shown


@dataclass(slots=True, eq=False, repr=False)
class Submission:
    """One submission to the DMP, or one request to take documents out of it (``request`` deletion)."""

    report: Report
    version: Version
    at: int
    request: str  # initial, replacement, deletion
    control: str  # MSH-10 of the HL7 message that asked for it, "" when none did
    sender: Endpoint
    message_id: str
    set_id: str
    entries: tuple[Entry, ...]
    answer: Answer | None
    traces: tuple[str, ...]
    disputed: str = ""  # the trace that says the opposite
    mute: str = ""  # the trace whose answer was lost
    parent: Entry | None = None  # what it replaces
    alone: bool = True  # the only submission that the HL7 message gave rise to

    def said(self, trace: str) -> Answer | None:
        """The answer as this trace tells it."""
        answer = self.answer
        if answer is None or trace == self.mute:
            return None
        if trace == self.disputed:
            return Answer(answer.at, not answer.accepted, "" if not answer.accepted else CODES[0])
        return answer


@dataclass(slots=True, eq=False, repr=False)
class Attempt:
    """One attempt of docs/rules.md section 7, and how it ended: "", accepted, refused or failed."""

    version: Version
    at: int
    deletion: bool = False
    outcome: str = ""
    code: str = ""
    contradictions: int = 0


@dataclass(slots=True, eq=False, repr=False)
class Request:
    """What an application asks of the platform: one sending of one version."""

    report: Report
    version: Version
    at: int
    request: str
    dmp: str
    technical: str
    to: Endpoint
    control: str = ""
    fault: bool = False
    disputed: bool = False
    answers: tuple[tuple[int, bool], ...] = ()


class Platform:
    """Submits what it is asked to, in one mode; ``zam`` leaves the ZAM alone and changes nothing of the traffic."""

    def __init__(self, trace: Trace, random: Random, clock: Clock, *, set_ids: bool = False) -> None:
        self.trace: Trace = trace
        self.set_ids = set_ids and trace == "syslog"
        self.random = random
        self.clock = clock
        self.submissions: list[Submission] = []
        self.attempts: list[Attempt] = []
        self._sets = 9_000
        self._entries: dict[str, Entry] = {}

    @property
    def plain(self) -> bool:
        """Whether the ZAM is all there is."""
        return self.trace == "zam"

    @property
    def measurable(self) -> bool:
        """Whether the traces name their documents, or are tied to what does: then what is measured is the truth."""
        return self.trace != "syslog" or self.set_ids

    # ---- what may be played

    def playable(self, plot: str, report: Report) -> str:
        """The plot, or the one that stands for it where the rules would leave it open."""
        if self.plain:
            return plot
        if report.direct:
            plot = plot if plot in _BYPASSING else "accepted"
            if self.trace == "fhir" and plot in _REMOVING:
                return "accepted"
        return _INSTEAD[self.trace].get(plot, plot)

    def bypasses(self, report: Report, at: int) -> bool:
        """Whether this report goes straight to the DMP, so that no HL7 message carries it."""
        stay = report.stay
        known = report.type_code in _DIRECT and report.own and report.sender != LABEXT and not report.versions
        if self.trace in ("zam", "syslog") or not known or report.owner.complicated or report.historical:
            return False
        face = report.owner.face
        steady = not any(at - _STEADY < change.since < at + _STEADY for change in face.timeline[1:])
        if not steady or not face.identity(at).qualified or self.random.random() >= _SHARE:
            return False
        if stay is None:
            return True
        if not (stay.visit and stay.counted and len(stay.bearers) == 1) or report.linked in ("dossier", "encounter"):
            return False
        if self.trace in ("capture", "fhir"):
            report.linked = self.random.choice(("encounter", "patient"))
        return True

    # ---- what it is asked

    def take(self, asked: Request) -> tuple[tuple[int, bool, str], ...]:
        """Takes one sending. Returns the answers that the ZAM tells: (seconds after it, accepted, code)."""
        if asked.report.direct:
            self._direct(asked)
            return ()
        attempt = Attempt(asked.version, asked.at, asked.request == "deletion")
        if asked.dmp == "Y":
            self.attempts.append(attempt)
            if asked.technical not in ("AA", "CA", ""):
                attempt.outcome, attempt.code = "failed", asked.technical
        if self.plain:
            return tuple((wait, accepted, "") for wait, accepted in asked.answers)
        if not self._submits(asked):
            return ()
        if attempt.deletion:
            return self._remove(asked, attempt)
        told: list[tuple[int, bool, str]] = []
        for index, submission in enumerate(self._make(asked)):
            told += self._conclude(submission, attempt if not index else self._opened(asked.version, submission.at))
        return tuple(told)

    def _submits(self, asked: Request) -> bool:
        clean = asked.version.form == "cda" and not asked.version.identity
        return asked.to == PFI and asked.dmp == "Y" and asked.technical in ("AA", "CA", "") and clean

    def submits(self, version: Version) -> bool:
        """Whether the platform would submit this version when it is asked to: the ZAM alone knows no such scruple."""
        return self.plain or (version.form == "cda" and not version.identity)

    def heard(self, accepted: bool, code: str) -> None:
        """The last sending was answered by a ZAM, in the mode that knows nothing else."""
        attempt = self.attempts[-1]
        attempt.outcome, attempt.code = ("accepted", "") if accepted else ("refused", code)

    def _direct(self, asked: Request) -> None:
        if asked.request == "deletion":
            attempt = self._opened(asked.version, asked.at, deletion=True)
            self._remove(asked, attempt)
            return
        for submission in self._make(asked):
            self._conclude(submission, self._opened(asked.version, submission.at))

    def _opened(self, version: Version, at: int, *, deletion: bool = False) -> Attempt:
        self.attempts.append(Attempt(version, at, deletion))
        return self.attempts[-1]

    # ---- submissions

    def next_set(self) -> str:
        """A new submission set id."""
        self._sets += 1
        return f"{OIDS}.20.{self._sets}"

    def _uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def _make(self, asked: Request) -> list[Submission]:
        """The submission of a sending; two when the DMP was asked twice (two answers)."""
        rng, version = self.random, asked.version
        delay = 0 if asked.report.direct else rng.randint(2, 15)
        if self.clock.day(asked.at + delay) != self.clock.day(asked.at):
            delay = 0
        traces = self._traces(asked)
        found: list[Submission] = []
        for index, reply in enumerate(asked.answers or ((0, False),)):
            at = asked.at + delay if not index else asked.at + reply[0] - rng.randint(5, 40)
            answer = self._answer(asked, *reply) if asked.answers or asked.fault else None
            set_id = version.set_ids[-1] if self.set_ids and version.set_ids else self.next_set()
            entries = self._file(version)
            for entry in entries:
                entry.shown = "capture" in traces
            submission = Submission(
                asked.report, version, at, asked.request, asked.control, asked.report.sender, self._uuid(), set_id, entries,
                answer, traces, alone=len(asked.answers) < 2,
            )  # fmt: skip
            submission.parent = self._parent(asked.report, version)
            if asked.disputed:
                submission.disputed = min(traces, key=STRENGTH.__getitem__)
            elif len(traces) > 1 and answer is not None and not answer.failed and rng.random() < 0.15:
                submission.mute = rng.choice([each for each in traces if each != "audit"])
            found.append(submission)
        self.submissions += found
        return found

    def _traces(self, asked: Request) -> tuple[str, ...]:
        rng = self.random
        if self.trace != "all":
            return _ALONE[self.trace]
        if asked.report.direct:  # two of its submissions that leave different traces would be one, when they are near
            before = next((each for each in self.submissions if each.version is asked.version), None)
            if before is not None:
                return before.traces
        if asked.disputed:
            pairs = [pair for pair in _DISPUTES if not (asked.report.direct and "zam" in pair)]
            return rng.choice(pairs)
        if asked.fault:
            return rng.choice((("log",), ("capture",), ("log", "capture")))
        weights = _TOGETHER
        if not asked.technical:  # nothing else would say that the platform took it
            weights = {traces: weight for traces, weight in weights.items() if traces != ("zam",)}
        if asked.report.direct:
            weights = {traces: weight for traces, weight in weights.items() if "zam" not in traces}
        return rng.choices(list(weights), list(weights.values()))[0]

    def _answer(self, asked: Request, wait: int, accepted: bool) -> Answer:
        if asked.fault:
            return Answer(asked.at + max(wait, 20), False, "", failed=True)
        return Answer(asked.at + wait, accepted, "" if accepted else self.random.choice(CODES))

    def _file(self, version: Version) -> tuple[Entry, ...]:
        """The documents of a version, under new names; the DMP keeps the last."""
        symbolic = self.random.random() < 0.5
        found: list[Entry] = []
        for number, (document, text) in enumerate(zip(version.documents, version.payloads, strict=True), 1):
            uuid = f"urn:uuid:{self._uuid()}"
            found.append(Entry(document, text.encode(), f"Document{number:02d}" if symbolic else uuid, uuid))
            self._entries[found[-1].unique_id] = found[-1]
        return tuple(found)

    def _parent(self, report: Report, version: Version) -> Entry | None:
        before = [each for each in report.versions if each.number < version.number and each.documents]
        document = before[-1].documents[0] if before else None
        if document is None or document.extension:
            return None
        return self._entries.get(document.root)

    def _remove(self, asked: Request, attempt: Attempt) -> tuple[tuple[int, bool, str], ...]:
        """A deletion, by the trace that can tell it; the HL7 request alone otherwise."""
        rng = self.random
        able = {"log": ("log",), "capture": ("capture",), "all": ("log", "capture")}.get(self.trace, ())
        if self.trace == "all" and not asked.report.direct:
            able = ("zam", *able)
        entries = tuple(self._entries[key] for key in map(_unique, asked.version.documents) if key in self._entries)
        if not able or not entries:  # nothing can tell it, or nothing was ever submitted
            return ()
        trace = rng.choice(able)
        answer = self._answer(asked, *asked.answers[0]) if asked.answers else None
        if trace == "log" and answer is None and asked.report.direct:
            answer = Answer(asked.at, True)  # the log has no other word of it
        delay = 0 if asked.report.direct else rng.randint(2, 15)
        submission = Submission(
            asked.report, asked.version, asked.at + delay, "deletion", asked.control, asked.report.sender, self._uuid(),
            self.next_set(), entries, answer, (trace,),
        )  # fmt: skip
        self.submissions.append(submission)
        return self._conclude(submission, attempt)

    def _conclude(self, submission: Submission, attempt: Attempt) -> tuple[tuple[int, bool, str], ...]:
        """Writes down how the attempt ended; returns what the ZAM tells of it."""
        answer = submission.answer
        if answer is not None:
            attempt.outcome = "failed" if answer.failed else "accepted" if answer.accepted else "refused"
            strongest = max((each for each in submission.traces if each != submission.mute), key=STRENGTH.__getitem__)
            attempt.code = "soap-fault" if answer.failed else answer.code
            log = submission.said("log") if "log" in submission.traces else None
            if strongest == "audit" and attempt.outcome == "refused" and (log is None or log.accepted):
                attempt.code = "audit-8"  # an audit tells no code; a log that agrees does
            attempt.contradictions = int(bool(submission.disputed))
        told = submission.said("zam") if "zam" in submission.traces else None
        if told is None:
            return ()
        return ((told.at - attempt.at, told.accepted, told.code),)


def _unique(document: Document) -> str:
    return document.root + (f"^{document.extension}" if document.extension else "")
