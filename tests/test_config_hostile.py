"""A configuration that holds anything: a Config or ConfigErrors, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import config
from engine.errors import ConfigError
from tests.configuration import GOOD, LISTENERS, written


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Writes a file and gives its path."""
    return partial(written, tmp_path)


SCALARS = st.one_of(
    st.sampled_from(
        ["", "~", "true", "990000001", "1e5", "his", "mllp", ".inf", "0o7", "[]", "{}", "*a", "&a", "!!str", "|"]
    ),
    st.text(max_size=12),
    st.integers().map(str),
)
KEYS = st.one_of(
    st.sampled_from(
        [*config.Config.__struct_fields__, *config.Feed.__struct_fields__, *config.Establishment.__struct_fields__]
    ),
    st.text(max_size=6),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(KEYS, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=12,
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestNeverAnythingElse:
    """Whatever the file, a Config or ConfigErrors."""

    @QUICK
    @given(st.binary(max_size=200))
    def test_bytes(self, write, data: bytes) -> None:
        """Any bytes give a list of ConfigError, each about this file."""
        path = write(data)
        found = config.problems(path, LISTENERS)
        assert found
        assert {error.file for error in found} == {str(path)}

    @QUICK
    @given(st.lists(st.tuples(KEYS, TREES), max_size=4))
    def test_trees(self, write, pairs: list[tuple[str, str]]) -> None:
        """Any YAML under known and unknown names gives ConfigErrors only."""
        text = "".join(f"{key}: {value}\n" for key, value in pairs).encode("utf-8", "replace")
        assert all(isinstance(error, ConfigError) for error in config.problems(write(text), LISTENERS))

    @QUICK
    @given(st.integers(0, 8), KEYS, TREES)
    def test_one_line_of_a_good_file(self, write, number: int, key: str, tree: str) -> None:
        """A good file with one line replaced is read, or its faults are ConfigErrors; load and problems agree."""
        lines = GOOD.splitlines()
        indent = len(lines[number]) - len(lines[number].lstrip(" -"))
        lines[number] = lines[number][:indent] + f"{key}: {tree}"
        path = write("\n".join(lines).encode("utf-8", "replace"))
        found = config.problems(path, LISTENERS)
        if found:
            with pytest.raises(ConfigError):
                config.load(path, LISTENERS)
        else:
            assert config.load(path, LISTENERS).feeds
