"""``jauge explain`` tells each attempt with its traces, how they were tied and joined, and what to do about a refusal."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from engine.commands.explain import Explanation, text
from engine.facts import AUDIT, INS_NIR, LOG, AnyFact, Submission
from engine.metrics import catalogue, remedies
from engine.metrics.settings import EstablishmentRules, RuleSettings
from tests.commands.store import fill, jauge, pseudonym, site
from tests.ledger.build import INS, IPP, answer, at, document, movement
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_traces import SET, STAY, said, traced, view

LETTER = document("2026-03-05 15:00")
LINE = traced("2026-03-05 15:02", LOG, handle("message", 2))
LINE_SAYS_YES = said("2026-03-05 15:02", handle("message", 2), trace=LOG)
NOW = float(at("2026-04-01 12:00"))


def explained(*facts: AnyFact, now: float = NOW, settings: RuleSettings | None = None) -> dict[str, Any]:
    """What is explained of the one stay of some facts."""
    made = Explanation(view(*facts), settings or RuleSettings(), catalogue.load(), remedies.load(), now)
    (found,) = made.stays([0])
    json.dumps(found)
    return found


def attempts(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The attempts of the only version of the only document."""
    ((version,),) = [document["versions"] for document in found["documents"]]
    return list(version["attempts"])


def shown(found: dict[str, Any]) -> str:
    """The text of it."""
    out = StringIO()
    text([found], Console(file=out, width=200))
    return out.getvalue()


