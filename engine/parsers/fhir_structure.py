"""Full structural validation of FHIR by fhir.resources: every element of every resource against the standard (R4, else R5).

Slow (its import alone takes a second), so only for ``jauge check --deep``. The messages of the library quote values: only the path of an
element leaves this module, and of an element that the standard does not know, the path of its parent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from engine.errors import Flag
from engine.parsers import fhir_batch, http_head

CODES: Final[dict[str, str]] = {
    "fhir-duplicate-key": "A name comes twice in one JSON object: readers disagree on which value holds.",
    "fhir-element-missing": "An element that FHIR requires is not there.",
    "fhir-element-type": "The element is not of the type that FHIR gives it.",
    "fhir-element-unexpected": "FHIR has no such element there.",
    "fhir-element-value": "The value of the element is not one that FHIR allows there.",
    "fhir-not-checked": "The payload could not be checked against FHIR: it is no JSON object, or no resource that FHIR knows.",
}
"""Every code that :func:`validate` gives. All are remarks: a submission that breaks the standard may well have been accepted."""

_MAXIMUM: Final = 50  # of remarks about one payload
_LEVELS: Final = 4  # of Bundles in Bundles
_KINDS: Final = {"missing": "fhir-element-missing", "extra_forbidden": "fhir-element-unexpected"}
_NAME: Final = re.compile(r"[A-Za-z_]{1,64}", re.ASCII)
_LONG: Final = re.compile(rb'"[A-Za-z0-9+/=\\]{256,}"')  # embedded documents: the library need not see them


def validate(payload: bytes) -> tuple[Flag, ...]:
    """What fhir.resources finds wrong with a payload, without repetition, at most 50 remarks. Never raises."""
    found: list[Flag] = []
    try:
        for piece in fhir_batch.split(payload):
            body = bytes(fhir_batch.trimmed(http_head.split(piece).body))
            found += _piece(_LONG.sub(b'"AA=="', body))
            if len(found) >= _MAXIMUM:
                break
    except Exception:  # noqa: BLE001 - the library fails in its own ways on odd resources; depth, memory
        found.append(Flag("fhir-not-checked", "body"))
    return tuple(dict.fromkeys(found))[:_MAXIMUM]


def _piece(body: bytes) -> Iterator[Flag]:
    doubled: list[bool] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        doubled.extend([True] if len(found) != len(pairs) else [])
        return found

    resource = json.loads(body, object_pairs_hook=keep, parse_constant=_refuse)
    if doubled:
        yield Flag("fhir-duplicate-key", "body")
    yield from _resource(resource, "", 0)


def _refuse(constant: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")


def _resource(resource: Any, place: str, level: int) -> Iterator[Flag]:
    """One resource, then those that it parts, if it is a Bundle: each against the version of FHIR that fits it better."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    models = list(_models(kind)) if isinstance(kind, str) and level < _LEVELS else []
    if not models:
        yield Flag("fhir-not-checked", place or "body")
        return
    place = place or str(kind)
    entries = resource.get("entry") if kind == "Bundle" else None
    inner: list[tuple[Any, str]] = []
    if isinstance(entries, list):
        bare = []
        for index, entry in enumerate(entries):
            if isinstance(entry, dict) and "resource" in entry:
                inner.append((entry["resource"], f"{place}.entry[{index}].resource"))
                entry = {name: value for name, value in entry.items() if name != "resource"}
            bare.append(entry)
        resource = {**resource, "entry": bare}
    yield from min((list(_errors(model, resource, place)) for model in models), key=len)
    for one, where in inner:
        yield from _resource(one, where, level + 1)


def _models(kind: str) -> Iterator[Any]:
    """The models of a resource in R4 (as R4B, which has the same of what is read here) and R5."""
    from fhir import resources
    from fhir.resources import R4B

    for package in (R4B, resources):
        try:
            yield package.get_fhir_model_class(kind)
        except (KeyError, ValueError):
            continue


def _errors(model: Any, resource: dict[str, Any], place: str) -> Iterator[Flag]:
    try:
        model.model_validate(resource)
    except ValueError as error:
        report = getattr(error, "errors", None)  # of pydantic.ValidationError
        if report is None:
            yield Flag("fhir-not-checked", place)
            return
        for one in report(include_url=False, include_context=False, include_input=False):
            code = _KINDS.get(one["type"]) or (
                "fhir-element-value" if one["type"] == "value_error" else "fhir-element-type"
            )
            # The name of an element that the standard does not know is the sender's own text.
            path = one["loc"][:-1] if one["type"] == "extra_forbidden" else one["loc"]
            yield Flag(code, place + _path(path))
    except Exception:  # noqa: BLE001 - the library's own failures, on a contained resource of an unknown type for example
        yield Flag("fhir-not-checked", place)


def _path(steps: Iterable[int | str]) -> str:
    """``.entry[0].resource`` of the steps that are numbers or look like names of the standard."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}"
        for step in steps
        if isinstance(step, int) or _NAME.fullmatch(step)
    )
