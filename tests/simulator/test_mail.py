"""The mail of the hospital: valid where it should be, broken where it should be, every way of it played, the rest undisturbed."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as policy
from functools import cache

import msgspec
import pytest

from engine.errors import ParseError
from engine.facts import CITIZEN, OUTSIDE, OWN, PROFESSIONAL, TEST, Mailed, Outcome
from engine.parsers import addresses, mail, xdm
from engine.parsers.context import Context
from engine.parsers.context import default as context
from engine.simulator.correspondents import OWN_DOMAIN, TRUSTED_DOMAIN, Directory
from engine.simulator.hospital import Hospital
from engine.simulator.traffic import MAILED, Envelope
from engine.simulator.truth_mail import EXISTING, INDICATORS, ORDER
from tests.simulator.conftest import TODAY

STAYS = 300


@cache
def made() -> Hospital:
    """One hospital that sends mail; nobody may change it."""
    return Hospital(5, STAYS, TODAY, mail=True)


@cache
def silent() -> Hospital:
    """The same one, that sends none."""
    return Hospital(5, STAYS, TODAY)


def payloads() -> list[bytes]:
    """Every mail, as it reaches the journal."""
    return [each.payload for each in made() if each.feed in MAILED]


@cache
def messages() -> tuple[tuple[Envelope, EmailMessage], ...]:
    """The same, read by the standard library."""
    found = []
    for each in made():
        if each.feed in MAILED:
            message = message_from_bytes(each.payload, policy=policy)
            assert isinstance(message, EmailMessage)
            found.append((each, message))
    return tuple(found)


def reader() -> Context:
    """A feed that knows the hospital's own domain."""
    space = addresses.Space(own=frozenset({OWN_DOMAIN}), trusted=frozenset({TRUSTED_DOMAIN}))
    return msgspec.structs.replace(context(), mail=space)


@cache
def facts() -> tuple[Mailed | Outcome, ...]:
    """What the parser reads in all of it."""
    found: list[Mailed | Outcome] = []
    for payload in payloads():
        parsed = mail.parse(payload, reader())
        found += [fact for fact in parsed.facts if isinstance(fact, Mailed | Outcome)]
    return tuple(found)


def archives(message: EmailMessage) -> list[bytes]:
    """The ZIP files attached to a mail itself."""
    parts = list(message.iter_attachments())
    contents = [part.get_content() for part in parts if part.get_content_type() != "message/rfc822"]
    return [content for content in contents if isinstance(content, bytes) and content[:2] == b"PK"]


def test_the_same_seed_gives_the_same_mails() -> None:
    """Deterministic to the byte, ZIP files included."""
    assert Hospital(5, STAYS, TODAY, mail=True).envelopes == made().envelopes


def test_the_rest_of_the_hospital_does_not_know_of_the_mail() -> None:
    """Every HL7 message is the same with or without mail; what the platform says of a mail comes besides. So do the other truths."""
    with_mail = Counter(each for each in made() if each.feed not in MAILED)
    without = Counter(silent().envelopes)
    assert without <= with_mail
    besides = [
        each for each in with_mail - without if b"ACK_RECEPTION_MSS" in each.payload or b"ACK_LECTURE" in each.payload
    ]
    assert len(besides) == (with_mail - without).total() > 10
    mine, theirs = made().truth().rates, silent().truth().rates
    assert {key: rate for key, rate in mine.items() if key[0] not in INDICATORS} == {
        key: rate for key, rate in theirs.items() if key[0] not in INDICATORS
    }


def test_the_standard_library_reads_every_mail() -> None:
    """No defect in any mail; an author, a date, an identifier of its own, but for copies of one mail."""
    authors: dict[str, set[str]] = {}
    for _, message in messages():
        assert not [defect for part in message.walk() for defect in part.defects]
        assert message["Date"].datetime is not None
        authors.setdefault(str(message["Message-ID"]), set()).add(str(message["From"]))
    assert len(authors) > 500
    assert all(len(each) == 1 for each in authors.values())


