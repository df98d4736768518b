"""The registry: every listener declares itself, and keeps what all of them must keep."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import msgspec
import pytest

from engine.listeners.listener import declarations, register
from tests.listeners.conformance import Conformance, ConnectedConformance, Taking

SUITES = {Taking, Conformance, ConnectedConformance}


def test_declarations() -> None:
    """Each listener of the folder is known by its name, with strict settings and words for people."""
    known = declarations()
    assert {"mllp", "folder", "captures"} <= set(known)
    for name, declaration in known.items():
        assert declaration.name == name
        assert declaration.emits
        assert declaration.acknowledges
        config = declaration.settings.__struct_config__
        assert config.frozen
        assert config.forbid_unknown_fields


@pytest.mark.parametrize("name", sorted(declarations()))
def test_every_listener_passes_the_suite(name: str) -> None:
    """The tests of a listener, ``test_<name>*.py``, hold a subclass of the suite that pytest runs."""
    found = [
        kind
        for path in sorted(Path(__file__).parent.glob(f"test_{name}*.py"))
        for _, kind in inspect.getmembers(importlib.import_module(f"tests.listeners.{path.stem}"), inspect.isclass)
        if issubclass(kind, Taking) and kind not in SUITES and kind.__name__.startswith("Test")
    ]
    assert found


def test_settings_are_described() -> None:
    """Each setting has its sentence: the documentation is made of them."""
    for declaration in declarations().values():
        for name, field in msgspec.json.schema(declaration.settings, schema_hook=lambda kind: {"type": "string"})[
            "$defs"
        ][declaration.settings.__name__]["properties"].items():
            assert field.get("description"), f"{declaration.name}.{name}"


def test_a_name_is_taken_once() -> None:
    """Two listeners of one name are a mistake of ours, told at once."""
    with pytest.raises(ValueError, match="two listeners are named mllp"):
        register(declarations()["mllp"])
