"""A mail of the establishment: what it sends to whom, about which patient."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.errors import ParseError
from engine.facts import CITIZEN as CITIZENS
from engine.facts import INS_NIR, INS_NONE, INS_TEST, OUTSIDE, OWN, PROFESSIONAL, TEST, Mailed
from engine.parsers import formats, mail
from engine.parsers.context import default
from engine.parsers.dtm import Zone
from tests.parsers import xdm_archives as xdm
from tests.parsers.mail_reading import DOCUMENT, FIXTURES, INS, NAMES, archive, flagged, letter, parse, sent
from tests.parsers.mails import AT, CITIZEN, CONTEXT, DOCTOR, MATRICULE, MESSAGE_ID, ROBOT, SENDER, plain
from tests.parsers.mails import OWN as DOMAIN
from tests.parsers.messages import pseudonym

SECONDS = Zone("Europe/Paris").seconds


class TestSending:
    """One fact for each recipient and document."""

    def test_a_letter(self) -> None:
        """Every field of it."""
        found = parse(letter())
        assert found.message == "mail"
        assert found.control_id == MESSAGE_ID.encode()
        assert (found.sender, found.receiver, found.processing, found.at) == ("", "", "", AT)
        assert found.flags == ()
        assert found.facts == (
            Mailed(
                at=AT,
                establishment="990000001",
                message=pseudonym("mail", "", MESSAGE_ID.encode()),
                recipient=pseudonym("address", "", DOCTOR.encode()),
                category=PROFESSIONAL,
                ins=pseudonym("ins", "", INS.encode()),
                ins_root=INS_NIR,
                ipp=None,
                xdm="valid",
                document=pseudonym("document", "", DOCUMENT.encode()),
                alias=None,
                chain=pseudonym("chain", "", b"1.2.250.1.999.42.11.501"),
                version=1,
                hash=pseudonym("sha1", "", hashlib.sha1(xdm.NATIONAL).hexdigest().encode()),
                replaces=None,
                type_code="11490-0",
                kind="ldl-ses",
                body="cda",
                level=1,
                created=SECONDS(b"20260310161500"),
                service_start=SECONDS(b"20260305090000"),
                cda_ins=pseudonym("ins", "", INS.encode()),
                cda_ins_root=INS_NIR,
                encounter=None,
                intended=(),
            ),
        )

    def test_what_the_cda_says_besides(self) -> None:
        """Its own id when the metadata give another, what it replaces, its venue, whom it was written for."""
        content = xdm.NATIONAL.replace(
            b"<componentOf>",
            b'<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.250.1.999.42.10.9"/></parentDocument></relatedDocument><componentOf>',
        ).replace(
            b"<documentationOf>",
            b'<informationRecipient><intendedRecipient><id root="1.2.250.1.71.4.2.1" extension="899990000025"/></intendedRecipient></informationRecipient><documentationOf>',
            1,
        )
        context = replace(CONTEXT, encounter_roots=frozenset({"1.2.250.1.999.42.2"}))
        (found,) = mail.parse(letter(archive(content, unique_id="1.2.250.1.999.7")), context).facts
        assert isinstance(found, Mailed)
        assert found.document == pseudonym("document", "", b"1.2.250.1.999.7")
        assert found.alias == pseudonym("document", "", DOCUMENT.encode())
        assert found.replaces == pseudonym("document", "", b"1.2.250.1.999.42.10.9")
        assert found.encounter == pseudonym("visit", "990000001", b"VEN0004242")
        assert found.intended == (pseudonym("correspondent", "", b"899990000025"),)
        assert found.xdm == "flawed"  # the uniqueId must be the id of the CDA

    def test_recipients(self) -> None:
        """To, Cc, Bcc and the journal's own header, each address once, by whom it belongs to."""
        raw = letter(
            To=f"{DOCTOR}, {DOCTOR.upper()}",
            Cc=f"G: {CITIZEN}, {ROBOT};",
            Bcc=f"copie@{DOMAIN}",
            X_Envelope_To=f"<{DOCTOR}>, <autre@courriel-fictif.example>",
        )
        assert [(fact.recipient, fact.category) for fact in sent(raw)] == [
            (pseudonym("address", "", box.encode()), category)
            for box, category in (
                (DOCTOR, PROFESSIONAL),
                (CITIZEN, CITIZENS),
                (ROBOT, TEST),
                (f"copie@{DOMAIN}", OWN),
                ("autre@courriel-fictif.example", OUTSIDE),
            )
        ]

    def test_repeated_fields(self) -> None:
        """A header that comes twice counts twice."""
        assert len(sent(plain(To=f"{DOCTOR}\r\nTo: b@cabinet-fictif.mssante.fr"))) == 2

    def test_nobody(self) -> None:
        """Without recipient there is no sending; an entry that is no address is told."""
        assert sent(plain(To=None)) == sent(plain(To="undisclosed-recipients:;")) == []
        assert flagged(plain(To=None)) == ["mail-recipient-missing"]
        assert flagged(plain(To="Sacha")) == ["mail-recipient-unreadable", "mail-recipient-missing"]

    def test_hundreds(self) -> None:
        """A fact for each; thousands are refused."""
        boxes = [f"box{number}@cabinet-fictif.mssante.fr" for number in range(5_001)]
        assert len(sent(letter(To=",\r\n ".join(boxes[:800])))) == 800
        with pytest.raises(ParseError, match="mail-too-many-recipients at To"):
            parse(plain(To=",\r\n ".join(boxes)))

    def test_message_without_id(self) -> None:
        """It is its own: the same bytes are the same mail, whatever their line ends."""
        raw = plain(Message_ID=None)
        assert flagged(raw) == ["mail-id-missing"]
        assert parse(raw).control_id == parse(raw.replace(b"\r\n", b"\n")).control_id
        assert parse(raw).control_id != parse(raw + b"!").control_id

    @pytest.mark.parametrize(
        ("fields", "at"),
        [
            ({}, AT),
            ({"Date": None, "Received": "from a by b; Tue, 10 Mar 2026 16:20:00 +0100"}, AT),
            (
                {
                    "Date": "hier",
                    "Received": "from a by b;\r\n 10 Mar 2026 15:20:00 GMT\r\nReceived: c; 9 Mar 2026 15:20:00 GMT",
                },
                AT,
            ),
            ({"Date": None}, 0),
        ],
    )
    def test_date(self, fields: dict[str, str | None], at: int) -> None:
        """Date, else the first Received, else none."""
        assert parse(plain(**fields)).at == sent(plain(**fields))[0].at == at
        assert flagged(plain(**fields)) == ([] if at else ["mail-date-missing"])


