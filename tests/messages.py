"""Invented messages for the tests of the engine as a whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def matricule(number: int) -> str:
    """An invented INS with its right key: commune 999 does not exist."""
    body = f"1{40 + number // 1000 % 60:02d}0575999{number % 1000:03d}"
    return f"{body}{97 - int(body) % 97:02d}"


def adt(number: int, event: str = "A01", *, visit: int = 1, when: datetime = START, **more: str) -> bytes:
    """A PAM-FR movement with its own control id; ``more``: name, ins, cls, processing, ipp."""
    at = when.strftime("%Y%m%d%H%M%S")
    ins = more.get("ins", matricule(visit))
    name = more.get("name", "ESSAI-UN")
    structure = "ADT_A03" if event == "A03" else "ADT_A01"
    segments = [
        f"MSH|^~\\&|GAM|HX|DPI|HX|{at}||ADT^{event}^{structure}|G{number:08d}|{more.get('processing', 'P')}|2.5^FRA^2.11"
        "|||||FRA|UNICODE UTF-8|FR||2.11^IHE_FRANCE-2.11-PAM",
        f"EVN||{at}||||{at}",
        f"PID|1||{more.get('ipp', f'7{visit:06d}')}^^^HX&990000001&M^PI~{ins}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
        f"||{name}^LOUIS^LOUIS PAUL^^^^L||19850512|M|||1 rue Inventee^^VILLEFICTIVE^^75000^FRA^H~^^^^^^BDL^^75999"
        f"|||||||26{visit:06d}^^^HX&990000001&M^AN|||||||||||||N|VALI",
        f"PV1|1|{more.get('cls', 'I')}|6268^101^A^HX&990000001&M^O|R|||||||||||||||26{visit:07d}^^^HX&990000001&M^VN||03"
        f"|||||||||||||||||||||||{at}|||||||V",
        f"ZBE|{number}^HX^990000001^M|{at}||INSERT|N||Chirurgie^^^^^HX&990000001&M^UF^^^6268"
        "|Chirurgie^^^^^HX&990000001&M^UF^^^6268|HMS",
    ]
    return "\r".join([*segments, ""]).encode()


def stay(number: int, when: datetime = START) -> tuple[bytes, bytes]:
    """An admission and a discharge of a venue of its own."""
    return (
        adt(2 * number, "A01", visit=number, when=when),
        adt(2 * number + 1, "A03", visit=number, when=when + timedelta(days=3)),
    )