def test_the_archives_are_valid_but_for_those_that_are_broken() -> None:
    """Most pass the engine's own reader without an error; the flawed are read with one, the damaged are not read."""
    kinds: Counter[str] = Counter()
    for _, message in messages():
        for content in archives(message):
            try:
                archive = xdm.read(content)
            except ParseError:
                with pytest.raises(zipfile.BadZipFile):
                    zipfile.ZipFile(io.BytesIO(content))
                kinds["damaged"] += 1
                continue
            errors = {each.code for each in archive.problems if each.severity == "error"}
            kinds["deletion" if archive.deletes else "flawed" if errors else "valid"] += 1
            kinds["two"] += len([each for each in archive.documents if not each.is_copy]) > 1
            kinds["lying"] += "xdm-hash" in " ".join(errors)
    assert kinds["valid"] > 0.6 * (kinds["valid"] + kinds["flawed"])
    assert min(kinds[kind] for kind in ("damaged", "flawed", "deletion", "two", "lying")) > 0


def test_the_documents_are_those_of_the_messages() -> None:
    """Byte for byte: nearly every CDA that is mailed crossed the interface engine too; some did not."""
    crossed = {
        text.encode() for person in made().people for report in person.reports if not report.mailed_alone
        for version in report.versions for text in version.payloads
    }  # fmt: skip
    mailed: Counter[bool] = Counter()
    for _, message in messages():
        for content in archives(message):
            try:
                files = zipfile.ZipFile(io.BytesIO(content))
            except zipfile.BadZipFile:
                continue
            names = [name for name in files.namelist() if re.search(r"DOC\d+\.XML$", name, re.IGNORECASE)]
            mailed.update(files.read(name) in crossed for name in names)
    assert mailed[True] > 5 * mailed[False] > 0


def test_every_recipient_and_state_is_met() -> None:
    """Professional, citizen, own, outside and test addresses; archives valid, flawed, unreadable and absent; one mail to several kinds."""
    mails = [fact for fact in facts() if isinstance(fact, Mailed)]
    assert {fact.category for fact in mails} == {PROFESSIONAL, CITIZEN, OWN, OUTSIDE, TEST}
    assert {fact.xdm for fact in mails} == {"valid", "flawed", "unreadable", "none"}
    assert {fact.body for fact in mails} >= {"cda", "other", "unreadable"}
    kinds: dict[bytes, set[str]] = {}
    for fact in mails:
        kinds.setdefault(fact.message, set()).add(fact.category)
    assert {PROFESSIONAL, CITIZEN} in kinds.values()
    assert any(
        fact.category == PROFESSIONAL and fact.ins != fact.cda_ins for fact in mails if fact.cda_ins and fact.ins
    )
    assert any(fact.ins is None and fact.ipp is not None for fact in mails)
    assert any(fact.ins is None and fact.ipp is None and fact.document for fact in mails)
    assert any(fact.alias for fact in mails)
    assert any(fact.replaces for fact in mails)


def test_everything_comes_back() -> None:
    """Words of delivery and of reading, good and bad, with their codes, some before the mail they are about."""
    words = Counter((fact.layer, fact.accepted) for fact in facts() if isinstance(fact, Outcome))
    assert set(words) == {
        ("mss-delivery", True),
        ("mss-delivery", False),
        ("mss-reading", True),
        ("mss-reading", False),
    }
    assert min(words.values()) > 5
    codes = {fact.code for fact in facts() if isinstance(fact, Outcome) and not fact.accepted}
    assert {"5.1.1", "4.2.2", "902"} <= codes
    seen: set[bytes] = set()
    early = 0
    for fact in facts():
        if isinstance(fact, Mailed):
            seen.add(fact.message)
        elif fact.exchange not in seen:
            early += 1
    assert early > 3


def test_what_is_no_sending_is_there() -> None:
    """Receipts, automatic replies and mail that comes in, each read as what it is; the same mail by two feeds."""
    kinds = Counter(mail.parse(payload, reader()).message for payload in payloads())
    assert {"mail", "DSN", "MDN", "incoming mail"} <= set(kinds)
    feeds: dict[str, set[str]] = {}
    for each, message in messages():
        feeds.setdefault(str(message["Message-ID"]), set()).add(each.feed)
    assert sum(len(each) == 2 for each in feeds.values()) > 10
    late = [
        each for each in made() if each.feed in MAILED and each.due > mail.parse(each.payload, reader()).at + 86_400
    ]
    assert len(late) > 3


