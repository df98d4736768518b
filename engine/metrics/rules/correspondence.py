"""HOP'EN D6.3, SUN-ES DS4.1 and DS4.2, and what P4.3 and D6.2 ask of mail: who was written to by MSSanté (docs/rules.md section 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from engine.facts import CITIZEN, HL7, PROFESSIONAL, Document, Mailed
from engine.ledger.mailings import Letter, Mailing
from engine.ledger.patient import Person, View
from engine.metrics.periods import day_of
from engine.metrics.rules import verdict as v
from engine.metrics.rules.discharge import CountedStay
from engine.metrics.rules.proof import qualification
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import Directory, RuleSettings, names_application

_DAY: Final = 86_400
_RANK: Final = {reason: rank for rank, reason in enumerate(v.MAIL_WAY)}


def judge(view: View, settings: RuleSettings) -> Iterator[Verdict]:
    """D6.3 and DS4.1 of every pair of a report and a correspondent, P4.3 of every sending, the addresses that D6.2 misses."""
    for letter in view.mail.letters:
        yield from pairs(letter, view, settings)
    for sending in view.mail.mailings:
        yield from _observed(sending, settings)


# -- the correspondents -----------------------------------------------------------------------------------------------


def pairs(letter: Letter, view: View, settings: RuleSettings) -> Iterator[Verdict]:
    """D6.3 and DS4.1 of one report and each of its equipped correspondents; the unit of DS4.1 is the correspondent."""
    report = letter.report
    rules = settings.establishment(letter.establishment)
    if letter.type_code not in settings.published_codes:
        return
    if report is not None and (not report.final or names_application(rules.external_senders, report.sender)):
        return
    day = day_of(letter.created, rules.time_zone)
    unit = view.stays[report.stay].unit if report is not None and report.stay is not None else ""
    requested = report is not None and any(one.mss_professional == "Y" for one in report.documents)
    nothing = v.MSS_NOT_SENT if requested else v.MSS_NOT_REQUESTED
    for correspondent, sendings in _correspondents(letter, settings.directory).items():
        name = correspondent.hex()
        for suffix, confirmed in (("", False), ("_delivered", True)):
            outcome = _best((_sent(one, confirmed=confirmed) for one in sendings), nothing)
            yield Verdict(f"D6.3{suffix}", letter.establishment, unit, day, outcome, 0)
            outcome = _best((_qualified(one, letter, view, settings, confirmed=confirmed) for one in sendings), nothing)
            yield Verdict(f"DS4.1{suffix}", letter.establishment, name, day, outcome, 0)


def _correspondents(letter: Letter, directory: Directory) -> dict[bytes, list[Mailing]]:
    """The equipped correspondents of a report, each with the sendings to it."""
    found: dict[bytes, list[Mailing]] = {}
    for one in letter.report.documents if letter.report is not None else ():
        for name in one.intended:
            owner = _owner(name, directory, address=name in one.recipients)
            if owner is not None:
                found.setdefault(owner, [])
    for fact in letter.facts:
        for name in fact.intended:
            owner = _owner(name, directory, address=False)
            if owner is not None:
                found.setdefault(owner, [])
    for sending in letter.mailings:
        if sending.request is not None:
            for owner in _asked(sending, sending.request, directory):
                found.setdefault(owner, []).append(sending)
        elif sending.category == PROFESSIONAL and sending.recipient is not None:
            owner = _owner(sending.recipient, directory, address=True)
            if owner is not None:
                found.setdefault(owner, []).append(sending)
    return found


def _owner(name: bytes, directory: Directory, *, address: bool) -> bytes | None:
    """The equipped correspondent of an address or an identifier; an address that nobody knows is one of its own."""
    owner = directory.names.get(name)
    if owner is None:
        return name if address else None
    return owner if owner in directory.equipped else None


def _asked(sending: Mailing, request: Document, directory: Directory) -> set[bytes]:
    """The correspondents that an answer of the platform to an HL7 message is about."""
    if request.mss_professional != "Y":
        return set()
    owners = {_owner(name, directory, address=name in request.recipients) for name in request.intended}
    if sending.recipient is not None:
        owners &= {_owner(sending.recipient, directory, address=True)}
    owners -= {_owner(name, directory, address=True) for name in sending.others}
    return {owner for owner in owners if owner is not None}


def _sent(sending: Mailing, *, confirmed: bool) -> str:
    if sending.refused:
        return v.MSS_REFUSED
    return v.MSS_NOT_CONFIRMED if confirmed and not sending.delivered else v.MET


def _qualified(sending: Mailing, letter: Letter, view: View, settings: RuleSettings, *, confirmed: bool) -> str:
    """As :func:`_sent`, of a CDA with a qualified INS."""
    person = view.persons[letter.person]
    defect: str | None = v.MSS_NOT_CDA
    if sending.request is not None:
        defect = _defect(sending.request, sending.request, person, settings)
    elif sending.fact is not None:
        told = next((one for one in _messages(letter, sending.fact) if one.ins == sending.fact.ins), None)
        defect = _defect(sending.fact, told, person, settings)
    return defect or _sent(sending, confirmed=confirmed)


def _messages(letter: Letter, fact: Mailed) -> Iterator[Document]:
    """The HL7 messages of the version that was mailed, the latest first; of any version where none is the very one."""
    for version in letter.report.versions if letter.report is not None else ():
        if version.names & {fact.document, fact.alias, fact.hash}:
            yield from (one for one in version.documents if one.trace == HL7)


def _defect(mailed: Document | Mailed, told: Document | None, person: Person, settings: RuleSettings) -> str | None:
    """What keeps a mailed document from being a CDA with a qualified INS.

    ``told``: the HL7 message that says how far its INS is to be trusted, if there is one.
    """
    if mailed.body != "cda":
        return v.MSS_NOT_CDA
    status, birth_corrected = (told.status, told.birth_corrected) if told is not None else ("", False)
    if not status:
        known = person.status_at(told.at if told is not None else mailed.at)
        if known is not None:
            status, birth_corrected = known.status, birth_corrected or known.birth_corrected
        elif told is None and mailed.ins is not None:  # who mails under an INS says that it is qualified
            status = "VALI"
    reason = qualification(mailed.ins_root, status, birth_corrected, settings.count_test_ins)
    if reason:
        return reason
    same = (mailed.cda_ins, mailed.cda_ins_root) == (mailed.ins, mailed.ins_root)
    return None if same else v.INS_MISMATCH


# -- the patients -----------------------------------------------------------------------------------------------------


def stay(subject: CountedStay) -> Iterator[Verdict]:
    """DS4.2: a message to the patient's citizen mailbox, from the entry to some days after the exit."""
    view = subject.view
    person = view.person_of_stay[subject.index]
    sendings = messages(subject)
    if all(identity.ins is None for identity in view.persons[person].identities):
        nothing = v.INS_ABSENT
    elif any(one.mss_patient == "Y" for report in subject.reports for one in report.documents):
        nothing = v.MSS_NOT_SENT
    else:
        nothing = v.NO_MESSAGE
    for suffix, confirmed in (("", False), ("_delivered", True)):
        outcome = _best((_sent(one, confirmed=confirmed) for one in sendings), nothing)
        yield Verdict(f"DS4.2{suffix}", subject.stay.establishment, subject.stay.unit, subject.day, outcome, 0)


