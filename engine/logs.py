"""Logs: what the engine says of itself, without a value from any message, whatever the code around does.

Not by discipline but by construction: an event is a name of our own, a field is one of ``FIELDS``, a word is one the
engine has declared (``allow``: codes, feeds, establishments). Everything else is withheld, and the line says so. An
exception is logged as its type and the places of our own code it went through: its text may hold a value, and so may
the lines of a traceback. Libraries (asyncio prints the arguments of a callback that failed) pass by the same gate.
"""

from __future__ import annotations

import builtins
import errno
import ipaddress
import logging
import os
import re
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog

Event = MutableMapping[str, Any]

WITHHELD: Final = "withheld"
"""Stands for every value that has no right to be printed."""

# fmt: off
_NUMBERS: Final = (  # sizes, counts, seconds; never an identifier
    "accepted", "aside", "attempt", "bytes", "connections", "count", "damaged", "days", "duplicate", "exit_code", "facts", "feeds", "files",
    "limit", "line", "messages", "pending", "port", "problems", "refused", "rows", "schema", "seconds", "signal", "size", "stays", "unavailable",
)
_DECLARED: Final = (  # words given to allow()
    "code", "establishment", "feed", "format", "indicator", "kind", "library", "listener", "outcome", "policy", "reason", "signal_name", "stage", "state", "status", "zone",
)
# fmt: on

FIELDS: Final[dict[str, str]] = {
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(_DECLARED, "word"),
    "where": "place",
    "host": "address",
    "peer": "address",
    "version": "version",
    # Made here: from an exception, by the clock.
    "error": "made",
    "causes": "made",
    "at": "made",
    "timestamp": "made",
}
"""Fields that may be printed, and what each may hold. A field that is not here is left out and counted in ``withheld``."""

_OURS: Final = Path(__file__).parent
_EVENT: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+){0,7}")
_PLACE: Final = re.compile(
    r"(MSH|EVN|PID|PD1|PV1|PV2|MRG|OBR|OBX|ORC|TXA|PRT|ROL|NK1|ERR|MSA|SCH|RXE|SFT|BHS|BTS|FHS|FTS|NTE|ACC|IN1|AL1|DG1|PR1"
    r"|Z[A-Z][A-Z0-9])(\[\d{1,6}\])?(-\d{1,3}(\.\d{1,3}){0,2}(\[\d{1,4}\])?)?|(byte|line|part|entry) \d{1,12}|field [a-z0-9_]{1,20}|line|message|file"
)
_VERSION: Final = re.compile(r"\d{1,4}(\.\d{1,6}){1,3}([a-z]{1,4}\d{0,6})?")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,40}")
_TYPE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
_BIGGEST: Final = 10**12
"""Counts, bytes and epoch seconds are smaller; an INS (13 or 15 digits) is not."""

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_FRAMES: Final = 8
_words: set[str] = {
    *_LEVELS,
    *("accepted", "duplicate", "aside", "refused", "unavailable", "put_aside", "refuse", "ok", "failed"),
    *("asyncio", "concurrent", "lxml", "sqlite3", "py.warnings", "other"),
}


def allow(words: Iterable[str]) -> None:
    """Declares words of our own that a field may hold: codes, names of feeds and listeners, FINESS, indicators.

    They come from the code and from the configuration, never from a message.
    """
    _words.update(words)


