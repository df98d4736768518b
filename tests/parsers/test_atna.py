"""Audit messages: what a submission leaves behind, in both spellings, and everything hostile."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.facts import AUDIT, INS_TEST, Outcome, Submission
from engine.parsers import atna, formats, submissions
from engine.parsers.context import default
from engine.parsers.parsed import Parsed
from tests.parsers.audit_messages import AT, INS_CX, IPP_CX, SET_ID, audit, fixture

CONTEXT = default()


def refused(payload: bytes) -> tuple[str, str]:
    """Code and place of what cannot be read."""
    with pytest.raises(ParseError) as caught:
        atna.parse(payload, CONTEXT)
    return caught.value.code, caught.value.where


def codes(parsed: Parsed) -> list[str]:
    """The remarks on a message."""
    return [flag.code for flag in parsed.flags]


class TestFacts:
    """A submission, and what became of it."""

    def test_an_accepted_submission(self) -> None:
        """ITI-41 with outcome 0: who, which set, when, and that it was accepted."""
        parsed = atna.parse(audit(patients=(INS_CX, IPP_CX)), CONTEXT)
        key = submissions.set_key(CONTEXT, SET_ID)
        who = submissions.patient(CONTEXT, INS_CX, IPP_CX)
        assert parsed.facts == (
            Submission(
                at=AT, establishment="990000001", ipp=who.ipp, ins=who.ins, ins_root=INS_TEST, key=key, trace=AUDIT
            ),
            submissions.outcome(at=AT, key=key, accepted=True, trace=AUDIT),
        )
        assert parsed.message == "ITI-41 audit"
        assert parsed.at == AT
        assert parsed.sender == "PFI-DMP@990000001"
        assert parsed.processing == ""
        assert not parsed.flags

    @pytest.mark.parametrize("code", ["4", "8", "12"])
    def test_a_failed_submission(self, code: str) -> None:
        """Outcomes 4, 8 and 12 are refusals, under a code of their own."""
        outcome = atna.parse(audit(outcome=code), CONTEXT).facts[1]
        assert isinstance(outcome, Outcome)
        assert (outcome.accepted, outcome.code, outcome.layer, outcome.trace) == (False, f"audit-{code}", "dmp", AUDIT)

    @pytest.mark.parametrize("outcome", [None, "", "1", "zero"])
    def test_an_unknown_outcome_is_no_answer(self, outcome: str | None) -> None:
        """Without a known EventOutcomeIndicator the submission is known and its answer is not."""
        parsed = atna.parse(audit(outcome=outcome), CONTEXT)
        assert [type(fact) for fact in parsed.facts] == [Submission]
        assert codes(parsed) == ["audit-outcome-unknown"]

    def test_the_older_spelling_says_the_same(self) -> None:
        """RFC 3881 wrote code and displayName: the facts are equal."""
        assert atna.parse(audit(old=True), CONTEXT).facts == atna.parse(audit(), CONTEXT).facts

    def test_the_registrys_side(self) -> None:
        """ITI-42 is a submission, too."""
        parsed = atna.parse(audit(event="ITI-42"), CONTEXT)
        assert parsed.message == "ITI-42 audit"
        assert len(parsed.facts) == 2

    @pytest.mark.parametrize("event", ["ITI-32", "ITI-43", "ITI-20", "", "114"])
    def test_other_events_give_nothing(self, event: str) -> None:
        """An export to a disk, a retrieval, a login: a remark, no fact, no rejection."""
        parsed = atna.parse(audit(event=event), CONTEXT)
        assert parsed.facts == ()
        assert codes(parsed) == ["audit-not-submission"]

    def test_without_a_submission_set(self) -> None:
        """Nothing could ever be joined with it: a remark and no fact."""
        parsed = atna.parse(audit(set_id=None), CONTEXT)
        assert parsed.facts == ()
        assert codes(parsed) == ["audit-without-set"]

    def test_another_job_is_no_submission_set(self) -> None:
        """Type 2 role 20 alone does not make a submission set: its id type code does."""
        assert codes(atna.parse(audit(node="ITI-9"), CONTEXT)) == ["audit-without-set"]

    @pytest.mark.parametrize(
        "node",
        [
            "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873BDD",
            "URN:UUID:A54D6AA5-D40D-43F9-88C5-B4633D873BDD",
            "a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
        ],
    )
    def test_the_node_of_the_set_in_any_case(self, node: str) -> None:
        """Senders write the UUID in either case, with or without its prefix."""
        assert len(atna.parse(audit(node=node), CONTEXT).facts) == 2

    def test_the_set_may_be_a_urn(self) -> None:
        """``urn:oid:`` before the uniqueId names the same set."""
        assert atna.parse(audit(set_id=f"urn:oid:{SET_ID}"), CONTEXT).facts == atna.parse(audit(), CONTEXT).facts

    def test_without_a_patient(self) -> None:
        """The set and its outcome still answer what another trace has named."""
        parsed = atna.parse(audit(patients=()), CONTEXT)
        submission = parsed.facts[0]
        assert isinstance(submission, Submission)
        assert submission.ins is submission.ipp is None
        assert len(parsed.facts) == 2
        assert codes(parsed) == ["audit-without-patient"]

    def test_a_namespace_and_a_prefix_do_not_matter(self) -> None:
        """Some senders put the message into a namespace."""
        prefixed = re.sub(rb"<(/?)(?=[A-Z])", rb"<\1a:", audit()).replace(
            b"AuditMessage>", b'AuditMessage xmlns:a="urn:invented">', 1
        )
        assert atna.parse(prefixed, CONTEXT).facts == atna.parse(audit(), CONTEXT).facts

    def test_fixtures(self) -> None:
        """The shipped samples are read: accepted, refused in the older spelling, and inside syslog."""
        accepted, refusal, carried = (
            formats.parse(fixture(name), CONTEXT)
            for name in ("iti-41.xml", "iti-41-refused-rfc3881.xml", "iti-41.syslog")
        )
        assert accepted.facts == carried.facts == atna.parse(audit(), CONTEXT).facts
        outcome = refusal.facts[1]
        assert isinstance(outcome, Outcome)
        assert outcome.code == "audit-8"
        assert not accepted.flags + refusal.flags + carried.flags

    def test_nothing_personal_is_kept(self) -> None:
        """Names, users, addresses, matricules: none of them is in what comes out, in whatever form."""
        parsed = atna.parse(audit(user="Jeanne INVENTEE", patients=(INS_CX, IPP_CX)), CONTEXT)
        text = repr(parsed) + repr(parsed.facts) + repr(parsed.flags) + repr(parsed.sender)
        for value in ("Jeanne", "INVENTEE", "285017511867881", "990000000042", "192.0.2.7", SET_ID):
            assert value not in text


class TestRecognition:
    """The same event again, and another."""

    def test_events_have_names_of_their_own(self) -> None:
        """Set and time name an event: each alone is not enough."""
        names = {
            atna.parse(one, CONTEXT).control_id
            for one in (
                audit(),
                audit(set_id="1.2.250.1.999.42.20.9002"),
                audit(time="2026-03-10T16:20:06+01:00"),
                audit(event="ITI-20", set_id=None),
                audit(event="ITI-20", set_id=None, user="another"),
            )
        }
        assert len(names) == 5

    @pytest.mark.parametrize(
        "head",
        [
            b"<AuditMessage>",
            b"\xef\xbb\xbf<?xml version='1.0'?>\r\n<!-- one --><!-- two -->\r\n<AuditMessage xmlns='a'>",
            b"  <a:AuditMessage/>",
            b"<!DOCTYPE AuditMessage [<!ENTITY a 'b'>]><AuditMessage>",
            "<?xml version='1.0'?><AuditMessage>".encode("utf-16"),
            "<AuditMessage>".encode("utf-16-be"),
        ],
    )
    def test_what_is_one(self, head: bytes) -> None:
        """An audit message is known by its first element."""
        assert formats.of(head) is atna.FORMAT

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"<ClinicalDocument/>",
            b"<AuditMessages>",
            b"<!-- <AuditMessage> -->",
            b"MSH|^~\\&|",
            b"AuditMessage",
            b"<?" * 2000,
        ],
    )
    def test_what_is_none(self, head: bytes) -> None:
        """Anything else is left to the other formats."""
        assert not atna.recognises(head)


class TestTimes:
    """When it happened."""

    @pytest.mark.parametrize("time", [None, "", "yesterday", "2026-03-10"])
    def test_without_a_time(self, time: str | None) -> None:
        """The time of the envelope is taken, and that is said."""
        parsed = atna.read(audit(time=time), CONTEXT, 1234)
        assert parsed.at == 1234
        assert {fact.at for fact in parsed.facts} == {1234}
        assert codes(parsed) == ["audit-without-time"]

    def test_its_own_time_comes_first(self) -> None:
        """The envelope's time is not looked at when the message has one."""
        assert atna.read(audit(), CONTEXT, 1234).at == AT


