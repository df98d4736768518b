"""The commands of who installs Jauge: ``jauge init`` and ``jauge doctor``. Arguments in, exit code out, as in ``engine.cli``."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from engine.arguments import FOUND_WRONG, WRONG_CONFIGURATION, config_option, guarded, json_option, path_of
from engine.commands import answers as allowed
from engine.commands.answers import TRACES, Answers

_T = TypeVar("_T")
_ACCOUNT: Final = "jauge"


def _option(*names: str, check: Callable[[str], Any], **more: Any) -> Callable[[Any], Any]:
    """An option whose value is checked as an answer to the question is."""

    def checked(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return check(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return click.option(*names, callback=checked, default=None, **more)


def _path_option(name: str, text: str, *, folder: bool = False, exists: bool = True) -> Callable[[Any], Any]:
    kind = click.Path(path_type=Path, exists=exists, dir_okay=folder, file_okay=not folder, resolve_path=True)
    return click.option(name, type=kind, default=None, help=text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("jauge"))
@_option("--finess", check=allowed.finess, help="FINESS of the establishment, as reported to the programme.")
@_option("--name", check=allowed.name, help="Name of the establishment.")
@_option(
    "--listen", check=allowed.address, metavar="HOST:PORT", help="Where the interface engine sends its copy (MLLP)."
)
@_option("--web", check=allowed.address, metavar="HOST:PORT", help="Where people and Prometheus read.")
@click.option("--trace", type=click.Choice(list(TRACES)), default=None, help="What submissions to the DMP leave.")
@click.option(
    "--trace-path",
    type=click.Path(path_type=Path, resolve_path=True),
    default=None,
    help="With --trace log: the log; with --trace captures: the folder.",
)
@_option("--mssante-domain", check=allowed.domain, metavar="DOMAIN", help="Also read the MSSanté mail of this domain.")
@_path_option("--certificate", "Certificate (PEM) of this machine, for those who read or send over the network.")
@_path_option("--key", "Key of that certificate (PEM).")
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="With --web: a reverse proxy in front has the certificate and asks who is there.",
)
@_path_option(
    "--data", "Folder of the store and of the keys (default: var beside the configuration).", folder=True, exists=False
)
@click.option("--account", default=None, help="Account of the service, which the secrets are given to.")
@click.option("--yes", is_flag=True, help="Ask nothing: what no option says is as in the shipped example.")
def init(folder: Path, account: str | None, *, yes: bool, **given: Any) -> None:
    """Ask five questions and write a working configuration into FOLDER (default: jauge, here).

    Without a terminal nothing is asked. Nothing that exists is overwritten. Exits with 1 when it was not written.
    """
    from engine.commands import init as command
    from engine.commands.init_words import words
    from engine.service import config_problems

    asking = not yes and sys.stdin.isatty()
    found = _answers(asking, given)
    owner = _owner(account)
    try:
        written = command.init(folder, found, owner, config_problems)
    except command.RefusedError as error:
        click.echo(f"jauge: {error}", err=True)
        sys.exit(FOUND_WRONG)
    click.echo(words(written))


def _answers(asking: bool, given: dict[str, Any]) -> Answers:
    """What was given, and the answers to the questions about the rest."""
    plain = Answers()
    if (given["certificate"] is None) != (given["key"] is None):
        raise click.UsageError("--certificate and --key go together")

    def ask(option: str, question: str, default: Any, check: Callable[[str], _T]) -> _T:
        if given[option] is not None:
            return given[option]  # type: ignore[no-any-return]
        if not asking:
            return default  # type: ignore[no-any-return]
        return click.prompt(question, default=str(default), value_proc=_reported(check))

    if asking:
        click.echo("Five questions; Enter takes what is between brackets. Everything can be changed afterwards.\n")
    finess = ask("finess", "1. FINESS of the establishment", plain.finess, allowed.finess)
    name = ask("name", "2. Its name", plain.name, allowed.name)
    if asking and given["listen"] is None:
        click.echo("\nThe interface engine sends a copy of its flows to an address and a port of this machine (MLLP).")
        click.echo("127.0.0.1 when it runs on this very machine; else the address by which it reaches this one.")
    listen = ask("listen", "3. Address and port that it sends to", plain.listen, allowed.address)
    if asking and given["web"] is None:
        click.echo("\nThe page, and the metrics for Prometheus. 127.0.0.1: only who is on this machine can read them;")
        click.echo("another address: whoever has the password, or the token, which are then made, with a certificate.")
    web = ask("web", "4. Address and port where people and Prometheus read", plain.web, allowed.address)
    if asking and given["trace"] is None:
        click.echo("\nWhat a submission to the DMP leaves behind, that Jauge can read:")
        for word, text in TRACES.items():
            click.echo(f"  {word:9} {text}")
    trace = ask("trace", "5. Which", plain.trace, allowed.trace)
    path: Path | None = given["trace_path"]
    if asking and path is None and trace in {"log", "captures"}:
        what = "the log" if trace == "log" else "the folder of captures"
        kept = click.prompt(
            f"   Path of {what} (Enter: incoming, in the folder that is written)", default="", show_default=False
        )
        path = Path(kept).absolute() if kept.strip() else None
    if path is not None and trace not in {"log", "captures"}:
        raise click.UsageError("--trace-path is for --trace log and --trace captures")
    if path is not None and trace == "captures" and not path.is_dir():
        raise click.BadParameter(f"there is no folder {path}", param_hint="--trace-path")
    return Answers(
        finess=finess,
        name=name,
        listen=listen,
        web=web,
        trace=trace,
        trace_path=path,
        domain=given["mssante_domain"] or "",
        certificate=given["certificate"],
        key=given["key"],
        behind_proxy=given["behind_proxy"],
        data=given["data"],
    )


def _reported(check: Callable[[str], _T]) -> Callable[[str], _T]:
    """The same, with the error in click's words: it asks again."""

    def reported(text: str) -> _T:
        try:
            return check(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return reported


def _owner(account: str | None) -> tuple[int, int] | None:
    """User and group of the service's account; None when the secrets stay with who runs this."""
    if account is None and os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(account or _ACCOUNT)
    except KeyError:
        if account is None:
            return None
        raise click.BadParameter(f"there is no account {account} on this machine", param_hint="--account") from None
    return found.pw_uid, found.pw_gid


@click.command()
@config_option
@click.option("--login", is_flag=True, help="Also try the login of each mail server.")
@json_option
@guarded
def doctor(config_path: Path | None, *, login: bool, as_json: bool) -> None:
    """Look at the configuration and at this machine, live, and say what to do.

    Exits with 1 when something is a problem, with 3 when the configuration is wrong (the rest then cannot be looked at).
    """
    from rich.console import Console

    from engine.commands import doctor as command

    findings = command.doctor(path_of(config_path), login=login)
    if as_json:
        click.echo(json.dumps(command.to_json(findings), ensure_ascii=False))
    else:
        command.show(findings, Console())
    if any(one.code == "configuration-wrong" for one in findings):
        sys.exit(WRONG_CONFIGURATION)
    sys.exit(FOUND_WRONG if any(one.state == "problem" for one in findings) else 0)
