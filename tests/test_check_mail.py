"""``jauge check`` on mails: what they are, whom they go to by kind, what is wrong with their XDM, and nothing personal."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from engine import check as checking
from tests.parsers import xdm_archives as build
from tests.parsers.mails import CITIZEN, attached, plain, text
from tests.parsers.mails import mail as write

MAILS = Path(__file__).resolve().parents[1] / "fixtures" / "mail"
VALUES = (
    "290067599900261",
    "279035121518989",
    "sacha",
    "sorties",
    "mssante.fr",
    "CAMILLE",
    "EXEMPLE",
    "SUBSET",
    "IHE_XDM",
    "20260310",
    "1.2.250.1.999",
)


def shown(*paths: Path, **options: Any) -> list[dict[str, Any]]:
    """The JSON objects of these files."""
    return [json.loads(json.dumps(checking.to_json(result))) for result in checking.check(paths, **options)]


def written(folder: Path, data: bytes, name: str = "a.eml") -> Path:
    """A file that holds these bytes."""
    path = folder / name
    path.write_bytes(data)
    return path


class TestObject:
    """What ``--json`` prints."""

    def test_a_sending(self) -> None:
        """Recipients by kind, the state of its XDM, its documents; the PDF beside is not missing in the archive."""
        (found,) = shown(MAILS / "letter_professional_and_citizen.eml")
        (archive,) = found.pop("archives")
        assert found == {
            "file": str(MAILS / "letter_professional_and_citizen.eml"),
            "format": "mail",
            "ok": True,
            "message": "mail",
            "problems": [],
            "recipients": {"professional": 2, "citizen": 1, "outside": 1},
            "xdm": "valid",
            "pdf": 1,
            "outcomes": [],
        }
        assert (archive["where"], archive["problems"]) == ("part 2", [])
        (document,) = archive["documents"]
        assert (document["type_code"], document["level"], document["ins"]["qualified"]) == ("11490-0", 1, True)

    @pytest.mark.parametrize(
        ("name", "state", "ok", "codes"),
        [
            ("letter_xdm_wrong_hash", "flawed", False, ["xdm-hash-differs"]),
            ("letter_xdm_damaged", "unreadable", False, ["zip-no-directory"]),
            ("letter_unnamed_octets", "valid", True, ["xdm-pdf-missing"]),
            ("letter_pdf_alone", "none", True, []),
        ],
    )
    def test_the_state_of_an_xdm(self, name: str, state: str, ok: bool, codes: list[str]) -> None:
        """Every problem is told once, in the archive when it could be opened, else beside it."""
        (found,) = shown(MAILS / f"{name}.eml")
        told = [*found["problems"], *(one for archive in found["archives"] for one in archive["problems"])]
        assert (found["xdm"], found["ok"], [one["code"] for one in told]) == (state, ok, codes)

    @pytest.mark.parametrize(
        ("name", "message", "said", "code"),
        [
            ("dsn_failed", "DSN", "refused", "5.1.1"),
            ("dsn_delivered", "DSN", "delivered", ""),
            ("mdn_read", "MDN", "read", ""),
            ("mdn_not_integrated", "MDN", "not integrated", "902"),
        ],
    )
    def test_a_receipt(self, name: str, message: str, said: str, code: str) -> None:
        """What it says, and its code."""
        (found,) = shown(MAILS / f"{name}.eml")
        assert found["message"] == message
        assert found["outcomes"] == [{"said": said, "code": code, "recipients": 1}]

    def test_an_mbox(self, tmp_path: Path) -> None:
        """An object for each of its mails; a folder is searched for them."""
        assert [one["recipients"] for one in shown(MAILS / "sent.mbox")] == [
            {"citizen": 1},
            {"professional": 1},
            {"professional": 1},
        ]
        written(tmp_path, (MAILS / "sent.mbox").read_bytes(), "Sent")
        written(tmp_path, b"Dear reader: hello", "notes.md")
        assert [one["format"] for one in shown(tmp_path)] == ["mail"] * 3

    def test_a_trial_ins(self, tmp_path: Path) -> None:
        """Counts as one only when asked for."""
        raw = write(text(), attached(build.archive(build.files(DOC00001_XML=build.CDA))))
        path = written(tmp_path, raw)
        for allowed in (False, True):
            (found,) = shown(path, allow_test_ins=allowed)
            assert found["archives"][0]["documents"][0]["ins"]["qualified"] is allowed

    def test_refused(self, tmp_path: Path) -> None:
        """A mail that is not read has its code and place."""
        boxes = ", ".join(f"a{number}@b.example" for number in range(5_001))
        (found,) = shown(written(tmp_path, plain(To=f"a@b.example, {boxes}")))
        assert (found["format"], found["ok"]) == ("mail", False)
        assert found["problems"] == [{"code": "mail-too-many-recipients", "where": "To"}]


class TestPeople:
    """What a person reads."""

    def rendered(self, *paths: Path) -> str:
        """The page, as a wide terminal shows it."""
        out = StringIO()
        checking.render(list(checking.check(paths)), Console(file=out, width=240))
        return out.getvalue()

    def test_a_page(self) -> None:
        """Sendings, archives, documents, outcomes, and what each code means."""
        page = self.rendered(MAILS)
        for words in (
            "to 2 professional, 1 citizen, 1 outside; XDM valid, 1 PDF beside",
            "XDM part 2",
            "CDA zip[3]/…[1]",
            "NIR, qualified",
            "refused 5.1.1",
            "not integrated 902",
            "error xdm-hash-differs",
            "zip-no-directory (part 2 zip)",
            "15 read, 2 with errors.",
        ):
            assert words in page

    def test_nothing_personal(self, tmp_path: Path) -> None:
        """No address, subject, name, number or file name inside is shown, in any of the forms."""
        odd = written(tmp_path, plain(To=f"{CITIZEN}, 279035121518989x@patient.mssante.fr", From="CAMILLE"))
        page = self.rendered(odd, *sorted(MAILS.glob("*.eml"))) + json.dumps(shown(odd, *MAILS.glob("*.eml")))
        page = page.replace(str(MAILS), "").replace(str(tmp_path), "")
        assert not [value for value in VALUES if value in page]
