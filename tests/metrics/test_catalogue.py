"""The catalogue says what the programme says, and nothing that the rules do not know."""

from functools import cache
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.ledger.tallies import INDICATORS
from engine.metrics import catalogue, existence
from engine.metrics.rules.verdict import MAIL_WAY, WAY
from engine.metrics.values import DIRECTORY

DOCUMENTS = ("DS1.1", "DS1.2", "DS1.3", "DS1.4", "DS2.1", "DS3.1")
UNANSWERED = ("awaiting_answer", "not_answered")
APPLICATIONS = ("not_connected", "not_acknowledged", "ins_not_proven")

SMALL = """\
units:
  stay: { one: séjour, many: séjours }
sources:
  guide: Un guide
reasons:
  not_produced: { label: Non produit, advice: Le produire. }
  rejected: { label: Rejeté, advice: Le renvoyer. }
variants:
  sent:
    label: '{label} - envoyés'
    title: '{title}, envoyés'
    numerator: comme {id}, envoyés
    denominator: '{denominator}'
    without: [rejected]
indicators:
  - id: DS1.1
    programme: SUN-ES
    domain: Volet 1
    label: Lettres
    title: Lettres
    unit: stay
    numerator: séjours avec lettre
    denominator: séjours
    target: { status: unconfirmed, note: inconnue }
    period: months
    period_note: trois mois
    frequency: semestrielle
    reasons: [not_produced, rejected]
    advice: { rejected: Le renvoyer vite. }
    variants: [sent]
    sources: [guide]
"""


@cache
def shipped() -> catalogue.Catalogue:
    """The catalogue of the repository."""
    return catalogue.load()


class TestShipped:
    """config/indicators.yaml."""

    def test_holds_every_indicator_and_variant(self) -> None:
        """The indicators of docs/rules.md, each followed by its variants."""
        proofs = ("accepted", "sent", "taken")
        expected = ["P1.1", "P1.3", "D2.2", *(f"D2.2_{name}" for name in ("active", *proofs))]
        expected += ["D6.1", *(f"D6.1_{name}" for name in ("active", "any", *proofs))]
        for indicator in DOCUMENTS:
            weaker = () if indicator == "DS1.4" else ("_eligible", "_accepted", "_sent", "_taken")
            more = {"DS1.2": ("_prescribed",), "DS1.3": ("_all_stays",)}.get(indicator, ())
            expected += [indicator, *(indicator + suffix for suffix in (*weaker, *more))]
        expected += [
            "D6.3",
            "D6.3_delivered",
            "DS4.1",
            "DS4.1_delivered",
            "DS4.1_directory",
            "DS4.2",
            "DS4.2_delivered",
            *existence.INDICATORS,
        ]

        assert list(shipped().ids) == expected

    def test_is_what_the_engine_counts(self) -> None:
        """Every rate that is tallied has its entry, and every entry is counted."""
        assert set(shipped().ids) == {*INDICATORS, *existence.INDICATORS, DIRECTORY, "P1.1", "P1.3"}

    def test_targets_are_those_that_a_document_confirms(self) -> None:
        """0.80 for P1.1 and P1.3, 0.98 for D2.2 and D6.1, 0.60 for D6.3, yes for what is yes or no; none for a DS indicator, whose value no public source gives."""
        confirmed = {entry.id: entry.target for entry in shipped() if entry.target is not None}

        rates = {"P1.1": 0.80, "P1.3": 0.80, "D2.2": 0.98, "D6.1": 0.98, "D6.3": 0.60}
        assert confirmed == rates | dict.fromkeys(existence.INDICATORS, 1.0)
        assert {shipped()[name].target_status for name in DOCUMENTS} == {"unconfirmed"}
        assert {entry.target_status for entry in shipped() if entry.variant_of} == {"none"}

    def test_reasons_follow_the_way_of_a_document(self) -> None:
        """The list of each indicator is the rules' own way, in its order, without what cannot happen."""
        for entry in shipped():
            codes = shipped().reasons(entry.id)
            mailed = entry.id.startswith(("D6.3", "DS4."))
            way = APPLICATIONS if entry.unit == "application" else MAIL_WAY if mailed else WAY
            way = existence.WAY if entry.kind == "existence" else way
            assert list(codes) == [reason for reason in way if reason in codes]

    @pytest.mark.parametrize(
        ("indicator", "absent"),
        [
            ("DS1.1", {"level_unknown"}),
            ("DS1.1_accepted", {"level_unknown"}),
            ("DS1.2_prescribed", {"level_unknown", "not_produced"}),
            ("DS1.1_sent", {"level_unknown", "not_submitted", *UNANSWERED, "not_named", "rejected"}),
            ("DS1.1_taken", {"level_unknown", *UNANSWERED, "not_named", "rejected"}),
            ("DS1.4", {"level_unknown", "not_cda", "wrong_level"}),
            ("DS2.1", {"not_produced"}),
            ("DS3.1", {"level_unknown", "not_produced"}),
        ],
    )
    def test_reasons_that_cannot_happen_are_not_listed(self, indicator: str, absent: set[str]) -> None:
        """What docs/rules.md excludes for an indicator is not in its list."""
        assert set(WAY) - set(shipped().reasons(indicator)) == absent

    def test_every_reason_says_what_to_do(self) -> None:
        """A label and a sentence of advice, in French, for each reason of each entry."""
        for entry in shipped():
            for reason in entry.reasons:
                assert reason.label
                assert reason.advice.endswith(".")

    def test_words_have_no_hole(self) -> None:
        """Every placeholder of a variant was filled."""
        for entry in shipped():
            words = " ".join((entry.label, entry.title, entry.formula, *entry.assumptions))
            assert "{" not in words

    def test_asks_for_nothing_unknown(self) -> None:
        """An id that is not in the catalogue has no reason and no target."""
        assert "DS9.9" not in shipped()
        assert shipped().reasons("DS9.9") == ()
        assert shipped().target("DS9.9") is None


