"""Documents in ORU and MDM."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.errors import ParseError
from engine.facts import INS_NIR, Activity, Document, Sent
from engine.parsers.context import default
from engine.parsers.dtm import Zone
from tests.parsers.messages import (
    CDA,
    DOMAIN,
    EVN,
    INS,
    PID,
    PV1,
    base64_of,
    build,
    codes,
    document,
    facts,
    field,
    fixture,
    mark,
    one,
    oru,
    parse,
    pseudonym,
)

AT = Zone("Europe/Paris").seconds
RCT = "PRT||UC||RCT^x^participation|9^MEDECIN^MAX||||||||||^^X.400^Max.Medecin@exemple.mssante.fr"


def test_a_cda_says_what_the_message_does_not() -> None:
    """Every field of a document: the CDA first, then the message."""
    context = replace(default(), encounter_roots=frozenset({"1.2.250.9999.6"}))
    raw = oru(
        document(),
        RCT,
        mark("DESTDMP", "Y"),
        mark("DESTMSSANTEPS", "N"),
        mark("ACK_RECEPTION", "Y"),
        before=("ORC|NW|P1^DPI|F1^SGL",),
    )
    parsed = parse(raw, context)
    found, sent = parsed.facts
    assert isinstance(found, Document)
    assert isinstance(sent, Sent)
    assert found == Document(
        at=AT(b"20260305151000"),
        establishment=DOMAIN,
        exchange=pseudonym("control", "SGL@LABO", b"L000501"),
        position=0,
        ipp=pseudonym("ipp", DOMAIN, b"700001"),
        ins=pseudonym("ins", "", INS),
        ins_root=INS_NIR,
        status="VALI",
        birth_corrected=False,
        visit=pseudonym("visit", DOMAIN, b"260004567"),
        dossier=pseudonym("dossier", DOMAIN, b"26000123"),
        encounter=pseudonym("visit", DOMAIN, b"260004567"),
        id=pseudonym("document", "", b"1.2.250.9999.1.2.1002"),
        chain=pseudonym("chain", "", b"1.2.250.9999.1.2.9"),
        version=2,
        replaces=pseudonym("document", "", b"1.2.250.9999.1.2.1001"),
        orders=tuple(pseudonym("order", DOMAIN, number) for number in (b"P1", b"F1", b"P5501")),
        request="initial",
        final=True,
        type_code="11490-0",
        kind="ldl-ses",
        body="cda",
        level=1,
        declared_level=1,
        created=AT(b"20260305170000"),
        service_start=AT(b"20260302100000"),
        service_stop=0,
        cda_ins=pseudonym("ins", "", INS),
        cda_ins_root=INS_NIR,
        traits_complete=False,
        custodian="990000001",
        patient_class="I",
        dmp="Y",
        mss_professional="N",
        mss_patient="",
        recipients=(pseudonym("address", "", b"max.medecin@exemple.mssante.fr"),),
        ack_wanted=True,
        sender="SGL@LABO",
        intended=(pseudonym("address", "", b"max.medecin@exemple.mssante.fr"),),
    )
    assert sent.content == "document"


def test_an_encounter_of_an_unknown_root_is_not_trusted() -> None:
    """Official samples put a doctor's number there."""
    assert one(oru(document()), Document).encounter is None


def test_a_document_and_its_order_share_a_number() -> None:
    """The pseudonym of an order is the same in the order and in its report."""
    order = one(fixture("orm_o01_order"), Activity)
    report = one(fixture("oru_r01_classic_lab"), Document)
    assert order.number in report.orders


def test_two_renderings_have_two_positions() -> None:
    """One message may carry a level 1 and a level 3 of one report."""
    raw = oru(document(), document(base64_of(CDA.replace("1.2.1002", "1.2.1003")), number=2), mark("DESTDMP", "Y"))
    found = facts(parse(raw), Document)
    assert [fact.position for fact in found] == [0, 1]
    assert found[0].id != found[1].id
    assert found[0].exchange == found[1].exchange
    assert {fact.dmp for fact in found} == {"Y"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("UGFzIHVuIENEQQ==", "document-not-xml"),
        ("", "document-empty"),
        ('""', "document-empty"),
        ("!!!!", "document-not-base64"),
        ("PENsaW5pY2FsRG9jdW1lbnQvPg==", "not-a-cda"),
        (base64_of("<ClinicalDocument xmlns='urn:hl7-org:v3'>"), "xml-truncated"),
        (base64_of(CDA)[:400], "xml-truncated"),
        (base64_of("<!DOCTYPE a [<!ENTITY b 'c'>]><ClinicalDocument xmlns='urn:hl7-org:v3'/>"), "xml-doctype"),
    ],
)
def test_an_unreadable_document_keeps_its_envelope(data: str, code: str) -> None:
    """The document is counted as unreadable, with the code of what is wrong."""
    parsed = parse(oru(document(data), mark("DESTDMP", "Y")))
    found = one(parsed, Document)
    assert (found.body, found.level, found.type_code, found.kind) == ("unreadable", 0, "11502-2", "cr-bio")
    assert (found.dmp, found.visit) == ("Y", pseudonym("visit", DOMAIN, b"260004567"))
    assert code in codes(parsed)


