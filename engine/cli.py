"""The command line: arguments in, exit code out; everything else is elsewhere.

Exit codes: 0 done; 1 something was found wrong (a difference, an unreadable file, a rate that is not the truth, a proof not there);
2 wrong arguments, or an audit of old figures; 3 wrong configuration, inventory or store; 4 nothing known under that number; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from engine import __version__, logs
from engine.arguments import CANNOT_COMPARE, FOUND_WRONG, UNKNOWN, WRONG_CONFIGURATION
from engine.arguments import config_option as _config
from engine.arguments import guarded as _guarded
from engine.arguments import json_option as _json
from engine.arguments import path_of as _path
from engine.cli_ps41 import ps41
from engine.cli_site import doctor, init


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jauge")
def main() -> None:
    """Jauge: HOP'EN and SUN-ES indicators, live, from what already flows through the interface engine."""


@main.command()
@_config
@_guarded
def run(config_path: Path | None) -> None:
    """Listen, count and show until stopped (SIGTERM, Ctrl-C)."""
    from engine.service import Engine, load_config

    config = load_config(_path(config_path))
    logs.configure(config.log.format, config.log.level)
    os.umask(0o077)  # what the engine writes is for its own account
    asyncio.run(Engine(config).run())


@main.command()
@_config
@_guarded
def health(config_path: Path | None) -> None:
    """Ask the running engine whether it is ready. Exits with 1 when it is not, or when nobody answers."""
    from engine.commands import health as command

    wrong = command.health(command.settings(_path(config_path)))
    click.echo(f"not ready: {wrong}" if wrong else "ready")
    sys.exit(FOUND_WRONG if wrong else 0)


@main.command()
@click.option("--stays", type=click.IntRange(1), default=None, help="How many stays the synthetic hospital has.")
@click.option("--seconds", type=click.FloatRange(0), default=None, help="How long its traffic lasts; 0: flat out.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another hospital.")
@click.option(
    "--trace",
    type=click.Choice(["zam", "log", "syslog", "fhir", "capture", "all"]),
    default="zam",
    show_default=True,
    help="What the submissions to the DMP leave.",
)
@click.option("--set-ids", is_flag=True, help="With --trace syslog: the HL7 messages hold their submission set.")
@click.option("--serve", is_flag=True, help="Leave the engine running afterwards, with its page; Ctrl-C ends it.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port of the page; 0: any that is free.")
@_json
@_guarded
def demo(
    stays: int | None,
    seconds: float | None,
    seed: int,
    trace: str,
    *,
    set_ids: bool,
    serve: bool,
    port: int,
    as_json: bool,
) -> None:
    """Send a synthetic hospital's traffic to a real engine, and compare its rates with the truth.

    Exits with 1 when a measured rate differs from the truth; with --trace syslog alone, which names no document, when
    the truth is not within what is measured.
    """
    from engine.simulator import demo as demonstration

    if set_ids and trace != "syslog":
        raise click.BadParameter("only --trace syslog needs it", param_hint="--set-ids")
    options: dict[str, Any] = {"trace": trace, "set_ids": set_ids, "serve": serve, "port": port}
    if stays is not None:
        options["stays"] = stays
    if seconds is not None:
        options["seconds"] = seconds
    sys.exit(asyncio.run(demonstration.demo(as_json=as_json, seed=seed, **options)))


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--deep", is_flag=True, help="Also validate the structure of HL7 messages with hl7apy (slow).")
@click.option("--test-ins", is_flag=True, help="Count an INS under a test or demonstration root as one.")
@click.option(
    "--log-mapping",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help="Read the files as logs of submissions, with this mapping (and its sample lines).",
)
@_json
@_guarded
def check(paths: tuple[Path, ...], *, deep: bool, test_ins: bool, log_mapping: Path | None, as_json: bool) -> None:
    """Read files offline, and say what is in them and what is wrong.

    HL7 messages and batches, CDA, and the traces of a submission to the DMP: requests and responses of ITI-41, ITI-57 and
    ITI-18, audit messages (ATNA, in syslog or not), FHIR; XDM archives; lines of a log with --log-mapping.

    Exits with 1 when one cannot be read.
    """
    from engine import check as checking
    from engine import mappings

    mapping = None if log_mapping is None else mappings.load(log_mapping)
    results = checking.check(paths, deep=deep, allow_test_ins=test_ins, mapping=mapping)
    if as_json:
        ok = True
        for result in results:
            click.echo(json.dumps(checking.to_json(result), ensure_ascii=False))
            ok = ok and result.ok
    else:
        found = list(results)
        checking.render(found, Console())
        ok = all(result.ok for result in found)
    sys.exit(0 if ok else FOUND_WRONG)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@_config
