"""Reads one YAML file into frozen structs, strictly: every fault has its line and its mend.

The file is composed, never constructed (no Python object is ever made from a tag), and its nodes are walked beside the
declarations of the structs: type, limits (``msgspec.Meta``) and, in ``Meta.extra``, what msgspec has no word for:

* ``hint``: how to write the value, for the mend;
* ``exists``: ``"file"`` or ``"folder"``: the path must be there;
* ``vocabulary``: name of a closed list given to the reader;
* ``read``: False for a field that is not a setting.

YAML 1.1 traps are closed: ``010000024`` stays the text that was written (not an octal number), ``yes`` is no boolean,
``21:30`` no number, a key given twice and an alias are refused.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import yaml
from msgspec import NODEFAULT, Meta, Struct, structs

from engine.errors import ConfigError
from engine.owner import keeper, run_as
from engine.secret import CREDENTIALS

Place: TypeAlias = tuple[str | int, ...]
"""Where a setting is in the file: ``("feeds", 0, "port")``."""

MAX_BYTES: Final = 1_048_576
"""A configuration is a few kilobytes: anything larger is another file, and must not be composed in memory."""

_MISSING: Final = object()
_TAG: Final = "tag:yaml.org,2002:"
_TEXT_TAGS: Final = frozenset({f"{_TAG}{kind}" for kind in ("str", "int", "float", "timestamp")})
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17}|[1-9][0-9]{0,2}(_[0-9]{3}){1,5})")
_YAML: Final = (
    "mend the YAML, here or just above: settings of one level begin in one column; a value with `: ` is in quotes"
)
_NUMBER: Final = re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})")


class Variant(Struct, frozen=True):
    """A struct one field of which (``into``) is a second struct, chosen by ``selector``, read from the same mapping."""

    selector: str
    into: str
    choices: Mapping[str, type[Struct]]


class _Loader(yaml.composer.Composer, yaml.CSafeLoader):
    """Composes nodes of what libyaml reads (ten times as fast as PyYAML's own); an alias is refused: it would allow a
    small file to weigh gigabytes once walked.
    """

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        yaml.composer.Composer.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            alias: Any = self.peek_event()
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not read", alias.start_mark)
        return super().compose_node(parent, index)


def suggest(word: str, known: Iterable[str]) -> str:
    """The mend for a word that is not in a closed list: the nearest one, else the whole list when it is short."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6) or [w for w in words if w.lower() == word.lower()]
    if near:
        return f"did you mean {near[0]}?"
    if not words:
        return "remove it"
    return "one of: " + ", ".join(words) if len(words) <= 30 else ""


def word(text: str) -> str:
    """A code as people write it: "Dossier médical" is dossier_medical."""
    bare = unicodedata.normalize("NFKD", text.replace("’", " ")).encode("ascii", "ignore").decode()
    return "_".join(bare.lower().replace("'", " ").replace("-", " ").split())


def shown(text: str) -> str:
    """A word of the file, quoted and kept short, for a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


class Reader:
    """Walks one file. After ``read``, ``errors`` holds every fault and ``lines`` the line of every setting."""

    def __init__(
        self,
        path: Path,
        vocabularies: Mapping[str, Collection[str]],
        variants: Mapping[type[Struct], Variant],
    ) -> None:
        self.path = path
        self.folder = path.absolute().parent
        self.vocabularies = vocabularies
        self.variants = variants
        self.errors: list[ConfigError] = []
        self.lines: dict[Place, int] = {}
        self._absent: int = 0

    def read(self, kind: type[Struct]) -> Struct | None:
        """The whole file as ``kind``; None when it has errors, but for files that are not there: the rest can then be looked at."""
        root = self._compose()
        value = _MISSING if root is None else self._struct(root, kind, (), {})
        return value if not self._faulty() and isinstance(value, kind) else None

    def line(self, place: Place) -> int:
        """Line of a setting, else of what encloses it, else 0."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 0)

    def fail(self, line: int, message: str, mend: str = "") -> None:
        """Notes one fault."""
        self.errors.append(ConfigError(str(self.path), line, message, mend))

    def _faulty(self) -> bool:
        """Whether something else is wrong than a file that is not there: what would be told next may then only follow from it."""
        return len(self.errors) > self._absent

    def _compose(self) -> yaml.Node | None:
        try:
            with self.path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
            self.fail(0, f"cannot be read: {reason}", "give the path of a YAML file that you may read")
            return None
        if len(data) > MAX_BYTES:
            self.fail(0, f"is larger than {MAX_BYTES} bytes", "this is not a configuration file")
            return None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.fail(data.count(b"\n", 0, error.start) + 1, "is not UTF-8", "save the file as UTF-8")
            return None
        try:
            root = _Loader(text).get_single_node()
        except yaml.reader.ReaderError as error:
            self.fail(
                text.encode().count(b"\n", 0, error.position) + 1, "holds a character that YAML forbids", "remove it"
            )
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            here = "".join(text.splitlines()[mark.line : mark.line + 1]) if mark else ""
            mend = "indent with spaces, never tabs" if "\t" in here else _YAML
            self.fail(mark.line + 1 if mark else 0, f"is not valid YAML: {error.problem or 'unreadable'}", mend)
        except RecursionError:
            self.fail(0, "is nested too deeply", "mend the YAML")
        except (yaml.YAMLError, ValueError, OverflowError):
            self.fail(0, "is not valid YAML", "look for a wrong escape or directive")
        else:
            if root is None:
                self.fail(1, "is empty", "start from the shipped config/jauge.yaml")
            return root
        return None

    def _pairs(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]] | None:
        """Key -> (key node, value node) of a mapping, its keys given once."""
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            self.fail(line, f"{what} must hold settings (name: value)", "indent `name: value` lines below it")
            return None
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.fail(at, f"a name in {what} is not a word", "write `name: value`")
            elif key.value in pairs:
                first = pairs[key.value][0].start_mark.line + 1
                self.fail(at, f"{shown(key.value)} is given twice", f"line {first} gives it already: keep one")
            else:
                pairs[key.value] = (key, value)
        return pairs

    def _struct(self, node: yaml.Node, kind: type[Struct], place: Place, _: Mapping[str, Any]) -> Any:
        self.lines[place] = line = node.start_mark.line + 1
        what = _name(place)
        pairs = self._pairs(node, what)
        if pairs is None:
            return _MISSING
        variant = self.variants.get(kind)
        chosen: type[Struct] | None = None
        elsewhere: dict[str, str] = {}
        if variant is not None:
            selector = pairs.get(variant.selector)
            chosen = variant.choices.get(str(selector[1].value)) if selector else None
            elsewhere = {
                name: choice for choice, other in variant.choices.items() for name in settings(other) if other != chosen
            }
        known = {**settings(kind), **(settings(chosen) if chosen else {})}
        for name, (key, _value) in pairs.items():
            if name in known or (chosen is None and name in elsewhere):
                continue
            mend = f"{elsewhere[name]} has it" if name in elsewhere else suggest(name, set(known) - set(pairs))
            self.fail(key.start_mark.line + 1, f"{shown(name)} is not a setting of {what}", mend)
        values = self._fields(kind, pairs, place, line)
        if variant is not None and chosen is not None:
            values[variant.into] = self._build(chosen, self._fields(chosen, pairs, place, line), line)
        return self._build(kind, values, line)

    def _fields(
        self, kind: type[Struct], pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], place: Place, line: int
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, (hint, default) in settings(kind).items():
            here = (*place, name)
            if name in pairs:
                self.lines[here] = pairs[name][0].start_mark.line + 1
                values[name] = self._value(pairs[name][1], hint, here, default)
            elif default is NODEFAULT:
                self.fail(line, f"{_name(place)} lacks {shown(name)}", f"add `{name}: ...`")
                values[name] = _MISSING
        return values

    def _build(self, kind: type[Struct], values: Mapping[str, Any], line: int) -> Any:
        if any(value is _MISSING for value in values.values()) or self._faulty():
            return _MISSING
        try:
            return kind(**values)
        except (TypeError, ValueError) as error:  # a rule of the struct's own, in its __post_init__
            self.fail(line, str(error))
            return _MISSING

    def _value(self, node: yaml.Node, hint: Any, place: Place, default: Any = NODEFAULT) -> Any:
        hint, meta = unwrap(hint)
        line, what = node.start_mark.line + 1, _name(place)
        if get_origin(hint) in (Union, UnionType):
            if _is_null(node):
                return None
            inner, more = unwrap(next(arg for arg in get_args(hint) if arg is not NoneType))
            hint, meta = inner, {**more, **meta}
        if _is_null(node):
            mend = "write one" if default is NODEFAULT else "write one, or remove the line"
            self.fail(line, f"{what} has no value", mend)
            return _MISSING
        if isinstance(hint, type) and issubclass(hint, Struct):
            return self._struct(node, hint, place, meta)
        if get_origin(hint) in (tuple, frozenset):
            return self._sequence(node, hint, place, meta)
        if get_origin(hint) in (Mapping, dict):
            return self._mapping(node, hint, place)
        value = self._scalar(node, hint, what)
        if value is _MISSING or value == default:
            return value
        return self._limits(value, meta, line, what)

    def _sequence(self, node: yaml.Node, hint: Any, place: Place, meta: Mapping[str, Any]) -> Any:
        line, what = node.start_mark.line + 1, _name(place)
        if not isinstance(node, yaml.SequenceNode):
            self.fail(line, f"{what} must be a list", "write [a, b], or one `- item` a line")
            return _MISSING
        item = get_args(hint)[0]
        values = [self._value(child, item, (*place, index)) for index, child in enumerate(node.value)]
        if len(values) < meta.get("min_length", 0):
            self.fail(line, f"{what} is empty", "give at least one")
            return _MISSING
        for index, value in enumerate(values):
            if value is not _MISSING and not isinstance(value, Struct) and value in values[:index]:
                self.fail(node.value[index].start_mark.line + 1, f"{what} holds {shown(str(value))} twice", "keep one")
        return _MISSING if any(value is _MISSING for value in values) else get_origin(hint)(values)

    def _mapping(self, node: yaml.Node, hint: Any, place: Place) -> Any:
        pairs = self._pairs(node, _name(place))
        if pairs is None:
            return _MISSING
        values = {}
        for key, (key_node, value) in pairs.items():
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            values[key] = self._value(value, get_args(hint)[1], (*place, key))
        return _MISSING if any(value is _MISSING for value in values.values()) else values

    def _scalar(self, node: yaml.Node, hint: Any, what: str) -> Any:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            self.fail(line, f"{what} must be one value", "write `name: value`")
            return _MISSING
        text, plain = node.value, not node.style
        tag = node.tag.removeprefix(_TAG)
        if any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text):
            self.fail(line, f"{what} holds a control character", "write it on one line, without escapes")
            return _MISSING
        if get_origin(hint) is Literal:
            if text in get_args(hint) and node.tag in _TEXT_TAGS:
                return text
            self.fail(line, f"{what} cannot be {shown(text)}", suggest(text, get_args(hint)))
        elif hint is bool:
            if plain and text in ("true", "false"):
                return text == "true"
            self.fail(line, f"{what} must be true or false, not {shown(text)}", "write true or false, without quotes")
        elif hint is int:
            if plain and tag == "int" and _WHOLE.fullmatch(text):
                return int(text)
            self.fail(line, f"{what} must be a whole number, not {shown(text)}", "digits only, no quotes, no leading 0")
        elif hint is float:
            if plain and tag in ("int", "float") and _NUMBER.fullmatch(text):
                return float(text)
            self.fail(line, f"{what} must be a number, not {shown(text)}", "write it as 0.8, without quotes")
        elif node.tag not in _TEXT_TAGS:
            self.fail(line, f"{what} must be text, not {shown(text)}", "put it between double quotes")
        else:
            return self._path(text, what, line) if hint is Path else text
        return _MISSING

    def _path(self, text: str, what: str, line: int) -> Any:
        if not text or len(text.encode()) > 1_000:
            self.fail(line, f"{what} is not a path", "give a path, relative to the folder of this file")
            return _MISSING
        return self.folder / text

    def _limits(self, value: Any, meta: Mapping[str, Any], line: int, what: str) -> Any:
        before = len(self.errors)
        low, high = meta.get("ge", meta.get("gt")), meta.get("le", meta.get("lt"))
        if isinstance(value, int | float) and (
            ("ge" in meta and value < meta["ge"])
            or ("gt" in meta and value <= meta["gt"])
            or ("le" in meta and value > meta["le"])
            or ("lt" in meta and value >= meta["lt"])
        ):
            bounds = f"from {low} to {high}" if low is not None and high is not None else f"{low} or more"
            percent = isinstance(value, float) and high == 1.0 and 1.0 < value <= 100.0
            mend = f"write {value / 100:g} for {value:g} %" if percent else bounds
            self.fail(line, f"{what} is out of its limits", mend)
        if isinstance(value, str):
            if not meta.get("min_length", 0) <= len(value) <= meta.get("max_length", 4_096):
                self.fail(line, f"{what} is empty or too long", meta.get("hint", ""))
            elif "pattern" in meta and not re.search(meta["pattern"], value):
                self.fail(line, f"{what} cannot be {shown(value)}", meta.get("hint", ""))
            elif "vocabulary" in meta and value not in self.vocabularies[meta["vocabulary"]]:
                words = self.vocabularies[meta["vocabulary"]]
                self.fail(line, f"{shown(value)} is not a known {meta['vocabulary']}", suggest(value, words))
        if isinstance(value, Path) and "exists" in meta:
            try:
                # What systemd shows to the running unit alone is looked for when it is read, not by every command.
                there = value.is_relative_to(CREDENTIALS) or (
                    value.is_dir() if meta["exists"] == "folder" else value.is_file()
                )
            except PermissionError:
                self.fail(line, f"{what}: this account may not look at it", run_as(keeper(value)))
                self._absent += 1
                return value
            except (OSError, ValueError):
                there = False
            if not there:
                self.fail(line, f"{what}: there is no such {meta['exists']}", f"looked for {value}")
                self._absent += 1
                return value
        return value if len(self.errors) == before else _MISSING


