"""Random facts about a small world, so that they meet: few patients, venues, dossiers, control ids, days."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import structs

from engine.facts import (
    AUDIT,
    CITIZEN,
    LOG,
    MAIL,
    OWN,
    PROFESSIONAL,
    TRANSACTION,
    ZAM,
    Activity,
    Alias,
    AnyFact,
    Document,
    Entry,
    Identity,
    InsRetired,
    Mailed,
    Movement,
    Outcome,
    Reattached,
    Sent,
    Submission,
)

FINESS = "990000001"
DAY = 86_400
START = 1_780_000_000  # 2026-05-28


def handle(kind: str, number: int) -> bytes:
    """An invented pseudonym."""
    return f"{kind}{number}".encode().ljust(16, b".")


def handles(kind: str, most: int) -> st.SearchStrategy[bytes]:
    """Pseudonyms of a kind, ``most`` of them."""
    return st.integers(1, most).map(lambda number: handle(kind, number))


times = st.integers(0, 60).map(lambda hours: START + hours * 7_200)
maybe = st.one_of
roots = st.sampled_from([0, 8, 8, 9, 10])
statuses = st.sampled_from(["", "VALI", "VALI", "PROV", "VALI~HOMA", "QUAL", "VALI~DOUT"])
events = st.sampled_from(
    [
        "A01",
        "A01",
        "A03",
        "A03",
        "A02",
        "A04",
        "A05",
        "A06",
        "A07",
        "A08",
        "A11",
        "A12",
        "A13",
        "A21",
        "A22",
        "A38",
        "Z99",
    ]
)
names = st.sampled_from(["GAM@HX", "DPI@HX", "PFI@HX", "BLOC@HX"])

ipps = handles("ipp", 3)
visits = handles("visit", 4)
dossiers = handles("dossier", 3)
inss = handles("ins", 3)
exchanges = handles("exchange", 4)
mailboxes = handles("address", 3)

identities = st.builds(
    Identity, times, st.none() | ipps, st.none() | inss, roots, st.booleans(), statuses, st.booleans(),
    st.sampled_from(["", "ACTIF", "FERME"]), st.sampled_from(["", "IO", "INO"]),
)  # fmt: skip


@st.composite
def movements(draw: st.DrawFn) -> Movement:
    """An ADT event."""
    event = draw(events)
    action = draw(st.sampled_from(["INSERT", "INSERT", "INSERT", "CANCEL", ""])) if event != "Z99" else "UPDATE"
    return Movement(
        draw(times), draw(times), FINESS, draw(st.none() | ipps), draw(st.none() | inss), draw(st.none() | visits),
        draw(st.none() | dossiers), draw(st.none() | handles("movement", 8)), event, action, draw(st.booleans()),
        draw(st.sampled_from(["", "A01", "A03", "A02"])), draw(st.sampled_from(["I", "I", "E", "R", "O", "N"])), "03",
        draw(st.sampled_from(["", "6268", "BLOC"])), draw(st.sampled_from(["HMS", "C", ""])), 0, 0, "V",
        draw(st.booleans()), draw(st.booleans()),
    )  # fmt: skip


KINDS = [
    ("11490-0", "ldl-ses"),
    ("57833-6", "prescription"),
    ("34874-8", "cr-operatoire"),
    ("11502-2", "cr-bio"),
    ("11502-2", "cr-bio"),
    ("18748-4", "cr-imagerie"),
]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A document in a message. Most are good ones: what happens to a bad one changes nothing that is counted."""
    at, good = draw(times), draw(st.sampled_from([True, True, True, False]))
    code, kind = draw(st.sampled_from(KINDS))
    ins = draw(inss) if good else draw(st.none() | inss)
    root = 8 if good else draw(roots)
    named = draw(st.sampled_from([True, True, False]))  # by a number of the hospital, or by the INS alone
    return Document(
        at=at,
        establishment=FINESS,
        exchange=draw(exchanges),
        position=draw(st.integers(0, 1)),
        ipp=draw(st.none() | ipps) if named else None,
        ins=ins,
        ins_root=root,
        status="VALI" if good else draw(statuses),
        birth_corrected=False,
        visit=draw(st.none() | visits) if named else None,
        dossier=draw(st.none() | dossiers) if named else None,
        encounter=None,
        id=draw(st.none() | handles("document", 5)),
        chain=draw(st.none() | handles("chain", 3)),
        version=draw(st.integers(0, 3)),
        replaces=draw(st.none() | handles("document", 5)),
        orders=tuple(sorted(draw(st.sets(handles("order", 3), max_size=2)))),
        request=draw(st.sampled_from(["initial", "initial", "initial", "replacement", "deletion"])),
        final=good or draw(st.booleans()),
        type_code=code,
        kind=kind,
        body="cda" if good else draw(st.sampled_from(["cda", "unreadable", "none"])),
        level=3 if good else draw(st.integers(0, 3)),
        declared_level=1,
        created=draw(times),
        service_start=draw(times),
        service_stop=0,
        cda_ins=ins if good else draw(st.sampled_from([ins, None])),
        cda_ins_root=root,
        traits_complete=True,
        custodian="",
        patient_class="I",
        dmp="Y" if good else draw(st.sampled_from(["Y", "N", ""])),
        mss_professional=draw(st.sampled_from(["Y", "N"])),
        mss_patient=draw(st.sampled_from(["Y", "N"])),
        recipients=tuple(sorted(boxes := draw(st.sets(mailboxes, max_size=2)))),
        ack_wanted=True,
        sender=draw(names),
        intended=tuple(sorted({*boxes, *draw(st.sets(handles("correspondent", 2), max_size=1))})),
    )


