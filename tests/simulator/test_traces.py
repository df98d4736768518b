"""What the platform leaves of its submissions can be read, names what it should, and is told once by the truth."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import Counter
from datetime import date, timedelta
from email import message_from_bytes
from email.message import Message
from functools import cache

import pytest
from fhir.resources.R4B import get_fhir_model_class
from lxml import etree

from engine.simulator.hospital import Hospital
from engine.simulator.platform import PUBLIC, STRENGTH, TRACES, Trace
from engine.simulator.traffic import AUDIT, CAPTURE, DOCUMENTS, FHIR, LOG, TRACED
from tests.simulator.conftest import TODAY

STATUSES = {"SENT", "TAKEN", "ACCEPTED", "REFUSED", "FAILED", "DELETED", "DELETION_REFUSED"}


@cache
def made(trace: Trace, set_ids: bool = False) -> Hospital:
    """300 stays with these traces; nobody may change it."""
    return Hospital(5, 300, TODAY, trace=trace, set_ids=set_ids)


def payloads(trace: Trace, feed: str) -> list[bytes]:
    """What is left on one feed."""
    return [each.payload for each in made(trace) if each.feed == feed]


def lines() -> list[dict[str, str]]:
    """The log, read."""
    return [json.loads(payload) for payload in payloads("log", LOG)]


def body(payload: bytes) -> tuple[bytes, Message | None]:
    """The XML of a dump, and its MIME message when it has one."""
    head, _, rest = payload.partition(b"\r\n\r\n") if payload.startswith((b"POST", b"HTTP")) else (b"", b"", payload)
    kind = re.search(rb"Content-Type: (.*)", head)
    if payload.startswith(b"--"):
        boundary = payload[2 : payload.index(b"\r\n")]
        kind = re.match(rb"(.*)", b'multipart/related; boundary="%b"' % boundary)
    if kind is None or b"multipart" not in kind[1]:
        return rest, None
    message = message_from_bytes(b"Content-Type: " + kind[1].strip() + b"\r\n\r\n" + rest)
    first = message.get_payload(0)
    assert isinstance(first, Message)
    found = first.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found, message


@pytest.mark.parametrize("trace", TRACES)
def test_each_mode_speaks_on_its_own_feeds(trace: Trace) -> None:
    """The same seed gives the same bytes; besides HL7, only the feeds of the mode; without the ZAM, no ZAM of the DMP."""
    hospital = made(trace)
    assert hospital.envelopes == Hospital(5, 300, TODAY, trace=trace).envelopes
    assert {each.feed for each in hospital} == set(hospital.feeds)
    assert set(hospital.feeds[3:]) == set(TRACED[trace])
    answers = sum(b"ACK_RECEPTION_DMP" in each.payload for each in hospital)
    assert bool(answers) is (trace in ("zam", "all"))


def test_the_zam_alone_leaves_no_submission() -> None:
    """In the first mode the platform is only an HL7 application: nothing is direct, nothing else is left."""
    hospital = made("zam")
    assert hospital.platform.submissions == []
    assert not any(report.direct for person in hospital.people for report in person.reports)


def test_every_line_of_the_log_is_an_object_with_a_time() -> None:
    """JSON, one a line, an offset in each time; the chatter is told apart by its event."""
    events = Counter(line["event"] for line in lines())
    assert events["dmp.submission"] > 500
    assert len(events) > 3
    for payload, line in zip(payloads("log", LOG), lines(), strict=True):
        assert b"\n" not in payload
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", line["time"])
    told = sum(count for event, count in events.items() if event != "dmp.submission")
    assert made("log").traffic.counts.passed == told
    assert made("log").truth().messages == len(made("log")) - told


def test_the_log_says_more_or_less_of_a_submission() -> None:
    """Every status; all that is known, the document alone, the HL7 message alone, the request alone, or no identifier at all."""
    found = [line for line in lines() if line["event"] == "dmp.submission"]
    assert {line["status"] for line in found} == STATUSES
    shapes = {frozenset(line) - {"time", "event", "status", "error_code"} for line in found}
    assert {"control_id", "sender"} in shapes
    assert {"message_id"} in shapes
    assert {"document_id", "ins", "ins_oid"} in shapes
    assert {"chain_id", "version", "ins", "ins_oid"} in shapes
    assert {"sha1", "ins", "ins_oid"} in shapes
    assert {"hl7_document_id", "ins", "ins_oid"} in shapes
    assert {"visit", "type_code", "created"} in shapes
    full = max(shapes, key=len)
    assert {"document_id", "submission_set", "message_id", "control_id", "ipp", "replaces", "format_code"} <= full


def test_every_dump_is_xml_and_mime() -> None:
    """lxml and the standard library's email package read every dump: envelopes, actions, and the parts they point to."""
    actions: Counter[str] = Counter()
    forms: Counter[str] = Counter()
    for payload in payloads("capture", CAPTURE):
        xml, message = body(payload)
        root = etree.fromstring(xml)
        names = {etree.QName(each).localname: each for each in root.iter("{*}*")}
        actions[str(names["Action"].text).replace("/", ":").rpartition(":")[2]] += 1
        wanted = [str(each.get("href")) for each in root.iter("{http://www.w3.org/2004/08/xop/include}Include")]
        held = (
            {f"cid:{part['Content-ID'][1:-1]}" for part in message.walk() if part["Content-ID"]} if message else set()
        )
        assert {href.replace("%40", "@") for href in wanted} <= held
        if "Document" in names:
            forms["mime" if message is not None else "plain"] += 1
            forms["head" if payload.startswith(b"POST") else "bare"] += 1
            forms["base64" if b"Transfer-Encoding: base64" in payload else "binary"] += 1
    assert set(actions) == {
        *("ProvideAndRegisterDocumentSet-b", "ProvideAndRegisterDocumentSet-bResponse", "fault"),
        *("UpdateDocumentSet", "UpdateDocumentSetResponse", "RegistryStoredQueryResponse"),
    }
    assert len(forms) == 6


