"""Snapshots for the tests of what is shown: invented, and as large as asked."""

from engine.metrics.catalogue import Catalogue
from engine.metrics.histogram import ANSWER_SECONDS, COMMIT_SECONDS, PARSE_SECONDS, PUBLICATION_SECONDS, Histogram
from engine.metrics.snapshot import (
    ApplicationValue,
    Directory,
    Feed,
    IndicatorValue,
    Snapshot,
    Submissions,
    WindowBounds,
)
from engine.standing import Standing

HOSPITAL = "990000001"
CLINIC = "990000019"


def small() -> Snapshot:
    """A hospital and a clinic, with every kind of value: the golden page."""
    parse, commit = Histogram(PARSE_SECONDS), Histogram(COMMIT_SECONDS)
    for number in range(1, 101):
        parse.observe(number * 1e-5)
    for number in range(1, 11):
        commit.observe(number * 1e-3)
    publication, answer = Histogram(PUBLICATION_SECONDS), Histogram(ANSWER_SECONDS)
    for hours in (0, 3, 30, 100, 2_000):
        publication.observe(hours * 3_600)
    answer.observe(12)
    return Snapshot(
        taken_at=1_744_700_400.25,
        day=739_356,
        indicators=(
            IndicatorValue("P1.1", HOSPITAL, "official", 3, 4, {"ins_not_proven": 1}),
            IndicatorValue(
                "DS1.1",
                HOSPITAL,
                "official",
                80,
                100,
                {"not_produced": 12, "rejected": 5, "deleted": 3},
                {"XDSUnknownPatientId": 3, "OF-THE-PLATFORM": 1, "other": 1},
            ),
            IndicatorValue("DS1.1", HOSPITAL, "rolling", 81, 100, {"not_produced": 19}),
            IndicatorValue("DS1.1_sent", HOSPITAL, "official", 88, 100, {"not_produced": 12}),
            IndicatorValue("DS2.1", HOSPITAL, "official", 1, 3, {"wrong_level": 2}),
            IndicatorValue("DS1.1", CLINIC, "official", 0, 0),
            IndicatorValue("D6.2", HOSPITAL, "official", 1, 1),
            IndicatorValue("P4.3", CLINIC, "official", 0, 1, {"no_mail_seen": 1}),
            IndicatorValue("DS1.4", CLINIC, "official", 0, 2, {"not_produced": 1, "of_a_newer_rule": 1}),
        ),
        applications=(
            ApplicationValue(
                "Dossier patient", "identity", True, False, True, 1_744_700_000, True, "observed", True, HOSPITAL
            ),
            ApplicationValue("Dossier patient", "movement", True, False, True, 1_744_700_100, establishment=HOSPITAL),
            ApplicationValue("Bloc", "identity", True, True, False, 0, True, "declared", establishment=HOSPITAL),
            ApplicationValue("Bloc", "movement", False, in_scope=False, establishment=HOSPITAL),
        ),
        unlisted=("INCONNU@LABO", "AUTRE@RIS", 'Pas "un" nom\n'),
        feeds=(
            Feed(
                "adt",
                1000,
                3,
                1,
                2,
                1_744_700_300,
                4,
                {"msh-missing": 2},
                {"ins-key": 7, "of-a-newer-parser": 1},
                silence_limit=900,
            ),
            Feed("documents"),
        ),
        targets={("DS1.1", HOSPITAL): 0.6},
        pending=5,
        aside=2,
        aside_bytes=4096,
        commit=commit.state(),
        parse=parse.state(),
        facts_dropped=1,
        started_at=1_744_600_000.0,
        windows=(
            WindowBounds(HOSPITAL, "official", 1_735_686_000, 1_743_458_400),
            WindowBounds(HOSPITAL, "rolling", 1_736_982_000, 1_744_754_400),
        ),
        submissions=(
            Submissions(
                HOSPITAL,
                120,
                {"accepted": 100, "refused": 8, "failed": 2},
                {"XDSUnknownPatientId": 5, "audit-8": 2, "OF-THE-PLATFORM": 2, "other": 1},
                3,
                7,
                publication.state(),
                answer.state(),
            ),
            Submissions(
                CLINIC,
                publication=Histogram(PUBLICATION_SECONDS).state(),
                mails={"professional": 40, "citizen": 12},
                mail_outcomes={"delivered": 30, "refused": 4, "read": 9},
                mail_errors={"5.1.1": 2, "550": 1, "boîte de Sacha": 1},
                mail_xdm={"valid": 45, "flawed": 1, "none": 6},
                answer=answer.state(),
            ),
        ),
        directory=Directory(42, 7, 1_744_000_000, 2, {HOSPITAL: 3}),
        standings=(
            Standing(
                HOSPITAL, 1_743_000_000, 1_743_000_120, 1_743_000_000, 1_758_811_200, declared=True, awaiting=False
            ),
            Standing(CLINIC, 1_743_500_000, awaiting=True),
        ),
        official={("P4.3", HOSPITAL): True, ("PS3.2", HOSPITAL): False},
        names={HOSPITAL: "CH Fictif", CLINIC: 'Clinique « Les "Tilleuls" »'},
        proofs={HOSPITAL: "accepted", CLINIC: "taken"},
        projected={("DS1.1", HOSPITAL): 0.775, ("DS2.1", CLINIC): 0.5},
        certificates={"feeds.adt": 1_760_000_000, "http": 1_750_000_000},
        ready=True,
        store_bytes=1_048_576,
        free_bytes=10_737_418_240,
    )


def large(catalogue: Catalogue, establishments: int = 3, applications: int = 60, feeds: int = 10) -> Snapshot:
    """Every indicator, window and reason for several establishments: what a group of hospitals would show."""
    finesses = [f"99{number:07}" for number in range(establishments)]
    return Snapshot(
        taken_at=1_744_700_400.0,
        indicators=tuple(
            IndicatorValue(entry.id, finess, window, 70, 100, {entry.reasons[0].code: 30})
            for finess in finesses
            for entry in catalogue
            for window in ("official", "rolling")
        ),
        applications=tuple(
            ApplicationValue(f"Application {number}", reference, number % 3 > 0, last_seen=1_744_700_000)
            for number in range(applications)
            for reference in ("identity", "movement")
        ),
        feeds=tuple(Feed(f"feed-{number}", received=number) for number in range(feeds)),
        submissions=tuple(
            Submissions(
                finess,
                70,
                {"accepted": 60},
                {"XDSRegistryBusy": 3},
                publication=Histogram(PUBLICATION_SECONDS).state(),
                answer=Histogram(ANSWER_SECONDS).state(),
            )
            for finess in finesses
        ),
        names={finess: f"CH Fictif {number}" for number, finess in enumerate(finesses)},
        proofs=dict.fromkeys(finesses, "accepted"),
        commit=Histogram(COMMIT_SECONDS).state(),
        parse=Histogram(PARSE_SECONDS).state(),
    )
