"""What a section of the web says to one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct


class Answer(Struct, frozen=True):
    """One answer: status, body in bytes, its media type, more headers as (name, value).

    ``Content-Length``, the security headers and ``Cache-Control: no-store`` are added by the application; a header
    given here replaces the application's own of the same name.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


Section = Callable[[str, Mapping[str, str]], Answer | None]
"""A part of the site: a path and its query (last value of each name) to an answer; None: the path is not mine."""
