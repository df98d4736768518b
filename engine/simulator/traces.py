"""What the platform leaves of its submissions: lines of its log, dumped exchanges, audit messages, FHIR posts.

Written once everything has happened, with accidents of their own: lost answers, lines twice, files late by days.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from random import Random
from typing import Final

from engine.simulator import render_atna, render_fhir, render_log, render_xds
from engine.simulator.clock import DAY, HOUR, Clock
from engine.simulator.log_shapes import Shapes
from engine.simulator.patients import ROOT
from engine.simulator.platform import Entry, Platform, Submission
from engine.simulator.render_cda import OIDS
from engine.simulator.render_xds import Part, Set
from engine.simulator.traffic import AUDIT, CAPTURE, FHIR, LOG, Envelope, Traffic

FORMATS: Final = {1: "urn:ihe:iti:xds-sd:pdf:2008", 2: "urn:ihe:iti:xds-sd:text:2008", 3: "urn:ihe:lab:xd-lab:2008"}


class Traces:
    """Turns submissions into envelopes."""

    def __init__(self, platform: Platform, random: Random, clock: Clock, traffic: Traffic) -> None:
        self.platform = platform
        self.random = random
        self.clock = clock
        self.traffic = traffic
        self.shapes = Shapes(random, clock)

    def write(self) -> None:
        """Everything that was submitted, and the chatter around it."""
        for submission in self.platform.submissions:
            for trace in submission.traces:
                if trace == "log":
                    self._log(submission)
                elif trace == "capture":
                    self._capture(submission)
                elif trace == "audit":
                    self._audit(submission)
                elif trace == "fhir":
                    self._fhir(submission)
        seen = [
            each.version
            for each in self.platform.submissions
            if {"capture", "fhir"} & {*each.traces} and each.request != "deletion"
        ]
        shown = {id(version) for version in seen}
        for submission in self.platform.submissions:
            if submission.report.direct and id(submission.version) not in shown:
                submission.version.unseen = True

    def _leave(self, feed: str, due: int, payload: bytes) -> None:
        """One payload on its way: now and then days late, now and then twice."""
        rng = self.random
        due += rng.randint(HOUR, 6 * DAY) if rng.random() < 0.03 else rng.randint(0, 3)
        self.traffic.envelopes.append(Envelope(feed, due, payload))
        if rng.random() < 0.015:
            self.traffic.envelopes.append(Envelope(feed, due + rng.choice((0, 5, HOUR, 2 * DAY)), payload))
            self.traffic.counts.duplicates += 1

    # ---- the log

    def _log(self, submission: Submission) -> None:
        for at, payload in self.shapes.lines(submission):
            self._leave(LOG, at, payload)
        if self.random.random() < 0.3:
            self.traffic.envelopes.append(
                Envelope(LOG, submission.at, render_log.chatter(self._iso(submission.at), self.random))
            )
            self.traffic.counts.passed += 1

    # ---- dumped exchanges

    def _capture(self, submission: Submission) -> None:
        rng = self.random
        what = self._set(submission)
        what.head = rng.random() < 0.75
        if submission.request == "deletion":
            unknown = tuple((each.uuid, each.unique_id) for each in submission.entries if not each.known)
            if unknown or rng.random() < 0.1:
                every = tuple((each.uuid, each.unique_id) for each in submission.entries)
                asked = Set(
                    message_id=self._number(),
                    set_id="",
                    submitted="",
                    patient=what.patient,
                    source_patient="",
                    parts=(),
                )
                asked.date = formatdate(submission.at - 5, usegmt=True)
                self._leave(CAPTURE, submission.at - 5, render_xds.found(asked, unknown or every))
            payload = render_xds.deletion(what, tuple(each.uuid for each in submission.entries))
        else:
            payload = render_xds.request(what)
        self._leave(CAPTURE, submission.at, payload)
        answer = submission.said("capture")
        if answer is None:
            return
        update = submission.request == "deletion"
        back = self._set(submission)
        back.date = formatdate(answer.at, usegmt=True)
        if answer.failed:
            payload = render_xds.fault(back)
        elif answer.accepted:
            payload = render_xds.accepted(back, warning=rng.random() < 0.05, update=update)
        else:
            payload = render_xds.refused(back, answer.code, update=update)
        self._leave(CAPTURE, answer.at, payload)

    def _set(self, submission: Submission) -> Set:
        who = submission.entries[0].document
        forms = ("xop", "xop", "xop", "base64", "inline", "plain")
        return Set(
            message_id=submission.message_id,
            set_id=submission.set_id,
            submitted=_utc(submission.at),
            patient=f"{who.matricule}^^^&{ROOT}{who.ins_root}&ISO^NH",
            source_patient=f"{who.ipp}^^^&{OIDS}.1&ISO^PI",
            parts=tuple(self._part(each, submission, utc=True) for each in submission.entries),
            form=forms[int(submission.message_id[:2], 16) % len(forms)],
            date=formatdate(submission.at, usegmt=True),
        )

    def _part(self, entry: Entry, submission: Submission, *, utc: bool) -> Part:
        version, document = submission.version, entry.document
        moment = _utc if utc else self._iso
        parent = submission.parent if submission.request == "replacement" else None
        replaces = ""
        if parent is not None:
            replaces = parent.uuid if utc else parent.unique_id
        return Part(
            name=entry.symbol,
            unique_id=entry.unique_id,
            type_code=document.type_code,
            format_code=FORMATS[document.level],
            created=moment(version.created),
            service_start=moment(submission.report.service_start),
            content=entry.content,
            measured=entry.uuid[-1] < "8",
            replaces=replaces,
        )

    def _number(self) -> str:
        digits = f"{self.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    # ---- audit messages

    def _audit(self, submission: Submission) -> None:
        answer = submission.said("audit")
        if answer is None:
            return
        who = submission.entries[0].document
        patient = f"{who.matricule}^^^&{ROOT}{who.ins_root}&ISO^NH"
        what = render_atna.Audit(
            self._iso(answer.at), patient, submission.set_id, answer.accepted, self.random.randint(1_000, 9_999)
        )
        self._leave(AUDIT, answer.at, render_atna.message(what))

    # ---- FHIR

    def _fhir(self, submission: Submission) -> None:
        if submission.request == "deletion":
            return
        who = submission.entries[0].document
        what = render_fhir.Provide(
            submission.message_id,
            submission.set_id,
            self._iso(submission.at),
            who.matricule,
            f"{ROOT}{who.ins_root}",
            who.ipp,
            f"{OIDS}.1",
            tuple(self._part(each, submission, utc=False) for each in submission.entries),
        )
        self._leave(FHIR, submission.at, render_fhir.request(what))
        answer = submission.said("fhir")
        if answer is None:
            return
        at, date = self._iso(answer.at), formatdate(answer.at, usegmt=True)
        if answer.accepted:
            self._leave(FHIR, answer.at, render_fhir.accepted(what, at, date))
        else:
            self._leave(FHIR, answer.at, render_fhir.refused(what, answer.code, at, date))
        if submission.disputed != "fhir" and self.random.random() < 0.2:
            self._leave(FHIR, answer.at, render_fhir.audit(what, at, success=answer.accepted))

    def _iso(self, at: int) -> str:
        return self.clock.iso(at)


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%S")
