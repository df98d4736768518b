"""SOAP: the safe walk of the XML, and the envelope."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import soap, soap_reader
from engine.parsers.dtm import Zone
from tests.parsers.xds_messages import PATIENT, envelope

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<s:Envelope xmlns:s="x"><s:Body>&c;</s:Body></s:Envelope>"""


class Heard:
    """A sink that keeps what it hears; the text of ``V`` elements is wanted."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.texts: list[str] = []
        self.places: list[int] = []

    def start(self, path: list[str], attributes: dict[str, str], place: int) -> bool:
        """Keep the path."""
        self.paths.append("/".join(path))
        self.places.append(place)
        return path[-1] == "V"

    def end(self, path: list[str], text: str, place: int) -> None:
        """Keep the text of what was asked for."""
        if path[-1] == "V":
            self.texts.append(text)


def walk(data: bytes, encoding: str | None = None) -> Heard:
    """What a walk tells."""
    heard = Heard()
    soap_reader.walk(data, heard, encoding=encoding)
    return heard


def read(data: bytes) -> soap.Envelope:
    """An envelope whose body nobody listens to."""
    return soap.read(data, Heard())


def refusal(data: bytes) -> str:
    """The code with which a message is refused."""
    with pytest.raises(ParseError) as caught:
        walk(data)
    assert caught.value.code in soap_reader.REJECTIONS
    place = int(caught.value.where.removeprefix("byte "))
    assert 0 <= place <= len(data)
    return caught.value.code


class TestWalk:
    """Elements, in order, by their local names."""

    def test_local_names_and_places(self) -> None:
        """Prefixes say nothing, declared or not; a place is the byte of the tag."""
        data = b"\xef\xbb\xbf <?xml version='1.0'?><!-- <x> --><n:A><B/><m:C xmlns:m='z'><V>t</V></m:C></n:A>"
        heard = walk(data)
        assert heard.paths == ["A", "A/B", "A/C", "A/C/V"]
        assert [data[place : place + 2] for place in heard.places] == [b"<n", b"<B", b"<m", b"<V"]

    def test_text(self) -> None:
        """The text of an element that is asked for, with its references; empty when an element stands in it."""
        assert walk(b"<a><V>x &amp;\r\n&#233;<![CDATA[<]]></V><V/><W>no</W><V>no<b/>no</V></a>").texts == [
            "x &\né<",
            "",
            "",
        ]

    def test_a_value_that_is_too_long_is_empty(self) -> None:
        """A cut value would be another value."""
        longest = "x" * soap_reader.MAX_TEXT
        assert walk(f"<a><V>{longest}</V><V>{longest}x</V><V>b</V></a>".encode()).texts == [longest, "", "b"]

    def test_encodings(self) -> None:
        """As declared by the XML, else by the transport, else UTF-8."""
        assert walk("<a><V>é</V></a>".encode()).texts == ["é"]
        assert walk("<?xml version='1.0' encoding='iso-8859-1'?><a><V>é</V></a>".encode("latin-1")).texts == ["é"]
        assert walk("<a><V>€</V></a>".encode("cp1252"), "windows-1252").texts == ["€"]

    def test_a_span_of_a_payload(self) -> None:
        """Places are those of the payload, whatever stands around the message."""
        heard = Heard()
        soap_reader.walk(b"....<a><b/></a>&&&", heard, 4, 15)
        assert heard.places == [4, 7]
        with pytest.raises(ParseError, match="soap-malformed at byte 9"):
            soap_reader.walk(b"....<a>\n& </a>", Heard(), 4)

    def test_a_long_text_is_not_kept(self) -> None:
        """An inline document of 32 MiB costs no memory while the message is walked."""
        data = b"<a><D>" + b"QUJD" * (8 << 20) + b"</D></a>"
        tracemalloc.start()
        try:
            walk(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000


class TestHostile:
    """XML that nobody writes in good faith."""

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (LAUGHS, "soap-doctype"),
            (b'<!DOCTYPE a SYSTEM "http://198.51.100.1/x.dtd"><a/>', "soap-doctype"),
            (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "soap-doctype"),
            (b"<!-- --><?p ?>\n<!DOCTYPE" + b" " * 70_000 + b'a [<!ENTITY x "y">]><a>&x;</a>', "soap-doctype"),
            (b"<a><!DOCTYPE b></a>", "soap-malformed"),
            (b"<a>&x;</a>", "soap-entity"),
            (b"<a>\xff</a>", "soap-encoding"),
            (b"<?xml version='1.0' encoding='klingon'?><a/>", "soap-encoding"),
            (b"<?xml version='1.0' encoding='utf-16'?><a/>", "soap-encoding"),
            ("<a/>".encode("utf-16"), "soap-encoding"),
            ("<a/>".encode("utf-32-be"), "soap-encoding"),
            (b"", "soap-truncated"),
            (b"<a><b>", "soap-truncated"),
            (b"<?xml version='1.0'", "soap-truncated"),
            (b"<!-- never closed", "soap-truncated"),
            (b"text", "soap-malformed"),
            (b"   ", "soap-malformed"),
            (b"<a></b>", "soap-malformed"),
            (b"<a/><a/>", "soap-malformed"),
            (b"<a b='1' b='2'/>", "soap-malformed"),
            (b"<a>" * 100_000, "soap-too-deep"),
            (b"<a>" * 257 + b"</a>" * 257, "soap-too-deep"),
        ],
    )
    def test_is_refused(self, data: bytes, code: str) -> None:
        """With a code and a byte."""
        assert refusal(data) == code

    def test_depth_is_exact(self) -> None:
        """256 levels are read."""
        assert len(walk(b"<a>" * 256 + b"</a>" * 256).paths) == 256

    @pytest.mark.parametrize("opening", [b"<a><b c='", b"<a><!--", b"<a><?p ", b"<", b"<!--"])
    def test_one_token_of_200_mb(self, opening: bytes) -> None:
        """An attribute, a comment, an instruction or a name of 200 MB is refused near its beginning, in a few MiB."""
        data = opening + b"x" * 200_000_000 + (b"-->" if b"--" in opening else b"?>" if b"?" in opening else b"'/></a>")
        tracemalloc.start()
        try:
            assert refusal(data) == "soap-too-large" or opening == b"<!--"
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 8_000_000

    def test_many_elements(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each element costs time: beyond a number that no submission comes near, the message is refused."""
        monkeypatch.setattr(soap_reader, "MAX_ELEMENTS", 1_000)
        assert len(walk(b"<a>" + b"<b/>" * 999 + b"</a>").paths) == 1_000
        assert refusal(b"<a>" + b"<b/>" * 1_000 + b"</a>") == "soap-too-large"

    def test_many_attributes(self) -> None:
        """A tag of many attributes is a long token."""
        assert refusal(b"<a " + b" ".join(b"a%d='x'" % number for number in range(200_000)) + b"/>") == "soap-too-large"

    @given(
        st.lists(
            st.sampled_from(["<a>", "</a>", "<V>", "</V>", "<", ">", "&", "&#0;", "x", "<!--", "]]>", "é", "\0", "<?"]),
            max_size=30,
        )
    )
    def test_any_text(self, pieces: list[str]) -> None:
        """A walk, or a code of the closed list."""
        try:
            walk("".join(pieces).encode())
        except ParseError as error:
            assert error.code in soap_reader.REJECTIONS