@st.composite
def mails(draw: st.DrawFn) -> Mailed:
    """One document of one mail to one recipient."""
    fact = draw(documents())
    return Mailed(
        at=fact.at,
        establishment=FINESS,
        message=draw(handles("mail", 4)),
        recipient=draw(mailboxes),
        category=draw(st.sampled_from([PROFESSIONAL, PROFESSIONAL, CITIZEN, OWN])),
        ins=fact.ins,
        ins_root=fact.ins_root,
        ipp=fact.ipp,
        xdm=draw(st.sampled_from(["valid", "flawed", "none"])),
        document=fact.id,
        chain=fact.chain,
        version=fact.version,
        hash=draw(st.none() | handles("sha1", 2)),
        type_code=fact.type_code,
        kind=fact.kind,
        body="cda",
        level=1,
        created=fact.created,
        cda_ins=fact.cda_ins,
        cda_ins_root=fact.cda_ins_root,
        intended=fact.intended,
    )


sets = handles("set", 3)
named = handles("document", 5)
entries = handles("entry", 2)


@st.composite
def submitted(draw: st.DrawFn) -> Document:
    """A document as a trace names it: by all that it may be named by, or by nothing sure."""
    fact = draw(documents())
    own = draw(st.sampled_from(["id", "id", "chain", "entry", "control", "alias", "weak"]))
    patient = draw(st.sampled_from(["ipp", "visit", "ins"]))
    key = draw(sets)
    return structs.replace(
        fact,
        trace=draw(st.sampled_from([LOG, TRANSACTION])),
        exchange=(fact.id or key) if draw(st.booleans()) and own == "id" else key,
        keys=draw(st.lists(sets, max_size=1).map(tuple)),
        body=draw(st.sampled_from(["unseen", "unseen", "cda"])),
        status="",
        id=(fact.id or draw(named)) if own == "id" else None,
        chain=fact.chain if own in {"id", "chain"} else None,
        entry=draw(entries) if own == "entry" or draw(st.booleans()) else None,
        replaces=None,
        replaces_entry=draw(st.none() | entries),
        control=draw(exchanges) if own == "control" else None,
        alias=draw(named) if own == "alias" else None,
        ipp=draw(ipps) if patient == "ipp" else None,
        visit=draw(visits) if patient == "visit" else None,
        dossier=None,
        ins=fact.ins if patient != "ins" else draw(inss),
        orders=(),
        weak=own == "weak",
        sender="",
    )


submissions = st.builds(Submission, times, st.just(FINESS), st.none() | ipps, inss, roots, sets, st.just(AUDIT))
known_entries = st.builds(Entry, times, st.none() | ipps, inss, named, entries)
words = st.builds(
    Outcome, times, st.one_of(sets, sets, named, exchanges), st.sampled_from(["technical", "dmp", "dmp", "dmp", "withdrawal"]),
    st.booleans(), st.sampled_from(["", "XDSDuplicateUniqueIdInRegistry"]), st.none(), st.just(""),
    st.sampled_from([LOG, AUDIT, ZAM, TRANSACTION]), st.just(""),
)  # fmt: skip
outcomes = st.builds(
    Outcome, times, exchanges, st.sampled_from(["technical", "dmp", "dmp", "mss-delivery"]), st.booleans(),
    st.sampled_from(["", "AA", "DMPClosed"]), st.none(), names,
)  # fmt: skip
receipts = st.builds(
    Outcome, times, st.one_of(exchanges, handles("mail", 4)), st.sampled_from(["mss-delivery", "mss-delivery", "mss-reading"]),
    st.booleans(), st.sampled_from(["", "5.1.1"]), st.none() | mailboxes, st.just(""), st.just(MAIL),
)  # fmt: skip
sents = st.builds(
    Sent, times, exchanges, st.just(b"12345678"), names, names, st.sampled_from(["identity", "movement", "document"]),
    st.booleans(), roots,
)  # fmt: skip
aliases = st.one_of(
    st.builds(Alias, times, st.just("ipp"), ipps, ipps),
    st.builds(Alias, times, st.just("dossier"), dossiers, dossiers),
    st.builds(Alias, times, st.just("visit"), visits, visits),
)
reattachments = st.one_of(
    st.builds(Reattached, times, st.just("dossier"), dossiers, ipps, st.none() | ipps),
    st.builds(Reattached, times, st.just("visit"), visits, ipps, st.none() | ipps),
)
retirements = st.builds(InsRetired, times, st.none() | ipps, inss)
activities = st.builds(
    Activity, times, st.just(FINESS), st.none() | ipps, st.none() | visits, st.none() | dossiers, st.just("appointment"),
    st.none(), st.sampled_from(["S12", "S15"]), times, names, st.just(""),
)  # fmt: skip

facts: st.SearchStrategy[AnyFact] = st.one_of(
    movements(),
    movements(),
    documents(),
    documents(),
    submitted(),
    submitted(),
    submissions,
    known_entries,
    words,
    words,
    identities,
    outcomes,
    outcomes,
    mails(),
    receipts,
    sents,
    aliases,
    reattachments,
    retirements,
    activities,
)
"""Any fact."""
