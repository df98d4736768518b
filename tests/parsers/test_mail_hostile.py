"""Mails from anybody: whatever their bytes, facts or one coded error, and nothing of them in either."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes import codes, rejections
from engine.errors import ParseError
from tests.parsers.mail_reading import DOCUMENT, FIXTURES, INS, NAMES, letter, parse
from tests.parsers.mails import CITIZEN, MATRICULE, SENDER, plain

SECRETS = (
    MATRICULE,
    INS,
    "EXEMPLE",
    "CAMILLE",
    "sacha",
    "destinataire",
    "IPP000777",
    "VEN0004242",
    DOCUMENT,
    "BEGIN-SECRET",
)


class TestHostile:
    """Any bytes: facts, or a declared code; and nobody's name or number anywhere but in a pseudonym."""

    @given(
        st.sampled_from(NAMES),
        st.lists(
            st.tuples(
                st.integers(0, 6_000),
                st.sampled_from(
                    [
                        b"",
                        b"\n",
                        b"\r\n\r\n",
                        b"--M1",
                        b"\x00",
                        b"=?",
                        b"PK\x03\x04",
                        b"<",
                        b"\xff",
                        b"; ",
                        MATRICULE.encode(),
                    ]
                ),
                st.integers(0, 50),
            ),
            max_size=5,
        ),
    )
    @settings(max_examples=150)
    def test_damage(self, name: str, accidents: list[tuple[int, bytes, int]]) -> None:
        """A mail with accidents."""
        raw = (FIXTURES / "mail" / name).read_bytes()
        for at, piece, size in accidents:
            raw = raw[:at] + piece + raw[at + size :]
        check(raw)

    @given(st.binary(max_size=400))
    def test_any_bytes(self, raw: bytes) -> None:
        """Bytes."""
        check(raw)
        check(b"From: " + raw)

    @pytest.mark.parametrize(
        "value",
        [
            f"{MATRICULE}@patient.mssante.fr",
            f"{MATRICULE}x@patient.mssante.fr",
            "CAMILLE EXEMPLE",
            f'"{MATRICULE}',
            "<sacha",
            f"x; boundary={MATRICULE}",
            f"=?{MATRICULE}?Q?x?=",
        ],
    )
    @pytest.mark.parametrize(
        "field",
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message_ID",
            "Content_Type",
            "Return_Path",
            "X_Envelope_To",
            "Auto_Submitted",
        ],
    )
    def test_secrets(self, field: str, value: str) -> None:
        """Wherever a value stands, it is not told."""
        check(letter(**{"To": CITIZEN, field: value}))
        check(plain(**{"From": SENDER, field: value}))


def check(raw: bytes) -> None:
    """Facts with declared flags, or a declared rejection; nothing of :data:`SECRETS` in what is shown."""
    try:
        found = parse(raw)
    except ParseError as error:
        assert error.code in rejections()
        shown = f"{error} {error!r} {error.where}"
    else:
        assert {flag.code for flag in found.flags} <= codes().keys()
        shown = f"{found!r} {found.flags!r} {found.message} {found.facts!r}"
    assert not [secret for secret in SECRETS if secret in shown]
