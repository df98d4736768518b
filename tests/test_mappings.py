"""Mappings of logs: every fault has its line and its mend, and no sample shows a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import mappings, resources
from engine.errors import ConfigError

GOOD = """\
format: json
fields:
  at: time
  status: status
  document: id
  ins: ins
  ins_root: oid
status: {OK: accepted, KO: refused}
"""
SAMPLE = """\
# for people
# expect: accepted (document)
{"time": "2026-03-02T10:15:00+01:00", "status": "OK", "id": "1.2.250.1.999.1"}

# expect: refused XDSError
{"time": "2026-03-02T10:15:00+01:00", "status": "KO", "id": "1.2.250.1.999.1"}
"""
CSV = """\
format: csv
columns: [date, statut, doc]
fields: {at: date, status: statut, document: doc}
status: {OK: accepted}
"""
REGEX = """\
format: regex
patterns: ['(?P<t>[^ ]+) (?P<s>[A-Z]+) (?P<d>[^ ]+)']
fields: {at: t, status: s, document: d}
status: {OK: accepted}
"""


def found(folder: Path, mapping: str, sample: str = SAMPLE) -> list[str]:
    """Faults, without the folder's name."""
    path = folder / "m.yaml"
    path.write_text(mapping, encoding="utf-8")
    path.with_suffix(".sample").write_text(sample, encoding="utf-8")
    return [str(error).replace(f"{folder}/", "") for error in mappings.problems(path)]


@pytest.mark.parametrize("name", ["platform-json", "platform-csv", "application-log"])
def test_shipped_mappings(name: str) -> None:
    """The shipped mappings read their own samples, which show every outcome they know."""
    path = resources.path(f"logs/{name}.yaml")
    assert mappings.problems(path) == []
    mapping = mappings.load(path)
    sample = path.with_suffix(".sample").read_text(encoding="utf-8")
    for status in set(mapping.status.values()) - {"taken", "deletion_refused"}:
        assert f"# expect: {status}" in sample, status


def test_good_mapping(tmp_path: Path) -> None:
    """A mapping that reads its samples has no fault, also with a code that the line does not have to give."""
    assert found(tmp_path, GOOD, SAMPLE.replace(" XDSError", "")) == []
    assert mappings.load(tmp_path / "m.yaml").source("document") == "id"


@pytest.mark.parametrize(
    ("change", "to", "fault"),
    [
        ("  document: id\n", "  docment: id\n", "m.yaml:5: 'docment' is not a setting of fields (did you mean document?)"),
        ("format: json", "format: xml", "m.yaml:1: format cannot be 'xml' (one of: csv, json, regex)"),
        ("KO: refused", "KO: refusé", "m.yaml:8: status.KO cannot be 'refusé' (did you mean refused?)"),
        ("  at: time\n", "", "m.yaml:3: fields lacks at (add `at: ` and the log's name of it)"),
        ("  ins_root: oid\n", "", "m.yaml:6: fields has ins but not ins_root (add it, or a constant: constants: {ins_root: ...})"),
        ("status: {OK: accepted, KO: refused}\n", "", "m.yaml:3: status is missing"),
        ("format: json", "format: json\ntime: '%H:%M'", "m.yaml:2: '%H:%M' is no way of writing a time"),
        ("format: json", "format: json\ntimes: {document: epoch}", "m.yaml:2: times: 'document' is not one of ours"),
        ("format: json", "format: json\nconstants: {docment: x}", "m.yaml:2: constants: 'docment' is not one of ours"),
        ("format: json", "format: json\nzone: Europe/Pari", "m.yaml:2: 'Europe/Pari' is not a known time zone"),
        ("format: json", "format: csv", "m.yaml:1: columns is missing"),
        ("format: json", "format: regex", "m.yaml:1: patterns is missing"),
        ("format: json", "format: json\nconstants: {status: Oui}", "m.yaml:2: 'Oui' is no outcome"),
    ],
)  # fmt: skip
def test_faults_of_a_mapping(tmp_path: Path, change: str, to: str, fault: str) -> None:
    """Each fault has its line and its mend."""
    assert any(one.startswith(fault) for one in found(tmp_path, GOOD.replace(change, to))), found(
        tmp_path, GOOD.replace(change, to)
    )