def configure(form: Literal["console", "json"] = "console", level: str = "info", stream: TextIO | None = None) -> None:
    """Sets up structlog, the standard library's logging and the hooks of last resort, all onto ``stream`` (stderr)."""
    out = _Stream(stream)
    tail: list[Callable[..., Any]] = (
        [_json]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=out.terminal, pad_event_to=32, exception_formatter=_no_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            guard,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *tail,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: out,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(_Bridge())
    root.setLevel(max(_LEVELS[level], logging.INFO))
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _last_resort(args.exc_value)
    sys.unraisablehook = lambda args: _last_resort(args.exc_value)


def guard(_logger: Any, _method: str, event: Event) -> Event:
    """The processor that nothing passes but what is declared above."""
    withheld = 0
    name = event.pop("event", None)
    if not (isinstance(name, str) and len(name) <= 64 and _EVENT.fullmatch(name)):
        name, withheld = "event-without-name", 1
    level = event.pop("level", "info")
    error = event.pop("error", None)  # log.error("what-failed", error=error) says the same as exc_info
    failure = _exception(event.pop("exc_info", None)) or _exception(error)
    event.pop("stack_info", None)
    out: dict[str, Any] = {"level": level if level in _LEVELS else "info", "event": name}
    for key, value in event.items():
        kind = FIELDS.get(key)
        if kind is None or kind == "made":
            withheld += 1
            continue
        safe = _safe(kind, value)
        withheld += safe is WITHHELD
        out[key] = safe
    if failure is not None:
        out |= explain(failure)
    elif error is not None:  # the name of a class of exceptions, or nothing that may be printed
        known = type(error) is str and isinstance(getattr(builtins, error, None), type)
        out["error"] = error if known else WITHHELD
        withheld += not known
    if withheld:
        out["withheld"] = withheld
    return out


def explain(error: BaseException) -> dict[str, Any]:
    """An exception without its text: its type, those of its causes, and the places of our code it went through."""
    leaf, causes = error, list[str]()
    seen: set[int] = set()
    while id(leaf) not in seen and len(causes) < _FRAMES:
        seen.add(id(leaf))
        causes.append(_type(leaf))
        following = leaf.exceptions[0] if isinstance(leaf, BaseExceptionGroup) else leaf.__cause__ or leaf.__context__
        if following is None:
            break
        leaf = following
    said: dict[str, Any] = {"error": causes[0]}
    if len(causes) > 1:
        said["causes"] = causes[1:]
    places = _frames(error.__traceback__) or _frames(leaf.__traceback__)
    if places:
        said["at"] = places
    return said


def _safe(kind: str, value: Any) -> Any:
    """The value when it is what its field may hold, else ``WITHHELD``."""
    if value is None or value is True or value is False:
        return value
    if kind == "number":
        if type(value) is int and abs(value) < _BIGGEST:
            return value
        # Three decimals: enough for seconds, and no room for a number in disguise.
        return round(value, 3) if type(value) is float and abs(value) < _BIGGEST else WITHHELD
    if type(value) is not str or len(value) > 80:
        return WITHHELD
    if kind == "address":
        return value if value in _words or _is_address(value) else WITHHELD
    pattern = {"place": _PLACE, "version": _VERSION}.get(kind)
    known = value in _words or (pattern is not None and pattern.fullmatch(value))
    return value if known else WITHHELD


def _is_address(value: str) -> bool:
    """An IP address, alone or with its port: a machine of the hospital's network, not a person."""
    host, _, port = value.rpartition(":") if value.count(":") == 1 else (value, "", "0")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return port.isascii() and port.isdigit() and len(port) <= 5 and "%" not in host


def _exception(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3 and isinstance(exc_info[1], BaseException):
        return exc_info[1]
    return sys.exc_info()[1] if exc_info is True else None


def _type(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name + _code(error) if _TYPE.fullmatch(name) else "exception"


def _code(error: BaseException) -> str:
    """What the system or SQLite calls it, where the type alone says nothing: `` ENOSPC``, `` SQLITE_FULL``."""
    if isinstance(error, sqlite3.Error):
        found = str(getattr(error, "sqlite_errorname", ""))
    else:
        found = errno.errorcode.get(error.errno or 0, "") if type(error) is OSError else ""
    return f" {found}" if _CODE.fullmatch(found) else ""


def _frames(traceback: TracebackType | None) -> list[str]:
    """``engine/pipeline.py:120:commit`` for each of our own frames, the last ones, the deepest at the end."""
    places: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        root, ours, file = code.co_filename.rpartition(f"{os.sep}{_OURS.name}{os.sep}")
        if ours and root == str(_OURS.parent):
            places.append(f"{_OURS.name}/{file}:{traceback.tb_lineno}:{code.co_name}")
        traceback = traceback.tb_next
    return places[-_FRAMES:]


def _json(_logger: Any, _method: str, event: Event) -> str:
    ordered = {"timestamp": event.pop("timestamp", None), **event}
    return msgspec.json.encode(ordered).decode()


def _no_traceback(_stream: TextIO, _exc_info: Any) -> None:
    """Nothing: ``guard`` has already told the exception in its own way."""


class _Stream:
    """A logger that writes a line and never fails: a broken pipe or a full disk must not stop a message."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    @property
    def terminal(self) -> bool:
        out = self._stream or sys.stderr
        return bool(out and out.isatty())

    def msg(self, line: str) -> None:
        out = self._stream or sys.stderr
        try:
            with self._lock:
                out.write(line + "\n")
                out.flush()
        except (OSError, ValueError, AttributeError):
            return

    debug = info = warning = error = critical = exception = log = msg


class _Bridge(logging.Handler):
    """The standard library's records, without their text: which library, how severe, which exception."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for name, number in reversed(_LEVELS.items()) if record.levelno >= number), "debug")
        library = record.name if record.name in _words else record.name.partition(".")[0]
        log = getattr(structlog.get_logger(), level)
        log("library-spoke", library=library if library in _words else "other", exc_info=record.exc_info)


def _uncaught(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    _last_resort(error)


def _last_resort(error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return
    structlog.get_logger().critical("uncaught-exception", exc_info=error)
