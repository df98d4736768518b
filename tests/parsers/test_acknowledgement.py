"""Acknowledgements: legal, in the sender's own delimiters, for any message."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers.acknowledgement import CODES, PREFIX, Acknowledger, header
from engine.receipt import Receipt

ADMISSION = (
    b"MSH|^~\\&|GAM|HX|DPI|HY|20260302101500||ADT^A01^ADT_A01|G000101|P|2.5^FRA^2.11|||||FRA|8859/15|FR\r"
    b"EVN||20260302101500\rPID|||700001\r"
)
ACCEPTED = Receipt("accepted")
REFUSED = Receipt("refused", "segment-missing", "PID-3")
UNAVAILABLE = Receipt("unavailable", "store-full")


def with_modes(accept: bytes, application: bytes) -> bytes:
    """The admission, asking for enhanced mode."""
    return ADMISSION.replace(b"2.11|||||FRA", b"2.11|||%b|%b|FRA" % (accept, application))


def answer(message: bytes, receipt: Receipt = ACCEPTED, separator: bytes = b"|") -> dict[str, list[bytes]]:
    """The only answer to a message: segment name -> fields (MSH-2 at index 1)."""
    (only,) = Acknowledger().answers(header(message), receipt)
    assert only.endswith(b"\r")
    segments = [line.split(separator) for line in only[:-1].split(b"\r")]
    assert segments[0][0] == b"MSH"
    return {fields[0].decode(): fields for fields in segments}


def codes(message: bytes, receipt: Receipt) -> list[bytes]:
    """MSA-1 of each answer."""
    found = [re.search(rb"\rMSA\|(..)\|", text) for text in Acknowledger().answers(header(message), receipt)]
    return [match[1] for match in found if match]


def test_original_mode() -> None:
    """One AA, sender and receiver swapped, control id, charset and processing id copied, ids of its own."""
    message = answer(ADMISSION)
    msh = message["MSH"]
    assert msh[1] == b"^~\\&"
    assert msh[2:6] == [b"DPI", b"HY", b"GAM", b"HX"]
    assert re.fullmatch(rb"\d{14}[+-]\d{4}", msh[6])
    assert msh[8:12] == [b"ACK^A01^ACK", msh[9], b"P", b"2.5"]
    assert msh[9].startswith(PREFIX)
    assert len(msh[9]) == 20
    assert msh[14:18] == [b"", b"", b"FRA", b"8859/15"]
    assert message["MSA"] == [b"MSA", b"AA", b"G000101"]
    assert "ERR" not in message


@pytest.mark.parametrize(
    ("status", "code"),
    [("accepted", b"AA"), ("duplicate", b"AA"), ("aside", b"AA"), ("refused", b"AE"), ("unavailable", b"AR")],
)
def test_code_of_each_status(status: str, code: bytes) -> None:
    """What is kept is accepted, what is refused is an error, what cannot be kept now is a reject (send again)."""
    assert codes(ADMISSION, Receipt(status)) == [code]  # type: ignore[arg-type]


def test_refusal_says_where_and_why() -> None:
    """ERR names the place, a code of table 0357, the severity, our code and a sentence."""
    error = answer(ADMISSION, REFUSED)["ERR"]
    assert error[2] == b"PID^1^3"
    assert error[3] == b"100^Segment sequence error^messageErrorCondition"
    assert error[4] == b"E"
    assert error[7] == b"segment-missing"
    assert error[8] == b"segment missing"


@pytest.mark.parametrize(
    ("where", "location"),
    [("OBX[3]-5", b"OBX^3^5"), ("MSH-9.2", b"MSH^1^9^1^2"), ("MSH", b"MSH^1"), ("/a/b[1]", b""), ("byte 12", b"")],
)
def test_error_location(where: str, location: bytes) -> None:
    """A segment-field becomes ERR-2; a place that HL7 cannot name leaves it empty."""
    assert answer(ADMISSION, Receipt("refused", "x", where))["ERR"][2] == location


@pytest.mark.parametrize(
    ("code", "number"),
    [("not-hl7", b"199"), ("document-not-base64", b"102"), ("xml-doctype", b"102"), ("never-heard-of", b"207")],
)
def test_condition_of_each_code(code: str, number: bytes) -> None:
    """ERR-3 is the nearest code of table 0357; what it has no word for is an application error, told in ERR-5."""
    error = answer(ADMISSION, Receipt("refused", code, "MSH"))["ERR"]
    assert error[3].split(b"^")[0] == number
    assert error[5].split(b"^")[0] == code.encode()


def test_sentence_of_the_code() -> None:
    """The sentence of the code is the one the engine gives."""
    acknowledger = Acknowledger(texts={"segment-missing": "There is no PID."})
    (text,) = acknowledger.answers(header(ADMISSION), REFUSED)
    assert b"|There is no PID.\r" in text


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad"),
    [
        (b"AL", b"NE", [b"CA"], [b"CE"]),
        (b"AL", b"AL", [b"CA", b"AA"], [b"CE"]),
        (b"AL", b"", [b"CA"], [b"CE"]),
        (b"NE", b"AL", [b"AA"], [b"AE"]),
        (b"", b"AL", [b"AA"], [b"AE"]),
        (b"NE", b"NE", [], []),
        (b"ER", b"NE", [], [b"CE"]),
        (b"ER", b"ER", [], [b"CE"]),
        (b"SU", b"SU", [b"CA", b"AA"], []),
        (b"SU", b"ER", [b"CA"], [b"AE"]),
        (b"al", b"ne", [b"CA"], [b"CE"]),
        (b'""', b'""', [b"AA"], [b"AE"]),
        (b"yes", b"", [b"CA"], [b"CE"]),
    ],
)
def test_enhanced_mode(accept: bytes, application: bytes, good: list[bytes], bad: list[bytes]) -> None:
    """MSH-15 and MSH-16 decide which answers come; a message refused at the door has no second answer."""
    message = with_modes(accept, application)
    assert codes(message, ACCEPTED) == good
    assert codes(message, REFUSED) == bad
    if accept == b"AL":
        assert codes(message, UNAVAILABLE) == [b"CR"]


def test_application_answer_wants_no_answer() -> None:
    """The second message of enhanced mode says that it need not be acknowledged."""
    first, second = Acknowledger().answers(header(with_modes(b"AL", b"AL")), ACCEPTED)
    assert first.split(b"|")[14:16] == [b"", b""]
    assert second.split(b"|")[14:16] == [b"NE", b"NE"]


@pytest.mark.parametrize(
    ("kind", "answered", "version"),
    [
        (b"ADT^A03^ADT_A03", b"ACK^A03^ACK", b"2.5"),
        (b"ORU^R01^ORU_R01", b"ACK^R01^ACK", b"2.5"),
        (b"MDM^T02^MDM_T02", b"ACK^T02^ACK", b"2.6"),
        (b"MDM^T02^MDM^T02^MDM_T02", b"ACK^T02^ACK", b"2.6"),
        (b"ZAM^Z01^ZAM_Z01", b"ACK^Z01^ACK", b"2.6"),
        (b"ADT", b"ACK", b"2.5"),
        (b"", b"ACK", b"2.5"),
        (b"ACK", b"ACK", b"2.5"),
        (b"ADT^ a01", b"ACK^A01^ACK", b"2.5"),
    ],
)
def test_type_and_version(kind: bytes, answered: bytes, version: bytes) -> None:
    """MSH-9 names the event that is answered; MDM and ZAM are answered in 2.6."""
    msh = answer(ADMISSION.replace(b"ADT^A01^ADT_A01", kind))["MSH"]
    assert (msh[8], msh[11]) == (answered, version)


def test_other_delimiters() -> None:
    """The answer speaks the sender's delimiters."""
    message = answer(b"MSH#$~\\&#GAM#HX#DPI#HY###ADT$A01#77#T#2.5\r", REFUSED, b"#")
    assert message["MSH"][1] == b"$~\\&"
    assert message["MSH"][8] == b"ACK$A01$ACK"
    assert message["MSH"][10] == b"T"
    assert message["MSA"] == [b"MSA", b"AE", b"77"]
    assert message["ERR"][2] == b"PID$1$3"


