"""Logs: whatever the code does, no value gets out."""

from __future__ import annotations

import ast
import asyncio
import errno
import gc
import io
import json
import logging
import re
import sqlite3
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import inventory, logs

ENGINE = Path(logs.__file__).parent
NAME = "DUPONT"
INS = 185057599900150
HOSTILE = [
    NAME,
    "dupont",
    "jean-dupont",
    str(INS),
    INS,
    float(INS),
    b"DUPONT",
    [NAME],
    {"name": NAME},
    ("his", NAME),
    ValueError(NAME),
    type(NAME, (Exception,), {}),
    type("Str", (str,), {})("his"),
    type("Int", (int,), {})(INS),
    type("Odd", (), {"__repr__": lambda self: NAME, "__eq__": lambda self, other: True, "__hash__": lambda self: 0})(),
    "PID-5 DUPONT",
    "PID-5^DUPONT",
    "DUP[1]",
    "DUPONT-3",
    "127.0.0.1 DUPONT",
    "::1%DUPONT",
    "DUPONT:2575",
    float("nan"),
    10**15,
]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Everything that configure() sets, put back after each test."""
    root = logging.getLogger()
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook, root.handlers[:], root.level, set(logs._words))
    yield
    structlog.reset_defaults()
    sys.excepthook, threading.excepthook, sys.unraisablehook = before[:3]
    logging.captureWarnings(capture=False)
    root.handlers[:] = before[3]
    root.setLevel(before[4])
    logs._words.clear()
    logs._words.update(before[5])


@pytest.fixture
def out() -> io.StringIO:
    """A stream that JSON lines are written to."""
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """The lines written, read again."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestWhatGetsOut:
    """What a line holds."""

    def test_line(self, out: io.StringIO) -> None:
        """A line is one JSON object: time in UTC, level, event, then the fields."""
        logs.allow(["his"])
        structlog.get_logger().info(
            "feed-started", feed="his", port=2575, host="127.0.0.1", seconds=1.23456, tls=True, version="0.1.0"
        )
        (line,) = lines(out)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", str(line.pop("timestamp")))
        assert line == {
            "level": "info", "event": "feed-started", "feed": "his", "port": 2575, "host": "127.0.0.1", "seconds": 1.235,
            "version": "0.1.0", "withheld": 1,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("where", "PID-3"),
            ("where", "OBX[2]-5.1"),
            ("where", "ZBE"),
            ("where", "byte 12"),
            ("peer", "10.1.2.3:40000"),
            ("host", "::1"),
            ("host", "localhost"),
            ("status", "accepted"),
            ("count", 0),
            ("count", None),
            ("bytes", 67_108_864),
        ],
    )
    def test_printed(self, out: io.StringIO, field: str, value: object) -> None:
        """Places, addresses, numbers and declared words are printed as they are."""
        structlog.get_logger().info("something-done", **{field: value})
        assert lines(out)[0][field] == value

    def test_console(self) -> None:
        """For people, the same on one line, without a trace of an exception's text."""
        stream = io.StringIO()
        logs.configure("console", "info", stream)
        try:
            raise ValueError(NAME)
        except ValueError:
            structlog.get_logger().exception("message-not-read", count=3, name=NAME)
        said = stream.getvalue()
        assert NAME not in said
        assert "message-not-read" in said
        assert "error=ValueError" in said
        assert said.count("\n") == 1

    def test_level(self) -> None:
        """What is less severe than the level is not written."""
        stream = io.StringIO()
        logs.configure("json", "warning", stream)
        structlog.get_logger().info("feed-started")
        structlog.get_logger().warning("store-slow")
        assert [line["event"] for line in lines(stream)] == ["store-slow"]

    def test_a_broken_stream_stops_nothing(self) -> None:
        """A pipe that is closed or a disk that is full costs the line, not the message."""
        stream = io.StringIO()
        logs.configure("json", "info", stream)
        stream.close()
        structlog.get_logger().info("feed-started")