def test_the_ins_of_the_cda_is_compared() -> None:
    """Another matricule or another root is flagged, and both are in the fact."""
    other = base64_of(CDA.replace("185057599900150", "290067599900261"))
    parsed = parse(oru(document(other)))
    found = one(parsed, Document)
    assert found.cda_ins != found.ins
    assert "cda-ins-differs" in codes(parsed)
    assert "cda-ins-differs" in codes(parse(oru(document(base64_of(CDA.replace("1.4.8", "1.4.10"))))))
    assert "cda-ins-differs" not in codes(parse(oru(document())))


@pytest.mark.parametrize("raw", [fixture("mdm_t02_incoming_mail"), oru(document(), profile="1.0^CISIS_TLR_HL7_V2")])
def test_what_comes_from_outside_is_no_document(raw: bytes) -> None:
    """Incoming mails and teleradiology are exchanges, not reports of the establishment."""
    parsed = parse(raw)
    assert facts(parsed, Document) == []
    assert one(parsed, Sent).content == "other"


def test_an_incoming_mail_without_profile_is_known_by_its_subject() -> None:
    """The subject of an XDM mail tells."""
    raw = fixture("mdm_t02_incoming_mail").replace(b"1.1^CISIS_CDA_HL7_LPS", b"")
    assert facts(parse(raw), Document) == []


def test_a_blank_in_the_profile_changes_nothing() -> None:
    """Blanks inside codes occur."""
    assert facts(parse(oru(document(), profile="1.1^ CISIS_CDA_HL7_ LPS")), Document) == []


@pytest.mark.parametrize(
    ("section", "code", "kind"),
    [
        ("LAB", "NFS", "cr-bio"),
        ("HM", "NFS", "cr-bio"),
        ("RAD", "THORAX", "cr-imagerie"),
        ("CT", "", "cr-imagerie"),
        ("SP", "BIOPSIE", "other"),
        ("", "18748-4", "cr-imagerie"),
        ("", "NFS", "other"),
    ],
)
def test_a_result_without_document_has_the_kind_of_its_section(section: str, code: str, kind: str) -> None:
    """OBR-24 tells biology from imaging; otherwise the code of OBR-4."""
    obr = f"OBR|1|P1|F1|{code}|||20260305080000|||||||||||||||20260305135900||{section}|F"
    header = r"MSH|^~\&|SGL|LABO|DPI|HX|20260305140000||ORU^R01|L1|P|2.5|||||FRA|UNICODE UTF-8"
    found = one(build(header, PID, PV1, obr, "OBX|1|NM|K||4,1|||||F"), Document)
    assert (found.kind, found.body, found.final, found.request) == (kind, "none", True, "initial")
    assert (found.created, found.service_start) == (AT(b"20260305135900"), AT(b"20260305080000"))


def test_a_pdf_is_a_result_without_cda() -> None:
    """A document in another format is no CDA, and says so."""
    parsed = parse(oru(document("JVBERi0xLjQK", subtype="PDF")))
    assert one(parsed, Document).body == "none"
    assert "document-not-cda" in codes(parsed)


def test_mail_bodies_are_no_documents() -> None:
    """CORPSMAIL lines are left alone."""
    mail = "OBX|12|ED|CORPSMAIL_PS^Corps^MetaDMPMSS||^TEXT^^Base64^Qm9uam91cg==||||||F"
    assert len(facts(parse(oru(document(), mail)), Document)) == 1


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        ("OBX|7|CE|DESTDMP^Destinataire DMP^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F", "Y"),
        ("OBX|7|CWE|DESTDMP^Destinataire DMP||N||||||F|", "N"),
        ("OBX|7|CE| DEST DMP^x^MetaDMPMSS||Y^^ expandedYes-NoIndicator||||||F", "Y"),
        ("OBX|7|CE|DESTDMP^x^MetaDMPMSS||oui", ""),
        ("", ""),
    ],
)
def test_flags_are_matched_by_code_alone(line: str, flag: str) -> None:
    """Neither label nor coding system counts; an absent flag is unknown."""
    assert one(oru(document(), *([line] if line else [])), Document).dmp == flag