def test_control_id_is_copied_as_it_is() -> None:
    """MSA-2 holds the bytes of MSH-10, blanks, accents and escapes included."""
    weird = b" A\\T\\\xe9 7 "
    assert answer(ADMISSION.replace(b"G000101", weird))["MSA"][2] == weird


@pytest.mark.parametrize(
    "message",
    [
        b"\xef\xbb\xbf" + ADMISSION,
        b"\r\n" + ADMISSION,
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ADMISSION,
        ADMISSION.replace(b"\r", b"\n"),
    ],
)
def test_header_behind_something(message: bytes) -> None:
    """A byte order mark, blank lines, a batch header or LF line ends do not hide the MSH."""
    assert answer(message)["MSA"] == [b"MSA", b"AA", b"G000101"]


@pytest.mark.parametrize(
    "message", [b"", b"H|^~\\&|HPRIM", b"<xml/>", b"MSH", b"MSHA1", b"MSH" + b"\x80" * 9, b"\x00" * 5000]
)
def test_no_header(message: bytes) -> None:
    """Whatever has no MSH gets a legal answer with an empty MSA-2."""
    parsed = answer(message, Receipt("refused", "no-msh", "byte 0"))
    assert parsed["MSH"][1:3] == [b"^~\\&", PREFIX]
    assert parsed["MSA"] == [b"MSA", b"AE", b""]
    assert parsed["ERR"][7] == b"no-msh"


