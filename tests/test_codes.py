"""The codes of messages: declared, documented, and complete."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import code_words
from engine.codes import codes, rejections, table
from engine.errors import ConfigError, ParseError
from engine.parsers import hl7
from engine.parsers.context import default
from tests.messages import adt

PAGE = Path(__file__).resolve().parent.parent / "docs" / "codes.md"
FRENCH = PAGE.parent / "fr" / "codes.md"
CONTEXT = default()


def test_every_code_is_documented() -> None:
    """docs/codes.md is what the modules declare."""
    if os.environ.get("JAUGE_UPDATE"):
        PAGE.write_text(table(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == table()


def test_every_rejection_is_declared() -> None:
    """With a sentence that says what to do."""
    assert set(rejections()) <= codes().keys()
    assert all(len(sentence) > 20 for sentence in codes().values())


class TestFrench:
    """config/codes.fr.yaml: what the people of the hospital read."""

    def test_every_code_has_its_sentence(self) -> None:
        """Each declared code, and no other."""
        assert sorted(code_words.sentences()) == sorted(codes())

    def test_a_sentence_is_one(self) -> None:
        """It begins with a capital (or a name of a field), ends with a full stop, and is typeset as French is."""
        for code, sentence in code_words.sentences().items():
            assert sentence.endswith("."), code
            assert sentence[0].isupper() or sentence.split(" ")[0] in {
                "root",
                "versionNumber",
                "text/@representation",
            }, code
            assert not re.search(r"'|\s{2}|\n|\S[;!?»](?!\w)|«\S", sentence), code
            assert sentence.count("`") % 2 == 0, code

    def test_no_sentence_is_the_english_one(self) -> None:
        """And no two codes say the same in one language and not in the other."""
        french, english = code_words.sentences(), codes()
        assert [code for code in french if french[code] == english[code]] == []
        twice = {code for code in french if list(french.values()).count(french[code]) > 1}
        assert [code for code in twice if list(english.values()).count(english[code]) == 1] == []

    def test_the_page_of_the_help_is_up_to_date(self) -> None:
        """docs/fr/codes.md is made of the file; JAUGE_UPDATE=1 writes it again."""
        if os.environ.get("JAUGE_UPDATE"):
            FRENCH.write_text(code_words.table(), encoding="utf-8")
        assert FRENCH.read_text(encoding="utf-8") == code_words.table()
        assert sorted(re.findall(r"^\| `([^`]+)` \|", code_words.table(), re.MULTILINE)) == sorted(codes())

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("codes:\n  batch: court\n", 2),
            ("codes:\n  batch: [une liste]\n", 2),
            ("codes:\n  junk: Une phrase assez longue.\n  junk: Une autre phrase assez longue.\n", 3),
            ("autre: {}\n", 1),
        ],
    )
    def test_a_wrong_file_is_refused(self, tmp_path: Path, text: str, line: int) -> None:
        """By its line: a sentence too short, no sentence, a code given twice, an unknown section."""
        file = tmp_path / "codes.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as raised:
            code_words.read(file)
        assert raised.value.line == line


@given(
    st.one_of(
        st.binary(max_size=400),
        st.tuples(st.integers(0, 900), st.binary(max_size=8)).map(
            lambda cut: adt(1)[: cut[0]] + cut[1] + adt(1)[cut[0] :]
        ),
        st.integers(0, 900).map(lambda end: adt(1)[:end]),
    )
)
def test_what_keeps_a_message_from_being_read_is_a_rejection(payload: bytes) -> None:
    """Whatever the bytes: facts, or one code of the closed list; every remark is a declared code."""
    try:
        parsed = hl7.parse(payload, CONTEXT)
    except ParseError as error:
        assert error.code in rejections()
    else:
        assert {flag.code for flag in parsed.flags} <= codes().keys()