def messages(subject: CountedStay) -> list[Mailing]:
    """The sendings to the patient of a stay, in its time."""
    view, settings = subject.view, subject.settings
    person = view.person_of_stay[subject.index]
    last = subject.stay.exit + settings.message_days * _DAY
    return [
        one
        for one in view.mail.mailings
        if one.person == person
        and subject.stay.entry <= one.at <= last
        and (one.category == CITIZEN or (one.request is not None and _to_patient(one, one.request, settings.directory)))
    ]


def _to_patient(sending: Mailing, request: Document, directory: Directory) -> bool:
    """Whether the platform's word is of the patient's mailbox: an address that is none of the message's professionals."""
    if request.mss_patient != "Y":
        return False
    if sending.recipient is None:
        return all(_professional(name, request, directory) for name in sending.others)
    return not _professional(sending.recipient, request, directory)


def _professional(recipient: bytes, request: Document, directory: Directory) -> bool:
    owner = directory.names.get(recipient, recipient)
    return any(directory.names.get(name, name) == owner for name in request.intended)


# -- what is only observed --------------------------------------------------------------------------------------------


def _observed(sending: Mailing, settings: RuleSettings) -> Iterator[Verdict]:
    """P4.3: the mail service works. D6.2: a professional address that the directory does not know."""
    if not sending.at or (sending.request is None and sending.category not in {PROFESSIONAL, CITIZEN}):
        return
    day = day_of(sending.at, settings.establishment(sending.establishment).time_zone)
    yield Verdict("P4.3", sending.establishment, "", day, v.MSS_REFUSED if sending.refused else v.MET, 0)
    recipient = sending.recipient
    if sending.category == PROFESSIONAL and recipient is not None and recipient not in settings.directory.names:
        yield Verdict("D6.2_unknown", sending.establishment, recipient.hex(), day, v.MET, 0)


def _best(found: Iterable[str], nothing: str) -> str:
    """Met, else the reason furthest along the way."""
    best = nothing
    for outcome in found:
        if outcome == v.MET:
            return v.MET
        if _RANK[outcome] > _RANK[best]:
            best = outcome
    return best