@pytest.mark.parametrize(
    "prt",
    [
        RCT,
        RCT.replace("RCT^x", "RCT^Result Copies To"),
        RCT.replace("||^^X.400", "|||^^X.400"),
        RCT.replace("^^X.400^", "^NET^X.400^"),
        RCT.replace("RCT^x^participation", "rct"),
        RCT.replace("Max.Medecin", " max.medecin"),
    ],
)
def test_recipients_are_found_where_they_are(prt: str) -> None:
    """PRT-15 or a field late, however the participation is spelled."""
    found = one(oru(document(), prt, prt), Document)
    assert found.recipients == (pseudonym("address", "", b"max.medecin@exemple.mssante.fr"),)


def test_senders_and_answer_boxes_are_no_recipients() -> None:
    """Only RCT counts."""
    assert one(oru(document(), RCT.replace("RCT", "SB"), RCT.replace("RCT", "REPLY")), Document).recipients == ()


def mdm(event: str, txa: str, data: str = "", status: str = "F") -> bytes:
    """An MDM message."""
    header = rf"MSH|^~\&|RIS|HX|PFI|HX|20260306080000||MDM^{event}^MDM_T02|R1|P|2.6|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2"
    obx = f"OBX|1|ED|18748-4^CR^LN||^text^XML^Base64^{data or 'UGFz'}||||||{status}"
    return build(header, EVN, PID, PV1, txa, obx)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.2.250.9999.1", b"1.2.250.9999.1"),
        ("urn:oid:1.2.250.9999.1", b"1.2.250.9999.1"),
        ("1.2.250.9999.1^Organisation-Y", b"1.2.250.9999.1"),
        ("42^^1.2.250.9999.1^ISO", b"1.2.250.9999.1^42"),
        ("1.2.250.9999.1^^42^ISO", b"1.2.250.9999.1^42"),
        ("71024000082", b"71024000082"),
    ],
)
def test_document_ids_have_one_writing(written: str, expected: bytes) -> None:
    """TXA-12 and TXA-13 in every form name the same document as the CDA would."""
    found = one(mdm("T10", f"TXA|1|18748-4|TEXT|||||||||{written}|{written}||||AU"), Document)
    assert found.id == found.replaces == pseudonym("document", "", expected)
    assert (found.type_code, found.kind) == ("18748-4", "cr-imagerie")


def test_the_cda_wins_over_txa() -> None:
    """Id, parent and type of the CDA itself are the true ones."""
    found = one(mdm("T02", "TXA|1|18748-4|TEXT|20260301|||||||||9.9.9|8.8.8", base64_of()), Document)
    assert found.id == pseudonym("document", "", b"1.2.250.9999.1.2.1002")
    assert found.replaces == pseudonym("document", "", b"1.2.250.9999.1.2.1001")
    assert found.created == AT(b"20260305170000")


def test_replacement_and_deletion_of_the_reference() -> None:
    """T10 replaces TXA-13, T04 deletes TXA-12."""
    replaced = one(fixture("mdm_t10_imaging_replaced"), Document)
    deleted = one(fixture("mdm_t04_imaging_deleted"), Document)
    assert (replaced.request, deleted.request) == ("replacement", "deletion")
    assert replaced.id == deleted.id
    assert replaced.replaces == pseudonym("document", "", b"1.2.250.9999.1.2.1001")


def test_a_message_without_content_is_refused() -> None:
    """An ORU or MDM cut after its patient is put aside."""
    header = r"MSH|^~\&|SGL|LABO|PFI|HX|20260305151000||ORU^R01^ORU_R01|L000501|P|2.5"
    with pytest.raises(ParseError) as caught:
        parse(build(header, PID, PV1))
    assert caught.value.code == "segment-missing"


def test_a_document_without_patient_is_flagged() -> None:
    """No PID: the document is there, and belongs to nobody."""
    raw = b"\r".join(line for line in oru(document()).split(b"\r") if not line.startswith(b"PID"))
    parsed = parse(raw)
    assert one(parsed, Document).ipp is None
    assert "patient-missing" in codes(parsed)


def test_the_small_tilde_message_is_read_whole() -> None:
    """Delimiters of two bytes, a legacy flag and a late address together."""
    found = one(fixture("oru_r01_small_tilde"), Document)
    assert found.ins == pseudonym("ins", "", INS)
    assert found.dmp == "Y"
    assert found.recipients == (pseudonym("address", "", b"max.medecin@exemple.mssante.fr"),)


def test_the_status_of_the_message_is_kept() -> None:
    """PID-32 absent is unknown, not refused."""
    raw = oru(document()).replace(PID.encode(), field(PID, 32, "").encode())
    assert one(raw, Document).status == ""