def test_short_header() -> None:
    """An MSH that stops early is answered with what it has."""
    parsed = answer(b"MSH|^~\\&|A\r")
    assert parsed["MSH"][2:6] == [PREFIX, b"", b"A", b""]
    assert parsed["MSH"][10] == b"P"
    assert parsed["MSA"] == [b"MSA", b"AA", b""]


def test_endless_header() -> None:
    """An MSH without end is read so far and no further; a field cut in the middle is not copied."""
    line = header(b"MSH|^~\\&|A|B|C|D|1||ADT^A01|" + b"7" * 100_000)
    assert len(line) == 4096
    assert answer(line)["MSA"][2] == b""


def test_ids_are_unique() -> None:
    """No control id comes twice, from one acknowledger or from two."""
    ids = {
        acknowledger.answers(header(ADMISSION), ACCEPTED)[0].split(b"|")[9]
        for acknowledger in (Acknowledger(), Acknowledger())
        for _ in range(500)
    }
    assert len(ids) == 1000


def test_never_answers_an_answer_to_itself() -> None:
    """An ACK of one of our own control ids is ours; ACKs and ZAMs of others are messages like any other."""
    acknowledger = Acknowledger()
    (first,) = acknowledger.answers(header(ADMISSION), ACCEPTED)
    own_id = first.split(b"|")[9]
    reply = b"MSH|^~\\&|GAM|HX|DPI|HY|1||ACK^A01^ACK|9|P|2.5\rMSA|CA|%b\r"
    assert acknowledger.ours(reply % own_id, header(reply))
    assert not acknowledger.ours(reply % b"G000101", header(reply))
    assert not acknowledger.ours(reply % b"JAUGE", header(reply))
    assert not Acknowledger().ours(reply % own_id, header(reply))
    assert not acknowledger.ours(ADMISSION, header(ADMISSION))
    zam = reply.replace(b"ACK^A01^ACK", b"ZAM^Z01^ZAM_Z01") % own_id
    assert not acknowledger.ours(zam, header(zam))


def test_codes_are_explained() -> None:
    """The codes this module gives have their sentences."""
    assert all(text.endswith(".") for text in CODES.values())


@given(message=st.binary(max_size=200) | st.binary(max_size=80).map(lambda tail: b"MSH" + tail), refused=st.booleans())
def test_any_bytes_get_a_legal_answer(message: bytes, refused: bool) -> None:
    """Whatever the bytes, the answers are MSH then MSA, hold no block byte, and nothing is raised."""
    line = header(message)
    acknowledger = Acknowledger()
    acknowledger.ours(message, line)
    for text in acknowledger.answers(line, REFUSED if refused else ACCEPTED):
        assert re.match(rb"MSH([^\r\n]+)\rMSA[^\r]*\r(ERR[^\r]*\r)?$", text, re.DOTALL)
        assert b"\x0b" not in text
        assert b"\x1c" not in text
