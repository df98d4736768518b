"""``jauge ps41``: send the test message, wait for its reply, write the evidence file, say where each establishment stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from engine import __version__
from engine.config import Config
from engine.errors import ConfigError
from engine.evidence.dossier import write_dossier
from engine.evidence.inbox import Inbox, Watched
from engine.evidence.message import NotSoundError, build
from engine.evidence.proof import Proof, prove
from engine.evidence.record import Built, Record, Submission
from engine.evidence.register import Register
from engine.evidence.settings import Ps41, Sender
from engine.evidence.standing import standing
from engine.evidence.submission import CODES, submit
from engine.evidence.trial import Trial, new_trial, subject
from engine.listeners.imap_protocol import CODES as IMAP_CODES
from engine.standing import Standing

Clock = Callable[[], float]

#: Seconds in which the connections close, before the loop ends.
_CLOSING: Final = 0.05


class Prepared(Struct, frozen=True):
    """A message ready to be sent, and who sends it."""

    sender: Sender
    trial: Trial
    built: Built
    first: bool  # no test of this establishment ever left


def folder_of(config: Config) -> Path:
    """Where the register is."""
    return config.ps41.folder or config.store.parent / "ps41"


def senders(config: Config, finess: str = "") -> tuple[Sender, ...]:
    """The establishments meant: one, or all of the settings. Raises :class:`ConfigError` when there is none."""
    settings = config.ps41
    if not settings.senders:
        raise ConfigError(str(config.file), 0, "ps41 names no sender", "add ps41.senders: docs/fr/ps41.md shows how")
    if not finess:
        return settings.senders
    found = settings.sender(finess)
    if found is None:
        known = ", ".join(sender.establishment for sender in settings.senders)
        raise ConfigError(str(config.file), 0, f"ps41 has no sender of establishment {finess}", f"one of: {known}")
    return (found,)


# -- send ---------------------------------------------------------------------------------------------------------------


def prepare(config: Config, sender: Sender, *, clock: Clock = time.time) -> Prepared:
    """Build the message; nothing is written or sent. Raises :class:`ConfigError` when no right archive can be made of the settings."""
    establishment = config.establishment(sender.establishment)
    trial = new_trial(sender, establishment.name, establishment.time_zone, now=clock())
    try:
        built = build(trial, sender, config.ps41)
    except NotSoundError as error:
        what = f"ps41: the archive would be wrong ({error})"
        raise ConfigError(str(config.file), 0, what, "see ps41.patient, ps41.message and the name") from None
    left = any(record.left for record in Register(folder_of(config)).records(sender.establishment))
    return Prepared(sender, trial, built, first=not left)


def send(config: Config, prepared: Prepared, *, clock: Clock = time.time) -> Record:
    """Keep the message, hand it in, keep the answers."""
    register, sender, settings = Register(folder_of(config)), prepared.sender, config.ps41
    trial, built = prepared.trial, prepared.built
    record = register.begin(trial, built, sender.sender, settings.address, subject(trial, settings), __version__)

    async def once() -> Submission:
        found = await submit(built.raw, sender.sender, settings.address, sender.smtp, clock=clock)
        await asyncio.sleep(_CLOSING)
        return found

    return register.submitted(record, asyncio.run(once()))


def show_message(prepared: Prepared, settings: Ps41, console: Console) -> None:
    """Everything that would be sent, and to whom."""
    sender, built = prepared.sender, prepared.built
    smtp = sender.smtp
    known = [word for word, there in (("client certificate", smtp.tls.certificate), ("login", smtp.user)) if there]
    console.print(f"server     {smtp.host}:{smtp.port} ({', '.join((smtp.transport, *known))})", highlight=False)
    console.print(f"envelope   {sender.sender} -> {settings.address}", highlight=False, markup=False)
    console.print(f"size       {len(built.raw)} bytes, SHA-256 {built.sha256}\n", highlight=False)
    for name, value in built.headers:
        console.print(f"{name}: {value}", highlight=False, markup=False)
    console.print(f"\n{built.body}", highlight=False, markup=False)
    for part in built.parts:
        place = "  inside" if part.inside else "attached"
        console.print(
            f"{place:10} {part.name}, {part.size} bytes, SHA-256 {part.sha256}", highlight=False, markup=False
        )
    remarks = ", ".join(built.checks)
    console.print(f"archive    read again: nothing wrong{f'; noted: {remarks}' if remarks else ''}", highlight=False)


def show_sent(record: Record, console: Console) -> None:
    """What the server said."""
    submission = record.submission
    assert submission is not None
    for answer in submission.answers:
        console.print(
            f"{answer.step:<10} {answer.code} {' / '.join(answer.text.splitlines())}", highlight=False, markup=False
        )
    if submission.accepted:
        console.print(f"sent: {record.trial.id}; wait for the reply with `jauge ps41 watch`", highlight=False)
    else:
        console.print(f"{submission.error}: {CODES[submission.error]}", highlight=False, markup=False)


# -- watch --------------------------------------------------------------------------------------------------------------


def watch(config: Config, finess: str, seconds: float, *, clock: Clock = time.time) -> list[Watched]:
    """Wait for what is awaited, one mailbox an establishment, all at once. Empty when nothing is awaited."""
    register = Register(folder_of(config))
    inboxes = []
    for sender in senders(config, finess):
        awaited = [record for record in register.records(sender.establishment) if record.awaiting]
        if not awaited:
            continue
        if sender.imap is None:
            what = f"ps41: establishment {sender.establishment} has no imap settings"
            raise ConfigError(str(config.file), 0, what, "add `imap:` to its entry under ps41.senders")
        inboxes.append(Inbox(sender.imap, register, awaited, reply_hours=config.ps41.reply_hours, clock=clock))

    async def all_of_them() -> list[Watched]:
        found = await asyncio.gather(*(inbox.watch(seconds) for inbox in inboxes))
        await asyncio.sleep(_CLOSING)
        return found

    return asyncio.run(all_of_them())


def show_watched(found: Sequence[Watched], console: Console) -> None:
    """How each wait ended."""
    if not found:
        console.print("no reply is awaited: `jauge ps41 send` sends a test message")
    for watched in found:
        for record in watched.records:
            words = {"replied": "reply received", "bounced": "not delivered: a failure report was received"}
            noted = f" ({', '.join(record.receipts)})" if record.receipts else ""
            console.print(f"{record.trial.id}: {words.get(record.stage, 'no reply yet')}{noted}", highlight=False)
        if watched.error:
            meaning = IMAP_CODES.get(watched.error, "the IMAP server cannot be read")
            console.print(f"{watched.error}: {meaning}", highlight=False, markup=False)


# -- evidence -----------------------------------------------------------------------------------------------------------


def evidence(
    config: Config, sender: Sender, test: str, output: Path, *, clock: Clock = time.time
) -> tuple[Proof, list[Path]] | None:
    """Write the folder of a test: the one named, else the latest that was answered, else the latest. None when there is none."""
    register = Register(folder_of(config))
    records = register.records(sender.establishment)
    chosen = [record for record in records if record.trial.id == test] if test else records
    if not chosen:
        return None
    record = max(chosen, key=lambda one: (one.proven, one.order))
    proof = prove(register, record, config.ps41, now=clock())
    return proof, write_dossier(proof, register, output)


# -- status -------------------------------------------------------------------------------------------------------------


def status(config: Config, finess: str = "") -> list[Standing]:
    """Where each establishment stands."""
    register = Register(folder_of(config))
    return [
        standing(
            sender.establishment,
            register.records(sender.establishment),
            valid_days=config.ps41.valid_days,
            declared=sender.mailbox is not None,
        )
        for sender in senders(config, finess)
    ]


def to_json(found: Iterable[Standing], *, clock: Clock = time.time) -> list[dict[str, Any]]:
    """The object of ``--json``: times in seconds since 1970-01-01 UTC, 0 for never."""
    return [
        {
            "establishment": one.establishment,
            "valid": one.valid(clock()),
            "sent_at": one.sent_at,
            "replied_at": one.replied_at,
            "proven_at": one.proven_at,
            "expires_at": one.expires_at,
            "mailbox_declared": one.declared,
            "awaiting_reply": one.awaiting,
        }
        for one in found
    ]


def show_status(found: Iterable[Standing], config: Config, console: Console, *, clock: Clock = time.time) -> None:
    """The table of ``jauge ps41 status``."""
    table = Table("Establishment", "Last test", "Reply", "Mailbox declared", "Proof valid until", "PS4.1")
    for one in found:
        zone = ZoneInfo(config.establishment(one.establishment).time_zone)
        valid = one.valid(clock())
        table.add_row(
            one.establishment,
            _date(one.sent_at, zone),
            "awaited" if one.awaiting else _date(one.replied_at, zone),
            "yes" if one.declared else "no",
            _date(one.expires_at, zone),
            "[green]met[/]" if valid else "[red]not met[/]",
        )
    console.print(table)


def _date(at: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M}" if at else "never"
