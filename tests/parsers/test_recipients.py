"""Who a document was produced for (``Document.intended``)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.facts import Document
from engine.parsers import addresses
from engine.parsers.context import default
from tests.parsers.messages import CDA, base64_of, document, one, oru, parse, pseudonym

PERSON = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"
PLACE = "ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO"
CONTEXT = replace(default(), mail=addresses.Space(own=frozenset({"ch-fictif.mssante.fr"})))


def prt(box: str = "", person: str = "", place: str = "", kind: str = "RCT") -> str:
    """A PRT with PRT-5, PRT-8 and PRT-15."""
    return f"PRT||UC||{kind}^x^participation|{person}|||{place}|||||||" + (f"^^X.400^{box}" if box else "")


def intended(*segments: str, cda: str = CDA) -> tuple[bytes, ...]:
    """What the document of such a message says."""
    return one(parse(oru(document(base64_of(cda)), *segments), CONTEXT), Document).intended


def recipient(inner: str) -> str:
    """The CDA with one informationRecipient more."""
    element = f"<informationRecipient><intendedRecipient>{inner}</intendedRecipient></informationRecipient>"
    return CDA.replace("<documentationOf>", f"{element}<documentationOf>")


def number(text: str) -> bytes:
    """Pseudonym of a correspondent."""
    return pseudonym("correspondent", "", text.encode())


def box(text: str) -> bytes:
    """Pseudonym of an address."""
    return pseudonym("address", "", text.encode())


class TestMessage:
    """PRT of kind RCT."""

    @pytest.mark.parametrize(
        ("segment", "expected"),
        [
            (prt("Max.Medecin@cabinet-fictif.mssante.fr"), box("max.medecin@cabinet-fictif.mssante.fr")),
            (
                prt("max@cabinet-fictif.mssante.fr", f"899990000025^X^Y^^^^^^{PERSON}^D^^^IDNPS"),
                box("max@cabinet-fictif.mssante.fr"),
            ),
            (prt(person=f"899990000025^X^Y^^^^^^{PERSON}^D^^^IDNPS"), number("899990000025")),
            (prt(person=f"99990000025^X^Y^^^^^^{PERSON}^D^^^RPPS"), number("899990000025")),
            (prt(person="99990000025"), number("899990000025")),
            (prt(person="991234567^X^Y^^^^^^^D^^^ADELI"), number("0991234567")),
            (prt("max@courriel-fictif.example", "99990000025^^^^^^^^^^^^RPPS"), number("899990000025")),
            (prt(place=f"CABINET^^^^^{PLACE}^FINEG^^^990000019"), number("1990000019")),
            (prt(place=f"CABINET^^^^^{PLACE}^IDNST^^^1990000019"), number("1990000019")),
            (prt(person=f"M17^X^Y^^^^^^DPI^D^^^EI~99990000025^X^Y^^^^^^{PERSON}^D^^^RPPS"), number("899990000025")),
        ],
    )
    def test_a_correspondent(self, segment: str, expected: bytes) -> None:
        """A professional address, else the person's national identifier, else the structure's, however they are written."""
        assert intended(segment) == (expected,)

    @pytest.mark.parametrize(
        "segment",
        [
            prt("279035121518989@patient.mssante.fr"),
            prt("camille.exemple@patient.mssante.fr", "99990000025^^^^^^^^^^^^RPPS"),
            prt(person="279035121518989^X^Y^^^^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^D^^^INS"),
            prt(
                person="279035121518989^X^Y^^^^^^&1.2.250.1.213.1.4.8&ISO",
                place=f"CABINET^^^^^{PLACE}^FINEG^^^990000019",
            ),
            prt("service@ch-fictif.mssante.fr", "99990000025^^^^^^^^^^^^RPPS"),
            prt("reponse.automatique-test@patient.mssante.fr"),
            prt("max@courriel-fictif.example"),
            prt(person="M17^X^Y^^^^^^DPI^D^^^EI"),
            prt(person='""', place='""'),
            prt("sender@cabinet-fictif.mssante.fr", kind="SB"),
            prt(),
        ],
    )
    def test_nobody(self, segment: str) -> None:
        """A patient, the establishment itself, a number of some application, a sender."""
        assert intended(segment) == ()

    def test_each_once(self) -> None:
        """Every recipient of the message, in order, each once."""
        one, two = prt("a@cabinet-fictif.mssante.fr"), prt(person="99990000025")
        assert intended(one, two, one) == (box("a@cabinet-fictif.mssante.fr"), number("899990000025"))


class TestCda:
    """informationRecipient, where no PRT says it."""

    @pytest.mark.parametrize(
        ("inner", "expected"),
        [
            (
                '<id root="1.2.250.1.71.4.2.1" extension="899990000025"/><telecom value="mailto:Max@cabinet-fictif.mssante.fr"/>',
                box("max@cabinet-fictif.mssante.fr"),
            ),
            ('<id root="1.2.250.1.71.4.2.1" extension="899990000025"/>', number("899990000025")),
            (
                '<receivedOrganization><id root="1.2.250.1.71.4.2.2" extension="1990000019"/></receivedOrganization>',
                number("1990000019"),
            ),
            (
                '<id root="1.2.250.1.71.4.2.1" extension="899990000025"/><receivedOrganization>'
                '<id root="1.2.250.1.71.4.2.2" extension="1990000019"/>'
                '<telecom value="mailto:b@cabinet-fictif.mssante.fr"/></receivedOrganization>',
                box("b@cabinet-fictif.mssante.fr"),
            ),
        ],
    )
    def test_a_correspondent(self, inner: str, expected: bytes) -> None:
        """The address or number of each recipient, its own and not its neighbour's."""
        assert intended(cda=recipient(inner)) == (expected,)
        before = recipient('<id root="1.2.250.9999.6" extension="17"/>').replace(
            "<documentationOf>",
            f"<informationRecipient><intendedRecipient>{inner}</intendedRecipient></informationRecipient><documentationOf>",
        )
        assert intended(cda=before) == (expected,)

    def test_nobody(self) -> None:
        """A patient is no correspondent, by identifier or by address; nor is an empty element."""
        assert intended(cda=recipient('<id root="1.2.250.1.213.1.4.8" extension="279035121518989"/>')) == ()
        assert intended(cda=recipient('<telecom value="mailto:279035121518989@patient.mssante.fr"/>')) == ()
        assert intended(cda=recipient("")) == ()

    def test_the_message_knows_better(self) -> None:
        """With a correspondent in a PRT, the CDA is not asked; a PRT of the patient alone leaves the word to it."""
        cda = recipient('<id root="1.2.250.1.71.4.2.1" extension="899990000025"/>')
        assert intended(prt("a@cabinet-fictif.mssante.fr"), cda=cda) == (box("a@cabinet-fictif.mssante.fr"),)
        assert intended(prt("279035121518989@patient.mssante.fr"), cda=cda) == (number("899990000025"),)


def test_the_addresses_of_the_cda_are_beside_the_patients() -> None:
    """A message that names the patient alone, and a CDA that names a doctor: both addresses are known as such."""
    patient, doctor = "279035121518989@patient.mssante.fr", "max@cabinet-fictif.mssante.fr"
    cda = recipient(f'<telecom value="mailto:{doctor}"/>')
    found = one(parse(oru(document(base64_of(cda)), prt(patient)), CONTEXT), Document)
    assert set(found.recipients) == {box(patient), box(doctor)}
    assert found.intended == (box(doctor),)