@pytest.mark.parametrize(
    ("mapping", "fault"),
    [
        (CSV.replace("document: doc", "document: dok"), "m.yaml:3: fields.document: 'dok' is no column (did you mean doc?)"),
        (CSV + "delimiter: ';;'\n", "m.yaml:5: delimiter must be one character, not the quote"),
        (CSV + "where: {typ: [DMP]}\n", "m.yaml:5: where: 'typ' is not known"),
        (REGEX.replace("document: d", "document: e"), "m.yaml:3: fields.document: 'e' is no group of patterns"),
        (REGEX.replace("[^ ]+)'", "[^ ]+) .*a.*b'"), "m.yaml:2: patterns[0] could take a time out of proportion to the line"),
        (REGEX.replace("[A-Z]+)", "[A-Z]+"), "m.yaml:2: patterns[0] is not a regular expression"),
        ("format: json\nfields: {at: t, status: s}\nstatus: {OK: sent}\n", "m.yaml:2: fields names neither patient"),
    ],
)  # fmt: skip
def test_faults_of_other_forms(tmp_path: Path, mapping: str, fault: str) -> None:
    """Columns and groups that are not there, and patterns that could take long."""
    assert found(tmp_path, mapping)[0].startswith(fault), found(tmp_path, mapping)


@pytest.mark.parametrize(
    ("sample", "fault"),
    [
        (SAMPLE, "m.sample:6: the field code does not give the code that is expected"),
        (SAMPLE.replace("(document)", "(document, visit)"), "m.sample:3: this sample does not give the field visit"),
        (SAMPLE.replace("expect: accepted", "expect: sent"), "m.sample:3: this sample is read as accepted, not as sent"),
        (SAMPLE.replace("expect: accepted", "expect: acepted"), "m.sample:2: 'acepted' is no outcome (did you mean accepted?)"),
        (SAMPLE.replace("(document)", "(documents)"), "m.sample:2: 'documents' is not one of our fields"),
        (SAMPLE.replace("(document)", "(document"), "m.sample:2: an expectation is not readable"),
        (SAMPLE.replace("# expect: accepted (document)\n", ""), "m.sample:2: nothing says how this line must be read"),
        (SAMPLE.replace('"OK"', '"CANARI"'), "m.sample:3: the field status holds a word that `status` does not know"),
        (SAMPLE.replace('"OK"', "null"), "m.sample:3: this sample cannot be read: log-status-missing at field status"),
        (SAMPLE.replace("2026-03-02T", "CANARI"), "m.sample:3: this sample cannot be read: log-time-unreadable at field at"),
        (SAMPLE.replace('"1.2.250.1.999.1"}', '"1.2", "ins": "CANARI"}'), "m.sample:3: this sample is read with a remark: log-ins-root-unknown at field ins_root"),
        ("", "m.sample: no sample tells an outcome"),
        ("# expect: accepted\nCANARI\n", "m.sample:2: this sample cannot be read: log-not-json at line"),
    ],
)  # fmt: skip
def test_faults_of_samples(tmp_path: Path, sample: str, fault: str) -> None:
    """A sample that is not read as it says: file, line and field, never a value."""
    said = found(tmp_path, GOOD, sample)
    assert said[0].startswith(fault), said
    assert "CANARI" not in "".join(said)


def test_samples_that_are_not_there(tmp_path: Path) -> None:
    """A mapping without samples is not taken."""
    path = tmp_path / "m.yaml"
    path.write_text(GOOD)
    with pytest.raises(ConfigError, match=r"m\.sample: there are no sample lines of the log"):
        mappings.load(path)
    with pytest.raises(ConfigError, match=r"n\.yaml: cannot be read"):
        mappings.load(tmp_path / "n.yaml")
