"""The table of errors says of every code what it means and what to do, and refuses what is wrong in it."""

from functools import cache
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.metrics import remedies
from engine.parsers import names

OWN = """\
codes:
  DMP-042: { kind: identity, label: DMP clos, advice: Vérifier l'INS. }
  XDSRegistryError: { kind: retry, label: Registre en panne }
kinds:
  retry: { label: Passager, advice: Attendre. }
"""


@cache
def shipped() -> remedies.Remedies:
    """The table of the repository."""
    return remedies.load()


def own(folder: Path, text: str = OWN) -> remedies.Remedies:
    """The shipped table with that of a site."""
    path = folder / "errors.yaml"
    path.write_text(text, encoding="utf-8")
    return remedies.load(path)


class TestShipped:
    """config/dmp-errors.yaml."""

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("XDSUnknownPatientId", "identity"),
            ("XDSPatientIdDoesNotMatch", "identity"),
            ("XDSDuplicateUniqueIdInRegistry", "duplicate"),
            ("XDSRegistryDuplicateUniqueIdInMessage", "duplicate"),
            ("XDSRepositoryDuplicateUniqueIdInMessage", "duplicate"),
            ("XDSNonIdenticalHash", "duplicate"),
            ("XDSNonIdenticalSize", "duplicate"),
            ("XDSRegistryMetadataError", "content"),
            ("XDSRepositoryMetadataError", "content"),
            ("XDSMissingDocument", "content"),
            ("XDSMissingDocumentMetadata", "content"),
            ("InvalidDocumentContent", "content"),
            ("XDSExtraMetadataNotSaved", "content"),
            ("XDSRegistryDeprecatedDocumentError", "replacement"),
            ("UnresolvedReferenceException", "replacement"),
            ("XDSReplaceFailed", "replacement"),
            ("PartialReplaceContentNotProcessed", "replacement"),
            ("XDSRegistryBusy", "retry"),
            ("XDSRepositoryBusy", "retry"),
            ("XDSRegistryNotAvailable", "retry"),
            ("XDSRegistryOutOfResources", "retry"),
            ("XDSRepositoryOutOfResources", "retry"),
            ("DocumentQueued", "retry"),
            ("UnknownRecipient", "recipient"),
            ("UnavailableRecipient", "recipient"),
            ("XDSRegistryError", "other"),
            ("XDSRepositoryError", "other"),
            ("audit-4", "other"),
            ("audit-12", "technical"),
            ("soap-fault", "technical"),
            ("http-error", "technical"),
            ("AE", "technical"),
            ("101", "technical"),
            ("206", "retry"),
            ("207", "other"),
            ("903", "identity"),
            ("http-409", "duplicate"),
            ("http-422", "content"),
            ("throttled", "retry"),
        ],
    )
    def test_a_public_code_is_known_by_its_kind(self, code: str, kind: str) -> None:
        """The codes of the XDS responses, of the audits, of the transport and of HL7 have their kind."""
        assert code in shipped()
        assert shipped().kind(code) == kind

    def test_every_code_says_what_to_do(self) -> None:
        """A label, and an advice that is a sentence, for each."""
        for code in shipped().codes:
            assert shipped().label(code)
            assert shipped().advice(code).endswith(".")

    def test_every_code_can_be_met(self) -> None:
        """A parser lets each of them through: none is turned into `other` on its way."""
        assert [code for code in shipped().codes if names.code(code) != code] == []

    def test_an_unknown_code_keeps_its_name_and_has_general_advice(self) -> None:
        """What the table lacks is shown as it is, as another refusal; a refusal without a code is `other`."""
        assert shipped()["DMP-042"].code == "DMP-042"
        assert shipped().kind("DMP-042") == "other"
        assert shipped()[""].code == "other"
        assert "inconnu" in shipped().label("DMP-042")
        assert "inconnu" not in shipped().label("")
        assert shipped().advice("DMP-042") == shipped().advice("") != ""


class TestOwn:
    """The file of a site."""

    def test_adds_to_the_shipped_table_and_wins(self, tmp_path: Path) -> None:
        """Its codes are known beside the public ones; where both have a code, the site's word is kept."""
        table = own(tmp_path)

        assert table["DMP-042"] == remedies.Remedy("DMP-042", "identity", "DMP clos", "Vérifier l'INS.")
        assert table.label("XDSRegistryError") == "Registre en panne"
        assert len(table.codes) == len(shipped().codes) + 1

    def test_may_say_what_to_do_for_a_kind(self, tmp_path: Path) -> None:
        """An advice of the site's for a kind is that of every code of the kind without one of its own."""
        table = own(tmp_path)

        assert table.advice("XDSRegistryError") == table.advice("XDSRegistryBusy") == "Attendre."
        assert table.advice("DocumentQueued") == shipped().advice("DocumentQueued")

    @pytest.mark.parametrize(
        ("good", "bad", "mend"),
        [
            ("kind: identity", "kind: identty", "identity"),
            ("label: DMP clos,", "", "label"),
            ("label: DMP clos", "libelle: DMP clos", "label"),
            ("DMP-042:", "'un code':", "letters"),
            ("DMP-042:", "'1234567890':", "letters"),
            ("DMP-042:", "other:", "letters"),
            ("  retry: {", "  retri: {", "retry"),
        ],
    )
    def test_a_wrong_line_is_refused_where_it_is(self, tmp_path: Path, good: str, bad: str, mend: str) -> None:
        """The error has a line, and says how to mend it."""
        with pytest.raises(ConfigError) as caught:
            own(tmp_path, OWN.replace(good, bad, 1))

        assert caught.value.line > 0
        assert mend in caught.value.mend

    def test_a_code_that_is_no_code_is_not_repeated(self, tmp_path: Path) -> None:
        """A long number written where a code should be may be somebody's: the error does not show it."""
        with pytest.raises(ConfigError) as caught:
            own(tmp_path, OWN.replace("DMP-042", "'285017511867881'"))

        assert "285017511867881" not in str(caught.value)

    def test_a_table_without_end_is_refused(self, tmp_path: Path) -> None:
        """Each code is a series of /metrics: there are not thousands of them."""
        lines = "".join(f"  C{n}: {{ kind: other, label: Un }}\n" for n in range(remedies.MOST_CODES + 1))
        with pytest.raises(ConfigError, match="more than"):
            own(tmp_path, f"codes:\n{lines}")

    def test_a_missing_file_is_one_error(self, tmp_path: Path) -> None:
        """A path that leads nowhere is an error that names it."""
        with pytest.raises(ConfigError, match="cannot be read"):
            remedies.load(tmp_path / "nothing.yaml")
