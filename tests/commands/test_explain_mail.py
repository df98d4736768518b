"""``jauge explain`` tells the mails of a stay, and no address."""

from __future__ import annotations

from tests.commands.test_explain import explained, shown
from tests.ledger.build import identity
from tests.ledger.test_mail_meaning import DOCTOR, PATIENT, SETTINGS, letter, mail, message, receipt, zam
from tests.ledger.test_traces import STAY


def test_each_sending_is_told_with_its_end() -> None:
    """Under the document it carried: what was seen of it, the state of its XDM, why it was refused."""
    refused = receipt("2026-03-05 16:01", accepted=False)
    found = explained(
        *STAY, letter(), mail(), refused, zam("2026-03-06 09:00"), mail("2026-03-06 08:00", 2), settings=SETTINGS
    )
    (document,) = found["documents"]
    assert [(one["seen_as"], one["to"], one["state"], one.get("code")) for one in document["mails"]] == [
        ("ZAM", "those whom the message names", "delivered", None),
        ("mail", "professional", "delivered", None),
        ("mail", "professional", "delivered", None),
    ]
    assert "mailed 2026-03-06 08:00:00, to professional, seen as mail, XDM valid: delivered" in shown(found)
    verdicts = {one["indicator"]: one["verdict"] for one in found["verdicts"]}
    assert (verdicts["D6.3"], verdicts["DS4.1"]) == ("met", "met")


def test_a_refusal_is_told_with_its_code() -> None:
    """As the other server gave it."""
    found = explained(*STAY, letter(), mail(), receipt("2026-03-05 16:01", accepted=False), settings=SETTINGS)
    (document,) = found["documents"]
    assert [(one["state"], one["code"]) for one in document["mails"]] == [("refused", "5.1.1")]
    assert "refused (5.1.1)" in shown(found)


def test_messages_to_the_patient_are_told_of_the_stay() -> None:
    """Without document, and no address anywhere."""
    found = explained(*STAY, identity("2026-03-02 09:00"), message(), settings=SETTINGS)
    assert [(one["to"], one["xdm"], one["state"]) for one in found["messages"]] == [("citizen", "none", "sent")]
    text = shown(found)
    assert "Message to the patient 2026-03-05 16:00:00, to citizen" in text
    for box in (PATIENT, DOCTOR):
        assert box.hex() not in text