class TestWhatDoesNot:
    """Every way a value may try to get out."""

    @pytest.mark.parametrize("field", [*logs.FIELDS, "ins", "patient", "message", "exc_info", "stack_info", "extra"])
    def test_hostile_values(self, out: io.StringIO, field: str) -> None:
        """In any field, declared or not, a value of a message is withheld, and the line is still written."""
        for value in HOSTILE:
            structlog.get_logger().info("something-done", **{field: value})
        said = out.getvalue()
        assert len(said.splitlines()) == len(HOSTILE)
        assert "dupont" not in said.lower()
        assert str(INS) not in said
        assert '"event":"something-done"' in said

    @pytest.mark.parametrize("event", [f"cannot read {NAME}", NAME, "", "x" * 100, b"dupont", 3, f"read-{NAME}", None])
    def test_hostile_event(self, out: io.StringIO, event: object) -> None:
        """An event that is not a name in small letters and hyphens is not printed."""
        structlog.get_logger().warning(event)
        (line,) = lines(out)
        assert (line["event"], line["withheld"]) == ("event-without-name", 1)

    def test_arguments_of_an_event(self, out: io.StringIO) -> None:
        """An event built with % from a value is not printed."""
        structlog.get_logger().info("patient %s", NAME)
        assert lines(out)[0]["event"] == "event-without-name"

    def test_context(self, out: io.StringIO) -> None:
        """What was bound to the logger or to the context passes the same gate."""
        with structlog.contextvars.bound_contextvars(name=NAME, patient=NAME):
            structlog.get_logger().bind(where=NAME, ins=INS).info("something-done")
        assert NAME not in out.getvalue()
        assert lines(out)[0]["withheld"] == 4

    @settings(max_examples=100, deadline=None)
    @given(st.dictionaries(st.one_of(st.sampled_from(sorted(logs.FIELDS)), st.text(max_size=8)), st.text(max_size=20)))
    def test_any_text(self, fields: dict[str, str]) -> None:
        """No text passes but places, addresses, versions and declared words."""
        said = logs.guard(None, "info", {"event": "something-done", **fields})
        for key, value in said.items():
            if key == "withheld":
                continue  # our own count
            if key in fields and value not in (logs.WITHHELD, fields.get("level")):
                assert value in logs._words or logs._safe(logs.FIELDS[key], value) == value or key == "event"


class TestExceptions:
    """What is told of an exception: types and places of our own code."""

    def test_type_cause_and_place(self, out: io.StringIO) -> None:
        """The type, the types of its causes, the file, line and function of our own frames; no text."""
        try:
            try:
                inventory.load(f"/nope/{NAME}")
            except Exception as error:
                raise KeyError(NAME) from error
        except KeyError as error:
            structlog.get_logger().error("inventory-refused", error=error)
        (line,) = lines(out)
        assert line["error"] == "KeyError"
        assert line["causes"] == ["engine.errors.ConfigError"]
        assert re.fullmatch(r"engine/inventory\.py:\d+:load", line["at"][0])  # type: ignore[index]
        assert NAME not in out.getvalue()

    def test_the_name_that_the_system_gives_to_an_error(self, out: io.StringIO) -> None:
        """A type alone does not tell a full disk from a locked store: SQLite's and the system's own names do, and hold no value."""
        with pytest.raises(sqlite3.OperationalError) as raised:
            sqlite3.connect("/dev/null/none")
        structlog.get_logger().error("store-unavailable", error=raised.value)
        structlog.get_logger().error("store-unavailable", error=OSError(errno.EIO, NAME))
        assert [line["error"] for line in lines(out)] == ["sqlite3.OperationalError SQLITE_CANTOPEN", "OSError EIO"]

    @pytest.mark.parametrize(
        "way", ["exc_info=True", "exc_info=error", "tuple", "error=error", "error=name", "exception"]
    )
    def test_every_way_to_give_it(self, out: io.StringIO, way: str) -> None:
        """However the exception is given, its type is told and its text is not."""
        log = structlog.get_logger()
        try:
            raise ValueError(NAME)
        except ValueError as error:
            given_as = {
                "exc_info=True": {"exc_info": True},
                "exc_info=error": {"exc_info": error},
                "tuple": {"exc_info": sys.exc_info()},
                "error=error": {"error": error},
                "error=name": {"error": type(error).__name__},
                "exception": {"exc_info": True},
            }[way]
            (log.exception if way == "exception" else log.error)("something-failed", **given_as)
        (line,) = lines(out)
        assert line["error"] == "ValueError"
        assert "withheld" not in line
        assert NAME not in out.getvalue()

    def test_group(self, out: io.StringIO) -> None:
        """Of a group of exceptions the first one's type is told too."""
        structlog.get_logger().error("tasks-failed", error=ExceptionGroup(NAME, [ValueError(NAME), KeyError(NAME)]))
        assert lines(out)[0]["causes"] == ["ValueError"]
        assert NAME not in out.getvalue()

    def test_endless_chain(self) -> None:
        """A chain of causes that bites its tail ends."""
        one, two = ValueError(), KeyError()
        one.__cause__, two.__cause__ = two, one
        assert logs.explain(one) == {"error": "ValueError", "causes": ["KeyError"]}

    def test_hostile_type(self) -> None:
        """A class whose name is not a name is only an exception."""
        assert logs.explain(type("X Y", (Exception,), {})()) == {"error": "exception"}


