"""The catalogue of indicators: what each one is called, asks and counts, and why a point may be missing.

The words are data (``config/indicators.yaml``, French, for people); the counting is code (the rules). This module reads
the first, strictly, and makes one entry of every indicator and of every variant of it (``DS1.1_sent``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from engine import resources
from engine.errors import ConfigError
from engine.strict import Place, Reader, suggest

Unit = Literal["application", "stay", "report", "document", "letter", "correspondent", "establishment"]
"""What an indicator counts."""

Kind = Literal["rate", "existence"]
"""Existence: met or not, a rate of the one establishment."""

TargetStatus = Literal["confirmed", "unconfirmed", "none"]
"""Confirmed: written in a document of the programme. Unconfirmed: nothing public gives it. None: a variant."""

Words = Annotated[str, Meta(min_length=1, max_length=1_000)]
Code = Annotated[
    str, Meta(pattern=r"^[a-z][a-z_]{0,39}$", extra={"hint": "small letters and _, a letter first: not_produced"})
]
Id = Annotated[str, Meta(pattern=r"^(P|D|PS|DS)[1-9]\.[1-9]$", extra={"hint": "as the programme writes it: DS1.1"})]
_PLACEHOLDER: Final = re.compile(r"\{(\w*)\}")


class Reason(Struct, frozen=True):
    """Why a point is missing: stable code, label and what to do, for people."""

    code: str
    label: str
    advice: str


class Indicator(Struct, frozen=True):
    """One entry of the catalogue: an indicator, or a variant of one (``variant_of``) under its own name."""

    id: str
    programme: str
    domain: str
    label: str  # of a variant: the official label and what the variant changes
    title: str  # short
    unit: Unit
    unit_words: tuple[str, str]  # one, many
    numerator: str
    denominator: str
    target: float | None  # confirmed by the programme, 0 to 1; at least (>=) is met
    target_status: TargetStatus
    target_note: str
    period: Literal["instant", "months"]
    period_note: str
    frequency: str
    bonus: bool  # never part of an overall pass or fail
    reasons: tuple[Reason, ...]  # closed, in the order of the document's way
    sources: tuple[str, ...]
    assumptions: tuple[str, ...]
    variant_of: str = ""
    kind: Kind = "rate"

    @property
    def formula(self) -> str:
        """The whole indicator in one sentence."""
        return f"{self.numerator} / {self.denominator}"


class Catalogue:
    """The indicators by id, in the order of the file; a variant comes after the indicator it varies."""

    __slots__ = ("_by_id", "indicators")

    def __init__(self, indicators: tuple[Indicator, ...]) -> None:
        self.indicators: Final = indicators
        self._by_id: Final = {indicator.id: indicator for indicator in indicators}

    def __iter__(self) -> Iterator[Indicator]:
        return iter(self.indicators)

    def __len__(self) -> int:
        return len(self.indicators)

    def __contains__(self, indicator: object) -> bool:
        return indicator in self._by_id

    def __getitem__(self, indicator: str) -> Indicator:
        """Raises KeyError for an id that is not in the catalogue."""
        return self._by_id[indicator]

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id, in the order of the file."""
        return tuple(self._by_id)

    def reasons(self, indicator: str) -> tuple[str, ...]:
        """Codes of the closed list of an indicator, in order; empty when it is not in the catalogue."""
        entry = self._by_id.get(indicator)
        return tuple(reason.code for reason in entry.reasons) if entry else ()

    def target(self, indicator: str) -> float | None:
        """Target confirmed by the programme, 0 to 1; None: no official target (a site may set its own)."""
        entry = self._by_id.get(indicator)
        return entry.target if entry else None


# ---- the file ----


class _Unit(Struct, frozen=True):
    one: Words
    many: Words


class _Reason(Struct, frozen=True):
    label: Words
    advice: Words


class _Variant(Struct, frozen=True):
    label: Words
    title: Words
    numerator: Words
    denominator: Words
    without: tuple[Code, ...] = ()
    adds: Mapping[str, Code] = field(default_factory=dict)  # reason -> the one that it comes before
    advice: Mapping[str, Words] = field(default_factory=dict)
    assumptions: tuple[Words, ...] = ()


class _Target(Struct, frozen=True):
    status: Literal["confirmed", "unconfirmed"]
    note: Words
    value: Annotated[float | None, Meta(gt=0.0, le=1.0)] = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.status == "confirmed"):
            raise ValueError("a target has a value exactly when its status is confirmed")


class _Indicator(Struct, frozen=True):
    id: Id
    programme: Words
    domain: Words
    label: Words
    title: Words
    unit: Unit
    numerator: Words
    denominator: Words
    target: _Target
    period: Literal["instant", "months"]
    period_note: Words
    frequency: Words
    reasons: Annotated[tuple[Code, ...], Meta(min_length=1)]
    sources: Annotated[tuple[str, ...], Meta(min_length=1)]
    assumptions: tuple[Words, ...] = ()
    advice: Mapping[str, Words] = field(default_factory=dict)
    variants: tuple[Code, ...] = ()
    bonus: bool = False
    kind: Kind = "rate"

    def __post_init__(self) -> None:
        if (self.kind == "existence") != (self.unit == "establishment"):
            raise ValueError("kind existence and unit establishment go together")


