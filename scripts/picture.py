"""Runs a command in a terminal of its own and makes an SVG of what it leaves on the screen.

``python scripts/picture.py FILE COMMAND [ARGUMENT ...]``. The terminal knows just enough to follow rich's moving tables:
colours, carriage return, line feed, cursor up, erase.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 120, 60
_ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b\][^\x07]*\x07|(\r)|(\n)|([^\x1b\r\n]+)|\x1b")


def record(command: list[str]) -> str:
    """Everything that the command writes to its terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = os.environ | {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLUMNS": str(COLUMNS),
        "LINES": str(LINES),
    }
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            data = os.read(ours, 65_536)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not data:
            break
        written += data
    child.wait()
    if child.returncode:
        sys.exit(f"{command[0]} ended with {child.returncode}: no picture is made of a demo that failed")
    return written.decode(errors="replace")


def screen(written: str) -> list[str]:
    """The lines that are left, colours included: a line is rewritten from its start or erased, as rich does."""
    lines, row = [""], 0
    for match in _ESCAPE.finditer(written):
        argument, letter, _, feed, text = match.groups()
        if feed:
            row += 1
            if row == len(lines):
                lines.append("")
        elif letter == "A":
            row = max(0, row - int(argument or 1))
        elif letter == "B":
            row = min(len(lines) - 1, row + int(argument or 1))
        elif letter == "K" and argument == "2":
            lines[row] = ""
        elif letter == "J":
            lines[row:] = [""]
        elif letter == "m":
            lines[row] += match.group()
        elif text:
            lines[row] += text
    return lines


def main() -> None:
    """Run, follow, draw."""
    file, *command = sys.argv[1:]
    lines = screen(record(command))
    while lines and not Text.from_ansi(lines[-1]).plain.strip():
        lines.pop()
    lines = lines[-LINES:]
    width = max(Text.from_ansi(line).cell_len for line in lines)
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    Path(file).write_text(console.export_svg(title="jauge demo"), encoding="utf-8")
    print(f"{file}: {len(lines)} lines of {width} columns")


if __name__ == "__main__":
    main()
