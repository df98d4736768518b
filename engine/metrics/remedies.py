"""Why a submission was refused, in words: each code with what it means and what to do (French, for people).

The table is data: ``config/dmp-errors.yaml`` holds the public codes; a site adds those its own platform or the DMP
gives it in a file of the same form. A code that is in neither is shown as it is, with the advice for what is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from engine import resources
from engine.errors import ConfigError
from engine.metrics.bounds import OTHER
from engine.strict import Reader

Kind = Literal["identity", "duplicate", "content", "replacement", "retry", "recipient", "technical", "other"]
"""What a refusal is about: who should look at it."""

Words = Annotated[str, Meta(min_length=1, max_length=1_000)]
# What ``engine.parsers.names.code`` lets through: a code written otherwise would never be met.
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)
_LONG_NUMBER: Final = re.compile(r"[0-9]{10}", re.ASCII)
MOST_CODES: Final = 1_000
"""A table longer than that is no table of errors, and each code is a series of `/metrics`."""


class Remedy(Struct, frozen=True):
    """One code: what it is about, what it means and what to do."""

    code: str
    kind: Kind
    label: str
    advice: str


class Remedies:
    """The codes that are known, and what is said of any other."""

    __slots__ = ("_by_code", "_unknown")

    def __init__(self, remedies: Mapping[str, Remedy], unknown: Remedy) -> None:
        self._by_code: Final = dict(remedies)
        self._unknown: Final = unknown

    @property
    def codes(self) -> tuple[str, ...]:
        """Every known code, in the order of the files."""
        return tuple(self._by_code)

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def __getitem__(self, code: str) -> Remedy:
        """What is known of a code; of one that is not known, what to do in general, under its own name."""
        found = self._by_code.get(code)
        if found is not None:
            return found
        unknown = self._unknown
        label = f"{unknown.label} (code inconnu)" if code and code != OTHER else f"{unknown.label} (sans code)"
        return Remedy(code or OTHER, unknown.kind, label, unknown.advice)

    def kind(self, code: str) -> Kind:
        """What a refusal with this code is about."""
        return self[code].kind

    def label(self, code: str) -> str:
        """What a code means (French)."""
        return self[code].label

    def advice(self, code: str) -> str:
        """What to do about a code (French)."""
        return self[code].advice


# ---- the files ----


class _Kind(Struct, frozen=True):
    label: Words
    advice: Words


class _Code(Struct, frozen=True):
    kind: Kind
    label: Words
    advice: Words | None = None


class _File(Struct, frozen=True):
    kinds: Mapping[str, _Kind]
    codes: Mapping[str, _Code] = field(default_factory=dict)


class _Own(Struct, frozen=True):
    """The file of a site: its codes, and its own advice for a kind if it wants."""

    codes: Mapping[str, _Code]
    kinds: Mapping[str, _Kind] = field(default_factory=dict)


def load(own: Path | None = None) -> Remedies:
    """The shipped table with, added to it, that of a site (``dmp_errors`` of the configuration).

    Raises the first :class:`~engine.errors.ConfigError` of the files, by line.
    """
    try:
        shipped = resources.path("dmp-errors.yaml")
    except FileNotFoundError as error:
        raise ConfigError(
            "dmp-errors.yaml", 0, "the shipped table of errors is missing", "install jauge again"
        ) from error
    kinds, codes = _read(shipped, _File)
    if own is not None:
        more_kinds, more_codes = _read(own, _Own)
        kinds, codes = {**kinds, **more_kinds}, {**codes, **more_codes}
    remedies = {
        code: Remedy(code, said.kind, said.label, said.advice or kinds[said.kind].advice)
        for code, said in codes.items()
    }
    other = kinds[OTHER]
    return Remedies(remedies, Remedy(OTHER, "other", other.label, other.advice))


def _read(path: Path, shape: type[_File | _Own]) -> tuple[dict[str, _Kind], dict[str, _Code]]:
    reader = Reader(path, vocabularies={}, variants={})
    file = reader.read(shape)
    if isinstance(file, _File | _Own):
        _check(file, reader)
    if reader.errors or not isinstance(file, _File | _Own):
        raise reader.errors[0]
    return dict(file.kinds), dict(file.codes)


def _check(file: _File | _Own, reader: Reader) -> None:
    """What the type of a mapping cannot tell: its keys."""
    known = Kind.__args__  # type: ignore[attr-defined]
    for kind in file.kinds:
        if kind not in known:
            reader.fail(
                reader.line(("kinds", kind)), f"{kind!r} is not a kind of refusal", f"one of: {', '.join(known)}"
            )
    if isinstance(file, _File):
        missing = [kind for kind in known if kind not in file.kinds]
        if missing:
            reader.fail(reader.line(("kinds",)), f"kinds lacks {missing[0]}", "give every kind a label and an advice")
    for code in file.codes:
        if not _CODE.fullmatch(code) or _LONG_NUMBER.search(code) or code == OTHER:
            mend = "letters, digits, . _ and -, 40 at most, as the platform writes it; `other` is for the rest"
            reader.fail(reader.line(("codes", code)), "this is not a code of errors", mend)
    if len(file.codes) > MOST_CODES:
        reader.fail(reader.line(("codes",)), f"more than {MOST_CODES} codes", "keep those that the platform gives")
