"""``jauge check`` on XDM archives: what they hold, what is wrong with them, and nothing personal."""

from __future__ import annotations

import json
import os
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from engine import check as checking
from engine import check_xdm, cli
from engine.parsers import xdm
from tests.parsers import ihe_xdm_checker
from tests.parsers import xdm_archives as build

VALUES = ("290067599900261", "1.2.250.1.999", "CAMILLE", "EXEMPLE", "SUBSET", "DOC0", "20260310")


def shown(path: Path, **options: Any) -> list[dict[str, Any]]:
    """The JSON objects for one path, each as it is printed."""
    return [json.loads(json.dumps(checking.to_json(result))) for result in checking.check([path], **options)]


def written(folder: Path, data: bytes, name: str = "a.zip") -> Path:
    """A file that holds these bytes."""
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", build.samples())
def test_samples(name: str) -> None:
    """The archives of fixtures/xdm hold what the builder of the tests gives; the second opinion finds fault with one alone."""
    path, wanted = build.XDM / name, build.samples()[name]
    if os.environ.get("JAUGE_UPDATE"):
        path.write_bytes(build.archive(wanted))
    with zipfile.ZipFile(path) as archive:
        assert {info: archive.read(info) for info in archive.namelist()} == wanted
    found = ihe_xdm_checker.check(path.read_bytes())
    assert found == (["the hash of an entry is not that of its file"] if "wrong_hash" in name else [])


class TestObject:
    """What ``--json`` prints."""

    def test_a_good_archive(self) -> None:
        """Its documents with type, level and INS, and what is worth knowing."""
        (found,) = shown(build.XDM / "ldl_ses_n1.zip")
        assert found == {
            "file": str(build.XDM / "ldl_ses_n1.zip"),
            "format": "xdm",
            "ok": True,
            "problems": [{"code": "xdm-pdf-copy", "where": "zip[5]", "severity": "info"}],
            "sets": 1,
            "deletes": False,
            "documents": [
                {
                    "where": "zip[3]/ExtrinsicObject[1]",
                    "format": "cda",
                    "ok": True,
                    "problems": [],
                    "type_code": "11490-0",
                    "kind": "ldl-ses",
                    "level": 1,
                    "ins": {
                        "present": True,
                        "oid": "1.2.250.1.213.1.4.8",
                        "test": False,
                        "key_valid": True,
                        "qualified": True,
                    },
                    "copy": False,
                    "action": "",
                }
            ],
        }

    def test_a_wrong_one(self) -> None:
        """An error in it makes it wrong, though it is read."""
        (found,) = shown(build.XDM / "ldl_ses_n1_wrong_hash.zip")
        assert not found["ok"]
        assert {"code": "xdm-hash-differs", "where": "zip[3]/ExtrinsicObject[1]/hash", "severity": "error"} in found[
            "problems"
        ]
        assert found["documents"][0]["ins"]["qualified"]

    def test_two_sets(self) -> None:
        """A test INS counts where it is allowed to."""
        (found,) = shown(build.XDM / "two_subsets.zip")
        assert (found["ok"], found["sets"], [one["kind"] for one in found["documents"]]) == (
            True,
            2,
            ["ldl-ses", "prescription"],
        )
        assert [one["ins"]["qualified"] for one in found["documents"]] == [False, False]
        (allowed,) = shown(build.XDM / "two_subsets.zip", allow_test_ins=True)
        assert [one["ins"]["qualified"] for one in allowed["documents"]] == [True, True]

    def test_an_ins_that_the_metadata_do_not_say(self, tmp_path: Path) -> None:
        """It is qualified for nobody."""
        one = build.entry(build.NATIONAL, unique_id="1.2.250.1.999.42.10.1002", patient=build.IPP)
        held = build.files(one, build.submission_set(patient=build.IPP), build.member(), DOC00001_XML=build.NATIONAL)
        (found,) = shown(written(tmp_path, build.archive(held)))
        assert found["documents"][0]["ins"] == {
            "present": True,
            "oid": "1.2.250.1.213.1.4.8",
            "test": False,
            "key_valid": True,
            "qualified": False,
        }

    def test_documents_that_are_no_cda(self, tmp_path: Path) -> None:
        """A PDF copy, another file, a CDA that cannot be read: each is told."""
        objects = (
            build.entry(b"<a/>"),
            build.entry(build.PDF, name="D2", uri="A.PDF", mime="application/pdf", unique_id="1.2.3.4"),
            build.entry(b"x", name="D3", uri="A.TXT", mime="text/plain", unique_id="1.2.3.5", type_code="DUPONT"),
        )
        held = build.files(*objects, DOC00001_XML=b"<a/>", A_PDF=build.PDF, A_TXT=b"x")
        (found,) = shown(written(tmp_path, build.archive(held)))
        assert [(one["format"], one["ok"], one["copy"], one["type_code"]) for one in found["documents"]] == [
            ("cda", False, False, "11490-0"),
            ("pdf", True, True, "11490-0"),
            ("other", True, False, ""),
        ]

    @pytest.mark.parametrize(
        ("data", "form", "code"),
        [
            (build.forged(*build.raws(), build.Raw(b"../DUPONT", b"x")), "xdm", "zip-name-parent"),
            (build.archive({"DUPONT.TXT": b"x"}), "unknown", "xdm-none"),
            (build.valid()[:-1], "unknown", "zip-no-directory"),
        ],
    )
    def test_what_cannot_be_read(self, tmp_path: Path, data: bytes, form: str, code: str) -> None:
        """A danger, an ordinary ZIP, one that was cut: the code, and no document."""
        (found,) = shown(written(tmp_path, data))
        assert (found["format"], found["ok"], found["problems"][0]["code"]) == (form, False, code)
        assert "documents" not in found

    def test_in_a_folder(self, tmp_path: Path) -> None:
        """Archives of a folder are read when they are XDM, whatever their names."""
        written(tmp_path, build.valid(), "mail.bin")
        written(tmp_path, build.archive({"A.TXT": b"x"}), "other.zip")
        assert [Path(one["file"]).name for one in shown(tmp_path)] == ["mail.bin"]


