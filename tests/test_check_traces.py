"""``jauge check`` on traces of a submission: what they are, what they name, what joins their answers."""

from __future__ import annotations

import gzip
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from engine import check as checking
from engine import cli, mappings
from engine.codes import codes
from tests.parsers import audit_messages, fhir_resources, xds_messages
from tests.parsers.audit_messages import audit

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "config" / "logs"
VALUES = (
    "1.2.250.1.999",
    "285017511867881",
    "290067599900261",
    "990000000042",
    "IPP000777",
    "Prenom",
    "CAMILLE",
    "e001",
)
MAPPING = """\
format: csv
columns: [at, word, document, set, ins, root, type, reason]
fields: {at: at, status: word, document: document, submission_set: set, ins: ins, ins_root: root, type_code: type, code: reason}
time: "%Y-%m-%d %H:%M:%S"
status: {OK: accepted, KO: refused, OTHER: ignored}
"""
LINES = """\
at;word;document;set;ins;root;type;reason
2026-03-10 16:20:05;OK;1.2.250.1.999.42.10.1;1.2.250.1.999.42.20.1;285017511867881;1.2.250.1.213.1.4.10;11490-0;
2026-03-10 16:21:05;OTHER;;;;;;
2026-03-10 16:22:05;KO;1.2.250.1.999.42.10.2;1.2.250.1.999.42.20.2;290067599900261;1.2.250.1.213.1.4.8;11502-2;XDSUnknownPatientId
2026-03-10 16:23:05;;;;;;;
2026-03-10 16:24:05;OK;1.2.250.1.999.42.10.3;;;;CAMILLE;
"""


def shown(folder: Path, data: bytes, *, name: str = "a.xml", **options: Any) -> list[dict[str, Any]]:
    """The JSON objects for one file, each as it is printed."""
    path = folder / name
    path.write_bytes(data)
    return [
        json.loads(json.dumps(checking.to_json(result), ensure_ascii=False))
        for result in checking.check([path], **options)
    ]


def mapping(folder: Path) -> Path:
    """A mapping and its sample line."""
    path = folder / "mapping.yaml"
    path.write_text(MAPPING)
    path.with_suffix(".sample").write_text(
        f"# expect: accepted (document, submission_set, ins)\n{LINES.splitlines()[1]}\n"
    )
    return path


class TestAudit:
    """ATNA, in syslog or not."""

    @pytest.mark.parametrize(
        ("data", "form"),
        [(audit(), "atna"), (audit_messages.fixture("iti-41.syslog"), "syslog")],
    )
    def test_object(self, tmp_path: Path, data: bytes, form: str) -> None:
        """It names no document, and is joined by its submission set: it can only confirm what another trace names."""
        (found,) = shown(tmp_path, data)
        assert set(found) == {"file", "format", "ok", "message", "problems", "submissions", "outcomes"}
        assert (found["format"], found["ok"], found["message"], found["problems"]) == (form, True, "ITI-41 audit", [])
        (submission,) = found["submissions"]
        assert (submission["trace"], submission["named_by"], submission["joined_by"]) == (
            "audit",
            [],
            ["submission_set"],
        )
        assert submission["ins"] == {"present": True, "oid": "1.2.250.1.213.1.4.10", "test": True, "qualified": False}
        (outcome,) = found["outcomes"]
        assert (outcome["accepted"], outcome["code"], outcome["joined_by"]) == (True, "", ["submission_set"])
        assert "advice" not in outcome

    def test_refusal_says_what_to_do(self, tmp_path: Path) -> None:
        """A refusal has its code, what it means and what to do, in French."""
        (found,) = shown(tmp_path, audit(outcome="8"))
        (outcome,) = found["outcomes"]
        assert (outcome["accepted"], outcome["code"]) == (False, "audit-8")
        assert "audit" in outcome["label"]
        assert len(outcome["advice"]) > 20

    def test_test_ins_counts_where_it_is_allowed(self, tmp_path: Path) -> None:
        """Submitting under an INS states that it is qualified; a test INS only where test INS count."""
        (found,) = shown(tmp_path, audit(), allow_test_ins=True)
        assert found["submissions"][0]["ins"]["qualified"]
        (found,) = shown(tmp_path, audit(patients=(audit_messages.IPP_CX,)), allow_test_ins=True)
        assert not found["submissions"][0]["ins"]["present"]
        assert not found["submissions"][0]["ins"]["qualified"]

    def test_unreadable(self, tmp_path: Path) -> None:
        """An audit message that is cut is one that cannot be read, with its code and place."""
        (found,) = shown(tmp_path, audit()[:-20])
        assert (found["format"], found["ok"]) == ("atna", False)
        assert {problem["code"] for problem in found["problems"]} <= codes().keys()
        assert "submissions" not in found


