"""Throws damaged mails at their parser, for as long as asked.

``python -m tests.fuzz.fuzz_mail [SECONDS] [SEED]`` mutates ``fixtures/mail`` and archives inside mails; ``--atheris`` hands over to atheris
(coverage-guided) where it is installed. A finding is anything but facts with declared flags or a :class:`ParseError` of a declared rejection,
another result with other line ends, or a value of a person in what may be shown.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path

from engine.codes import codes, rejections
from engine.errors import ParseError
from engine.parsers import mail, mime
from tests.fuzz.accidents import damaged
from tests.fuzz.runner import Fuzzer
from tests.parsers.mails import CONTEXT, PDF, attached, text
from tests.parsers.mails import mail as write

MAILS = Path(__file__).resolve().parents[2] / "fixtures" / "mail"
SECRETS = ("290067599900261", "sacha", "CAMILLE", "EXEMPLE", "IPP000777", "1.2.250.1.999.42")
PIECES = [
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
    b"--",
    b"--M1",
    b"\r\n--M1\r\n",
    b"\r\n--M1--\r\n",
    b'Content-Type: multipart/mixed; boundary="M1"\r\n',
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n",
    b"boundary*0*=utf-8''M",
    b"=?utf-8?B?",
    b"?=",
    b"<",
    b">",
    b"(",
    b'"',
    b"\\",
    b",",
    b";",
    b":",
    b"@",
    b"UEsDB",
    b"PK\x03\x04",
    b"=",
    b"Action: failed\r\n",
    b"Disposition: ;displayed\r\n",
    b"290067599900261@patient.mssante.fr",
    b"Auto-Submitted: auto-replied\r\n",
]


@cache
def corpus() -> list[bytes]:
    """The fixtures."""
    return [path.read_bytes() for path in sorted(MAILS.iterdir())]


@cache
def archives() -> list[bytes]:
    """The archives that they carry."""
    parts = [part for raw in corpus() for part in mime.read(raw).parts if part.holds_zip()]
    return [bytes(part.decode(1 << 20)[0]) for part in parts]


def mutated(raw: bytes, source: random.Random) -> bytes:
    """The mail with one to four accidents; one time in four, an archive with them in a mail without."""
    if source.randrange(4):
        return damaged(raw, PIECES, source)
    return write(
        text(), attached(damaged(source.choice(archives()), PIECES, source)), attached(PDF, "application/pdf", "a.pdf")
    )


def read(raw: bytes) -> tuple[object, str]:
    """What a mail says, and what may be shown of it."""
    try:
        found = mail._parse(raw, CONTEXT)  # without the net of parse()
    except ParseError as error:
        assert error.code in rejections(), error.code
        return error.code, str(error)
    assert {flag.code for flag in found.flags} <= codes().keys(), found.flags
    return (found.message, found.facts), f"{found!r} {found.flags!r} {found.message}"


def target(raw: bytes) -> None:
    """One payload through everything. Raises AssertionError or whatever escapes."""
    mail.FORMAT.recognises(raw[:4096])
    for one in mail.FORMAT.split(raw):
        found, shown = read(bytes(one))
        assert not [secret for secret in SECRETS if secret in shown], shown
        # Bytes of a file that is not encoded are no lines, nor is a CR alone the end of one.
        unix = one.replace(b"\r\n", b"\n")
        if one.isascii() and b"\r" not in unix and unix.replace(b"\n", b"\r\n") == one:
            assert read(unix)[0] == found, "another result with other line ends"


FUZZER = Fuzzer(target, corpus, mutated, ".eml")

if __name__ == "__main__":
    sys.exit(FUZZER.main(sys.argv[1:]))