class TestPatient:
    """Whom a sending is about."""

    def test_a_citizen(self) -> None:
        """The matricule of the address; without XDM too."""
        (found,) = sent(plain(To=CITIZEN))
        assert (found.ins, found.ins_root, found.ipp) == (pseudonym("ins", "", MATRICULE.encode()), INS_NIR, None)
        assert (found.xdm, found.document) == ("none", None)

    def test_another_than_the_xdm(self) -> None:
        """The citizen is the one of the address, and the difference is told; the doctor's letter is the XDM's."""
        raw = letter(To=f"{CITIZEN}, {DOCTOR}, {INS}@patient.mssante.fr")
        assert [fact.ins for fact in sent(raw)] == [pseudonym("ins", "", one.encode()) for one in (MATRICULE, INS, INS)]
        assert flagged(raw) == ["citizen-ins-differs"]

    def test_an_ipp(self) -> None:
        """A patientId that is no INS is an IPP; the CDA's INS is then the patient's."""
        (found,) = sent(letter(archive(patient=xdm.IPP)))
        assert found.ipp == pseudonym("ipp", "990000001", b"IPP000777")
        assert (found.ins, found.ins_root) == (pseudonym("ins", "", INS.encode()), INS_NIR)

    def test_of_a_test(self) -> None:
        """The root is kept as it is."""
        (found,) = sent(letter(archive(xdm.CDA, patient=xdm.PATIENT, unique_id=xdm.DOCUMENT)))
        assert found.ins_root == found.cda_ins_root == INS_TEST

    def test_no_matricule(self) -> None:
        """An address of the citizens' domain that holds none is nobody's."""
        (found,) = sent(plain(To="27707279035121518989@patient.mssante.fr"))
        assert (found.category, found.ins, found.ins_root) == (OUTSIDE, None, INS_NONE)
        assert flagged(plain(To="27707279035121518989@patient.mssante.fr")) == ["citizen-address"]

    def test_corsica(self) -> None:
        """A matricule of Corsica in lower case is the same one."""
        (found,) = sent(plain(To="180032a12345652@patient.mssante.fr"))
        assert found.ins == pseudonym("ins", "", b"180032A12345652")


