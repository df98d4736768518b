"""The shipped configuration, filled in."""

from __future__ import annotations

import pytest
import yaml

from engine import resources
from engine.commands.example import Example, quoted

TEXT = """\
# The head,
# of two lines.

store: a.db        # what is remembered
# spare: b.csv

http:
  host: 127.0.0.1  # loopback
  port: 1
  # password_file: web.password
  # tls:
  #   key: k
  # more: 1

feeds:
  - name: his
    port: 2575     # for ADT
    list: [a,
           b]
  # - name: log   # a log
  #   path: /var

  # - name: fhir
  #   port: 3
"""


def test_a_value_changes_and_its_comment_stays() -> None:
    """Scalars, values of several lines and values in lists."""
    example = Example(TEXT)
    example.set(("store",), quoted("c d: é.db"))
    example.set(("feeds", 0, "port"), "0")
    example.set(("feeds", 0, "list"), "[]")
    assert 'store: "c d: é.db"        # what is remembered\n' in example.text
    assert "    port: 0     # for ADT\n    list: []\n  # - name: log" in example.text


def test_what_is_commented_out_comes_to_life() -> None:
    """A block with all that is indented below it, and nothing after it; a setting in its own section only."""
    example = Example(TEXT)
    example.wake("- name: log")
    example.wake("tls:")
    example.set(("http", "password_file"), "x")
    example.set(("feeds", 1, "path"), "/srv")
    found = yaml.safe_load(example.text)
    assert found["http"] == {"host": "127.0.0.1", "port": 1, "password_file": "x", "tls": {"key": "k"}}
    assert [feed["name"] for feed in found["feeds"]] == ["his", "log"]
    assert found["feeds"][1]["path"] == "/srv"


def test_what_is_nowhere_is_added() -> None:
    """To the section it belongs to."""
    example = Example(TEXT)
    example.set(("http", "token_file"), "t")
    example.set(("feeds", 0, "idle"), "3")
    found = yaml.safe_load(example.text)
    assert found["http"]["token_file"] == "t"
    assert found["feeds"][0]["idle"] == 3


def test_what_is_dropped() -> None:
    """One setting leaves, the others stay."""
    example = Example(TEXT)
    example.drop(("http", "host"))
    assert yaml.safe_load(example.text)["http"] == {"port": 1}


def test_what_cannot_be_found() -> None:
    """Neither a comment nor a place that does not exist is made up."""
    example = Example(TEXT)
    with pytest.raises(KeyError):
        example.wake("- name: absent")
    with pytest.raises(KeyError):
        example.set(("feeds", 7, "port"), "1")
    with pytest.raises(KeyError):
        example.drop(("http", "absent"))
    assert example.text == TEXT


def test_the_head_of_the_shipped_file() -> None:
    """The first comment is another; nothing else moved."""
    text = resources.path("jauge.yaml").read_text(encoding="utf-8")
    example = Example(text)
    example.head("Mine.\n\nOf three lines.")
    assert example.text.startswith("# Mine.\n#\n# Of three lines.\n\n# What is remembered")
    assert text.endswith(example.text.partition("\n\n")[2])