class TestTransactions:
    """ITI-41, ITI-57, ITI-18 and their responses."""

    def test_request(self, tmp_path: Path) -> None:
        """A request in MTOM with its HTTP head names its document, shows its CDA, and says what its answer is joined by."""
        for allowed in (False, True):
            (found,) = shown(tmp_path, xds_messages.request(), name="a.http", allow_test_ins=allowed)
            assert (found["format"], found["ok"], found["message"], found["problems"]) == ("xds", True, "ITI-41", [])
            assert found["outcomes"] == []
            (submission,) = found["submissions"]  # the signature of the lot is no document
            assert submission == {
                "trace": "transaction",
                "named_by": ["id", "set_id", "hash"],
                "joined_by": ["message_id", "submission_set"],
                "request": "initial",
                "type_code": "11490-0",
                "kind": "ldl-ses",
                "body": "cda",
                "level": 1,
                "declared_level": 1,
                "ins": {"present": True, "oid": "1.2.250.1.213.1.4.10", "test": True, "qualified": allowed},
                "stay": False,
            }

    def test_another_ins_inside(self, tmp_path: Path) -> None:
        """A CDA under another INS than its metadata is qualified for nobody; metadata alone are believed."""
        patient = "140057599900124^^^&1.2.250.1.213.1.4.8&ISO^NH"
        objects = (xds_messages.entry(patient=patient), xds_messages.submission_set(patient=patient))
        (found,) = shown(tmp_path, xds_messages.request(*objects))
        assert (found["submissions"][0]["body"], found["submissions"][0]["ins"]["qualified"]) == ("cda", False)
        (found,) = shown(tmp_path, xds_messages.plain(*objects))
        (submission,) = found["submissions"]
        assert (submission["body"], submission["level"], submission["declared_level"]) == ("unseen", 0, 1)
        assert submission["ins"]["qualified"]

    def test_replacement_and_deletion(self, tmp_path: Path) -> None:
        """What a request does to a document is told; a deletion names it by the DMP's own name alone."""
        replaces = xds_messages.association(xds_messages.REPLACES, "Document01", xds_messages.FORMER)
        (found,) = shown(tmp_path, xds_messages.plain(xds_messages.entry(), xds_messages.submission_set(), replaces))
        assert found["submissions"][0]["request"] == "replacement"
        (found,) = shown(tmp_path, xds_messages.deletion(xds_messages.removal()))
        (submission,) = found["submissions"]
        assert (found["message"], submission["request"], submission["named_by"]) == ("ITI-57", "deletion", ["entry"])

    def test_response(self, tmp_path: Path) -> None:
        """A refusal has its code and what to do; a file with the request and its response is both."""
        refused = xds_messages.answer(xds_messages.registry("Failure", ("XDSUnknownPatientId", "Error")))
        (found,) = shown(tmp_path, refused)
        assert (found["message"], found["submissions"]) == ("ITI-41 response", [])
        (outcome,) = found["outcomes"]
        assert (outcome["accepted"], outcome["layer"], outcome["code"]) == (False, "dmp", "XDSUnknownPatientId")
        assert outcome["joined_by"] == ["message_id"]
        assert outcome["label"]
        assert outcome["advice"]
        both = xds_messages.request() + b"\r\n" + xds_messages.respond("200 OK", refused)
        found = shown(tmp_path, both, name="a.http")
        assert [len(one["submissions"]) for one in found] == [1, 0]
        assert [len(one["outcomes"]) for one in found] == [0, 1]

    @pytest.mark.parametrize("folder", ["dmp", "fhir", "atna"])
    def test_fixtures(self, folder: str) -> None:
        """Every file of the samples is read, whatever its name."""
        path = ROOT / "fixtures" / folder
        results = list(checking.check([path]))
        assert {Path(result.file) for result in results} == set(path.iterdir())
        assert {result.format for result in results} <= {"xds", "fhir", "atna", "syslog"}
        assert all(result.ok for result in results)

    def test_names_of_the_dmp(self) -> None:
        """What the DMP calls its documents, in an ITI-18 response, is counted."""
        results = list(checking.check([xds_messages.DMP]))
        assert sum(result.trace.entries for result in results if result.trace is not None) == 1
        assert any(checking.to_json(result).get("entries") == 1 for result in results)

    def test_a_lone_cda_stays_one(self) -> None:
        """A CDA that is XML too is read as a document, whatever other XML is a trace."""
        results = list(checking.check([ROOT / "fixtures" / "cda"]))
        assert {result.format for result in results} == {"cda"}
        assert all(result.trace is None for result in results)


