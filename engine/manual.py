"""The page ``docs/configuration.md``, made from the declarations: a setting that is not there does not exist.

``tests/test_manual.py`` holds the page to them; run it with ``JAUGE_UPDATE=1`` to write the page again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Protocol, Union, get_args, get_origin

from msgspec import NODEFAULT, Struct

from engine import correspondents, inventory, privacy
from engine.choices import Indicators
from engine.config import Config, Feed, Log, Mssante
from engine.establishment import Establishment
from engine.evidence.settings import Ps41, Sender
from engine.limits import Limits
from engine.parsers.log_mapping import LogMapping
from engine.strict import settings, unwrap
from engine.web.settings import Http

_WORDS: Final = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}

_SECTIONS: Final = ("http", "log", "limits", "indicators", "mssante", "ps41")

_INTRODUCTION: Final = """# Configuration

Made from the declarations in `engine/config.py` and the files beside it, and in `engine/web/` and `engine/listeners/`; do not edit by hand.

Jauge reads one YAML file (`config/jauge.yaml` is shipped, runs as it is, and says the same in comments). It is strict: a
name that is not known, a value of the wrong type or out of its limits, a name given twice, a file that is not there, are
each refused with the line and the mend, all of them at once by `jauge check-config`; the engine does not start half.

* Paths are relative to the folder of the file.
* Text may be written with or without quotes; put a FINESS between quotes.
* `true` and `false` are the only booleans; `67_108_864` is a whole number; aliases (`*name`) and tags (`!name`) are not read.
"""


class Described(Protocol):
    """What the page says of a listener (``engine.listeners.listener.Declaration``)."""

    @property
    def settings(self) -> type[Struct]:
        """Its settings."""

    @property
    def emits(self) -> str:
        """The format of its payloads."""

    @property
    def acknowledges(self) -> str:
        """How a peer learns the outcome."""


def page(listeners: Mapping[str, Described]) -> str:
    """The whole page, for these listeners."""
    parts = [
        _INTRODUCTION,
        "## The file itself\n",
        _table(Config, skip=(*_SECTIONS, "establishments", "feeds")),
        *_section("`http`", Http),
        *_section("`log`", Log),
        *_section("`limits`", Limits),
        *_section("`indicators`", Indicators),
        *_section("`mssante`", Mssante),
        f"## `ps41`\n\n{_doc(Ps41)}\n\n{_table(Ps41, skip=('senders',))}",
        *_section("`ps41.senders` (a list)", Sender),
        *_section("`establishments` (a list)", Establishment),
        *_section("`feeds` (a list)", Feed),
    ]
    for name, declaration in sorted(listeners.items()):
        parts += [
            f"### Listener `{name}`\n",
            f"{_doc(declaration.settings)} Payloads: {declaration.emits}. Acknowledgement: {declaration.acknowledges}.\n",
            _table(declaration.settings, skip=tuple(settings(Feed))),
        ]
    parts += _section("Mapping of a log (a file of its own)", LogMapping)
    parts += [_keys(), _inventory(), _correspondents()]
    return "\n".join(parts)


def undocumented(kind: type[Struct], inside: str = "") -> list[str]:
    """Settings of a struct, and of the structs in it, that no sentence describes."""
    missing: list[str] = []
    for name, (hint, _) in settings(kind).items():
        bare, meta = _bare(hint)
        nested = _struct(_bare(get_args(bare)[0])[0] if get_origin(bare) is tuple else bare)
        if nested is not None:
            missing += undocumented(nested, f"{inside}{name}.")
        elif not meta.get("description"):
            missing.append(inside + name)
    return missing


def _section(title: str, kind: type[Struct]) -> Iterable[str]:
    return f"## {title}\n", f"{_doc(kind)}\n", _table(kind)


def _doc(kind: type[Struct]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _table(kind: type[Struct], skip: tuple[str, ...] = ()) -> str:
    rows = ["| Setting | Value | Default | What it does |", "|---|---|---|---|"]
    rows += [_row(name, hint, default) for name, hint, default in _flat(kind, "") if name not in skip]
    return "\n".join(rows) + "\n"


def _flat(kind: type[Struct], inside: str) -> Iterable[tuple[str, Any, Any]]:
    """The settings, those of a struct inside by their dotted names."""
    for name, (hint, default) in settings(kind).items():
        nested = _struct(_bare(hint)[0])
        yield inside + name, hint, default
        if nested is not None and inside + name not in _SECTIONS:
            yield from _flat(nested, f"{inside}{name}.")


def _row(name: str, hint: Any, default: Any) -> str:
    bare, meta = _bare(hint)
    cells = (f"`{name}`", _value(bare, meta), _default(default), meta.get("description", ""))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(bare: Any, meta: Mapping[str, Any]) -> str:
    origin = get_origin(bare)
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in get_args(bare))
    if origin in (tuple, frozenset):
        inner, more = _bare(get_args(bare)[0])
        return f"list of {_value(inner, more)}"
    if origin in (Mapping, dict):
        inner, more = _bare(get_args(bare)[1])
        return f"`name: {_value(inner, more)}`"
    if _struct(bare) is not None:
        return "settings below"
    word = str(meta.get("vocabulary", _WORDS.get(bare, "text")))
    low, high = meta.get("ge", meta.get("gt")), meta.get("le", meta.get("lt"))
    if low is not None and high is not None:
        return f"{word}, {low} to {high}"
    if low is not None:
        return f"{word}, {low} or more" if "ge" in meta else f"{word}, more than {low}"
    return word


def _default(default: Any) -> str:
    if default is NODEFAULT:
        return "required"
    if default is None or (not default and isinstance(default, str | tuple | Mapping)):
        return "empty"
    if isinstance(default, Struct):
        return "those below"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`[{', '.join(str(item) for item in default)}]`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _bare(hint: Any) -> tuple[Any, dict[str, Any]]:
    """The type without its Meta and without None."""
    bare, meta = unwrap(hint)
    if get_origin(bare) in (Union, UnionType):
        inner, more = unwrap(next(arg for arg in get_args(bare) if arg is not NoneType))
        return inner, {**more, **meta}
    return bare, meta


def _struct(bare: Any) -> type[Struct] | None:
    return bare if isinstance(bare, type) and issubclass(bare, Struct) else None


def _keys() -> str:
    files = ", ".join(f"`{purpose}.key`" for purpose in privacy.PURPOSES)
    return f"""## Keys

