"""FHIR submissions: whose they are, what they replace, and the versions of FHIR and of the profile."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from engine.errors import Flag
from engine.facts import Document
from engine.parsers import submissions
from engine.parsers.context import default
from tests.parsers.fhir_reading import CONTEXT, ENTRY, OLD, only, pseudonym
from tests.parsers.fhir_resources import (
    CDA,
    DOCUMENT,
    INS,
    INS_ROOT,
    IPP,
    IPP_ROOT,
    asked,
    binary,
    bundle,
    data,
    document_reference,
    entry,
    identifier,
    oid,
    parse,
    request,
    response,
    submission_set,
)


class TestPatient:
    """Who the document is about."""

    @pytest.mark.parametrize(
        "subject",
        [
            {"reference": f"Patient?identifier=urn:oid:{INS_ROOT}|{INS}"},
            {"reference": f"Patient?identifier=urn%3Aoid%3A{INS_ROOT}%7C{INS}"},
            {"reference": f"https://dmp.example/fhir/Patient?active=true&identifier=urn:oid:{INS_ROOT}%7C{INS}"},
            {"identifier": identifier(INS_ROOT, INS)},
            {"reference": "#p", "display": "EXEMPLE CAMILLE"},
            {"reference": "urn:uuid:00000000-0000-4000-8000-0000000000c1"},
            {"reference": "Patient/12", "identifier": identifier(INS_ROOT, INS)},
        ],
    )
    def test_ins_of_the_subject(self, subject: dict[str, Any]) -> None:
        """Conditional, logical, contained, or in the bundle: the same INS."""
        who = {"resourceType": "Patient", "id": "p", "identifier": [identifier(INS_ROOT, INS)]}
        reference = document_reference(subject=subject, contained=[who], context=None)
        fact = only(data(bundle(entry(submission_set(subject=None)), entry(reference), entry(who, "c1"))))
        assert (fact.ins, fact.ins_root) == (pseudonym("ins", INS), 10)

    @pytest.mark.parametrize(
        "said",
        [
            {"reference": f"Patient?identifier=urn:oid:{INS_ROOT}"},
            {"reference": f"Patient?identifier=urn%3Aoid%3A{IPP_ROOT}"},
            {"reference": f"Patient?identifier={IPP_ROOT}|"},
            {"reference": "Patient?identifier=https://hospital.example/ipp"},
            {"identifier": {"value": f"urn:oid:{INS_ROOT}"}},
        ],
    )
    def test_an_authority_is_nobody(self, said: dict[str, Any]) -> None:
        """A reference that names the authority and forgets the number makes no two patients one."""
        reference = document_reference(subject=said, contained=None, context=None)
        fact = only(data(bundle(entry(submission_set(subject=None)), entry(reference))))
        assert (fact.ins, fact.ipp) == (None, None)
        who = {"reference": f"Patient?identifier={IPP}"}
        reference = document_reference(subject=who, contained=None, context=None)
        fact = only(data(bundle(entry(submission_set(subject=None)), entry(reference))))
        assert fact.ipp == pseudonym("ipp", IPP, CONTEXT.domain)

    def test_the_set_completes_the_document(self) -> None:
        """What only the List says of the patient holds for its documents: INS of its subject, IPP of ihe-sourcePatientId."""
        source = {
            "url": "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourcePatientId",
            "valueIdentifier": identifier(IPP_ROOT, IPP),
        }
        reference = document_reference(subject=None, contained=None, context=None)
        fact = only(data(bundle(entry(submission_set(extension=[source])), entry(reference))))
        assert fact.ins == pseudonym("ins", INS)
        assert fact.ipp == pseudonym("ipp", IPP, CONTEXT.domain)

    def test_other_numbers_are_no_ipp(self) -> None:
        """An INS-C, a social security number and an old number are left out; what says PI goes before what says nothing."""
        who = {
            "resourceType": "Patient",
            "id": "p",
            "identifier": [
                identifier("1.2.250.1.213.1.4.2", "0123456789012345678901"),
                identifier("1.2.250.1.999.1", "290067599900261", "SS"),
                identifier(IPP_ROOT, "IPP000001") | {"use": "old"},
                identifier("1.2.250.1.999.2", "X1"),
                identifier(IPP_ROOT, IPP, "PI"),
            ],
        }
        reference = document_reference(subject={"reference": "#p"}, contained=[who], context=None)
        fact = only(data(bundle(entry(submission_set(subject=None)), entry(reference))))
        assert fact.ipp == pseudonym("ipp", IPP, CONTEXT.domain)
        assert fact.ins is None

    def test_nobody(self) -> None:
        """A reference that leads nowhere is a remark: the document is still named."""
        reference = document_reference(subject={"reference": "Patient/12"}, contained=None, context=None)
        parsed = parse(data(bundle(entry(submission_set(subject=None)), entry(reference))))
        assert "fhir-patient-unnamed" in [flag.code for flag in parsed.flags]
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert fact.ins is None
        assert fact.id is not None

    def test_venue_and_dossier(self) -> None:
        """The encounter gives the venue (VN, or a root that is configured) and the dossier (AN)."""
        context = default(encounter_roots=frozenset({"1.2.250.1.999.42.5"}))
        around = {
            "encounter": [{"identifier": identifier("1.2.250.1.999.42.5", "26000777")}],
            "related": [{"identifier": identifier("1.2.250.1.999.42.6", "D42", "AN")}],
        }
        payload = data(bundle(entry(submission_set()), entry(document_reference(context=around))))
        (fact,) = parse(payload, context).facts
        assert isinstance(fact, Document)
        assert fact.visit == pseudonym("visit", "26000777", context.domain)
        assert fact.dossier == pseudonym("dossier", "D42", context.domain)
        (unknown,) = parse(payload).facts
        assert isinstance(unknown, Document)
        assert unknown.visit is None


class TestReplacement:
    """relatesTo."""

    @pytest.mark.parametrize(
        "target",
        [
            {"identifier": oid(OLD)},
            {"reference": f"DocumentReference?identifier=urn:oid:{OLD}"},
            {"reference": "urn:uuid:00000000-0000-4000-8000-0000000000d8"},
        ],
    )
    @pytest.mark.parametrize("code", ["replaces", {"coding": [{"code": "replaces"}]}])
    def test_by_unique_id(self, target: dict[str, Any], code: Any) -> None:
        """Logical, conditional or in the bundle; R4 and R5 write the code differently."""
        reference = document_reference(relatesTo=[{"code": code, "target": target}])
        old = document_reference(OLD, status="superseded")
        fact = only(data(bundle(entry(submission_set()), entry(reference), entry(old, "d8"))))
        assert fact.request == "replacement"
        assert fact.replaces == submissions.document_id(CONTEXT, OLD)

    def test_by_entry_uuid(self) -> None:
        """The server's own name of the old document, where it is a UUID."""
        target = {"reference": f"DocumentReference/{ENTRY.removeprefix('urn:uuid:')}"}
        reference = document_reference(relatesTo=[{"code": "replaces", "target": target}])
        fact = only(data(bundle(entry(submission_set()), entry(reference))))
        assert fact.replaces_entry == submissions.entry_id(CONTEXT, ENTRY)
        assert fact.request == "replacement"

    def test_by_a_name_of_the_server_alone(self) -> None:
        """A reference that only the server can follow: a replacement all the same, and a remark."""
        target = {"reference": "DocumentReference/ancien"}
        reference = document_reference(relatesTo=[{"code": "replaces", "target": target}])
        parsed = parse(data(bundle(entry(submission_set()), entry(reference), entry(binary(), "d0"))))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert (fact.request, fact.replaces, fact.replaces_entry) == ("replacement", None, None)
        assert parsed.flags == (Flag("fhir-replaced-unknown", "Bundle.entry[1].resource.relatesTo"),)

    @pytest.mark.parametrize(
        "target",
        [
            "urn:uuid:00000000-0000-4000-8000-0000000000d8",
            "DocumentReference/ancien",
            "https://x.example/DocumentReference/ancien",
        ],
    )
    def test_the_replaced_one_in_the_bundle_is_not_submitted(self, target: str) -> None:
        """A bundle may hold the document that it replaces, still current: it names it, and counts once with the new one."""
        reference = document_reference(relatesTo=[{"code": "replaces", "target": {"reference": target}}])
        old = document_reference(OLD, id="ancien")
        for method in ("POST", "PUT"):
            there = entry(old, "d8") | {"request": {"method": method, "url": "DocumentReference"}}
            fact = only(data(bundle(entry(submission_set()), there, entry(reference, "d1"), entry(binary(), "d0"))))
            assert fact.id == submissions.document_id(CONTEXT, DOCUMENT)
            assert (fact.request, fact.position) == ("replacement", 0)

    def test_a_document_does_not_hide_itself(self) -> None:
        """A document that says that it replaces itself is submitted."""
        target = {"reference": "urn:uuid:00000000-0000-4000-8000-0000000000d1"}
        reference = document_reference(relatesTo=[{"code": "replaces", "target": target}])
        assert only(data(bundle(entry(submission_set()), entry(reference, "d1")))).request == "replacement"

    def test_a_change_of_metadata_is_no_submission(self) -> None:
        """PUT without the document changes what the server has; with the document it submits it; in error it takes it out."""
        change = {"request": {"method": "PUT", "url": "DocumentReference/12"}}
        parsed = parse(data(bundle(entry(submission_set()), entry(document_reference(), "d1") | change)))
        assert parsed.facts == ()
        assert parsed.flags == (Flag("fhir-document-updated", "Bundle.entry[1].resource"),)
        assert only(data(bundle(entry(document_reference(), "d1") | change, entry(binary(), "d0")))).body == "cda"
        gone = document_reference(status="entered-in-error")
        assert only(data(bundle(entry(gone, "d1") | change))).request == "deletion"

    def test_other_relations(self) -> None:
        """A transformation or an addition replaces nothing."""
        reference = document_reference(relatesTo=[{"code": "transforms", "target": {"identifier": oid(OLD)}}])
        fact = only(data(bundle(entry(submission_set()), entry(reference))))
        assert (fact.request, fact.replaces) == ("initial", None)

    def test_superseding_patch_is_no_deletion(self) -> None:
        """The Parameters that supersede the old document, and the superseded document itself, take nothing out."""
        patch = {
            "resourceType": "Parameters",
            "parameter": [{"name": "operation", "part": [{"name": "value", "valueCode": "superseded"}]}],
        }
        entries = [entry(submission_set()), entry(document_reference()), entry(patch, url="DocumentReference/12")]
        assert [fact.request for fact in parse(data(bundle(*entries))).facts if isinstance(fact, Document)] == [
            "initial"
        ]
        parsed = parse(data(document_reference(status="superseded")))
        assert (parsed.facts, parsed.message) == ((), "DocumentReference")