class TestFhir:
    """ITI-65, its responses and audit events."""

    def test_request_and_response(self, tmp_path: Path) -> None:
        """A bundle names its document and its submission set; its response is joined by the id of the request."""
        payload = fhir_resources.asked() + fhir_resources.data(fhir_resources.request())
        (found,) = shown(tmp_path, payload, name="a.json", allow_test_ins=True)
        assert (found["format"], found["ok"]) == ("fhir", True)
        (submission,) = found["submissions"]
        assert {"id", "hash"} <= set(submission["named_by"])
        assert {"message_id", "submission_set"} <= set(submission["joined_by"])
        assert (submission["type_code"], submission["body"], submission["level"]) == ("11490-0", "cda", 1)
        assert submission["ins"]["qualified"]
        payload = fhir_resources.answered() + fhir_resources.data(fhir_resources.response())
        (found,) = shown(tmp_path, payload, name="a.json")
        assert [(one["accepted"], one["joined_by"]) for one in found["outcomes"]] == [(True, ["message_id"])]

    def test_lines(self, tmp_path: Path) -> None:
        """NDJSON is as many messages as it has lines."""
        one = fhir_resources.data(fhir_resources.audit_event())
        two = fhir_resources.data(fhir_resources.audit_event(outcome="8"))
        found = shown(tmp_path, one + b"\n" + two + b"\n", name="a.ndjson")
        assert [(each["format"], each["ok"], len(each["submissions"])) for each in found] == [("fhir", True, 1)] * 2
        assert [each["outcomes"][0]["accepted"] for each in found] == [True, False]

    def test_other_json(self, tmp_path: Path) -> None:
        """JSON that is no FHIR cannot be read when it is named, and is passed over in a folder."""
        (found,) = shown(tmp_path, b'{"a": 1}', name="a.json")
        assert (found["format"], found["ok"]) == ("fhir", False)
        (tmp_path / "b.json").write_bytes(fhir_resources.data(fhir_resources.audit_event()))
        assert [Path(one.file).name for one in checking.check([tmp_path])] == ["b.json"]


