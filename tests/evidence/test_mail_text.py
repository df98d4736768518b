"""A reply as a person sees it, whatever it is made of."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evidence.mail_text import html_text, letter


class TestLetter:
    """Heads, text, attachments."""

    def test_shows_what_a_mail_reader_shows(self) -> None:
        """Decoded heads in French words, in their order; the plain text; the attachments with their SHA-256."""
        mail = EmailMessage()
        mail["Subject"] = "Réponse à l’œuvre"
        mail["From"] = "Équipe <robot@patient.mssante.fr>"
        mail["To"] = "sorties@ch-fictif.mssante.fr"
        mail["Date"] = "Tue, 10 Mar 2026 16:17:00 +0100"
        mail.set_content("Bonjour à 0 €\r\n")
        mail.add_alternative("<p>autre</p>", subtype="html")
        mail.add_attachment(b"abc", "application", "pdf", filename="reçu.pdf")
        shown = letter(mail.as_bytes())
        assert [word for word, _ in shown.heads] == ["De", "À", "Date", "Objet"]
        assert dict(shown.heads)["Objet"] == "Réponse à l’œuvre"
        assert shown.text == "Bonjour à 0 €"
        assert [(part.name, part.size) for part in shown.attachments] == [("reçu.pdf", 3)]

    def test_an_attached_text_is_not_the_text(self) -> None:
        """A text that is attached is an attachment, and the HTML is what is read."""
        mail = EmailMessage()
        mail.set_content("<p>Bonjour</p>", subtype="html")
        mail.add_attachment("secret", filename="note.txt")
        assert letter(mail.as_bytes()).text == "Bonjour"

    def test_a_charset_nobody_knows_is_survived(self) -> None:
        """What can be decoded is shown."""
        raw = b'Content-Type: text/plain; charset="x-none"\nContent-Transfer-Encoding: 8bit\n\n\xc3\xa9t\xc3\xa9'
        assert letter(raw).text == "été"

    def test_a_text_without_end_is_cut(self) -> None:
        """Only its begin is printed, and it is said."""
        shown = letter(b"Content-Type: text/plain\n\n" + b"x" * 100_000)
        assert shown.cut
        assert len(shown.text) == 20_000

    @given(st.binary(max_size=300))
    def test_any_bytes_are_a_letter(self, raw: bytes) -> None:
        """Nothing raises."""
        letter(raw)
        letter(b"Content-Type: text/html\n\n" + raw)


class TestHtml:
    """HTML to text."""

    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("<p>Un</p><p>deux<br>trois</p>", "Un\n\ndeux\ntrois"),
            ("a &eacute; &amp; &#233; &nbsp;b", "a é & é \u00a0b"),
            ("<ul><li>Un</li><li>deux</li></ul>", "• Un\n• deux"),
            ("<style>p{}</style><script>alert(1)</script><title>t</title>vu", "vu"),
            ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
            ("<div>sans fin", "sans fin"),
            ("</script>vu<!-- non --><![CDATA[x]]>", "vu"),
        ],
    )
    def test_is_read_as_a_person_does(self, html: str, text: str) -> None:
        """Blocks on lines of their own, lists with dots, nothing of scripts and styles."""
        assert html_text(html) == text

    @given(st.text(max_size=400))
    def test_any_text_is_read(self, html: str) -> None:
        """No page raises anything."""
        html_text(html)

    def test_a_page_of_tags_is_read_in_linear_time(self) -> None:
        """Only the begin of a huge page is read."""
        assert html_text("<div>" * 200_000 + "x") == ""
