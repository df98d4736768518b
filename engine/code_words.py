"""What each code of a message means and what to do, in French, for the people of the hospital: ``config/codes.fr.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct

from engine import resources
from engine.codes import rejections
from engine.errors import ConfigError
from engine.strict import Reader

Sentence = Annotated[str, Meta(min_length=20, max_length=400)]


class _File(Struct, frozen=True):
    codes: Mapping[str, Sentence]


@cache
def sentences() -> Mapping[str, str]:
    """Code -> what it means and what to do (French; backquotes stand around a setting). Read once.

    Raises the first :class:`~engine.errors.ConfigError` of the shipped file, by line.
    """
    try:
        shipped = resources.path("codes.fr.yaml")
    except FileNotFoundError as error:
        raise ConfigError(
            "codes.fr.yaml", 0, "the shipped words of the codes are missing", "install jauge again"
        ) from error
    return MappingProxyType(read(shipped))


def read(path: Path) -> dict[str, str]:
    """The sentences of one file. Raises its first :class:`~engine.errors.ConfigError`, by line."""
    reader = Reader(path, vocabularies={}, variants={})
    file = reader.read(_File)
    if reader.errors or not isinstance(file, _File):
        raise reader.errors[0]
    return dict(file.codes)


def table() -> str:
    """The page docs/fr/codes.md."""
    known, unread = sentences(), rejections()
    lines = [
        "# Les codes des messages",
        "",
        "Ce que Jauge dit d’un message qu’elle n’a pas pu lire, ou qu’elle a lu et qui a quelque chose d’inhabituel : un code, et jamais une valeur du message. Un",
        "code ne change pas de sens. Ce sont ceux de la page « Flux », du journal de Jauge et de `jauge check`, qui donne aussi la place dans le message.",
        "",
        "## Messages non lus",
        "",
        "Le message n’a pas pu être lu (`jauge_messages_rejected_total`) : il est mis de côté, scellé, ou refusé, selon le réglage du flux (`unreadable`).",
        "",
        "| code | ce qu’il veut dire, et que faire |",
        "|---|---|",
        *(f"| `{code}` | {known[code]} |" for code in unread),
        "",
        "## Remarques",
        "",
        "Le message a été lu et compté, et quelque chose y est inhabituel (`jauge_message_flags_total`). Un document illisible est une remarque sur son message ;",
        "il est compté sous le motif [not_cda](indicateurs.md#not-cda).",
        "",
        "| code | ce qu’il veut dire, et que faire |",
        "|---|---|",
        *(f"| `{code}` | {known[code]} |" for code in sorted(known.keys() - set(unread))),
        "",
    ]
    return "\n".join(lines)
