"""The values that people see: tallies, registers and inventory -> indicators, over the windows of a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from engine.inventory import Application, Inventory
from engine.ledger import applications as registers
from engine.ledger.tallies import INDICATORS, Sums
from engine.metrics.periods import Window
from engine.metrics.rules.verdict import MET
from engine.metrics.snapshot import ApplicationValue, IndicatorValue, Reference

Proof = Literal["acknowledged", "routed"]

NOT_CONNECTED: Final = "not_connected"
NOT_ACKNOWLEDGED: Final = "not_acknowledged"
INS_NOT_PROVEN: Final = "ins_not_proven"

_REFERENCES: Final[tuple[tuple[str, Reference], ...]] = (("P1.1", "identity"), ("P1.3", "movement"))


DIRECTORY: Final = "DS4.1_directory"
"""DS4.1 over the whole directory: not tallied by itself, the subjects without a verdict are among it."""


def indicators(
    sums: Sums, establishment: str, windows: Sequence[Window], equipped: frozenset[bytes] = frozenset()
) -> Iterator[IndicatorValue]:
    """The rates over stays and reports, of one establishment.

    ``equipped``: pseudonyms of the equipped correspondents of the directory.
    """
    for window in windows:
        outcomes = sums.distinct.totals("DS4.1", establishment, window, equipped)
        met = outcomes.pop(MET, 0)
        yield IndicatorValue(DIRECTORY, establishment, window.name, met, len(equipped), dict(outcomes))
    for indicator in INDICATORS:
        for window in windows:
            found = sums.totals(indicator, establishment, window)
            total = found.met + sum(found.missed.values())
            yield IndicatorValue(indicator, establishment, window.name, found.met, total, found.missed, found.rejected)


class Connections:
    """What the flows show of the inventory's applications (P1.1, P1.3; docs/rules.md section 5)."""

    def __init__(
        self,
        seen: Mapping[tuple[str, str], int],
        inventory: Inventory,
        *,
        proof: Proof,
        count_test_ins: bool,
        fresh_since: int = 0,
    ) -> None:
        """``fresh_since``: what was not seen since then (epoch seconds) is connected, but not seen recently."""
        self._inventory = inventory
        self._acknowledged = proof == "acknowledged"
        self._test = count_test_ins
        self._fresh = fresh_since
        self._latest: dict[tuple[str, int], int] = {}
        self.unlisted: tuple[str, ...] = ()
        self._read(seen)

    def _read(self, seen: Mapping[tuple[str, str], int]) -> None:
        unlisted: set[str] = set()
        for (kind, name), at in seen.items():
            found = False
            for application in self._owners(name):
                found = True
                key = (kind, application.line)
                self._latest[key] = max(at, self._latest.get(key, 0))
            if not found and kind == registers.SEEN:
                unlisted.add(name)
        self.unlisted = tuple(sorted(unlisted))

    def _owners(self, name: str) -> Iterable[Application]:
        """One endpoint may be a line of several establishments."""
        scopes = {""} | {application.establishment for application in self._inventory.applications}
        owners = {a.line: a for scope in scopes if (a := self._inventory.find(name, scope)) is not None}
        return owners.values()

    def _at(self, kind: str, application: Application) -> int:
        return self._latest.get((kind, application.line), 0)

    def _ins(self, application: Application) -> bool:
        received = registers.INS_ACKNOWLEDGED if self._acknowledged else registers.INS_ROUTED
        kinds = [received, registers.INS_EMITTED]
        if self._test:
            kinds += [kind + registers.TEST for kind in kinds]
        return any(self._at(kind, application) for kind in kinds)

    def applications(self, establishment: str) -> Iterator[ApplicationValue]:
        """Each application of an establishment, from both references."""
        way = registers.ACKNOWLEDGED if self._acknowledged else registers.ROUTED
        for application in self._inventory.of(establishment):
            observed_ins = self._ins(application)
            last_seen = self._at(registers.SEEN, application)
            for indicator, reference in _REFERENCES:
                declared = application.declared_identity if indicator == "P1.1" else application.declared_movement
                observed = bool(self._at(way + reference, application))
                yield ApplicationValue(
                    application=application.name,
                    reference=reference,
                    connected=observed or declared,
                    declared=declared,
                    observed=observed,
                    last_seen=last_seen,
                    recent=last_seen > self._fresh,
                    ins_able=observed_ins or application.declared_ins,
                    ins_proof="observed" if observed_ins else "declared" if application.declared_ins else "",
                    in_scope=application.in_scope_p1_1 if indicator == "P1.1" else application.in_scope_p1_3,
                    establishment=establishment,
                )

    def indicators(self, establishment: str, windows: Sequence[Window]) -> Iterator[IndicatorValue]:
        """P1.1 and P1.3: measured at the instant, so the same in both windows."""
        values = list(self.applications(establishment))
        by_line = {application.name: application for application in self._inventory.of(establishment)}
        for indicator, reference in _REFERENCES:
            met = 0
            missed: dict[str, int] = {}
            for value in values:
                if value.reference != reference or not value.in_scope:
                    continue
                reason = self._reason(value, by_line[value.application])
                if reason is None:
                    met += 1
                else:
                    missed[reason] = missed.get(reason, 0) + 1
            for window in windows:
                yield IndicatorValue(
                    indicator, establishment, window.name, met, met + sum(missed.values()), dict(missed)
                )

    def _reason(self, value: ApplicationValue, application: Application) -> str | None:
        if not value.connected:
            routed = self._at(registers.ROUTED + value.reference, application)
            return NOT_ACKNOWLEDGED if routed and self._acknowledged else NOT_CONNECTED
        if value.reference == "identity" and not value.ins_able:
            return INS_NOT_PROVEN
        return None
