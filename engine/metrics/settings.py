"""What the rules need to know of the configuration, and nothing else: frozen, without clock, without file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

_WIDTH: Final = 1 << 128


class EstablishmentRules(Struct, frozen=True):
    """Settings of one establishment."""

    time_zone: str = "Europe/Paris"
    theatre_units: frozenset[str] = frozenset()
    theatre_applications: frozenset[str] = frozenset()  # APP@FACILITY or APP
    external_senders: frozenset[str] = frozenset()
    proof: Literal["accepted", "taken", "sent"] = "accepted"


class Directory(Struct, frozen=True):
    """The correspondents, by the pseudonyms of what names them (``engine.correspondents`` reads them)."""

    names: Mapping[bytes, bytes] = {}
    """Pseudonym of an address ("address") or identifier ("correspondent") -> that of its correspondent ("correspondent-id")."""
    equipped: frozenset[bytes] = frozenset()
    """The correspondents that have a professional address."""
    digest: str = ""
    """The fingerprint, where it is known already: it takes a second of a large directory."""

    def fingerprint(self) -> str:
        """Changes with the directory, and not with the order of its file; empty when there is none."""
        if self.digest or (not self.names and not self.equipped):
            return self.digest
        # Sums do not depend on an order, and leave the interpreter to the other threads, which sorting a million names does not.
        number = int.from_bytes
        names = sum(number(name) * (number(key) | 1) for name, key in self.names.items())
        return f"{names % _WIDTH:032x}{sum(map(number, self.equipped)) % _WIDTH:032x}"


class RuleSettings(Struct, frozen=True):
    """Settings of the counting: ``indicators`` of the configuration, and its establishments."""

    classes: frozenset[str] = frozenset("I")
    count_test_ins: bool = False
    grace_days: int = 7
    history_days: int = 30
    attach_days: int = 30
    answer_hours: int = 24
    match_hours: int = 24
    message_days: int = 7
    prescription_codes: frozenset[str] = frozenset({"57833-6", "57828-6", "57832-8"})
    published_codes: frozenset[str] = frozenset(
        {"11490-0", "34112-3", "11488-4", "15507-7", "34874-8", "11502-2", "18748-4", "34133-9"}
    )
    establishments: Mapping[str, EstablishmentRules] = {}
    directory: Directory = Directory()

    def establishment(self, finess: str) -> EstablishmentRules:
        """The settings of an establishment; defaults for one that is not declared."""
        return self.establishments.get(finess, _DEFAULT)

    def fingerprint(self) -> bytes:
        """Changes when a change of settings may change a verdict: then every subject is judged again."""
        return msgspec.json.encode(_plain(self), order="deterministic")


_DEFAULT = EstablishmentRules()


def _plain(value: object) -> object:
    if isinstance(value, Directory):  # a digest of it, not hundreds of thousands of names
        return value.fingerprint()
    if isinstance(value, Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def names_application(names: frozenset[str], sender: str) -> bool:
    """Whether ``APP@FACILITY`` is in a list that may name applications with or without their facility."""
    return bool(names) and (sender in names or sender.partition("@")[0] in names)
