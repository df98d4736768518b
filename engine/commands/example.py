"""The shipped configuration as a text to fill in: its comments stay, its values change, what it shows in comments comes to life.

There is no second template: `jauge init` writes what `config/jauge.yaml` documents.
"""

from __future__ import annotations

import json
import re
from typing import Final

import yaml

from engine.strict import Place

_COMMENTED: Final = re.compile(r"( *)# ( *\S.*)")


def quoted(text: str) -> str:
    """A text between double quotes, as YAML and JSON both read it."""
    return json.dumps(text, ensure_ascii=False)


class Example:
    """A YAML text of mappings and lists. A place is that of a setting: ``("feeds", 0, "port")``; a place that is not there is a KeyError."""

    def __init__(self, text: str) -> None:
        self.text = text

    def head(self, comment: str) -> None:
        """Another comment in place of the first one of the text."""
        rest = self.text.splitlines(keepends=True)
        while rest and rest[0].startswith("#"):
            del rest[0]
        self.text = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines()) + "".join(rest)

    def set(self, place: Place, value: str) -> None:
        """Give a setting another value (YAML of one line); what is commented out beside the others of its section is woken, what is nowhere is added."""
        try:
            node = self._pair(place)[1]
        except KeyError:
            self._add(place, value)
            return
        end = node.end_mark.index
        while self.text[end - 1] in " \n":  # a block ends where the next thing begins
            end -= 1
        self.text = self.text[: node.start_mark.index] + value + self.text[end:]

    def drop(self, place: Place) -> None:
        """Take a setting of one line away."""
        line = self._pair(place)[0].start_mark.line
        lines = self.text.splitlines(keepends=True)
        self.text = "".join(lines[:line] + lines[line + 1 :])

    def count(self, place: Place) -> int:
        """How many items a list has, or settings a section."""
        return len(self._pair(place)[1].value)

    def wake(self, start: str) -> None:
        """Bring to life what is commented out from the line that starts so, and what is indented below it."""
        lines = self.text.splitlines(keepends=True)
        for number, line in enumerate(lines):
            found = _COMMENTED.match(line)
            if found and found[2].startswith(start):
                self.text = "".join(_woken(lines, number, found[1]))
                return
        raise KeyError(start)

    def _add(self, place: Place, value: str) -> None:
        key, section = self._pair(place[:-1])
        if not isinstance(section, yaml.MappingNode):
            raise KeyError(place)
        name = str(place[-1])
        first = section.start_mark
        lines = self.text.splitlines(keepends=True)
        last = max(child.end_mark.line for pair in section.value for child in pair)
        end = section.end_mark.line if place[:-1] else len(lines)
        indent = " " * first.column
        for number in range(key.start_mark.line, max(end, last) + 1):
            if number < len(lines) and re.match(rf"{indent}# {re.escape(name)}:", lines[number]):
                self.text = "".join(_woken(lines, number, indent))
                self.set(place, value)
                return
        after = max(pair[1].end_mark.line for pair in section.value if isinstance(pair[1], yaml.ScalarNode))
        lines.insert(after + 1, f"{indent}{name}: {value}\n")
        self.text = "".join(lines)

    def _pair(self, place: Place) -> tuple[yaml.Node, yaml.Node]:
        """The nodes of a setting: its name (of an item of a list: itself) and its value."""
        node = yaml.compose(self.text, Loader=yaml.CSafeLoader)
        assert node is not None
        key = node
        for step in place:
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                if step >= len(node.value):
                    raise KeyError(place)
                key = node = node.value[step]
                continue
            if not isinstance(node, yaml.MappingNode):
                raise KeyError(place)
            key, node = next(((k, v) for k, v in node.value if k.value == step), (key, None))
            if node is None:
                raise KeyError(place)
        return key, node


def _woken(lines: list[str], number: int, indent: str) -> list[str]:
    """The lines, with the comment of one of them and of those indented below it taken off."""
    mark = f"{indent}# "
    depth = len(lines[number]) - len(lines[number][len(mark) :].lstrip()) - len(mark)
    woken = lines[:number]
    for position in range(number, len(lines)):
        line = lines[position]
        rest = line[len(mark) :]
        inside = line.startswith(mark) and len(rest) - len(rest.lstrip()) > depth
        if position > number and not inside:
            return woken + lines[position:]
        woken.append(indent + rest)
    return woken
