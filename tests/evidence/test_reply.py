"""Which mail answers a test, among everything that a mailbox may hold."""

from __future__ import annotations

import base64
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evidence.record import Record
from engine.evidence.reply import Match, match

from .establishment import NOW, SENDER, failure, reply, sent


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A test that was sent."""
    return sent(tmp_path_factory.mktemp("register"))[1]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Another, of the day before."""
    return sent(tmp_path_factory.mktemp("register"), seed=2, at=NOW - 80_000)[1]


def found(raw: bytes, *records: Record, hours: int = 24) -> Match | None:
    """What the mail is for these tests."""
    return match(raw, records, reply_hours=hours)


class TestReply:
    """The robot's answer."""

    def test_is_known_by_the_thread(self, record: Record, earlier: Record) -> None:
        """A mail that names our Message-ID answers that test, whoever it says it is from and whatever its date."""
        raw = reply(record, origin="noreply@monespacesante.example", seconds=40 * 86_400)
        assert found(raw, earlier, record) == Match(record, "reply", "thread", NOW + 40 * 86_400)

    def test_is_known_by_references_alone(self, record: Record) -> None:
        """In-Reply-To may be missing, and References may name others too."""
        raw = reply(record, thread=False, origin="x@y.example")
        raw = raw.replace(
            b"Subject:", b"References: <other@z.example>\r\n " + record.trial.message_id.encode() + b"\nSubject:"
        )
        assert found(raw, record) is not None

    def test_is_known_by_the_robot_and_the_time_else(self, record: Record, earlier: Record) -> None:
        """Without a thread: a mail of the test address, within the hours of the settings, answers the latest test before it."""
        match_found = found(reply(record, thread=False), earlier, record)
        assert match_found is not None
        assert (match_found.record, match_found.kind, match_found.how) == (record, "reply", "sender")

    @pytest.mark.parametrize("seconds", [-3_600, 24 * 3_600 + 1])
    def test_is_not_the_robot_at_another_time(self, record: Record, seconds: int) -> None:
        """Before the test, or long after it, the robot answers somebody else."""
        assert found(reply(record, thread=False, seconds=seconds), record) is None

    def test_a_stranger_without_thread_answers_nothing(self, record: Record) -> None:
        """Anybody else's mail is passed over."""
        assert found(reply(record, thread=False, origin="alix@cabinet-fictif.mssante.fr"), record) is None

    def test_a_robot_without_date_answers_nothing(self, record: Record) -> None:
        """Without a time there is nothing to tell the test by."""
        raw = reply(record, thread=False)
        assert found(b"\n".join(line for line in raw.split(b"\n") if not line.startswith(b"Date:")), record) is None


class TestOthers:
    """What is no reply."""

    def test_our_own_message_is_none(self, record: Record, earlier: Record) -> None:
        """A copy of the message that was sent (journal, Sent) names itself: it answers nothing, and no other test either."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Message-ID"] = SENDER, record.recipient, record.trial.message_id
        mail["References"] = earlier.trial.message_id
        mail.set_content("essai")
        assert found(mail.as_bytes(), record, earlier) is None

    def test_our_own_people_are_none(self, record: Record) -> None:
        """Somebody who forwards the message from the same mailbox does not answer it."""
        assert found(reply(record, origin=SENDER), record) is None

    def test_a_failure_is_told(self, record: Record) -> None:
        """A delivery report about our message, known by the heads that it returns."""
        match_found = found(failure(record), record)
        assert match_found is not None
        assert match_found.kind == "failure"

    @pytest.mark.parametrize(
        ("action", "kind"), [("delivered", "delivered"), ("relayed", "delivered"), ("delayed", "delayed")]
    )
    def test_other_reports_are_noted(self, record: Record, action: str, kind: str) -> None:
        """Delivered, or late: neither a failure nor a reply."""
        match_found = found(failure(record, action), record)
        assert match_found is not None
        assert match_found.kind == kind

    def test_a_report_about_another_message_is_none(self, record: Record, earlier: Record) -> None:
        """Somebody else's failure is not ours."""
        assert found(failure(earlier), record) is None

    def test_a_failure_in_plain_words_is_told(self, record: Record) -> None:
        """Some servers write an ordinary mail: from MAILER-DAEMON, in our thread."""
        match_found = found(reply(record, origin="MAILER-DAEMON@ch-fictif.mssante.fr"), record)
        assert match_found is not None
        assert match_found.kind == "failure"

    @pytest.mark.parametrize("encoding", ["7bit", "base64"])
    def test_a_read_receipt_is_noted(self, record: Record, encoding: str) -> None:
        """An MDN that names our message, encoded or not: not the reply."""
        fields = f"Final-Recipient: rfc822;{record.recipient}\nOriginal-Message-ID: {record.trial.message_id}\nDisposition: a/b; displayed\n"
        body = base64.b64encode(fields.encode()).decode() if encoding == "base64" else fields
        raw = (
            f"From: {record.recipient}\nDate: Tue, 10 Mar 2026 16:16:00 +0100\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=disposition-notification; boundary="B"\n\n'
            f"--B\nContent-Type: text/plain\n\nlu\n--B\nContent-Type: message/disposition-notification\n"
            f"Content-Transfer-Encoding: {encoding}\n\n{body}\n--B--\n"
        )
        match_found = found(raw.encode(), record)
        assert match_found is not None
        assert match_found.kind == "read"


class TestHostile:
    """Whatever is in the mailbox."""

    @given(st.binary(max_size=400))
    def test_any_bytes_answer_nothing(self, record: Record, raw: bytes) -> None:
        """No bytes raise anything."""
        assert found(raw, record) is None

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["From", "Date", "In-Reply-To", "References", "Message-ID", "Content-Type", "Subject"]),
                st.text(max_size=60),
            ),
            max_size=8,
        )
    )
    def test_any_headers_are_survived(self, record: Record, headers: list[tuple[str, str]]) -> None:
        """Headers that break the standard library's reader raise nothing either."""
        raw = "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\nx"
        found(raw.encode("utf-8", "replace"), record)


def test_a_mail_of_thousands_of_parts_is_not_walked_for_ever(record: Record) -> None:
    """Only the first parts of a report are looked at."""
    parts = "--B\nContent-Type: text/plain\n\nx\n" * 20_000
    raw = f'From: a@b.c\nContent-Type: multipart/report; boundary="B"\n\n{parts}--B--\n'.encode()
    assert found(raw, record) is None