class TestAttempts:
    """One submission, whatever traces it left."""

    def test_shows_each_trace_with_how_it_was_tied(self) -> None:
        """The message by itself and the request by the document's id; the answer by the request's own key."""
        (attempt,) = attempts(explained(*STAY, LETTER, traced("2026-03-05 15:01"), said("2026-03-05 15:01")))

        assert attempt["state"] == "confirmed by the DMP"
        assert attempt["answered"] == "2026-03-05T14:01:00Z"
        assert attempt["traces"] == ["hl7", "transaction"]
        assert [(one["trace"], one["tied_by"]) for one in attempt["sendings"]] == [
            ("hl7", "own"),
            ("transaction", "document-id"),
        ]
        assert attempt["sendings"][1]["answer_found_by"] == "submission-set-or-message-id"
        assert "code" not in attempt

    def test_a_refusal_has_its_meaning_and_what_to_do(self) -> None:
        """Code, French label and advice, in the object and in the text."""
        found = explained(*STAY, LETTER, answer("2026-03-05 16:00", accepted=False, code="XDSRegistryBusy"))
        (attempt,) = attempts(found)

        assert (attempt["state"], attempt["code"]) == ("refused by the DMP", "XDSRegistryBusy")
        assert attempt["label"] == "Registre occupé"
        assert attempt["advice"] in " ".join(shown(found).split())
        (verdict,) = [one for one in found["verdicts"] if one["indicator"] == "DS1.1"]
        assert (verdict["reason"], verdict["code"]) == ("rejected", "XDSRegistryBusy")

    def test_a_failure_before_the_answer_says_which(self) -> None:
        """The platform refused the message: its code and what to do, although the DMP never answered."""
        found = explained(*STAY, LETTER, answer("2026-03-05 15:01", layer="technical", accepted=False, code="AE"))
        (attempt,) = attempts(found)

        assert (attempt["state"], attempt["code"]) == ("failed before the DMP answered", "AE")
        assert "AE" in shown(found)

    @pytest.mark.parametrize(
        ("facts", "state"),
        [
            ((LETTER,), "requested, not answered"),
            ((LETTER, answer("2026-03-05 15:01", layer="technical", code="AA")), "taken by the platform, not answered"),
            ((document("2026-03-05 15:00", dmp="N"),), "not addressed to the DMP"),
        ],
    )
    def test_a_submission_without_answer_says_how_far_it_went(self, facts: tuple[AnyFact, ...], state: str) -> None:
        """Asked for, taken, or not meant for the DMP."""
        (attempt,) = attempts(explained(*STAY, *facts))

        assert attempt["state"] == state
        assert "answered" not in attempt

    def test_a_contradiction_tells_who_holds(self) -> None:
        """The log says accepted, the response says refused: both are shown, and the refusal holds."""
        found = explained(
            *STAY, LETTER, traced("2026-03-05 15:01"), said("2026-03-05 15:01", accepted=False), LINE, LINE_SAYS_YES
        )
        (attempt,) = attempts(found)

        assert attempt["state"] == "refused by the DMP"
        assert attempt["contradictions"] == [
            {"at": "2026-03-05T14:02:00Z", "trace": "log", "said": "accepted", "holds": "transaction"}
        ]
        assert "log says accepted at 2026-03-05 15:02:00: transaction holds" in shown(found)

    def test_a_warning_is_shown_with_the_acceptance(self) -> None:
        """Accepted, and something to look at."""
        warned = said("2026-03-05 15:01", warning="XDSExtraMetadataNotSaved")
        found = explained(*STAY, traced("2026-03-05 15:01"), warned)
        (attempt,) = attempts(found)

        assert attempt["state"] == "confirmed by the DMP"
        assert attempt["warning"]["code"] == "XDSExtraMetadataNotSaved"
        assert "with a warning (XDSExtraMetadataNotSaved" in shown(found)

    def test_a_deletion_and_a_withdrawal_are_shown(self) -> None:
        """What takes a document out, by a message or by a line that says so."""
        deletion = document("2026-03-06 10:00", exchange=handle("exchange", 2), request="deletion")
        gone = said("2026-03-07 10:00", handle("document", 1), layer="withdrawal", trace=LOG)
        found = explained(*STAY, LETTER, answer("2026-03-05 16:00"), deletion, answer("2026-03-06 10:01", 2), gone)
        version = found["documents"][0]["versions"][0]

        assert [(one["at"], one["state"]) for one in version["deletions"]] == [
            ("2026-03-06T09:00:00Z", "confirmed by the DMP")
        ]
        assert version["withdrawn"] == ["2026-03-07T09:00:00Z"]
        assert "deletion 2026-03-06 10:00:00 hl7" in shown(found)
        assert "no longer in the DMP 2026-03-07 10:00:00" in shown(found)

    def test_the_body_is_the_one_that_some_trace_showed(self) -> None:
        """A version whose latest trace shows no body has that of its message."""
        found = explained(*STAY, LETTER, traced("2026-03-05 15:01"))
        version = found["documents"][0]["versions"][0]

        assert (version["body"], version["level"]) == ("cda", 1)


class TestUnnamed:
    """Submissions of an unknown document."""

    @pytest.mark.parametrize(("when", "maybe"), [("2026-03-05 15:10", True), ("2026-02-01 10:00", False)])
    def test_are_told_and_whether_they_may_be_of_the_stay(self, when: str, *, maybe: bool) -> None:
        """An audit alone since the entry may be the letter; one of the month before may not."""
        unknown = Submission(at(when), FINESS, IPP, INS, INS_NIR, SET)
        found = explained(*STAY, unknown, said(when, SET, trace=AUDIT))

        (one,) = found["unnamed"]
        assert (one["outcome"], one["may_be_of_this_stay"]) == ("accepted", maybe)
        assert ("it may be of this stay" in shown(found)) is maybe

    def test_a_refused_one_has_its_code(self) -> None:
        """The audit's own outcome code, with its meaning."""
        unknown = Submission(at("2026-03-05 15:10"), FINESS, IPP, INS, INS_NIR, SET)
        refused = said("2026-03-05 15:10", SET, trace=AUDIT, accepted=False, code="audit-8")
        (one,) = explained(*STAY, unknown, refused)["unnamed"]

        assert (one["outcome"], one["code"], one["may_be_of_this_stay"]) == ("refused", "audit-8", False)


