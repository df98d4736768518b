"""The invented people: names, INS (key computed here), and what the hospital knew of each identity at any time.

Family names begin with ESSAI or TEST, communes are 999 (does not exist), OIDs under 1.2.250.1.999.42 are fictitious.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.simulator.clock import DAY, HOUR, Clock

if TYPE_CHECKING:
    from engine.simulator.documents import Report
    from engine.simulator.stays import Stay

_NAMES: Final = [
    "LEGER",
    "LÉGER",
    "BENARD",
    "BÉNARD",
    "GARÇON",
    "CHÂTEAU",
    "NOËL",
    "DUVAL",
    "HUÉ",
    "LEMAÎTRE",
    "ROUSSEL",
    "BLÉ",
    "MAÇON",
    "FRÊNE",
    "AÏT",
    "OLIVIER",
]
_GIVEN: Final = {
    "M": ("LOUIS", "JÉRÔME", "ANDRÉ", "FRANÇOIS", "MAËL", "CÔME", "PAUL", "ÉLIE"),
    "F": ("ANNE", "ZOÉ", "FRANÇOISE", "ÉLODIE", "INÈS", "ROSA", "CHLOË", "EVA"),
}
_AUTHORITIES: Final = {
    8: "ASIP-SANTE-INS-NIR",
    9: "ASIP-SANTE-INS-NIA",
    10: "ASIP-SANTE-INS-NIR",
    11: "ASIP-SANTE-INS-NIR",
}
ROOT: Final = "1.2.250.1.213.1.4."
_AGAINST: Final = frozenset({"VIDE", "PROV", "RECUP", "DOUT", "FICT", "ANOM", "INVA", "USUR", "DESA", "DOUB"})


def key(matricule13: str) -> int:
    """The control key, 97 - (N mod 97), with 2A and 2B read as 19 and 18."""
    return 97 - int(matricule13.replace("2A", "19").replace("2B", "18")) % 97


class Identity(NamedTuple):
    """What the reference says of a person from ``since`` on, and the event that says it ("" for the first)."""

    since: int
    status: str  # PID-32
    matricule: str  # 15 characters, "" without INS
    root: int  # 8, 9, 10, 11; 0 without INS
    dmp: str  # ZFA-1
    feeding: str  # ZFA-9
    corrected: bool = False  # ZFD-4 = Y
    event: str = ""
    retired: str = ""  # the INS in MRG-1 of an A47, with its root

    @property
    def qualified(self) -> bool:
        """Whether the hospital may say that this INS is qualified (whatever its root)."""
        codes = set(self.status.split("~"))
        return bool(self.matricule and codes & {"VALI", "QUAL"} and not codes & _AGAINST and not self.corrected)


class Shown(NamedTuple):
    """A person as one message shows it: PID fields ready to be written, and what they mean."""

    identifiers: str
    name: str
    birth: str
    sex: str
    address: str
    status: str
    dmp: str
    feeding: str
    corrected: bool
    ins_root: int
    matricule: str
    qualified: bool


@dataclass(slots=True, eq=False, repr=False)
class Face:
    """One file of a person under one IPP (a duplicate is a second face); both lists are in the order of time."""

    numbers: list[tuple[int, str]]  # (since, IPP)
    timeline: list[Identity]

    def ipp(self, at: int) -> str:
        """The IPP in force."""
        found = self.numbers[0][1]
        for since, number in self.numbers:
            if since <= at:
                found = number
        return found

    def identity(self, at: int) -> Identity:
        """What the reference says at that time (the first statement, before it)."""
        found = self.timeline[0]
        for identity in self.timeline:
            if identity.since <= at:
                found = identity
        return found


@dataclass(slots=True, eq=False, repr=False)
class Person:
    """One invented person, with all its stays and reports: the truth is summed over these."""

    number: int
    family: str
    given: str
    birth: str
    sex: str
    commune: str
    matricule: str
    root: int
    face: Face
    style: str = "usual"  # how PID-3 is written: usual, reversed, dated (CX-7 filled), short (HD-1 only)
    billing: bool = False  # PID-3 also shows the billing NIR (NH), which is not an INS
    complicated: bool = False  # merged, re-attached ...: the reports take no other risk
    stays: list[Stay] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def dmp_at(self, at: int) -> str:
        """The DMP status that the reference had told by then, else the first that it told later; "" when it never told one."""
        told = [(identity.since, identity.dmp) for identity in self.face.timeline if identity.dmp]
        before = [dmp for since, dmp in told if since <= at]
        return before[-1] if before else told[0][1] if told else ""

    @property
    def last(self) -> Identity:
        """What the reference says in the end."""
        return self.face.timeline[-1]

    @property
    def eligible_but_root(self) -> bool:
        """Whether the DMP could take this person's documents: qualified, DMP neither closed nor absent, not opposed."""
        last = self.last
        return last.qualified and last.dmp not in ("FERME", "INEXISTANT") and last.feeding != "IO"

    def shown(self, face: Face, at: int, identity: Identity | None = None, erased: bool = False) -> Shown:
        """The person as a message of that time shows it; another identity may be forced, or the INS shown as erased."""
        seen = identity or face.identity(at)
        authority = "HX" if self.style == "short" else "HX&990000001&M"
        identifiers = f"{face.ipp(at)}^^^{authority}^PI"
        if seen.matricule or erased:
            number = seen.matricule or '""'
            root = seen.root or self.root
            dated = "^^20240101" if self.style == "dated" else ""
            ins = f"{number}^^^{_AUTHORITIES[root]}&{ROOT}{root}&ISO^INS{dated}"
            identifiers = f"{ins}~{identifiers}" if self.style == "reversed" else f"{identifiers}~{ins}"
        if self.billing:
            identifiers += f"~{self.matricule}^^^ASIP-SANTE-NIR&{ROOT}8&ISO^NH"
        civility = "M." if self.sex == "M" else "Mme"
        name = f"{self.family}^{self.given}^{self.given} CAMILLE^^{civility}^^L"
        address = f"1 rue Inventée^^VILLEFICTIVE^^99000^FRA^H~^^^^^^BDL^^{self.commune}"
        what = (seen.status, seen.dmp, seen.feeding, seen.corrected, seen.root, seen.matricule, seen.qualified)
        return Shown(identifiers, name, self.birth, self.sex, address, *what)


