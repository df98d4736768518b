"""``jauge init``: a few answers become a folder with a working, commented configuration. What is there already is never overwritten."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from engine import resources
from engine.commands import own_certificate, watchers
from engine.commands.answers import EXAMPLE_FINESS, Answers
from engine.commands.example import Example, quoted
from engine.commands.stage import Stage, new_secret
from engine.errors import ConfigError
from engine.strict import Place

CONFIGURATION: Final = "jauge.yaml"
SERVICE_DATA: Final = Path("/var/lib/jauge")
"""Where the service keeps what it writes: it may not write under /etc (config/systemd/jauge.service)."""

_HEAD: Final = """\
Jauge: the configuration of {name}.

Made by `jauge init` from the shipped example, which runs as it is: so does this one. After a change, `jauge check-config`
says what is wrong, with the line and the mend; `jauge doctor` looks at this machine: ports, certificates, disk, clock, feeds.

Every setting, with its default: docs/configuration.md. Paths are relative to the folder of this file."""

_BLOCKS: Final = {"log": "dmp-log", "fhir": "dmp-fhir", "syslog": "atna", "captures": "dmp-captures"}
_PASSWORD, _TOKEN, _FHIR = "secrets/web.password", "secrets/web.token", "secrets/fhir.token"
_CERTIFICATE, _KEY = Path("tls/jauge.crt"), Path("tls/jauge.key")
_INCOMING: Final = "incoming"


class RefusedError(Exception):
    """Nothing was written: says why, and what to do."""


class Written(Struct, frozen=True):
    """A folder that was written: its files, relative to it, each with what it is (empty: not worth a word), and the answers it was made of."""

    folder: Path
    files: dict[str, str]
    answers: Answers


def init(
    folder: Path,
    answers: Answers,
    owner: tuple[int, int] | None,
    problems: Callable[[Path], list[ConfigError]],
) -> Written:
    """Write the configuration into ``folder``, made if it is not there: all of it, or nothing.

    ``owner``: user and group that the secrets are given to (the service's account). ``problems`` is asked about what was
    written before it takes its place. Raises :class:`RefusedError` when something is there already, or cannot be written.
    """
    if answers.data is None and for_the_service(folder):
        answers = structs.replace(answers, data=SERVICE_DATA)
    if answers.own_certificate:
        answers = structs.replace(answers, certificate=_CERTIFICATE, key=_KEY)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if made:
            folder.chmod(0o755)
        aside = Path(tempfile.mkdtemp(prefix=".init-", dir=folder))
    except OSError as error:
        reason = (error.strerror or "no such folder").lower()
        raise RefusedError(f"{folder}: cannot write here: {reason}; give another folder, or write as root") from None
    written = False
    try:
        stage = Stage(aside, owner)
        _write(stage, answers)
        names = sorted({name.split("/")[0] for name in stage.files}, key=lambda name: name == CONFIGURATION)
        there = [name for name in names if os.path.lexists(folder / name)]
        if there:
            raise RefusedError(
                f"{folder} holds {', '.join(there)} already, and nothing is overwritten; give another folder: "
                f"jauge init {folder.resolve()}-new"
            )
        faults = problems(aside / CONFIGURATION)
        if faults:
            raise RefusedError(f"these answers do not go together: {faults[0].message} ({faults[0].mend})")
        _take_place(aside, folder, names)
        written = True
    except OSError as error:
        raise RefusedError(f"{folder}: cannot write here: {(error.strerror or 'failed').lower()}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if made and not written:
            folder.rmdir()
    return Written(folder, stage.files, answers)


def for_the_service(folder: Path) -> bool:
    """Whether the service is to read the folder: it is one of the system's."""
    return folder.absolute().is_relative_to("/etc")


def _take_place(aside: Path, folder: Path, names: list[str]) -> None:
    """Each thing at once and the configuration last, in nobody's place; when one cannot, those before it go back."""
    done: list[str] = []
    try:
        for name in names:
            if (aside / name).is_dir():
                (aside / name).rename(folder / name)  # fails where a folder holds something
            else:
                (folder / name).hardlink_to(aside / name)  # fails where there is anything
            done.append(name)
    except OSError:
        for name in done:
            if (folder / name).is_dir():
                (folder / name).rename(aside / name)
            else:
                (folder / name).unlink()
        raise


def _write(stage: Stage, answers: Answers) -> None:
    """Everything, into an empty folder."""
    stage.put(CONFIGURATION, configuration(answers), "the configuration; its comments explain every choice")
    stage.put(
        "applications.csv", _shipped("applications.csv"), "an example: write your applications in it (P1.1, P1.3)"
    )
    if answers.domain:
        what = "an example: write your correspondents in it (D6.2, D6.3, DS4.1)"
        stage.put("correspondents.csv", _shipped("correspondents.csv"), what)
    for name, text in watchers.files(answers):
        stage.put(name, text)
    stage.files["prometheus/"] = (
        f"for Prometheus: reads {watchers.target(answers)}, with the alerts; copy it to /etc/prometheus"
    )
    stage.files["alertmanager/"] = "for Alertmanager: write the addresses that are told"
    stage.files["grafana/"] = "for Grafana: dashboards and their provisioning"
    if answers.guarded:
        token = new_secret()
        stage.secret(_PASSWORD, new_secret(), "password of the page, for people (any user name)")
        stage.secret(_TOKEN, token, "token of the metrics, for Prometheus")
        stage.private(f"prometheus/{watchers.TOKEN}", token)
    if answers.own_certificate:
        certificate, key = (text.decode() for text in own_certificate.make(answers.web.host))
        what = "this machine's own certificate (two years): one of your authority is better"
        stage.secret(str(_KEY), key)
        stage.secret(str(_CERTIFICATE), certificate, what)
        stage.put(f"prometheus/{watchers.AUTHORITY}", certificate)
    if answers.trace == "fhir":
        stage.secret(_FHIR, new_secret(), "token that the platform must show (Authorization: Bearer)")
    if answers.trace == "log":
        for file in sorted(resources.path("logs").iterdir()):
            stage.put(f"logs/{file.name}", file.read_text(encoding="utf-8"))
        stage.files["logs/platform-json.yaml"] = "how the lines of the log are read; docs/traces.md"
    if answers.trace_path is None and answers.trace in {"log", "captures"}:
        stage.make(_INCOMING, "where the platform writes: or change `path` to its own folder")


def _shipped(name: str) -> str:
    return resources.path(name).read_text(encoding="utf-8")


def configuration(answers: Answers) -> str:
    """The text of jauge.yaml."""
    example = Example(_shipped(CONFIGURATION).replace(f'"{EXAMPLE_FINESS}"', f'"{answers.finess}"'))
    example.head(_HEAD.format(name=answers.name))
    if answers.data is not None:
        example.set(("store",), quoted(str(answers.data / "jauge.db")))
        example.set(("keys",), quoted(str(answers.data / "keys")))
    _listen(example, ("http",), answers.web.host, answers.web.port)
    if answers.guarded:
        example.set(("http", "password_file"), _PASSWORD)
        example.set(("http", "token_file"), _TOKEN)
        example.set(("http", "tls"), _tls(answers))
    elif answers.behind_proxy:
        example.set(("http", "behind_proxy"), "true")
    example.set(("establishments", 0, "name"), quoted(answers.name))
    example.set(("establishments", 0, "theatre_applications"), "[]")
    _listen(example, ("feeds", 0), answers.listen.host, answers.listen.port)
    if answers.trace in _BLOCKS:
        example.wake(f"- name: {_BLOCKS[answers.trace]}")
        _trace(example, answers, ("feeds", example.count(("feeds",)) - 1))
    if answers.domain:
        example.set(("correspondents",), "correspondents.csv")
        example.set(("establishments", 0, "mssante_domains"), f"[{answers.domain}]")
        example.wake("- name: mss-journal")
        _journal(example, answers, ("feeds", example.count(("feeds",)) - 1))
    return example.text


def _listen(example: Example, place: Place, host: str, port: int | None = None) -> None:
    example.set((*place, "host"), quoted(host) if ":" in host else host)
    if port is not None:
        example.set((*place, "port"), str(port))


def _tls(answers: Answers) -> str:
    return f"{{certificate: {quoted(str(answers.certificate))}, key: {quoted(str(answers.key))}}}"


def _trace(example: Example, answers: Answers, feed: Place) -> None:
    """The feed of the trace: beside the other feed, or where the platform writes."""
    data = answers.data
    if answers.trace == "log":
        path = answers.trace_path
        example.set((*feed, "path"), f"{_INCOMING}/dmp.log" if path is None else quoted(str(path)))
        example.set((*feed, "rotated"), f"{_INCOMING}/dmp.log.*" if path is None else quoted(f"{path}.*"))
        if data is not None:
            example.set((*feed, "state"), quoted(str(data / "logs")))
    elif answers.trace == "captures":
        path = answers.trace_path
        example.set((*feed, "path"), _INCOMING if path is None else quoted(str(path)))
    else:
        _listen(example, feed, answers.listen.host)
        if answers.trace == "fhir":
            example.set((*feed, "token_file"), _FHIR)
            if answers.certificate is None:
                example.set((*feed, "port"), "8480")
        elif answers.certificate is None:
            example.set((*feed, "transport"), "tcp")
        if answers.certificate is None:
            example.drop((*feed, "tls"))
        else:
            example.set((*feed, "tls"), _tls(answers))


def _journal(example: Example, answers: Answers, feed: Place) -> None:
    """The journal of the mail, of this machine only: who may send from elsewhere is for a person to say."""
    example.set((*feed, "recipients"), f"[journal@jauge.{answers.domain}]")
    _listen(example, feed, "127.0.0.1")
    example.set((*feed, "transport"), "plain")
    example.drop((*feed, "tls"))
    example.drop((*feed, "networks"))