class _File(Struct, frozen=True):
    units: Mapping[str, _Unit]
    sources: Mapping[str, Words]
    reasons: Mapping[str, _Reason]
    variants: Mapping[str, _Variant]
    indicators: Annotated[tuple[_Indicator, ...], Meta(min_length=1)]


def load(path: Path | str | None = None) -> Catalogue:
    """The catalogue of a file (default: the one shipped).

    Raises the first :class:`~engine.errors.ConfigError` of the file, by line.
    """
    try:
        where = resources.path("indicators.yaml") if path is None else Path(path)
    except FileNotFoundError as error:
        raise ConfigError("indicators.yaml", 0, "the shipped catalogue is missing", "install jauge again") from error
    reader = Reader(where, vocabularies={}, variants={})
    file = reader.read(_File)
    if isinstance(file, _File):
        _check(file, reader)
    if reader.errors or not isinstance(file, _File):
        raise reader.errors[0]
    return Catalogue(tuple(entry for declared in file.indicators for entry in _entries(declared, file)))


def _check(file: _File, reader: Reader) -> None:
    """What no single setting can tell: an id given twice, and names that are declared nowhere."""
    seen: set[str] = set()
    for index, indicator in enumerate(file.indicators):
        place: Place = ("indicators", index)
        if indicator.id in seen:
            reader.fail(reader.line((*place, "id")), f"indicator {indicator.id} is given twice", "keep one")
        seen.add(indicator.id)
        _known(reader, (*place, "unit"), (indicator.unit,), file.units, "unit")
        _known(reader, (*place, "reasons"), indicator.reasons, file.reasons, "reason")
        _known(reader, (*place, "advice"), indicator.advice, indicator.reasons, "reason of this indicator")
        _known(reader, (*place, "sources"), indicator.sources, file.sources, "source")
        _known(reader, (*place, "variants"), indicator.variants, file.variants, "variant")
        for name in indicator.variants:
            following = file.variants[name].adds.values() if name in file.variants else ()
            _known(reader, (*place, "variants"), list(following), indicator.reasons, "reason of this indicator")
    for name, variant in file.variants.items():
        place = ("variants", name)
        _known(reader, (*place, "without"), variant.without, file.reasons, "reason")
        _known(reader, (*place, "adds"), variant.adds, file.reasons, "reason")
        _known(reader, (*place, "advice"), variant.advice, file.reasons, "reason")
        for part in ("label", "title", "numerator", "denominator", "assumptions"):
            words = _PLACEHOLDER.findall(str(getattr(variant, part)))
            _known(reader, (*place, part), words, _WORDS, "word between braces")


def _known(
    reader: Reader, place: Place, words: tuple[str, ...] | list[str] | Mapping[str, str], known: object, what: str
) -> None:
    assert isinstance(known, Mapping | tuple)
    for word in words:
        if word not in known:
            reader.fail(reader.line(place), f"{word!r} is not a known {what}", suggest(word, known))


_WORDS: Final = ("id", "label", "title", "numerator", "denominator")


def _entries(declared: _Indicator, file: _File) -> Iterator[Indicator]:
    """The indicator itself, then its variants."""
    unit = file.units[declared.unit]
    entry = Indicator(
        id=declared.id,
        programme=declared.programme,
        domain=declared.domain,
        label=declared.label,
        title=declared.title,
        unit=declared.unit,
        unit_words=(unit.one, unit.many),
        numerator=declared.numerator,
        denominator=declared.denominator,
        target=declared.target.value,
        target_status=declared.target.status,
        target_note=declared.target.note,
        period=declared.period,
        period_note=declared.period_note,
        frequency=declared.frequency,
        bonus=declared.bonus,
        reasons=_reasons(declared.reasons, declared.advice, file),
        sources=tuple(file.sources[source] for source in declared.sources),
        assumptions=declared.assumptions,
        kind=declared.kind,
    )
    yield entry
    for name in declared.variants:
        yield _variant(entry, declared, name, file)


def _variant(entry: Indicator, declared: _Indicator, name: str, file: _File) -> Indicator:
    """The entry of one variant: what it changes, and the rest as it was."""
    variant = file.variants[name]

    def say(words: str) -> str:
        return _PLACEHOLDER.sub(lambda found: str(getattr(entry, found[1])), words)

    kept = [code for code in declared.reasons if code not in variant.without]
    for added, following in variant.adds.items():
        kept.insert(kept.index(following), added)
    return Indicator(
        id=f"{entry.id}_{name}",
        programme=entry.programme,
        domain=entry.domain,
        label=say(variant.label),
        title=say(variant.title),
        unit=entry.unit,
        unit_words=entry.unit_words,
        numerator=say(variant.numerator),
        denominator=say(variant.denominator),
        target=None,
        target_status="none",
        target_note="une variante n’a pas de cible officielle",
        period=entry.period,
        period_note=entry.period_note,
        frequency=entry.frequency,
        bonus=entry.bonus,
        reasons=_reasons(tuple(kept), {**declared.advice, **variant.advice}, file),
        sources=entry.sources,
        assumptions=(*map(say, variant.assumptions), *entry.assumptions),
        variant_of=entry.id,
    )


def _reasons(codes: tuple[str, ...], advice: Mapping[str, str], file: _File) -> tuple[Reason, ...]:
    return tuple(Reason(code, file.reasons[code].label, advice.get(code, file.reasons[code].advice)) for code in codes)
