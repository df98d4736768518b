"""docs/alerting.md tells every alert and every recorded series, as they are."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.prometheus.test_alerts import RECORDING, RULES
from tests.prometheus.test_rules import NAME

PAGE = Path(__file__).parents[2] / "docs" / "alerting.md"
FIELD = re.compile(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}")


def alerts() -> str:
    """The table of the alerts, file by file."""
    rows = ["| alert | severity | for | file | says |", "|---|---|---|---|---|"]
    for path, rules in RULES.items():
        for rule in rules:
            if "alert" not in rule:
                continue
            wait = "" if rule["for"] == "0s" else rule["for"]
            says = FIELD.sub(r"*\1*", NAME.sub(" (*name*)", rule["annotations"]["summary"]))
            name = f"[`{rule['alert']}`](fr/alertes.md#{rule['alert'].lower()})"
            rows.append(f"| {name} | {rule['labels']['severity']} | {wait} | `{path.name}` | {says} |")
    return "\n".join(rows)


def records() -> str:
    """The table of the recorded series, each with what it is: the comment above it in the file."""
    lines = RECORDING.read_text(encoding="utf-8").splitlines()
    rows = ["| series | what it is (in French, as in the file) |", "|---|---|"]
    said = ""
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("      # "):
            said = f"{said} {line.strip(' #')}" if before.startswith("      # ") else line.strip(" #")
        elif line.startswith("      - record: "):
            rows.append(f"| `{line.split(': ', 1)[1]}` | {said} |")
        elif not line.strip():
            said = ""
    return "\n".join(rows)


def filled(page: str) -> str:
    """The page with its tables made anew."""
    for name, table in (("alerts", alerts()), ("records", records())):
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        assert start in page, name
        before, _, after = page.partition(start)
        page = f"{before}{start}{table}\n{end}{after.partition(end)[2]}"
    return page


def test_the_page_is_up_to_date() -> None:
    """Making the tables anew changes nothing; JAUGE_UPDATE=1 writes them."""
    page = PAGE.read_text(encoding="utf-8")
    expected = filled(page)
    if os.environ.get("JAUGE_UPDATE") == "1":
        PAGE.write_text(expected, encoding="utf-8")
        page = expected
    assert expected == page


def test_every_recorded_series_is_explained() -> None:
    """A comment in the file says what each is."""
    assert not [row for row in records().splitlines() if row.endswith("|  |")]
