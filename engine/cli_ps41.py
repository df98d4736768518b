"""The commands of PS4.1 (``jauge ps41 ...``). Arguments in, exit code out, as in ``engine.cli``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from engine.arguments import FOUND_WRONG, UNKNOWN, config_option, guarded, json_option, path_of

_establishment = click.option(
    "--establishment", default="", metavar="FINESS", help="Which establishment, when several are configured."
)


def _only(found: tuple[Any, ...]) -> Any:
    if len(found) > 1:
        raise click.BadParameter("several are configured: name one", param_hint="--establishment")
    return found[0]


@click.group()
def ps41() -> None:
    """PS4.1: the test message to the citizens' mail of MSSanté, its reply, and the evidence file."""


@ps41.command("send")
@config_option
@_establishment
@click.option("--dry-run", is_flag=True, help="Show the whole message and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before the first message leaves.")
@guarded
def ps41_send(config_path: Path | None, establishment: str, *, dry_run: bool, yes: bool) -> None:
    """Build the test message, with its IHE_XDM.ZIP and its PDF, and send it by the hospital's own SMTP server.

    Exits with 1 when the server did not take it.
    """
    from engine.commands import ps41 as command
    from engine.service import load_config

    config, console = load_config(path_of(config_path)), Console(soft_wrap=True)
    sender = _only(command.senders(config, establishment))
    prepared = command.prepare(config, sender)
    if dry_run:
        command.show_message(prepared, config.ps41, console)
        return
    if prepared.first and not yes:
        click.confirm(f"Send a test message from {sender.sender} to {config.ps41.address}?", abort=True)
    record = command.send(config, prepared)
    command.show_sent(record, console)
    sys.exit(0 if record.sent_at else FOUND_WRONG)


@ps41.command("watch")
@config_option
@_establishment
@click.option(
    "--timeout", type=click.FloatRange(0), default=3_600, show_default=True, help="Seconds to wait; 0: one look."
)
@guarded
def ps41_watch(config_path: Path | None, establishment: str, timeout: float) -> None:
    """Wait for the automatic reply, by IMAP; nothing in the mailbox is changed.

    Exits with 1 when a reply is still missing.
    """
    from engine.commands import ps41 as command
    from engine.service import load_config

    found = command.watch(load_config(path_of(config_path)), establishment, timeout)
    command.show_watched(found, Console(soft_wrap=True))
    replied = [record.reply is not None for watched in found for record in watched.records]
    sys.exit(0 if replied and all(replied) else FOUND_WRONG)


@ps41.command("evidence")
@config_option
@_establishment
@click.option("--test", default="", help="Which test (default: the latest that was answered).")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder to write into.")
@guarded
def ps41_evidence(config_path: Path | None, establishment: str, test: str, output: Path | None) -> None:
    """Write the evidence file (PDF, in French), the raw mails and their SHA-256 into a folder.

    Exits with 1 when the proof is not complete (the file says what is missing), with 4 when there is no such test.
    """
    from engine.commands import ps41 as command
    from engine.service import load_config

    config = load_config(path_of(config_path))
    sender = _only(command.senders(config, establishment))
    found = command.evidence(config, sender, test, output or Path(f"preuve-PS4.1-{sender.establishment}"))
    if found is None:
        click.echo("jauge: there is no such test; `jauge ps41 send` makes one", err=True)
        sys.exit(UNKNOWN)
    for path in found[1]:
        click.echo(path)
    if found[0].complete:
        return
    click.echo("jauge: the proof is not complete yet; its PDF says what is missing", err=True)
    sys.exit(FOUND_WRONG)


@ps41.command("status")
@config_option
@_establishment
@json_option
@guarded
def ps41_status(config_path: Path | None, establishment: str, *, as_json: bool) -> None:
    """Where each establishment stands: last test, reply, declared mailbox, until when the proof holds.

    Exits with 1 when one of them has no valid proof.
    """
    from engine.commands import ps41 as command
    from engine.service import load_config

    config = load_config(path_of(config_path))
    found = command.status(config, establishment)
    objects = command.to_json(found)
    if as_json:
        click.echo(json.dumps(objects))
    else:
        command.show_status(found, config, Console())
    sys.exit(0 if all(one["valid"] for one in objects) else FOUND_WRONG)
