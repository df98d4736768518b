"""What comes back of a mail: DSN, MDN, and failures told in plain mails."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codes import codes
from engine.errors import ParseError
from engine.facts import MAIL, Outcome
from engine.parsers import mail
from engine.parsers.parsed import Parsed
from tests.parsers.mails import (
    AT,
    CITIZEN,
    CONTEXT,
    DOCTOR,
    MESSAGE_ID,
    SENDER,
    attached,
    original,
    plain,
    report,
    text,
)
from tests.parsers.mails import (
    mail as write,
)
from tests.parsers.messages import pseudonym

KEY = pseudonym("mail", "", MESSAGE_ID.encode())
BOX = pseudonym("address", "", DOCTOR.encode())
BACK = original()


def parse(raw: bytes) -> Parsed:
    """Parse with the domains of the establishment."""
    return mail.parse(raw, CONTEXT)


def outcomes(raw: bytes) -> list[tuple[str, bool, str]]:
    """Layer, acceptance and code of each outcome."""
    return [(fact.layer, fact.accepted, fact.code) for fact in parse(raw).facts if isinstance(fact, Outcome)]


def flagged(raw: bytes) -> list[str]:
    """The codes of the flags."""
    return [flag.code for flag in parse(raw).flags]


def dsn(
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "",
    recipient: str = DOCTOR,
    back: bytes = BACK,
    **header: str | None,
) -> bytes:
    """A DSN about one recipient."""
    said = f"Reporting-MTA: dns; mx.cabinet-fictif.mssante.fr\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\n"
    said += f"Action: {action}\r\nStatus: {status}\r\n" + (f"Diagnostic-Code: {diagnostic}\r\n" if diagnostic else "")
    return report("delivery-status", said, back, **header)


def mdn(disposition: str, *lines: str, named: bool = True, **header: str | None) -> bytes:
    """An MDN."""
    said = f"Reporting-UA: logiciel; fictif\r\nFinal-Recipient: rfc822;{DOCTOR}\r\n"
    said += (f"Original-Message-ID: <{MESSAGE_ID}>\r\n" if named else "") + f"Disposition: {disposition}\r\n"
    said += "".join(f"{line}\r\n" for line in lines)
    return report("disposition-notification", said, **({"From": f"Cabinet <{DOCTOR}>"} | header))


AUTOMATIC = "automatic-action/MDN-sent-automatically"


class TestDelivery:
    """RFC 3464."""

    def test_an_outcome(self) -> None:
        """Every field of a refusal."""
        found = parse(dsn())
        assert found.message == "DSN"
        assert found.control_id == b"r1@cabinet-fictif.mssante.fr"
        assert found.flags == ()
        assert found.facts == (
            Outcome(
                at=AT,
                exchange=KEY,
                layer="mss-delivery",
                accepted=False,
                code="5.1.1",
                recipient=BOX,
                sender="",
                trace=MAIL,
            ),
        )

    @pytest.mark.parametrize(
        "action", ["delivered", "relayed", "expanded", "Delivered (to the mailbox)", "", "delivré"]
    )
    def test_delivered(self, action: str) -> None:
        """Three words say that it arrived; without a known word, the class of the status does."""
        assert outcomes(dsn(action, "2.0.0")) == [("mss-delivery", True, "")]

    def test_delayed(self) -> None:
        """A server that still tries says nothing yet."""
        assert outcomes(dsn("delayed", "4.4.1")) == outcomes(dsn("", "4.4.1")) == []
        assert flagged(dsn("delayed", "4.4.1")) == ["mail-delayed"]

    @pytest.mark.parametrize(
        ("status", "diagnostic", "code"),
        [
            ("5.1.1", "", "5.1.1"),
            ("4.4.7 (expired)", "", "4.4.7"),
            ("5.0.0", "smtp; 550 5.7.1 <sacha@x> refused by 192.0.2.1", "5.7.1"),
            ("5.0.0", "smtp; 550 no such user", "5.0.0"),
            ("", "smtp; 554 refused", "554"),
            ("", "smtp; 550-5.2.2. Full", "5.2.2"),
            ("2.0.0", "smtp; no", "other"),
            ("", "279035121518989", "other"),
        ],
    )
    def test_codes(self, status: str, diagnostic: str, code: str) -> None:
        """The enhanced status that says most, else the code of SMTP; never a number of somebody."""
        assert outcomes(dsn("failed", status, diagnostic)) == [("mss-delivery", False, code)]

    def test_several_recipients(self) -> None:
        """Each has its own end, under the address that the sender wrote."""
        said = (
            "Reporting-MTA: dns; x\r\n\r\n"
            f"Original-Recipient: rfc822;{CITIZEN}\r\nFinal-Recipient: rfc822; box17@x\r\nAction: failed\r\nStatus: 5.2.2\r\n\r\n"
            f"Final-Recipient: rfc822; <{DOCTOR.upper()}>\r\nAction: relayed\r\nStatus: 2.1.9\r\n\r\n"
        )
        found = parse(report("delivery-status", said, BACK)).facts
        expected = pseudonym("address", "", CITIZEN.encode())
        assert [(fact.recipient, fact.accepted) for fact in found if isinstance(fact, Outcome)] == [
            (expected, False),
            (BOX, True),
        ]

    def test_without_recipient(self) -> None:
        """It is about all of them."""
        said = "Reporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.2.2\r\n"
        (found,) = parse(report("delivery-status", said, BACK)).facts
        assert isinstance(found, Outcome)
        assert found.recipient is None

    @pytest.mark.parametrize(
        ("back", "header"),
        [
            (BACK, {}),
            (BACK.replace(b"text/rfc822-headers", b"message/rfc822") + b"\r\n\r\nbody", {}),
            (BACK.replace(b"text/rfc822-headers", b"message/global-headers"), {}),
            (
                b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                + base64.encodebytes(BACK.partition(b"\r\n\r\n")[2]),
                {},
            ),
            (text("nothing"), {"In_Reply_To": f"<{MESSAGE_ID}>"}),
            (text("nothing"), {"References": f"<first@x>\r\n <{MESSAGE_ID}>"}),
        ],
    )
    def test_which_mail(self, back: bytes, header: dict[str, str]) -> None:
        """The Message-ID of the original that comes back, else In-Reply-To, else the last of References."""
        (found,) = parse(dsn(back=back, **header)).facts
        assert isinstance(found, Outcome)
        assert found.exchange == KEY

    def test_about_nothing(self) -> None:
        """A report that names no mail is flagged."""
        raw = dsn(back=text("nothing"))
        assert outcomes(raw) == []
        assert flagged(raw) == ["receipt-to-nothing"]

    def test_encoded(self) -> None:
        """The fields may be in base64, as some servers write them."""
        fields = f"Reporting-MTA: dns;x\n\nFinal-Recipient: rfc822;{DOCTOR}\nAction: failed\nStatus: 5.1.1\n"
        part = (
            b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(fields.encode())
        )
        raw = write(text(), part, BACK, kind="multipart/report", From="x@y", To=SENDER)
        assert outcomes(raw) == [("mss-delivery", False, "5.1.1")]

    def test_what_comes_back_is_no_sending(self) -> None:
        """The original carries its XDM: nothing of it is read."""
        whole = b"Content-Type: message/rfc822\r\n\r\n" + write(text(), attached(b"PK\x03\x04"), boundary="M9")
        found = parse(dsn(back=whole, From=f"MAILER-DAEMON@{SENDER.partition('@')[2]}"))
        assert [type(fact) for fact in found.facts] == [Outcome]


class TestReading:
    """RFC 8098."""

    @pytest.mark.parametrize(
        "disposition",
        [
            "manual-action/MDN-sent-manually; displayed",
            f"{AUTOMATIC}; processed",
            f"{AUTOMATIC};dispatched",
            "Displayed",
            f"{AUTOMATIC}; displayed/warning",
        ],
    )
    def test_read(self, disposition: str) -> None:
        """Displayed, processed or dispatched, with any modifier that is no error."""
        found = parse(mdn(disposition))
        assert found.message == "MDN"
        assert outcomes(mdn(disposition)) == [("mss-reading", True, "")]
        assert [(fact.exchange, fact.recipient) for fact in found.facts if isinstance(fact, Outcome)] == [(KEY, BOX)]

    @pytest.mark.parametrize(
        ("disposition", "lines", "code"),
        [
            (f"{AUTOMATIC}; processed/Error: 902^Patient inconnu EXEMPLE", (), "902"),
            (f"{AUTOMATIC}; processed/error", ("Error: 903^EXEMPLE CAMILLE",), "903"),
            (f"{AUTOMATIC}; processed/error", ("Error: [900] 279035121518989",), "900"),
            (f"{AUTOMATIC}; processed/error", ("Error: illisible",), "other"),
            (f"{AUTOMATIC}; processed/error", (), "other"),
            (f"{AUTOMATIC}; processed", ("Error: 906",), "906"),
        ],
    )
    def test_not_integrated(self, disposition: str, lines: tuple[str, ...], code: str) -> None:
        """Both spellings of an error, and its code of three digits, alone."""
        assert outcomes(mdn(disposition, *lines)) == [("mss-reading", False, code)]

    @pytest.mark.parametrize(
        "disposition",
        ["manual-action/MDN-sent-automatically; deleted", f"{AUTOMATIC}; denied", f"{AUTOMATIC}; failed", "", "x"],
    )
    def test_nothing_said(self, disposition: str) -> None:
        """Deleted unread, or a word that nobody knows."""
        assert outcomes(mdn(disposition)) == []
        assert flagged(mdn(disposition)) == ["receipt-says-nothing"]

    def test_who_reads(self) -> None:
        """Without recipient in its fields, it is its sender."""
        (found,) = parse(mdn("a; displayed").replace(f"Final-Recipient: rfc822;{DOCTOR}\r\n".encode(), b"")).facts
        assert isinstance(found, Outcome)
        assert found.recipient == BOX

    def test_which_mail(self) -> None:
        """Original-Message-ID, else In-Reply-To."""
        assert flagged(mdn("a; displayed", named=False)) == ["receipt-to-nothing"]
        (found,) = parse(mdn("a; displayed", named=False, In_Reply_To=f"<{MESSAGE_ID}>")).facts
        assert isinstance(found, Outcome)
        assert found.exchange == KEY


class TestPlain:
    """Mails that tell a failure to people."""

    @pytest.mark.parametrize(
        ("subject", "code"),
        [
            ("[KO Intégration système !][902]", "902"),
            ("[KO Int=?utf-8?Q?=C3=A9?=gration système !] [904] XDM/1.0/DDM+Lettre", "904"),
            ("=?utf-8?Q?=5BKO_Int=C3=A9gration_syst=C3=A8me_!=5D=5B905=5D?=", "905"),
            ("[ko integration systeme]", "other"),
            ("[KO Intégration système !][EXEMPLE]", "other"),
        ],
    )
    def test_not_integrated(self, subject: str, code: str) -> None:
        """The notification of software without MDN: it gives the whole mail back, and is no sending."""
        back = b"Content-Type: message/rfc822\r\n\r\n" + write(text(), attached(b"PK\x03\x04"), boundary="M9")
        raw = write(text("erreur"), back, Subject=subject, From=DOCTOR, To=SENDER, Message_ID="<ko@x>")
        assert outcomes(raw) == [("mss-reading", False, code)]
        (found,) = parse(raw).facts
        assert isinstance(found, Outcome)
        assert (found.exchange, found.recipient) == (KEY, BOX)

    @pytest.mark.parametrize(
        ("subject", "content", "code"),
        [
            ("Undelivered Mail Returned to Sender", f"<{DOCTOR}>: host said: 550 5.1.1 unknown", "5.1.1"),
            ("Message non distribué : XDM/1.0/DDM", f"\r\n <{DOCTOR}>:\r\n554 refused", "554"),
            ("undelivered", f"<{DOCTOR}>: no", "other"),
        ],
    )
    def test_undelivered(self, subject: str, content: str, code: str) -> None:
        """Who did not get it, and the code, as far as the text says so."""
        raw = plain(content, Subject=subject, From="postmaster@x", To=SENDER, In_Reply_To=f"<{MESSAGE_ID}>")
        assert parse(raw).message == "DSN"
        (found,) = parse(raw).facts
        assert isinstance(found, Outcome)
        assert (found.layer, found.accepted, found.code, found.recipient) == ("mss-delivery", False, code, BOX)

    def test_undelivered_to_somebody(self) -> None:
        """A header of some servers names them; without any, it is about all."""
        raw = plain(
            "non",
            Subject="Undelivered",
            From="postmaster@x",
            In_Reply_To=f"<{MESSAGE_ID}>",
            X_Failed_Recipients=f"{DOCTOR}, b@x",
        )
        assert len(outcomes(raw)) == 2
        (found,) = parse(raw.replace(b"X-Failed", b"X-Other")).facts
        assert isinstance(found, Outcome)
        assert found.recipient is None
        assert flagged(plain("non", Subject="Undelivered")) == ["receipt-to-nothing"]

    def test_other_words_of_a_server(self) -> None:
        """They are believed of a mail that is automatic by its header, and no other."""
        fields = {"Subject": "Échec de la remise", "In_Reply_To": f"<{MESSAGE_ID}>", "From": "postmaster@x"}
        assert outcomes(plain("non", **fields)) == []
        assert outcomes(plain("non", Return_Path="<>", **fields)) == [("mss-delivery", False, "other")]

    @pytest.mark.parametrize(
        "header", [{"Auto_Submitted": "auto-replied"}, {"Return_Path": "<>"}, {"X_Envelope_From": "<>"}]
    )
    def test_automatic(self, header: dict[str, str]) -> None:
        """An answer of a machine is neither a sending nor a receipt; told when the establishment itself wrote it."""
        assert parse(plain(**header)).message == "automatic mail"
        assert parse(plain(**header)).facts == ()
        assert flagged(plain(**header)) == ["mail-automatic"]
        assert flagged(plain(From="absent@x", **header)) == []
        assert parse(plain(Auto_Submitted="no", Return_Path=f"<{SENDER}>")).message == "mail"


@given(
    st.sampled_from(["delivery-status", "disposition-notification"]),
    st.lists(
        st.sampled_from(
            [
                "Action: failed",
                "Action:",
                "Status: 5",
                "",
                "Final-Recipient: ;;",
                "Disposition: ;/",
                "Error: 999999",
                f"Original-Message-ID: <{MESSAGE_ID}>",
                "\x00",
                " x",
                "--",
            ]
        ),
        max_size=12,
    ).map("\r\n".join),
)
def test_any_report(kind: str, fields: str) -> None:
    """Whatever a report says: outcomes of the closed vocabulary, and declared flags."""
    try:
        found = parse(report(kind, fields, BACK))
    except ParseError as error:
        pytest.fail(error.code)
    assert {flag.code for flag in found.flags} <= codes().keys()
    for fact in found.facts:
        assert isinstance(fact, Outcome)
        assert fact.layer in {"mss-delivery", "mss-reading"}