@pytest.mark.parametrize("count_test_ins", [True, False])
def test_the_truth_of_the_mail_adds_up(count_test_ins: bool) -> None:
    """Every subject is met or missed for one reason; a proof that is asked for meets no more; a directory holds more correspondents."""
    rates = made().truth(count_test_ins=count_test_ins).rates
    for window in ("official", "rolling"):
        for name in INDICATORS:
            rate = rates[name, window]
            assert rate.numerator + rate.missed.total() == rate.denominator
            assert 0 < rate.numerator < rate.denominator
            assert set(rate.missed) <= set(ORDER)
        for name in ("D6.3", "DS4.1", "DS4.2"):
            assert rates[f"{name}_delivered", window].numerator <= rates[name, window].numerator
            assert rates[f"{name}_delivered", window].denominator == rates[name, window].denominator
        assert rates["DS4.1_directory", window].denominator == len(made().mailing.directory.equipped)
        assert all(rates[name, window].numerator == 1 for name in EXISTING)


def test_every_reason_of_the_mail_is_reached() -> None:
    """Each of the catalogue's reasons is that of somebody."""
    rates = [made().truth(count_test_ins=flag).rates for flag in (True, False)]
    reached = {
        name: {reason for each in rates for window in ("official", "rolling") for reason in each[name, window].missed}
        for name in INDICATORS
    }
    assert reached["D6.3"] == {"mss_not_requested", "mss_not_sent", "mss_refused"}
    assert reached["D6.3_delivered"] == reached["D6.3"] | {"mss_not_confirmed"}
    assert reached["DS4.1"] == set(ORDER) - {"not_produced", "no_message", "mss_not_confirmed"}
    assert reached["DS4.1_directory"] == reached["DS4.1"] - {"mss_not_cda"} | {"not_produced"} | (
        reached["DS4.1_directory"] & {"mss_not_cda"}
    )
    assert reached["DS4.2"] == {"ins_absent", "no_message", "mss_not_sent", "mss_refused"}


def test_the_mail_moves_the_rates() -> None:
    """Without the mail itself, the platform's words alone show less."""
    mine, theirs = made().truth().rates, silent().truth().rates
    for name in ("D6.3", "DS4.1", "DS4.2"):
        assert mine[name, "official"].numerator > theirs[name, "official"].numerator
    assert mine["D6.3_delivered", "official"].numerator < mine["D6.3", "official"].numerator


def test_the_directory_has_every_kind_of_correspondent() -> None:
    """Equipped or not, with several addresses, known by a number or by an address alone, listed or not, never concerned."""
    directory: Directory = made().mailing.directory
    everyone = directory.everyone
    assert any(len(each.addresses) > 1 for each in directory.equipped)
    assert any(each.listed and not each.equipped for each in everyone)
    assert any(each.equipped and not each.number for each in everyone)
    assert any(each.structure for each in everyone)
    assert any(not each.listed and each.equipped for each in everyone)
    assert any(address.endswith(TRUSTED_DOMAIN) for each in directory.equipped for address in each.addresses)
    assert made().truth().rates["DS4.1_directory", "official"].missed["not_produced"] > 0
    told = {each.told_by for person in made().people for report in person.reports for each in report.versions}
    assert told == {"", "prt", "cda", "mail"}


def test_addresses_are_invented() -> None:
    """No domain but those of the example, and of nobody."""
    domains = {
        match.decode().lower() for payload in payloads()
        for match in re.findall(rb"[A-Za-z0-9.]+@([A-Za-z0-9.-]+)", payload.partition(b"\r\n\r\n")[0])
    }  # fmt: skip
    allowed = re.compile(
        r".*(-fictif|-voisin|exemple|patient)\.mssante\.fr|.*\.example|exemple\.invalid|patient\.mssante\.fr"
    )
    assert [each for each in domains if not allowed.fullmatch(each)] == []
