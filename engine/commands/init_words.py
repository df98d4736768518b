"""What `jauge init` says at its end: what was written, and what to do next."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from engine.commands import watchers
from engine.commands.answers import EXAMPLE_FINESS, Answers
from engine.commands.init import CONFIGURATION, Written, for_the_service


def words(written: Written) -> str:
    """The closing words, for the one who installs."""
    answers = written.answers
    path = written.folder / CONFIGURATION
    shown = {name: what for name, what in written.files.items() if what}
    width = max(map(len, shown))
    lines = [f"\nWritten into {written.folder}:", *(f"  {name:{width}}  {what}" for name, what in shown.items())]
    notes = _notes(answers)
    if notes:
        lines += ["", "To know:", *(f"  - {note}" for note in notes)]
    service = for_the_service(written.folder)
    command = f"{'runuser -u jauge -- ' if service else ''}{_program()} {{}} --config {shlex.quote(str(path))}"
    lines += [
        "",
        "Next:",
        f"  1. {command.format('doctor').removeprefix('runuser -u jauge -- ')}",
        "     looks at this machine, and says what to do",
        f"  2. {'systemctl enable --now jauge' if service else command.format('run')}",
        f"     listens on {answers.listen}, shows {watchers.address(answers)}/",
        f"  3. {command.format('rates')}",
        "     once messages came: in the interface engine, one MLLP destination to that address and port",
        "",
        "After each change of a file: jauge check-config, then a restart."
        + ("" if service else " As a service: sudo jauge init /etc/jauge (docs/operations.md)."),
    ]
    return "\n".join(lines)


def _notes(answers: Answers) -> list[str]:
    notes = []
    if answers.finess == EXAMPLE_FINESS:
        notes.append(f"the FINESS {EXAMPLE_FINESS} is that of the example: write yours in jauge.yaml before you count")
    if answers.listen.local:
        notes.append(f"only this machine can send to {answers.listen}: for another one, change `host` of the feed his")
    if answers.behind_proxy:
        notes.append("whoever reaches the page without passing by your proxy reads everything: let nobody else in")
    if answers.guarded:
        copied = f"/etc/prometheus/{watchers.TOKEN}"
        notes.append(
            f"Prometheus has to read its token where you copy it: chgrp prometheus {copied} && chmod 640 {copied}"
        )
    if answers.trace == "none":
        notes.append(
            "without a trace only the weaker rates move (DS1.1_sent ...): docs/traces.md says what else there is"
        )
    elif answers.trace in {"log", "captures"} and answers.trace_path is None:
        notes.append("the platform has to write where the feed reads: set its `path` in jauge.yaml")
    if answers.trace in {"syslog", "fhir"} and answers.certificate is None and not answers.listen.local:
        notes.append("what the platform sends names patients: give --certificate and --key before it crosses a network")
    if answers.domain:
        notes.append("the mail journal listens on 127.0.0.1:2525; for a mail server elsewhere: docs/mail.md")
    return notes


def _program() -> str:
    """How this very program was called: what can be typed again."""
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "jauge" and "/" in sys.argv[0] else "jauge"