class Registry:
    """Makes people, each with its own matricule."""

    def __init__(self, random: Random, clock: Clock) -> None:
        self.random = random
        self.clock = clock
        self._matricules: set[str] = set()
        self._people = 0
        self._ipp = 700_000

    def ipp(self) -> str:
        """A new IPP."""
        self._ipp += 1
        return str(self._ipp)

    def person(self, first: int, last: int) -> Person:
        """A person known from ``first`` on, whose identity may change until ``last`` (epoch seconds)."""
        rng = self.random
        self._people += 1
        sex = rng.choice("MF")
        year, month = rng.randint(1930, 2024), rng.randint(1, 12)
        root = rng.choices((10, 8, 9, 11), (70, 22, 4, 4))[0]
        department = rng.choices(("75", "2A", "2B", "13", "59", "97", "99"), (60, 2, 2, 12, 12, 6, 6))[0]
        matricule = self._matricule(sex, year, month, "99" if root == 9 else department)
        family = f"{rng.choice(('ESSAI', 'TEST'))}-{rng.choice(_NAMES)}"
        birth = f"{year}{month:02d}{rng.randint(1, 28):02d}"
        given = rng.choice(_GIVEN[sex])
        face = Face([(0, self.ipp())], self._timeline(matricule, root, first, last))
        person = Person(self._people, family, given, birth, sex, f"{department}999", matricule, root, face)
        person.billing = rng.random() < 0.03
        person.style = rng.choices(("usual", "reversed", "dated", "short"), (90, 4, 2, 4))[0]
        return person

    def plain(self, since: int) -> Face:
        """The second face of a person: a provisional duplicate, without INS."""
        return Face([(0, self.ipp())], [Identity(since, "PROV", "", 0, "", "")])

    def _matricule(self, sex: str, year: int, month: int, department: str) -> str:
        rng = self.random
        while True:
            head = f"{'1' if sex == 'M' else '2'}{year % 100:02d}{month:02d}{department}999{rng.randint(1, 998):03d}"
            if head not in self._matricules:
                break
        self._matricules.add(head)
        control = key(head)
        if rng.random() < 0.015:  # published samples have wrong keys too
            control = control % 97 + 1
        return f"{head}{control:02d}"

    def moment(self, first: int, last: int) -> int:
        """A moment of a working day between two others."""
        start = min(first + 3 * HOUR, self.clock.now - HOUR)
        at = self.random.randint(start, max(start, min(last, self.clock.now)))
        day = self.clock.day(at)
        return self.clock.at(day, self.random.randint(9, 17), self.random.randint(0, 59), self.random.randint(1, 59))

    def _timeline(self, matricule: str, root: int, first: int, last: int) -> list[Identity]:
        rng = self.random
        dmp = rng.choices(("ACTIF", "FERME", "INEXISTANT", ""), (86, 4, 4, 6))[0]
        feeding = rng.choices(("INO", "IO", "NA", ""), (70, 4, 16, 10))[0]
        plan = rng.choices(
            (
                "qualified",
                "later",
                "recovered",
                "never",
                "valid",
                "removed",
                "changed",
                "waiting",
                "doubtful",
                "corrected",
            ),
            (760, 80, 35, 60, 20, 15, 8, 10, 5, 10),
        )[0]
        good = rng.choices(("VALI", "QUAL", "VALI~HOMA", "VALI~RECD"), (88, 6, 3, 3))[0]
        start = Identity(first, good, matricule, root, dmp, feeding)
        change = self.moment(first, last)
        timeline = [start]
        if plan == "later":
            before = rng.choice(
                (Identity(first, "PROV", "", 0, dmp, feeding), Identity(first, "VIDE", "", 0, dmp, feeding))
            )
            timeline = [before, start._replace(since=change, event="A31")]
        elif plan == "recovered":  # a reference that shows the INS before the identity is checked
            timeline = [start._replace(status=rng.choice(("PROV", "RECUP", "PROV")))]
        elif plan == "never":
            timeline = [Identity(first, rng.choice(("PROV", "VIDE", "PROV~ANOM")), "", 0, dmp, feeding)]
        elif plan == "valid":
            timeline = [Identity(first, "VALI", "", 0, dmp, feeding)]
        elif plan == "removed":
            gone = f"{matricule}^^^{_AUTHORITIES[root]}&{ROOT}{root}&ISO^INS"
            timeline.append(Identity(change, "PROV", "", 0, dmp, feeding, event="A47", retired=gone))
        elif plan == "changed":
            old = self._matricule("M", 1990, 1, "75")
            gone = f"{old}^^^{_AUTHORITIES[root]}&{ROOT}{root}&ISO^INS"
            timeline = [start._replace(matricule=old), start._replace(since=change, event="A47", retired=gone)]
        elif plan == "waiting":
            number = self._matricule("F", 1959, 5, "99")
            waiting = Identity(first, good, number, 9, dmp, feeding)
            timeline = [waiting, start._replace(since=change, event="A31")]
        elif plan == "doubtful":
            timeline = [start._replace(status="VALI~DOUT")]
        elif plan == "corrected":
            timeline = [start._replace(corrected=True)]
        if rng.random() < 0.04:  # the DMP is closed, opened, or its feeding refused, on the way
            latest = timeline[-1]
            news = rng.choice((("FERME", feeding), ("ACTIF", feeding), (dmp, "IO"), (dmp, "INO")))
            since = max(self.moment(latest.since, last + 5 * DAY), latest.since + HOUR)
            after = latest._replace(since=since, event="A31", retired="", dmp=news[0], feeding=news[1])
            timeline.append(after)
        return [timeline[0]._replace(since=0), *timeline[1:]]
