"""A page over a store and a snapshot of the test's own: one establishment, or two."""

from __future__ import annotations

from pathlib import Path

from engine.ledger import schema, tallies
from engine.metrics import catalogue as catalogues
from engine.metrics import remedies
from engine.metrics.periods import start_of_day
from engine.metrics.rules.verdict import Verdict
from engine.metrics.snapshot import ApplicationValue, Feed, IndicatorValue, Snapshot
from engine.page.pages import Pages
from engine.service import load_config
from engine.standing import Standing

HOSPITAL, CLINIC = "990000001", "990000019"
PARIS = "Europe/Paris"
TODAY = 739_577  # 22/11/2025
NOW = start_of_day(TODAY, PARIS) + 50_580  # 14:03
CATALOGUE = catalogues.load()
REMEDIES = remedies.load()

_CONFIG = """\
store: {folder}/var/jauge.db
keys: {folder}/var/keys
establishments:
{establishments}
feeds:
{feeds}
"""


class Site:
    """The pages, and what they show: ``snapshot`` may be replaced at any time."""

    def __init__(self, folder: Path, names: dict[str, str] | None = None, feeds: tuple[str, ...] = ("his",)) -> None:
        names = names or {HOSPITAL: "CH Fictif"}
        path = folder / "jauge.yaml"
        establishments = "\n".join(
            f'  - {{finess: "{finess}", name: "{name}", targets: {{DS1.1: 0.6}}}}' for finess, name in names.items()
        )
        listened = "\n".join(
            f'  - {{name: {name}, listener: mllp, establishment: "{next(iter(names))}", port: {2575 + rank}}}'
            for rank, name in enumerate(feeds)
        )
        path.write_text(_CONFIG.format(folder=folder, establishments=establishments, feeds=listened), encoding="utf-8")
        self.config = load_config(path)
        self.store = schema.connect(self.config.store)
        self.snapshot = snapshot()
        self.now = float(NOW)
        self.pages = Pages(lambda: self.snapshot, self.config, CATALOGUE, REMEDIES, clock=lambda: self.now)

    def count(self, *verdicts: tuple[str, str, int, str, int]) -> None:
        """(indicator, unit, day, outcome, how many) into the store, for the hospital."""
        tallies.write(
            self.store,
            {Verdict(indicator, HOSPITAL, unit, day, outcome, 0): n for indicator, unit, day, outcome, n in verdicts},
        )

    def get(self, path: str, **query: str) -> str:
        """The text of a page, which must be there."""
        answer = self.pages.answer(path, query)
        assert answer is not None
        assert answer.status == 200
        return answer.body.decode()

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()


def both(
    indicator: str, met: int, counted: int, missed: dict[str, int], **more: dict[str, int]
) -> list[IndicatorValue]:
    """The same value in both windows."""
    return [
        IndicatorValue(indicator, HOSPITAL, window, met, counted, missed, **more) for window in ("official", "rolling")
    ]


def snapshot() -> Snapshot:
    """Something of everything."""
    return Snapshot(
        taken_at=NOW - 5.0,
        day=TODAY,
        indicators=(
            *both("P1.1", 3, 4, {"ins_not_proven": 1}),
            *both(
                "D2.2",
                700,
                1_000,
                {"not_cda": 100, "rejected": 150, "awaiting_answer": 50},
                rejected={"XDSUnknownPatientId": 140, "OWN-CODE": 10},
            ),
            *both("D6.3", 70, 100, {"mss_not_sent": 30}),
            *both("DS1.1", 2_009, 4_000, {"not_produced": 1_991}),
            *both("DS1.2", 0, 0, {}),
            *both("DS3.1", 10, 100, {"not_cda": 90}),
            *both("PS4.1", 0, 1, {"no_test": 1}),
        ),
        applications=(
            ApplicationValue(
                "Dossier patient", "identity", True, False, True, NOW - 60, True, "observed", True, HOSPITAL, True
            ),
            ApplicationValue(
                "Dossier patient", "movement", True, True, False, NOW - 60, establishment=HOSPITAL, recent=True
            ),
            ApplicationValue("Bloc", "identity", False, establishment=HOSPITAL),
            ApplicationValue("Bloc", "movement", False, in_scope=False, establishment=HOSPITAL),
        ),
        unlisted=("INCONNU@LABO",),
        feeds=(
            Feed(
                "his",
                1_234_567,
                12,
                last_message_at=NOW - 7_200,
                silence_limit=3_600,
                rejected={"not-hl7": 3},
                flags={"ins-key": 2},
            ),
        ),
        pending=7,
        aside=3,
        aside_bytes=12_345,
        standings=(Standing(HOSPITAL, sent_at=NOW - 86_400, declared=True, awaiting=True),),
        projected={("D2.2", HOSPITAL): 0.7996},
        targets={("DS1.1", HOSPITAL): 0.6},
        proofs={HOSPITAL: "accepted"},
    )