class TestEnvelope:
    """What stands around the body."""

    @pytest.mark.parametrize("soap11", [True, False])
    def test_addressing(self, soap11: bool) -> None:
        """MessageID, RelatesTo and Action, under either version of SOAP."""
        found = read(
            envelope(
                "<x:Body1 xmlns:x='y'><z/></x:Body1>", message=" urn:uuid:1 ", relates="r", action="a", soap11=soap11
            )
        )
        assert (found.message_id, found.relates_to, found.action, found.body) == ("urn:uuid:1", "r", "a", "Body1")

    def test_only_the_header_has_addressing(self) -> None:
        """The same names in the body, deeper in the header or in an assertion are somebody else's."""
        inner = "<a:MessageID>no</a:MessageID>"
        found = read(envelope(f"<x>{inner}</x>", header=f"<y>{inner}</y>"))
        assert found.message_id == ""

    def test_the_first_holds(self) -> None:
        """A header that is repeated keeps its first value."""
        assert read(envelope("<x/>", message="1", header="<a:MessageID>2</a:MessageID>")).message_id == "1"

    def test_patient_of_the_security_token(self) -> None:
        """Of the SAML assertion, the resource-id and nothing else."""
        cx = PATIENT.replace("&", "&amp;")
        found = read(
            envelope(
                "<x/>",
                header="<w:Security><S:Assertion><S:Attribute Name='Identifiant_Structure'><S:AttributeValue>1</S:AttributeValue>"
                "</S:Attribute><S:Attribute Name='urn:oasis:names:tc:xacml:2.0:resource:resource-id'>"
                f"<S:AttributeValue>{cx}</S:AttributeValue></S:Attribute></S:Assertion></w:Security>",
            )
        )
        assert found.patient == PATIENT
        assert PATIENT not in repr(found)

    @pytest.mark.parametrize(
        ("written", "seconds"),
        [
            ("2026-03-10T15:20:05Z", 1_773_156_005),
            ("2026-03-10T16:20:05.123+01:00", 1_773_156_005),
            ("2026-03-10T15:20:05", 1_773_156_005),
            ("2026-03-10T15:20", 0),
            ("yesterday", 0),
        ],
    )
    def test_created(self, written: str, seconds: int) -> None:
        """The time of the security header's Timestamp, in UTC unless it says otherwise; that of a token is another."""
        header = f"<w:Security><w:UsernameToken><u:Created>1999-01-01T00:00:00Z</u:Created></w:UsernameToken><u:Timestamp><u:Created>{written}</u:Created></u:Timestamp></w:Security>"
        assert read(envelope("<x/>", header=header)).created == seconds

    def test_without_envelope(self) -> None:
        """A lone body is what it is."""
        found = read(b"<lcm:SubmitObjectsRequest><MessageID>no</MessageID></lcm:SubmitObjectsRequest>")
        assert (found.body, found.message_id) == ("SubmitObjectsRequest", "")

    def test_an_empty_body(self) -> None:
        """An envelope without header or body is an envelope."""
        assert read(b"<Envelope/>").body == read(b"<Envelope><Body/></Envelope>").body == ""


class TestUtc:
    """Times of the metadata."""

    @pytest.mark.parametrize(
        ("written", "seconds"),
        [
            ("20260310152005", 1773156005),
            (" 20260310152005 ", 1773156005),
            ("20260310162005+0100", 1773156005),
            ("20260310152005Z", 1773156005),
            ("20260310", 1773100800),
            ("2026-03-10", 0),
            ("é", 0),
            ("", 0),
        ],
    )
    def test_utc(self, written: str, seconds: int) -> None:
        """Without an offset they are UTC, whatever the zone of the feed."""
        assert soap.utc(Zone("Europe/Paris"), written) == seconds
