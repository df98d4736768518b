"""The WSGI application: a path to an answer (PEP 3333).

``/metrics``, ``/healthz`` and ``/readyz`` are its own; every other path is asked of the sections, in their order. Only
reading is possible; nothing of a request is logged, and nothing of it is sent back. The two that say yes or no are open
to everybody; for the rest, :class:`~engine.web.access.Access` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from engine.metrics.exposition import Exposition
from engine.web.access import Access
from engine.web.answer import Answer, Section

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_PLAIN: Final = "text/plain; charset=utf-8"
_MAX_QUERY: Final = 2_048

#: On every answer. Everything a page needs comes from the engine itself: no other site may be asked, or show it in a frame.
#: No Strict-Transport-Security: it would hold for every port of this machine's name, not for ours alone.
_SECURITY: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Application:
    """The routes.

    ``ready`` tells whether the engine keeps its promises now; ``failed`` is told the error that a page raised.
    """

    def __init__(
        self,
        exposition: Exposition,
        ready: Callable[[], bool],
        failed: Callable[[Exception], None] | None = None,
        *,
        sections: Sequence[Section] = (),
        access: Access | None = None,
    ) -> None:
        self._exposition: Final = exposition
        self._ready: Final = ready
        self._failed: Final = failed or (lambda _error: None)
        self._sections: Final = tuple(sections)
        self._access: Final = access

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        method = environ.get("REQUEST_METHOD", "")
        try:
            answer = self._answer(method, environ)
        except Exception as error:  # noqa: BLE001 - whatever a page does, the caller gets an answer
            self._failed(error)
            answer = _text(500, "error\n")
        own = {"Server": "jauge", **_SECURITY, "Content-Type": answer.content_type}
        for name, _ in answer.headers:
            own.pop(name, None)
        headers = [*own.items(), *answer.headers, ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [b"" if method == "HEAD" else answer.body]

    def _answer(self, method: str, environ: WSGIEnvironment) -> Answer:
        path = environ.get("PATH_INFO", "")
        if method not in {"GET", "HEAD"}:
            return _text(405, "only GET and HEAD\n", ("Allow", "GET, HEAD"))
        if path == "/healthz":
            return _text(200, "ok\n")
        if path == "/readyz":
            return _text(200, "ready\n") if self._ready() else _text(503, "not ready\n")
        if self._access is not None:
            peer = environ.get("REMOTE_ADDR", "")
            refusal = self._access.refusal(environ.get("HTTP_AUTHORIZATION", ""), peer)
            if refusal is not None:
                return refusal
        if path == "/metrics":
            return self._metrics(environ)
        query = _query(environ.get("QUERY_STRING", ""))
        path = path.encode("latin-1").decode("utf-8", "replace")  # PEP 3333: bytes in disguise
        for section in self._sections:
            answer = section(path, query)
            if answer is not None:
                return answer
        return _text(404, "Cette page n’existe pas.\n")

    def _metrics(self, environ: WSGIEnvironment) -> Answer:
        gzip = _accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        page = self._exposition.render(environ.get("HTTP_ACCEPT", ""), gzip=gzip)
        headers = [("Vary", "Accept, Accept-Encoding")]
        if page.encoding:
            headers.append(("Content-Encoding", page.encoding))
        return Answer(200, page.body, page.content_type, tuple(headers))


def _text(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, text.encode(), _PLAIN, headers)


def _query(text: str) -> Mapping[str, str]:
    """The last value of each name; nothing when it is longer than any of our links."""
    if len(text) > _MAX_QUERY:
        return {}
    return dict(parse_qsl(text, keep_blank_values=True))


def _accepts_gzip(header: str) -> bool:
    """Whether an ``Accept-Encoding`` header lists gzip without refusing it."""
    for offer in header[:500].split(","):
        coding, *parameters = (part.strip().lower() for part in offer.split(";"))
        if coding == "gzip":
            return not any(part in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for part in parameters)
    return False