class TestEncodings:
    """UTF-8 and what else comes."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("declared", [False, True])
    def test_unicode(self, encoding: str, declared: bool) -> None:
        """Marks and declarations are accepted and change nothing."""
        head = f'<?xml version="1.0" encoding="{"UTF-16" if "16" in encoding else "UTF-8"}"?>\r\n' if declared else ""
        payload = (head + audit(user="Hélène").decode()).encode(encoding)
        parsed = atna.parse(payload, CONTEXT)
        assert parsed.facts == atna.parse(audit(), CONTEXT).facts
        assert not parsed.flags

    @pytest.mark.parametrize(("name", "codec"), [("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252")])
    def test_declared_latin(self, name: str, codec: str) -> None:
        """A declared Latin encoding is no remark."""
        payload = (f'<?xml version="1.0" encoding="{name}"?>' + audit(user="Hélène").decode()).encode(codec)
        assert not atna.parse(payload, CONTEXT).flags

    def test_latin_without_saying_so(self) -> None:
        """A name in Latin-1 in what should be UTF-8 does not cost the submission."""
        parsed = atna.parse(audit(user="Hélène").decode().encode("latin-1"), CONTEXT)
        assert len(parsed.facts) == 2
        assert codes(parsed) == ["audit-not-utf8"]

    def test_line_ends_and_nuls_around_it(self) -> None:
        """What transports leave before and after a message is no part of it."""
        assert atna.parse(b"\r\n" + audit() + b"\r\n\0", CONTEXT).facts

    def test_broken_utf16(self) -> None:
        """UTF-16 that is cut inside a character."""
        assert refused("\ufeff<AuditMessage/>".encode("utf-16-le")[:-1] + b"\xd8")[0] == "audit-encoding"


class TestHostile:
    """Nothing is expanded, fetched, kept or slow."""

    @pytest.mark.parametrize(
        "head",
        [
            '<!DOCTYPE AuditMessage [<!ENTITY a "aaaaaaaaaa">'
            + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(20))
            + "]>",
            '<!DOCTYPE AuditMessage SYSTEM "file:///etc/passwd">',
            '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY % p SYSTEM "http://192.0.2.1/x"> %p;]>',
            "<!-- <!DOCTYPE a> --><!DOCTYPE AuditMessage>",
        ],
        ids=["billion-laughs", "external", "parameter", "after-a-comment"],
    )
    def test_doctype(self, head: str) -> None:
        """A DOCTYPE is refused where it begins, whatever it holds."""
        code, where = refused(head.encode() + audit(user="&u;"))
        assert code == "audit-doctype"
        assert re.fullmatch(r"byte \d+", where)

    def test_doctype_in_a_comment_is_none(self) -> None:
        """The word alone does no harm."""
        assert atna.parse(b"<!-- <!DOCTYPE a> -->" + audit(), CONTEXT).facts

    def test_entity(self) -> None:
        """An entity that XML does not know."""
        assert refused(audit(user="&secret;"))[0] == "audit-entity"

    def test_depth(self) -> None:
        """Elements nested deeper than any audit message."""
        assert refused(audit(more="<a>" * 100_000 + "</a>" * 100_000))[0] == "audit-too-deep"

    def test_attributes(self) -> None:
        """More attributes than any element of an audit message has."""
        many = " ".join(f'a{number}="1"' for number in range(100_000))
        assert refused(audit(more=f"<a {many}/>"))[0] == "audit-too-large"

    def test_size(self) -> None:
        """A 200 MB attribute is refused before it is looked at."""
        assert refused(b'<AuditMessage a="' + b"x" * 200_000_000 + b'"/>') == (
            "audit-too-large",
            f"byte {atna.MAX_BYTES}",
        )

    def test_many_participants(self) -> None:
        """As many participants as fit: read once, kept never."""
        person = '<ParticipantObjectIdentification ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1"/>'
        assert len(atna.parse(audit(more=person * 60_000), CONTEXT).facts) == 2

    @pytest.mark.parametrize("cut", [1, 20, 200, 700, -1, -15])
    def test_truncated(self, cut: int) -> None:
        """A message cut anywhere, as UDP and relays do."""
        assert refused(audit()[:cut])[0] == "audit-truncated"

    @pytest.mark.parametrize("payload", [b"<a/>", b"<ClinicalDocument><AuditMessage/></ClinicalDocument>"])
    def test_other_xml(self, payload: bytes) -> None:
        """XML whose first element is another."""
        assert refused(payload) == ("not-an-audit", "/*")

    @pytest.mark.parametrize("payload", [b"hello", audit() + audit(), audit().replace(b"<EventID ", b"<EventID \0", 1)])
    def test_malformed(self, payload: bytes) -> None:
        """Text, two messages in one, NUL inside."""
        assert refused(payload)[0] == "audit-malformed"

    def test_no_value_in_an_error(self) -> None:
        """A place is an offset, whatever stood there."""
        code, where = refused(audit(user="Jeanne < INVENTEE"))
        assert code == "audit-malformed"
        assert re.fullmatch(r"byte \d+", where)


_DAMAGE = st.tuples(st.integers(0, 1400), st.integers(0, 40), st.binary(max_size=6))


@given(
    st.binary(max_size=300)
    | _DAMAGE.map(lambda cut: audit()[: cut[0]] + cut[2] + audit()[cut[0] + cut[1] :])
    | st.binary(max_size=60).map(lambda tail: b"<AuditMessage>" + tail)
    | _DAMAGE.map(lambda cut: audit().decode().encode("utf-16")[: cut[0]] + cut[2])
)
def test_whatever_the_bytes(payload: bytes) -> None:
    """Facts and declared remarks, or one code of the closed list; nothing else is ever raised."""
    atna.recognises(payload)
    try:
        parsed = atna.parse(payload, CONTEXT)
    except ParseError as error:
        assert error.code in atna.REJECTIONS
    else:
        assert set(codes(parsed)) <= atna.CODES.keys() - atna.REJECTIONS


def test_codes_are_declared_once() -> None:
    """Rejections are codes, and every code has its sentence."""
    assert set(atna.CODES) >= atna.REJECTIONS
    assert all(len(sentence) > 20 for sentence in atna.CODES.values())