class TestLog:
    """Lines of a log, with their mapping."""

    @pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
    def test_lines(self, tmp_path: Path, name: str) -> None:
        """Each line that is not passed over is one object, with its number; the header and ignored lines are none."""
        data = gzip.compress(LINES.encode()) if name.endswith(".gz") else LINES.encode()
        found = shown(tmp_path, data, name=name, mapping=mappings.load(mapping(tmp_path)))
        assert [(one["file"].rpartition(":")[2], one["format"], one["ok"]) for one in found] == [
            ("2", "log", True),
            ("4", "log", True),
            ("5", "log", False),
            ("6", "log", True),
        ]
        named, refused, wrong, answer = found
        (submission,) = named["submissions"]
        assert (submission["trace"], submission["named_by"], submission["joined_by"]) == (
            "log",
            ["id"],
            ["submission_set"],
        )
        assert (submission["type_code"], submission["kind"], submission["body"]) == ("11490-0", "ldl-ses", "unseen")
        assert not submission["ins"]["qualified"]
        assert refused["submissions"][0]["ins"]["qualified"]
        assert refused["outcomes"][0]["code"] == "XDSUnknownPatientId"
        assert [problem["code"] for problem in wrong["problems"]] == ["log-status-missing"]
        assert answer["submissions"] == []
        assert answer["outcomes"][0]["joined_by"] == ["document"]

    def test_damaged(self, tmp_path: Path) -> None:
        """A compressed log that is cut is told as unreadable after the lines that could be read."""
        found = shown(
            tmp_path, gzip.compress(LINES.encode())[:-9], name="a.gz", mapping=mappings.load(mapping(tmp_path))
        )
        assert [problem["code"] for problem in found[-1]["problems"]] == ["file-unreadable"]

    def test_command(self, tmp_path: Path) -> None:
        """--log-mapping reads the files as logs; a mapping whose samples fail is one clear error."""
        path = mapping(tmp_path)
        lines = tmp_path / "lines.log"
        lines.write_text("".join(LINES.splitlines(keepends=True)[:4]))
        run = CliRunner().invoke(cli.main, ["check", "--json", "--log-mapping", str(path), str(lines)])
        assert run.exit_code == 0, run.output
        assert [json.loads(line)["format"] for line in run.stdout.splitlines()] == ["log", "log"]
        path.with_suffix(".sample").write_text(f"# expect: refused\n{LINES.splitlines()[1]}\n")
        assert CliRunner().invoke(cli.main, ["check", "--log-mapping", str(path), str(lines)]).exit_code == 3

    @pytest.mark.parametrize("name", sorted(path.stem for path in LOGS.glob("*.yaml")))
    def test_shipped_mappings(self, tmp_path: Path, name: str) -> None:
        """The shipped mappings read their own sample lines."""
        lines = [line for line in (LOGS / f"{name}.sample").read_text().splitlines(keepends=True) if line[:2] != "# "]
        found = shown(tmp_path, "".join(lines).encode(), name="a.log", mapping=mappings.load(LOGS / f"{name}.yaml"))
        assert found
        assert all(one["format"] == "log" and one["ok"] for one in found)
        assert any(one["outcomes"] for one in found)


def test_folder(tmp_path: Path) -> None:
    """In a folder a trace is recognised by what it holds, whatever its name; other files are passed over."""
    for name, data in {
        "dump-1": audit(),
        "b.log": audit_messages.fixture("iti-41.syslog"),
        "c.md": b"# AuditMessage",
    }.items():
        (tmp_path / name).write_bytes(data)
    found = [(Path(each.file).name, each.format) for each in checking.check([tmp_path])]
    assert found == [("b.log", "syslog"), ("dump-1", "atna")]


def test_render(tmp_path: Path) -> None:
    """The table for people tells what is joined by what and each remedy once, and shows no value of any message."""
    dumps = {
        "a.xml": audit(),
        "b.xml": audit(outcome="8"),
        "c.xml": audit(outcome="8"),
        "d.http": xds_messages.request(),
        "e.xml": xds_messages.deletion(xds_messages.removal()),
        "f.json": fhir_resources.data(fhir_resources.request()),
    }
    for name, data in dumps.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "a.log").write_text(LINES)
    results = [
        *checking.check([tmp_path / name for name in dumps]),
        *checking.check([tmp_path / "lines"], mapping=mappings.load(mapping(tmp_path))),
    ]
    out = StringIO()
    checking.render(results, Console(file=out, width=220))
    text = out.getvalue()
    for expected in (
        "ITI-41 audit",
        "names no document; joined by submission set",
        "refused audit-8",
        "refused XDSUnknownPatientId",
        "Lettre de liaison à la sortie",
        "NIR, stated",
        "test, not counted",
        "10 read, 1 not readable",
    ):
        assert expected in text
    assert text.count("audit-8: ") == 1
    for value in VALUES:
        assert value not in text
    shown = json.dumps([checking.to_json(result) for result in results])
    for value in VALUES:
        assert value not in shown


WHOLE = (audit(), xds_messages.request(), fhir_resources.data(fhir_resources.request()))


@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.sampled_from(WHOLE), st.integers(0, 9_000), st.binary(max_size=3)).map(
            lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :]
        ),
        st.tuples(st.sampled_from(WHOLE), st.integers(0, 9_000)).map(lambda cut: cut[0][: cut[1]]),
    )
)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever the bytes, cut or with a byte changed: objects with declared codes."""
    folder = tmp_path_factory.mktemp("any")
    known = codes() | checking.CODES
    for found in shown(folder, data):
        assert {problem["code"] for problem in found["problems"]} <= known.keys()
