"""Throws damaged XDS messages at their parser, for as long as asked.

``python -m tests.fuzz.fuzz_xds [SECONDS] [SEED]`` mutates what ``tests.parsers.xds_messages`` builds; ``--atheris`` hands over to
atheris (coverage-guided) where it is installed. A finding is anything but facts with declared flags or a :class:`ParseError` of a
declared rejection; it ends the run with the message in a temporary file.
"""

from __future__ import annotations

import random
import sys

from engine.codes import codes, rejections
from engine.errors import ParseError
from engine.parsers import http_head, xds
from engine.parsers.context import default
from tests.fuzz.accidents import damaged
from tests.fuzz.runner import Fuzzer
from tests.parsers.xds_messages import corpus

CONTEXT = default()
PIECES = [
    b"<",
    b">",
    b"</",
    b"&",
    b"&amp;",
    b"&x;",
    b'"',
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
    b"--",
    b"--uuid:b1.example",
    b"\r\n--uuid:b1.example\r\n",
    b"\r\n--uuid:b1.example--\r\n",
    b"cid:",
    b"Content-Type: multipart/mixed\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"HTTP/1.1 500 x\r\n",
    b"\nHTTP/1.1 200 OK\r\n",
    b"<!DOCTYPE a>",
    b"<![CDATA[",
    b"<!--",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<ExtrinsicObject id='x'>",
    b"</ExtrinsicObject>",
    b"<s:Fault>",
    b" id=''",
    b"urn:uuid:",
    b"=",
]


def mutated(raw: bytes, source: random.Random) -> bytes:
    """The message with one to four accidents."""
    return damaged(raw, PIECES, source)


def target(raw: bytes) -> None:
    """One payload through everything. Raises AssertionError or whatever escapes."""
    xds.FORMAT.recognises(raw[:4096])
    messages = [bytes(message) for message in xds.FORMAT.split(raw)]
    assert b"".join(messages) == raw, "a message was lost"
    for message in messages:
        assert message.endswith(bytes(http_head.split(message).body)), "a body that is elsewhere"
        try:
            found = xds.parse(message, CONTEXT)
        except ParseError as error:
            assert error.code in rejections(), error.code
        else:
            assert {flag.code for flag in found.flags} <= codes().keys(), found.flags


FUZZER = Fuzzer(target, corpus, mutated, ".xds")

if __name__ == "__main__":
    sys.exit(FUZZER.main(sys.argv[1:]))