class TestLoad:
    """A catalogue that is wrong is refused with its line and its mend."""

    def read(self, folder: Path, text: str) -> catalogue.Catalogue:
        """The catalogue of a text."""
        path = folder / "indicators.yaml"
        path.write_text(text, encoding="utf-8")
        return catalogue.load(path)

    def test_a_variant_says_what_it_changes(self, tmp_path: Path) -> None:
        """Its words are filled from the indicator, its reasons are fewer, its target is none."""
        sent = self.read(tmp_path, SMALL)["DS1.1_sent"]

        assert (sent.label, sent.numerator) == ("Lettres - envoyés", "comme DS1.1, envoyés")
        assert [reason.code for reason in sent.reasons] == ["not_produced"]
        assert (sent.variant_of, sent.target, sent.target_status) == ("DS1.1", None, "none")

    def test_advice_of_an_indicator_wins(self, tmp_path: Path) -> None:
        """What an indicator says of a reason replaces what is said of it in general."""
        reasons = self.read(tmp_path, SMALL)["DS1.1"].reasons

        assert [reason.advice for reason in reasons] == ["Le produire.", "Le renvoyer vite."]

    @pytest.mark.parametrize(
        ("good", "bad", "mend"),
        [
            ("reasons: [not_produced, rejected]", "reasons: [not_producd, rejected]", "not_produced"),
            ("sources: [guide]", "sources: [guid]", "guide"),
            ("variants: [sent]", "variants: [send]", "sent"),
            ("without: [rejected]", "without: [reject]", "rejected"),
            ("comme {id}", "comme {ident}", "id"),
            ("advice: { rejected: Le", "advice: { deleted: Le", "rejected"),
            ("    period: months", "    perod: months", "period"),
            ("id: DS1.1", "id: DS11", "DS1.1"),
            ("status: unconfirmed", "status: sure", "one of: confirmed, unconfirmed"),
        ],
    )
    def test_a_wrong_word_is_refused_on_its_line(self, tmp_path: Path, good: str, bad: str, mend: str) -> None:
        """The error names the file, the line of the word and the nearest known one."""
        text = SMALL.replace(good, bad, 1)
        line = next(number for number, words in enumerate(text.splitlines(), 1) if bad in words)
        with pytest.raises(ConfigError) as caught:
            self.read(tmp_path, text)

        assert caught.value.line == line
        assert mend in caught.value.mend

    @pytest.mark.parametrize(
        ("status", "value"), [("confirmed", ""), ("unconfirmed", ", value: 0.5"), ("confirmed", ", value: 80.0")]
    )
    def test_a_target_is_confirmed_with_its_value_or_has_none(self, tmp_path: Path, status: str, value: str) -> None:
        """A number without a document, a document without a number and a percentage are refused."""
        with pytest.raises(ConfigError):
            self.read(tmp_path, SMALL.replace("status: unconfirmed", f"status: {status}{value}"))

    def test_an_indicator_given_twice_is_refused(self, tmp_path: Path) -> None:
        """Two entries of one id are an error on the second."""
        entry = SMALL[SMALL.index("  - id: DS1.1") :]
        with pytest.raises(ConfigError, match="given twice"):
            self.read(tmp_path, SMALL + entry)

    def test_a_missing_file_is_one_error(self, tmp_path: Path) -> None:
        """A path that leads nowhere is an error that names it."""
        with pytest.raises(ConfigError, match="cannot be read"):
            catalogue.load(tmp_path / "nothing.yaml")