class TestOthers:
    """Libraries and hooks of last resort."""

    def test_standard_logging(self, out: io.StringIO) -> None:
        """A library's record is its name and its level; its text and arguments are not printed."""
        logging.getLogger("asyncio").error("Exception in callback %r", NAME)
        logging.getLogger(f"lib.{NAME}").warning(NAME)
        assert [(line["event"], line["library"], line["level"]) for line in lines(out)] == [
            ("library-spoke", "asyncio", "error"),
            ("library-spoke", "other", "warning"),
        ]
        assert NAME not in out.getvalue()

    def test_task_that_nobody_awaited(self, out: io.StringIO) -> None:
        """What asyncio says of a lost exception holds no text of it."""

        async def fail() -> None:
            raise ValueError(NAME)

        async def main() -> None:
            task = asyncio.create_task(fail())
            await asyncio.sleep(0)
            del task
            gc.collect()

        asyncio.run(main())
        assert [line["error"] for line in lines(out) if "error" in line] == ["ValueError"]
        assert NAME not in out.getvalue()

    def test_warning(self, out: io.StringIO) -> None:
        """A warning is a line without its text."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(capture=True)
            warnings.warn(NAME, stacklevel=1)
        assert NAME not in out.getvalue()

    @pytest.mark.parametrize("hook", ["main", "thread", "unraisable"])
    def test_uncaught(self, out: io.StringIO, hook: str) -> None:
        """An exception that nobody caught, anywhere, is a line and not a traceback."""
        error = ValueError(NAME)
        if hook == "main":
            sys.excepthook(ValueError, error, None)
        elif hook == "thread":
            threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
        else:
            logs._last_resort(error)
        (line,) = lines(out)
        assert (line["event"], line["error"]) == ("uncaught-exception", "ValueError")
        assert NAME not in out.getvalue()

    def test_interrupt(self, out: io.StringIO) -> None:
        """Ctrl-C is not a failure."""
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert out.getvalue() == ""


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger in the engine, with its place."""
    for path in sorted(ENGINE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {*logs._LEVELS, "exception", "warn"}
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"log", "_log", "logger", "_logger"}
                and path.name != "logs.py"
            ):
                yield f"{path.relative_to(ENGINE.parent)}:{node.lineno}", node


class TestOurCode:
    """The gate withholds; our own code must not have to be stopped by it."""

    def test_events_are_names(self) -> None:
        """Every event of the engine is a literal name, without arguments."""
        wrong = [
            place
            for place, call in log_calls()
            if len(call.args) != 1
            or not isinstance(call.args[0], ast.Constant)
            or not logs._EVENT.fullmatch(str(call.args[0].value))
        ]
        assert wrong == []

    def test_fields_are_declared(self) -> None:
        """Every field that the engine logs is one that may be printed."""
        known = {*logs.FIELDS, "exc_info", None}  # None: **fields, left to the gate
        wrong = [
            f"{place} {keyword.arg}"
            for place, call in log_calls()
            for keyword in call.keywords
            if keyword.arg not in known
        ]
        assert wrong == []
