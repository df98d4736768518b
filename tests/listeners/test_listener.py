"""The registry: every listener declares itself."""

from __future__ import annotations

import msgspec
import pytest

from engine.listeners.listener import declarations, register


def test_declarations() -> None:
    """Each listener of the folder is known by its name, with strict settings and words for people."""
    known = declarations()
    assert {"mllp", "folder"} <= set(known)
    for name, declaration in known.items():
        assert declaration.name == name
        assert declaration.emits
        assert declaration.acknowledges
        config = declaration.settings.__struct_config__
        assert config.frozen
        assert config.forbid_unknown_fields


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