class TestVersions:
    """R5, and the small ways in which senders differ."""

    def test_r5(self) -> None:
        """Identifiers, version, profile, context and period as R5 has them."""
        reference = document_reference(
            masterIdentifier=None,
            identifier=[{"value": ENTRY}, oid(DOCUMENT)],
            version="3",
            context=[{"identifier": identifier("1.2.250.1.999.42.5", "26000777", "VN")}],
            period={"start": "2026-03-08"},
            content=[
                {
                    "attachment": {"contentType": "text/xml", "size": "1234"},
                    "profile": [{"valueCoding": {"code": "urn:ihe:iti:xds-sd:pdf:2008"}}],
                }
            ],
        )
        fact = only(data(bundle(entry(submission_set()), entry(reference))))
        assert fact.id == submissions.document_id(CONTEXT, DOCUMENT)
        assert fact.entry == submissions.entry_id(CONTEXT, ENTRY)
        assert (fact.version, fact.declared_level) == (3, 1)
        assert fact.visit == pseudonym("visit", "26000777", CONTEXT.domain)
        assert fact.service_start == 1772924400  # local midnight

    @pytest.mark.parametrize(
        "text",
        [
            base64.b64encode(hashlib.sha1(CDA).digest()).decode(),
            hashlib.sha1(CDA).hexdigest().upper(),
            base64.b64encode(hashlib.sha1(CDA).hexdigest().encode()).decode(),
        ],
    )
    def test_hash(self, text: str) -> None:
        """base64 of the octets (FHIR), the hexadecimal, or its base64: one hash."""
        reference = document_reference(content=[{"attachment": {"hash": text}}])
        fact = only(data(bundle(entry(submission_set()), entry(reference))))
        assert fact.hash == submissions.sha1(CONTEXT, hashlib.sha1(CDA).hexdigest())

    def test_other_hash(self) -> None:
        """A SHA-256 is a remark."""
        text = base64.b64encode(hashlib.sha256(CDA).digest()).decode()
        parsed = parse(
            data(bundle(entry(submission_set()), entry(document_reference(content=[{"attachment": {"hash": text}}]))))
        )
        assert [flag.code for flag in parsed.flags] == ["fhir-hash-not-sha1"]

    def test_root_and_value_apart(self) -> None:
        """A system that is an OID is the root of the value."""
        reference = document_reference(masterIdentifier={"system": "urn:oid:1.2.250.1.999.42.10", "value": "77"})
        fact = only(data(bundle(entry(submission_set()), entry(reference))))
        assert fact.id == submissions.document_id(CONTEXT, "1.2.250.1.999.42.10^77")

    def test_nulls(self) -> None:
        """A null is an absent element."""
        reference = document_reference() | {"relatesTo": None, "context": None, "version": None}
        assert only(data(bundle(entry(submission_set()), entry(reference)))).request == "initial"

    def test_same_request_again(self) -> None:
        """The control id is that of the request, and another one for its response."""
        one, two = parse(asked() + data(request())), parse(asked() + data(request(version="2")))
        assert one.control_id == two.control_id
        assert one.control_id != parse(asked("other") + data(request())).control_id
        assert one.control_id != parse(asked() + data(response())).control_id
