"""Document types of the CI-SIS and their kinds."""

from __future__ import annotations

import pytest

from engine.parsers import kinds


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("11490-0", "ldl-ses"),
        ("57833-6", "prescription"),
        ("57828-6", "prescription"),
        ("57832-8", "prescription"),
        ("PRESC-BIO", "prescription"),
        ("presc-kine", "prescription"),
        ("29551-9", "prescription"),
        ("34874-8", "cr-operatoire"),
        ("11502-2", "cr-bio"),
        ("18748-4", "cr-imagerie"),
        ("IMG-KOS", "kos"),
        ("E1762", "signature"),
        ("DOCPAT05", "patient"),
        ("EXPPAT_1", "patient"),
        # What resembles them and is not.
        ("83981-1", "other"),
        ("18761-7", "other"),
        ("34875-5", "other"),
        ("60568-3", "other"),
        ("34112-3", "other"),
        ("61357-0", "other"),
        ("", "other"),
        ("nothing of the sort", "other"),
    ],
)
def test_kind_of_a_code(code: str, kind: str) -> None:
    """The type code alone gives the kind."""
    assert kinds.kind(code) == kind


def test_table_is_whole() -> None:
    """JDV_J07 of June 2026 has 122 codes: 35 of TRE_A05, 86 of LOINC, and the signature."""
    current = [entry for entry in kinds.TABLE.values() if entry.current]
    assert len(current) == 122
    assert sum(entry.system == kinds.LOINC for entry in current) == 86
    assert all(entry.label for entry in current)
    assert {entry.kind for entry in kinds.TABLE.values()} == set(kinds.KINDS)


def test_labels() -> None:
    """A known code has its official label; another one is its own label."""
    assert kinds.label("11490-0") == "Lettre de liaison à la sortie d'un établissement de soins"
    assert kinds.label("29551-9") == "29551-9"
    assert kinds.label("99999-9") == "99999-9"


def test_required_level() -> None:
    """Only biology asks for level 3; what is never counted asks for nothing."""
    assert [kinds.required_level(kind) for kind in ("cr-bio", "ldl-ses", "other", "kos", "signature")] == [
        3,
        1,
        1,
        0,
        0,
    ]