def test_every_audit_message_names_a_patient_and_a_set() -> None:
    """A header of RFC 5424, then an AuditMessage of ITI-41; success and failure; never a document."""
    outcomes: Counter[str] = Counter()
    hospital = made("syslog")
    ids = {entry.unique_id for each in hospital.platform.submissions for entry in each.entries}
    for payload in payloads("syslog", AUDIT):
        head, xml = payload.decode().split(" - ", 1)
        assert re.fullmatch(r"<85>1 \S+ pfi\.ch-fictif\.example pfi-dmp \d+ IHE\+RFC-3881", head)
        root = etree.fromstring(xml.removeprefix("\ufeff").encode())
        outcomes[str(root[0].get("EventOutcomeIndicator"))] += 1
        objects = [str(each.get("ParticipantObjectID")) for each in root.iter("ParticipantObjectIdentification")]
        assert len(objects) == 2
        assert not ids & set(objects)
    assert set(outcomes) == {"0", "8"}


def test_every_fhir_payload_is_valid() -> None:
    """fhir.resources takes each body; a bundle and its answer have the same X-Request-Id."""
    requests: set[str] = set()
    answers: set[str] = set()
    kinds: Counter[str] = Counter()
    for payload in payloads("fhir", FHIR)[:400]:
        fields, _, text = payload.partition(b"\r\n\r\n")
        resource = json.loads(text)
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        kinds[resource["resourceType"]] += 1
        number = re.search(rb"X-Request-Id: (\S+)", fields)
        if number is not None:
            (requests if resource.get("type") == "transaction" else answers).add(number[1].decode())
    assert set(kinds) == {"Bundle", "OperationOutcome", "AuditEvent"}
    assert len(requests & answers) > 50


def test_the_hl7_messages_may_hold_their_submission_set() -> None:
    """With ``set_ids``, each message that asks for the DMP names its set in an OBX, and each audit message names one of these."""
    hospital = made("syslog", True)
    named = {
        match[1].decode()
        for each in hospital
        for match in re.finditer(rb"\^MetaDMPMSS\|\|(1\.2[0-9.]+\.20\.\d+)\|", each.payload)
    }
    audited = {each.set_id for each in hospital.platform.submissions}
    assert audited < named
    assert not any(b"SUBMISSION_SET" in each.payload for each in made("syslog"))


@pytest.mark.parametrize("trace", ["log", "capture", "fhir", "all"])
def test_some_documents_cross_no_interface_engine(trace: Trace) -> None:
    """The CDA of a direct report is in no HL7 message."""
    hospital = made(trace)
    direct = [report for person in hospital.people for report in person.reports if report.direct]
    assert len(direct) > 20
    chains = {version.documents[0].chain for report in direct for version in report.versions}
    carried: set[str] = set()
    for each in hospital:
        if each.feed == DOCUMENTS:
            for data in re.findall(rb"\^XML\^Base64\^([A-Za-z0-9+/\s]+)", each.payload):
                text = b64decode(data + b"=" * (-len(b"".join(data.split())) % 4))
                carried.update(match.decode() for match in re.findall(rb'<setId root="([0-9.]+)"', text))
    assert len(carried) > 300
    assert not carried & chains
    assert all(not version.identity for report in direct for version in report.versions)


def test_everything_together_is_told_by_several_traces() -> None:
    """In ``all`` each submission leaves one trace or several, an audit only beside one that names; some contradict each other."""
    submissions = made("all").platform.submissions
    assert {trace for each in submissions for trace in each.traces} == set(STRENGTH)
    for each in submissions:
        assert each.traces != ("audit",)
        if each.disputed:
            assert len(each.traces) == 2
            assert STRENGTH[each.disputed] == min(STRENGTH[trace] for trace in each.traces)
    truth = made("all").truth().submissions
    assert truth.contradictions == sum(len(each.entries) for each in submissions if each.disputed)
    assert any(each.mute for each in submissions)


@pytest.mark.parametrize("trace", TRACES)
def test_the_counts_of_attempts_are_coherent(trace: Trace) -> None:
    """No more answers than attempts, a code for each refusal and failure, codes of public tables or ``other``."""
    truth = made(trace).truth().submissions
    assert truth.responses.total() < truth.attempts
    assert truth.errors.total() == truth.responses["refused"] + truth.responses["failed"]
    assert set(truth.errors) <= {*PUBLIC, "other"}
    assert bool(truth.contradictions) is (trace == "all")


def test_an_answer_is_awaited_for_a_day() -> None:
    """On the day of the present some answers are still awaited; a week later none is."""
    hospitals = [made("log"), made("capture"), made("fhir")]

    def awaited(today: date) -> int:
        rates = [rate for each in hospitals for rate in each.truth(today).rates.values()]
        return sum(rate.missed["awaiting_answer"] for rate in rates)

    assert awaited(TODAY) > 0
    assert awaited(TODAY + timedelta(days=7)) == 0


def test_what_no_trace_shows_has_no_known_level() -> None:
    """A biology report known by the log alone has no level: DS2.1 cannot count it, whatever it is; a capture shows it."""
    assert made("log").truth().rates["DS2.1", "official"].missed["level_unknown"] > 0
    assert made("capture").truth().rates["DS2.1", "official"].missed["level_unknown"] == 0
