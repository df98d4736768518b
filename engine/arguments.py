"""What the commands share: exit codes, the usual options, and errors that a person can mend as one line."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from engine.errors import ConfigError
from engine.ledger import schema
from engine.ledger.schema import StoreError
from engine.owner import told
from engine.resources import path as shipped

FOUND_WRONG: Final = 1
CANNOT_COMPARE: Final = 2
WRONG_CONFIGURATION: Final = 3
UNKNOWN: Final = 4

INSTALLED: Final = Path("/etc/jauge/jauge.yaml")
"""The configuration of the service (docs/operations.md)."""

config_option = click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    envvar="JAUGE_CONFIG",
    help="Configuration file (default: /etc/jauge/jauge.yaml where it is, else the shipped config/jauge.yaml; environment: JAUGE_CONFIG).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Errors a person can mend are one clear line and an exit code, never a traceback."""

    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ConfigError, StoreError) as error:
            click.echo(f"jauge: {error}", err=True)
            sys.exit(WRONG_CONFIGURATION)
        except sqlite3.Error as error:
            if not (said := schema.told(error)):
                raise
            click.echo(f"jauge: {path_of(kwargs.get('config_path'))}: its store {said}", err=True)
            sys.exit(WRONG_CONFIGURATION)
        except OSError as error:
            if error.filename is None:
                raise
            click.echo(f"jauge: {told(error)}", err=True)
            sys.exit(WRONG_CONFIGURATION)

    return guarded


def path_of(config_path: Path | None) -> Path:
    """The configuration to use: the one given, else that of the service on this machine, else the shipped one."""
    if config_path is None and INSTALLED.is_file():
        return INSTALLED
    return config_path or shipped("jauge.yaml")
