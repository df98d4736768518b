"""What `jauge init` gives to Prometheus, Alertmanager and Grafana: the shipped files, with the address and the token of this engine in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine import resources
from engine.commands import own_certificate
from engine.commands.answers import Answers
from engine.commands.example import Example, quoted

TOKEN, AUTHORITY = "jauge.token", "jauge.crt"  # beside prometheus.yml, which names them
_FOLDERS: Final = ("prometheus", "alertmanager", "grafana")
_SCRAPE: Final = "prometheus.yml"
_ENGINE: Final = "http://127.0.0.1:9464"  # of the shipped files
_PLAIN_LINK: Final = 'runbook_url: "http://'
_PLAIN_PAGE: Final = '"http://${'  # links of the dashboards to the page


def files(answers: Answers) -> Iterator[tuple[str, str]]:
    """Name (``prometheus/alerts-dmp.yml``) and text of each file to write."""
    for name in _FOLDERS:
        folder = resources.path(name)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            text = path.read_text(encoding="utf-8")
            if path.name == _SCRAPE:
                text = scrape(text, answers)
            elif name == "prometheus":
                text = text.replace(_ENGINE, address(answers))
                if answers.guarded:
                    text = text.replace(_PLAIN_LINK, _PLAIN_LINK.replace("http:", "https:"))
            elif name == "grafana" and answers.guarded:
                text = text.replace(_PLAIN_PAGE, _PLAIN_PAGE.replace("http:", "https:"))
            yield f"{name}/{path.relative_to(folder).as_posix()}", text


def address(answers: Answers) -> str:
    """Where a browser finds the page, without its last slash."""
    return f"http{'s' if answers.guarded else ''}://{target(answers)}"


def target(answers: Answers) -> str:
    """The address at which Prometheus reaches the page: the first name of this machine when it listens everywhere."""
    return (
        f"{own_certificate.names(answers.web.host)[0]}:{answers.web.port}" if answers.everywhere else str(answers.web)
    )


def scrape(text: str, answers: Answers) -> str:
    """The shipped configuration of Prometheus, for this engine."""
    example = Example(text)
    job = ("scrape_configs", 0)
    example.set((*job, "static_configs", 0, "targets"), f"[{quoted(target(answers))}]")
    if answers.guarded:
        example.wake("authorization:")
        example.set((*job, "authorization", "credentials_file"), TOKEN)
        example.set((*job, "scheme"), "https")
        if answers.own_certificate:
            example.wake("tls_config:")
            example.set((*job, "tls_config", "ca_file"), AUTHORITY)
    return example.text