class TestVerdicts:
    """The verdicts beside the documents."""

    @pytest.mark.parametrize(
        ("now", "reason"), [("2026-03-06 10:00", "awaiting_answer"), ("2026-04-01 10:00", "not_answered")]
    )
    def test_an_answer_is_awaited_for_a_day(self, now: str, reason: str) -> None:
        """The same stay, looked at the next morning and weeks later."""
        found = explained(*STAY, LETTER, now=float(at(now)))
        (verdict,) = [one for one in found["verdicts"] if one["indicator"] == "DS1.1"]

        assert verdict["reason"] == reason
        assert verdict["label"] != reason

    def test_each_reason_has_what_to_do_about_it(self) -> None:
        """In the object beside each verdict; in the text once for each reason, below the verdicts."""
        found = explained(*STAY)
        advice = {one["reason"]: one["advice"] for one in found["verdicts"] if one["indicator"] in {"DS1.1", "DS1.2"}}
        told = " ".join(shown(found).split())

        assert set(advice) == {"not_produced"}
        assert told.count(f"not_produced: {advice['not_produced']}") == 1

    def test_what_to_do_names_each_indicator_once(self) -> None:
        """Two letters missed by one reason: the advice is for the indicator, not for each of them."""
        told = shown(explained(*STAY, LETTER, document("2026-03-05 15:30", 3)))

        assert "\nD2.2, D6.1, DS1.1 not_answered: " in told

    def test_an_indicator_comes_before_its_variants(self) -> None:
        """The plain name first, and its variants next to it."""
        names = [one["indicator"] for one in explained(*STAY, LETTER)["verdicts"]]
        origins = [name.partition("_")[0] for name in names]

        assert origins == sorted(origins)
        assert all(names.index(f"{origin}_accepted") > names.index(origin) for origin in ("DS1.1", "DS1.2"))

    def test_the_text_has_the_hospitals_own_time(self) -> None:
        """The object keeps UTC; the text shows the clock of the establishment, and says which."""
        settings = RuleSettings(establishments={FINESS: EstablishmentRules(time_zone="America/Martinique")})
        found = explained(*STAY, LETTER, settings=settings)

        assert found["entry"].endswith("Z")
        assert "attempt 2026-03-05 10:00:00" in shown(found)
        assert "Times of America/Martinique" in shown(found)

    def test_the_proof_asked_for_is_told(self) -> None:
        """What the establishment takes as proof decides the plain name."""
        settings = RuleSettings(establishments={FINESS: EstablishmentRules(proof="sent")})
        found = explained(*STAY, LETTER, settings=settings)

        assert found["proof"] == "sent"
        verdicts = {one["indicator"]: one["verdict"] for one in found["verdicts"]}
        assert (verdicts["DS1.1"], verdicts["DS1.1_accepted"]) == ("met", "missed")


def test_the_command_knows_the_codes_of_the_site(tmp_path: Path) -> None:
    """By the visit number: the site's own code has its words, and no number comes out."""
    path = site(tmp_path)
    visit = pseudonym(path, "visit", "260004567")
    stay = [
        movement(one.event, when, n, visit=visit)
        for n, (one, when) in enumerate(zip(STAY, ("2026-03-02 10:00", "2026-03-05 14:00"), strict=True), 1)
    ]
    letter = document("2026-03-05 15:00", visit=visit)
    fill(path, *stay, letter, answer("2026-03-05 16:00", accepted=False, code="PFI-7"))
    (found,) = json.loads(jauge("explain", "260004567", "-c", path, "--json").output)
    told = jauge("explain", "260004567", "-c", path).output

    assert attempts(found)[0]["advice"] == "Ne pas renvoyer."
    assert "PFI-7: DMP clos" in told
    assert "260004567" not in told + json.dumps(found)