The folder `keys` holds {files}: {privacy.KEY_BYTES} random bytes each, made at the first start, mode 0400. The ledger keeps
the id of each key (not the key). The engine refuses to start when a key is missing although the store has data, is another
one, has a wrong length, belongs to another account, or may be read by others. With systemd, `LoadCredential=` may give them
(then `keys` is the credentials directory).
"""


def _inventory() -> str:
    columns = "\n".join(f"| `{name}` | {text} |" for name, text in inventory.COLUMNS.items())
    domains = "\n".join(f"| `{code}` | {label} |" for code, label in inventory.DOMAINS.items())
    return f"""## The inventory of applications

A CSV file in UTF-8, one application a line; columns separated by `;` or `,` (the header tells), in any order; lines that
start with `#` and empty lines are skipped. `yes`/`no`, `oui`/`non`, `true`/`false`, `1`/`0` are understood. Only
`application` and `domain` are required.

| Column | What it holds |
|---|---|
{columns}

| Domain | Meaning |
|---|---|
{domains}

An application counts in P1.1 when its domain is listed, it is computerised, it is neither an office tool nor a biomedical
device, and the establishment is its controller (or wrote it). In P1.3 the last test is another: there is a contract or an
agreement (or it was written in-house).
"""


def _correspondents() -> str:
    columns = "\n".join(f"| `{name}` | {text} |" for name, text in correspondents.COLUMNS.items())
    return f"""## The directory of correspondents

Either the national extract of MSSanté mailboxes as it is (`Extraction_Correspondance_MSSante_*.txt`), or a table of your own: UTF-8, one address a
line, columns separated by `;`, `,`, `|` or a tabulation (the header tells), in any order; lines that start with `#` and empty lines are skipped, and so
is every other column (names, services, telephones). A correspondent with several addresses has several lines.

| Column | What it holds |
|---|---|
{columns}

A line at fault is left out and counted (`jauge_directory_lines_at_fault`); `jauge check-config` tells which, and the mend. How to renew the file:
[mail.md](mail.md).
"""