def test_people_see_the_worst_first() -> None:
    """A table: each document, and each problem with its severity."""
    out = StringIO()
    results = list(checking.check([build.XDM]))
    checking.render(results, Console(file=out, width=200))
    text = out.getvalue()
    for line in (
        "error xdm-hash-differs (zip[3]/ExtrinsicObject[1]/hash)",
        "XDM, 2 sets",
        "CDA zip[3]/…[1]",
        "1 error, 1 info",
        "The hash of the metadata is not the SHA-1 of the file",
        "NIR, qualified",
        "test, not qualified",
        "Ordonnance",
        "3 read, 1 with errors.",
    ):
        assert line in text
    after = text[text.rindex("wrong_hash") :]
    assert after.index("error xdm-hash-differs") < after.index("info xdm-pdf-copy (zip[5])")


def test_deletions_and_copies_are_told() -> None:
    """A request to delete is no sending, and says so; a copy is called one."""
    copy = build.entry(build.PDF, name="D2", uri="DOC00001.PDF", mime="application/pdf", unique_id="1.2.3.4")
    objects = (build.entry(), copy, build.submission_set(more=build.slot("action", "D")), build.member())
    found = check_xdm.read(build.archive(build.files(*objects, DOC00001_PDF=build.PDF)), allow_test=True)
    assert check_xdm.content(found) == "XDM, deletion"
    assert [row[1] for row in check_xdm.rows(found)] == [
        "  CDA (deletion) zip[3]/…[1]",
        "  PDF copy (deletion) zip[3]/…[2]",
    ]


def test_exit_code(tmp_path: Path) -> None:
    """0 for a good archive, 1 for one with an error."""
    good = CliRunner().invoke(cli.main, ["check", str(build.XDM / "ldl_ses_n1.zip")])
    wrong = CliRunner().invoke(cli.main, ["check", "--json", str(build.XDM / "ldl_ses_n1_wrong_hash.zip")])
    assert (good.exit_code, wrong.exit_code) == (0, 1)


@pytest.mark.parametrize("name", build.samples())
def test_nothing_personal_is_printed(tmp_path: Path, name: str) -> None:
    """Neither for people nor in JSON: no number, no name of a person or of a file inside, no time."""
    path = written(tmp_path, (build.XDM / name).read_bytes())
    out = StringIO()
    results = list(checking.check([path]))
    checking.render(results, Console(file=out, width=200))
    text = out.getvalue() + json.dumps([checking.to_json(result) for result in results]) + repr(results)
    assert not [value for value in VALUES if value in text]
    assert xdm.looks_like(path.read_bytes())
