"""The parts of a mail, in place: as the standard library sees them where a mail is well formed, and survived where it is not."""

from __future__ import annotations

import base64
import binascii
import contextlib
import email
import io
import quopri
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from engine.errors import ParseError
from engine.parsers import mime
from tests.parsers.mails import PDF, attached, head, mail, multipart, plain, text

LIMIT = 1 << 20


def archive() -> bytes:
    """A ZIP."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("a.txt", "a" * 100)
    return stream.getvalue()


ZIP = archive()


def shape(raw: bytes) -> list[tuple[str, str]]:
    """Place and media type of each part."""
    return [(part.path, part.kind) for part in mime.read(raw).parts]


def codes(raw: bytes) -> list[str]:
    """What was odd."""
    return [flag.code for flag in mime.read(raw).flags]


def refusal(raw: bytes) -> str:
    """The code of a mail that is refused."""
    with pytest.raises(ParseError) as caught:
        mime.read(raw)
    return caught.value.code


class TestParts:
    """Which parts a mail holds, and where."""

    def test_flat(self) -> None:
        """Each part has its place; the mail itself is 0."""
        raw = mail(text(), attached(ZIP), attached(PDF, "application/pdf", "copie.pdf"))
        assert shape(raw) == [("1", "text/plain"), ("2", "application/zip"), ("3", "application/pdf")]
        assert shape(plain()) == [("0", "text/plain")]
        assert codes(raw) == []

    def test_nested(self) -> None:
        """Multiparts in multiparts, even when one boundary begins like another."""
        inner = b'Content-Type: multipart/alternative; boundary="M12"\r\n\r\n' + multipart(
            [text("a"), text("b")], "M12"
        )
        raw = mail(inner, attached(ZIP))
        assert shape(raw) == [("1.1", "text/plain"), ("1.2", "text/plain"), ("2", "application/zip")]
        assert bytes(mime.read(raw).parts[0].view()) == b"a"

    def test_a_mail_in_a_mail_is_not_entered(self) -> None:
        """What it carries was not sent by this one."""
        inside = b"Content-Type: message/rfc822\r\n\r\n" + mail(text(), attached(ZIP), boundary="M9")
        parts = mime.read(mail(text(), inside)).parts
        assert [part.kind for part in parts] == ["text/plain", "message/rfc822"]
        assert not parts[1].holds_zip()
        assert mime.header(parts[1].head(1 << 16))["from"]

    def test_a_digest(self) -> None:
        """Its parts are mails when they do not say otherwise."""
        raw = mail(b"\r\nFrom: a@b\r\n\r\nx", kind="multipart/digest")
        assert shape(raw) == [("1", "message/rfc822")]

    def test_preamble_and_epilogue(self) -> None:
        """What stands before the first boundary and after the last is nothing."""
        raw = mail(text()).replace(b"\r\n\r\n--M1", b"\r\n\r\nThis is MIME.\r\n--M1", 1) + b"--M1\r\nepilogue"
        assert shape(raw) == [("1", "text/plain")]

    def test_not_closed(self) -> None:
        """A mail that was cut: its last part goes on to the end."""
        raw = mail(text(), attached(ZIP)).removesuffix(b"--M1--\r\n")
        assert shape(raw) == [("1", "text/plain"), ("2", "application/zip")]
        assert codes(raw) == ["mail-not-closed"]
        assert mime.read(raw).parts[1].decode(LIMIT) == (ZIP, True)

    @pytest.mark.parametrize("old", [b'; boundary="M1"', b'"M1"'])
    def test_a_boundary_that_nobody_announced(self, old: bytes) -> None:
        """The first line that looks like one is one."""
        assert shape(mail(text(), attached(ZIP)).replace(old, b"", 1)) == [
            ("1", "text/plain"),
            ("2", "application/zip"),
        ]

    def test_without_boundary(self) -> None:
        """A multipart without any is one part."""
        raw = head(Content_Type='multipart/mixed; boundary="M1"').encode() + b"\r\nnothing"
        assert shape(raw) == [("0", "multipart/mixed")]
        assert codes(raw) == ["mail-boundary-missing"]

    def test_what_begins_like_a_boundary(self) -> None:
        """Only a whole line is one; blanks after it are none of it."""
        raw = mail(text("--M1x\r\n--M1-\r\n--M1 x\r\n --M1")).replace(b"\r\n--M1--", b"\r\n--M1-- \t")
        assert shape(raw) == [("1", "text/plain")]
        assert codes(raw) == []

    def test_parts_without_header_or_content(self) -> None:
        """Both are parts."""
        assert shape(mail(b"\r\nx", b"", b"\r\n")) == [("1", "text/plain"), ("2", "text/plain"), ("3", "text/plain")]
        assert shape(mail(b"no header at all")) == [("1", "text/plain")]

    def test_the_line_of_an_mbox(self) -> None:
        """Empty lines, a byte order mark and ``From `` before the header are passed over."""
        raw = plain()
        for lead in (b"\r\n\n", b"From a@b Tue Mar 10 16:20:00 2026\n", b">From a\r\n", b"\xef\xbb\xbf"):
            assert mime.read(lead + raw).fields == mime.read(raw).fields


class TestRefused:
    """What no mailer writes."""

    def test_too_many(self) -> None:
        """Parts, in one level or in several; lines that begin like a boundary."""
        assert refusal(mail(*[b""] * 1_001)) == "mail-too-many-parts"
        many = b"Content-Type: multipart/mixed; boundary=X\r\n\r\n" + multipart([b""] * 600, "X")
        assert refusal(mail(many, many)) == "mail-too-many-parts"
        assert refusal(mail(text("\n--M1x" * 10_001))) == "mail-too-many-parts"

    def test_too_deep(self) -> None:
        """Seventeen levels."""
        part = text()
        for level in range(17):
            part = f"Content-Type: multipart/mixed; boundary=B{level}\r\n\r\n".encode() + multipart([part], f"B{level}")
        assert refusal(mail(part)) == "mail-too-deep"

    @pytest.mark.parametrize("raw", [b"", b"\r\n", b"hello", b"\x00" * 100, b"--M1\r\n\r\n", b"From a\n"])
    def test_no_mail(self, raw: bytes) -> None:
        """Bytes that begin with no header field."""
        assert refusal(raw) == "mail-no-header"

    def test_header_of_a_part(self) -> None:
        """One that does not end within 64 KiB, or has more than 1,000 fields."""
        assert refusal(mail(b"X: " + b"a" * (1 << 17))) == "mail-header-too-large"
        assert refusal(mail(b"a:\n" * 1_001 + b"\n")) == "mail-header-too-many"


class TestContent:
    """Parts decoded, when somebody asks."""

    @pytest.mark.parametrize(
        ("written", "encoding"),
        [
            (base64.encodebytes(ZIP), "base64"),
            (base64.b64encode(ZIP), " BASE64 (a comment)"),
            (b" \r\n\r\n" + base64.encodebytes(ZIP).replace(b"\n", b" \r\n"), "base64"),
            (base64.encodebytes(ZIP), "7bit"),
            (ZIP, "binary"),
            (ZIP, "base64"),
            (quopri.encodestring(ZIP, quotetabs=True), "quoted-printable"),
            (binascii.b2a_qp(ZIP, istext=False), "quoted-printable"),
        ],
    )
    def test_a_zip(self, written: bytes, encoding: str) -> None:
        """Known by its first bytes, and decoded by what it is, whatever its header says."""
        part = mime.read(mail(b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + written)).parts[0]
        assert part.holds_zip()
        assert bytes(part.decode(LIMIT)[0]) == ZIP

    def test_uuencode(self) -> None:
        """As old mailers do, announced or not."""
        lines = [binascii.b2a_uu(ZIP[at : at + 45]) for at in range(0, len(ZIP), 45)]
        written = b"begin 644 IHE_XDM.ZIP\n" + b"".join(lines) + b"`\nend\n"
        for header in (b"Content-Transfer-Encoding: x-uuencode\r\n\r\n", b"\r\n"):
            part = mime.read(mail(header + written)).parts[0]
            assert part.holds_zip()
            assert part.decode(LIMIT) == (ZIP, True)
        cut = mime.read(mail(b"\r\n" + written[:-30])).parts[0].decode(LIMIT)
        assert cut[1] is False
        assert ZIP.startswith(cut[0][:90])

    def test_no_zip(self) -> None:
        """Texts, PDF files, nothing."""
        raw = mail(text("PK"), attached(PDF, "application/zip"), text(""), text("UEsD"))
        assert not any(part.holds_zip() for part in mime.read(raw).parts)

    def test_damaged(self) -> None:
        """What can be read of damaged base64, and that it is damaged."""
        written = base64.b64encode(ZIP)
        part = mime.read(
            mail(b"Content-Transfer-Encoding: base64\r\n\r\n" + written[:40] + b"!?" + written[40:] + b"\r\n=-")
        ).parts[0]
        assert part.decode(LIMIT) == (ZIP, False)

    def test_too_large(self) -> None:
        """Nothing beyond the limit is decoded."""
        for part in mime.read(mail(attached(bytes(5_000)), attached(bytes(5_000), encoding="8bit"))).parts:
            assert len(part.decode(5_000)[0]) == 5_000
            with pytest.raises(ParseError, match="mail-part-too-large at part"):
                part.decode(4_000)

    def test_names(self) -> None:
        """A file name, in whichever of its two places and forms; it is never shown."""
        for header in (
            b'Content-Type: application/zip; name="=?utf-8?Q?IHE=5FXDM.zip?="',
            b"Content-Disposition: attachment; filename*=utf-8''IHE%5FXDM.zip",
            b'Content-Disposition: attachment; filename*0="IHE_"; filename*1=XDM.zip',
        ):
            part = mime.read(mail(header + b"\r\n\r\nx")).parts[0]
            assert part.name == "IHE_XDM.zip"
            assert "XDM" not in pretty_repr(part) + repr(part) + pretty_repr(mime.read(mail(header)))

    def test_the_beginning(self) -> None:
        """The first bytes of a part, decoded, without decoding the rest."""
        content = bytes(range(256)) * 100
        quoted = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9" + b"a" * 100
        parts = mime.read(mail(attached(content), text("abc" * 100), quoted)).parts
        assert content.startswith(parts[0].head(1_000))
        assert len(parts[0].head(1_000)) == 1_000
        assert parts[1].head(6) == b"abcabc"
        assert parts[2].head(9) == "é".encode() + b"aaa"


LEAF = st.tuples(
    st.sampled_from(["text/plain", "application/pdf", "application/octet-stream", "Text/HTML; charset=utf-8"]),
    st.sampled_from(["base64", "quoted-printable", "8bit", "7bit"]),
    st.binary(max_size=120),
)
TREE = st.recursive(LEAF, lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=12)


def written(tree: object, name: str) -> bytes:
    """A tree of parts as MIME."""
    if isinstance(tree, list):
        parts = [written(child, f"{name}.{number}") for number, child in enumerate(tree)]
        return f'Content-Type: multipart/mixed;\r\n\tboundary="{name}"\r\n\r\n'.encode() + multipart(parts, name)
    kind, encoding, content = tree  # type: ignore[misc]
    if encoding == "base64":
        content = base64.encodebytes(content).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        content = quopri.encodestring(content, quotetabs=True).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    else:
        content = content.replace(b"\r", b"").replace(b"\n", b"\r\n").replace(b"--", b"").replace(b"PK", b"")
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + content


def leaves(message: email.message.Message) -> list[tuple[str, bytes]]:
    """The parts that the standard library sees, decoded."""
    if message.is_multipart():
        return [leaf for child in message.get_payload() for leaf in leaves(child)]  # type: ignore[union-attr,arg-type]
    return [(message.get_content_type(), message.get_payload(decode=True))]  # type: ignore[list-item]


class TestOracle:
    """Beside the standard library, and over any bytes."""

    @given(TREE, st.sampled_from(["=_Part.1", "a b", "M1"]), st.booleans())
    @settings(max_examples=200)
    def test_as_the_standard_library(self, tree: object, name: str, unix: bool) -> None:
        """The same parts with the same content in a well-formed mail, whatever its line ends."""
        raw = head(MIME_Version="1.0").encode() + written(tree, name)
        if unix:
            raw = raw.replace(b"\r\n", b"\n")
        expected = leaves(email.message_from_bytes(raw))
        found = mime.read(raw)
        assert [(part.kind, bytes(part.decode(LIMIT)[0])) for part in found.parts] == expected
        assert found.flags == ()

    @given(
        st.binary(max_size=300),
        st.lists(
            st.sampled_from(
                [
                    b"\n",
                    b"\r\n",
                    b"--M1",
                    b"--",
                    b"M1\n",
                    b": ",
                    b"Content-Type: multipart/x; boundary=M1\n",
                    b"begin 644 a\n",
                    b"PK\x03\x04",
                    b"UEsDB",
                ]
            ),
            max_size=30,
        ).map(b"".join),
    )
    def test_any_bytes(self, noise: bytes, pieces: bytes) -> None:
        """Parts within the payload, or a declared code."""
        for raw in (
            noise,
            pieces,
            b"From: a@b\n" + pieces,
            mail(pieces, noise),
            mail(attached(noise, encoding="x-uuencode")),
        ):
            try:
                found = mime.read(raw)
            except ParseError as error:
                assert error.code in mime.REJECTIONS
                continue
            assert {flag.code for flag in found.flags} <= mime.CODES.keys()
            for part in found.parts:
                assert 0 <= part.start <= part.end <= len(raw)
                part.decode(LIMIT)
                part.head(10)
                assert part.name == part.name
            mime.header(raw)

    @pytest.mark.parametrize(
        "piece",
        [
            b"\n--M1 ",
            b"\n--M",
            b"\n-",
            b"-",
            b"\n",
            b"\r\n",
            b"\n--M1\n--M1--",
            b"a: b\n",
            b"\n\n--M1\n",
            b" ",
            b"\n--M1" + b" " * 500 + b"x",
        ],
    )
    def test_linear(self, piece: bytes) -> None:
        """Megabytes of anything, in the header, the body or a part, are read at once: time that grew with their square would end the test."""
        for lead in (b"", b"Subject: ", head(Content_Type="multipart/mixed; boundary=M1").encode() + b"\r\n"):
            with contextlib.suppress(ParseError):
                for part in mime.read(lead + piece * (4_000_000 // len(piece))).parts:
                    part.decode(1 << 24)