@click.option("--feed", default=None, help="Feed the archive belongs to (default: the first of the configuration).")
@_guarded
def replay(paths: tuple[Path, ...], config_path: Path | None, feed: str | None) -> None:
    """Send archives (files, folders, .gz) through the same pipeline as live traffic; what was seen already counts once.

    The engine must not be running on the same store.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from engine.commands.replay import replay as replaying
    from engine.service import load_config

    config = load_config(_path(config_path))
    logs.configure(config.log.format, config.log.level)
    os.umask(0o077)
    name = feed or config.feeds[0].name
    if name not in {f.name for f in config.feeds}:
        raise click.BadParameter(f"no feed {name} in {config.file}", param_hint="--feed")
    columns = (TextColumn("{task.fields[messages]} messages"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=None, messages=0)
        counts = asyncio.run(
            replaying(
                config,
                name,
                paths,
                lambda now: bar.update(task, completed=now.bytes, total=now.bytes_total, messages=now.messages),
            )
        )
    for status, n in sorted(counts.items()):
        click.echo(f"{status}: {n}")
    if not counts:
        click.echo("jauge: no message was found there", err=True)
    elif counts.keys() & {"aside", "refused"}:
        kinds = f"they were read as those of the feed {name}, another trace wants its own --feed"
        click.echo(f"jauge: some could not be read: jauge check says why ({kinds})", err=True)
    sys.exit(FOUND_WRONG if counts.keys() & {"unavailable", "damaged", "incomplete"} else 0)


@main.command()
@_config
@_json
@_guarded
def rates(config_path: Path | None, *, as_json: bool) -> None:
    """Every indicator, over the official and the rolling window, with the reason for each missing point."""
    from engine.commands import rates as command
    from engine.metrics import catalogue as catalogues
    from engine.service import load_config

    config = load_config(_path(config_path))
    found = command.rates(config)
    if as_json:
        click.echo(json.dumps(command.to_json(found), ensure_ascii=False))
        return
    catalogue = catalogues.load()
    targets = {
        (indicator, e.finess): target
        for e in config.establishments
        for indicator in catalogue.ids
        if (target := config.target(indicator, e.finess)) is not None
    }
    command.table(found, catalogue, targets, Console(markup=False))


@main.command()
@click.argument("visit")
@_config
@_json
@_guarded
def explain(visit: str, config_path: Path | None, *, as_json: bool) -> None:
    """What is known of one stay (its visit or dossier number), and which rule decided what.

    Exits with 4 when nothing is known under that number.
    """
    from engine.commands import explain as command
    from engine.service import load_config

    stays = command.explain(load_config(_path(config_path)), visit)
    if not stays:
        click.echo("jauge: nothing is known under this number", err=True)
        sys.exit(UNKNOWN)
    if as_json:
        click.echo(json.dumps(stays, ensure_ascii=False))
    else:
        command.text(stays, Console(markup=False))


@main.command()
@_config
@_json
@_guarded
def audit(config_path: Path | None, *, as_json: bool) -> None:
    """Recount every subject from its facts, and compare with the tallies.

    Exits with 1 on any difference, with 2 when the settings changed since the engine last counted.
    """
    from engine.commands import audit as command
    from engine.service import load_config

    try:
        found = command.audit(load_config(_path(config_path)))
    except command.StaleError:
        click.echo(f"jauge: {command.STALE}", err=True)
        sys.exit(CANNOT_COMPARE)
    if as_json:
        click.echo(json.dumps({"differences": len(found)}))
    elif found:
        command.table(found, Console(markup=False))
        click.echo(f"jauge: {len(found)} tallies differ from the recount", err=True)
    else:
        click.echo("every tally equals its recount")
    sys.exit(FOUND_WRONG if found else 0)


@main.command()
@_config
@_json
@_guarded
def contradictions(config_path: Path | None, *, as_json: bool) -> None:
    """Every trace of a submission to the DMP that a stronger trace contradicts; the stronger one holds."""
    from engine.commands import contradictions as command
    from engine.service import load_config

    found = command.contradictions(load_config(_path(config_path)))
    if as_json:
        click.echo(json.dumps(command.to_json(found), ensure_ascii=False))
    else:
        command.table(found, Console(markup=False))


@main.command("check-config")
@_config
@_guarded
def check_config(config_path: Path | None) -> None:
    """Read the configuration and the inventory, and say everything that is wrong in them.

    Exits with 3 when something is.
    """
    from engine.service import config_problems

    path = _path(config_path)
    problems = config_problems(path)
    for problem in problems:
        click.echo(f"jauge: {problem}", err=True)
    if problems:
        sys.exit(WRONG_CONFIGURATION)
    click.echo(f"{path}: right")


main.add_command(init)
main.add_command(doctor)
main.add_command(ps41)


if __name__ == "__main__":
    main()
