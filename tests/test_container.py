"""The recipe of the container: what it names exists, and it keeps its promises. (How it was built and run: docs/operations.md.)"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINES = [
    line
    for line in re.sub(r"\\\n\s*", "", (ROOT / "Containerfile").read_text(encoding="utf-8")).splitlines()
    if line and not line.startswith("#")
]
TEXT = "\n".join(LINES)


def said(word: str) -> list[str]:
    """What follows an instruction, each time it is there."""
    return [line.removeprefix(f"{word} ") for line in LINES if line.startswith(f"{word} ")]


def kept() -> list[str]:
    """The instructions of the image that is kept: those of the last stage."""
    last = max(index for index, line in enumerate(LINES) if line.startswith("FROM "))
    return LINES[last:]


def test_the_base_is_an_argument_with_its_version() -> None:
    """Every stage is made from BASE, whose default names one version; nothing is ``latest``."""
    (base,) = said("ARG")
    assert re.fullmatch(r"BASE=[\w./-]+:\d[\w.-]+", base)
    assert {line.split()[0] for line in said("FROM")} == {"${BASE}"}
    assert "latest" not in TEXT


def test_it_does_not_run_as_root() -> None:
    """The last user is an account by its number, and it comes before anything is run."""
    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", said("USER")[-1])
    lines = kept()
    user = next(index for index, line in enumerate(lines) if line.startswith("USER "))
    assert not [line for line in lines[user:] if line.startswith(("RUN ", "COPY ", "ADD "))]


def test_it_is_looked_after() -> None:
    """Its health is asked by a command of Jauge, by its whole path; it is stopped by the signal that loses nothing."""
    (health,) = said("HEALTHCHECK")
    assert health.endswith('CMD ["/opt/jauge/.venv/bin/jauge", "health"]')
    assert said("ENTRYPOINT") == ['["/opt/jauge/.venv/bin/jauge"]']
    assert said("STOPSIGNAL") == ["SIGTERM"]


def test_one_place_to_write() -> None:
    """One volume; nothing else of the image belongs to the account."""
    assert said("VOLUME") == ['["/var/lib/jauge"]']
    owned = re.findall(r"chown \S+ ([^;\"]+)", "\n".join(kept()))
    assert owned == ["/var/lib/jauge"]
    assert "--chown" not in TEXT


def test_nothing_is_asked_of_the_network() -> None:
    """The program comes from the archive of scripts/wheelhouse and its own installer; no package manager, no download."""
    assert not re.search(r"\b(apt|apt-get|apk|dnf|yum|pip|curl|wget|git)\b", TEXT)
    (source,) = [line.split()[0] for line in said("COPY") if not line.startswith("--from")]
    made = (ROOT / "scripts" / "wheelhouse.py").read_text(encoding="utf-8")
    assert source == "dist/jauge-*-linux-*.tar.gz"
    assert '"dist"' in made
    assert "-linux-{given.machine}.tar.gz" in made
    assert "install.sh --prefix /opt/jauge" in TEXT
    assert (ROOT / "scripts" / "install.sh").is_file()


def test_no_secret_goes_in() -> None:
    """No secret is named by it, and the build sees the archive alone."""
    assert not re.search(r"password|token|secret|\.key|\.pem", TEXT, re.IGNORECASE)
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in ignored if not line.startswith("#")] == ["*", "!dist", "dist/*", "!dist/*.tar.gz"]