@cache
def settings(kind: type[Struct]) -> Mapping[str, tuple[Any, Any]]:
    """Settings of a struct: name -> (type with its Meta, default or NODEFAULT), in the order of the declaration."""
    hints = get_type_hints(kind, include_extras=True)
    found: dict[str, tuple[Any, Any]] = {}
    for info in structs.fields(kind):
        if unwrap(hints[info.name])[1].get("read", True):
            default = info.default
            if default is NODEFAULT and info.default_factory is not NODEFAULT:
                default = info.default_factory()
            found[info.name] = (hints[info.name], default)
    return found


def unwrap(hint: Any) -> tuple[Any, dict[str, Any]]:
    """The bare type, and everything its Metas say in one dict (the outermost wins)."""
    if get_origin(hint) is not Annotated:
        return hint, {}
    merged: dict[str, Any] = {}
    for meta in hint.__metadata__:
        if isinstance(meta, Meta):
            names = ("ge", "gt", "le", "lt", "pattern", "min_length", "max_length", "description", "examples")
            merged |= {name: getattr(meta, name) for name in names if getattr(meta, name) is not None}
            merged |= meta.extra or {}
    return hint.__origin__, merged


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.tag == f"{_TAG}null"


def _name(place: Place) -> str:
    """``feeds[0].port``; the file itself is called "the file"."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".") or "the file"