class TestDirection:
    """Only what the establishment sends is a sending."""

    def test_incoming(self) -> None:
        """A mail of anybody else has no facts."""
        found = parse(letter(From=DOCTOR, To=SENDER))
        assert (found.message, found.facts, found.flags) == ("incoming mail", (), ())

    def test_sender(self) -> None:
        """From, else Sender, else the envelope; without any it cannot be told."""
        assert parse(plain(From=f'"x@y" <{SENDER.upper()}>')).message == "mail"
        assert parse(plain(From=None, Sender=SENDER)).message == "mail"
        assert parse(plain(From="", Return_Path=f"<{SENDER}>")).message == "mail"
        assert parse(plain(From=None)).message == "incoming mail"
        assert flagged(plain(From=None)) == ["mail-sender-missing"]

    def test_without_domains(self) -> None:
        """An establishment that names no domain sends everything."""
        assert mail.parse(plain(From="a@b"), default()).message == "mail"


class TestFormat:
    """A mail says itself what it is."""

    @pytest.mark.parametrize("name", NAMES)
    def test_recognised(self, name: str) -> None:
        """The fixtures, with either line end, are mails, and say the same."""
        raw = (FIXTURES / "mail" / name).read_bytes()
        unix = raw.replace(b"\r\n", b"\n")
        assert formats.of(raw) is formats.of(unix) is mail.FORMAT
        found = formats.parse(raw, CONTEXT)
        again = formats.parse(unix, CONTEXT)
        assert (found.facts, found.message, found.flags) == (again.facts, again.message, again.flags)
        assert list(formats.split(raw)) == [raw]

    @pytest.mark.parametrize(
        "path",
        sorted(path for path in FIXTURES.rglob("*") if path.is_file() and path.parent.name != "mail"),
        ids=lambda path: path.name,
    )
    def test_nothing_else_is(self, path: Path) -> None:
        """No message, trace or capture of HTTP is taken for a mail."""
        assert formats.of(path.read_bytes()) is not mail.FORMAT

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"From: a@b",
            b"Subject: x\nX: y\n",
            b"Host: a\nFrom: a@b\nDate: x\n",
            b"POST / HTTP/1.1\nFrom: a\nTo: b\n",
            b"X: y\n\nFrom: a\nTo: b\n",
            b"MSH|^~\\&|From:|To:",
            b"--M1\nFrom: a\nTo: b\n",
        ],
    )
    def test_doubtful(self, head: bytes) -> None:
        """One field, the fields of HTTP, or fields that stand in a body make no mail."""
        assert formats.of(head) is not mail.FORMAT

    def test_mbox(self) -> None:
        """An mbox file is split into its mails."""
        raw = (FIXTURES / "mail" / "sent.mbox").read_bytes()
        assert formats.of(raw) is mail.FORMAT
        mails = list(formats.split(raw))
        assert [formats.parse(bytes(one), CONTEXT).message for one in mails] == ["mail", "mail", "incoming mail"]
