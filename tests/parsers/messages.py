"""Messages for the tests of the parsers: the fixtures, a builder, and what is expected of pseudonyms."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TypeVar

from engine.errors import Flag
from engine.facts import AnyFact
from engine.parsers import hl7
from engine.parsers.context import Context, default
from engine.parsers.parsed import Parsed

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "hl7"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.er7") if not path.stem.startswith("batch"))
DOMAIN = "990000001"
INS = b"185057599900150"

MSH = r"MSH|^~\&|GAM|HX|DPI|HX|20260302101500||ADT^A01^ADT_A01|G000101|P|2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR"
EVN = "EVN||20260302101500||||20260302100000"
PID = (
    "PID|1||700001^^^HX^PI~185057599900150^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS||ESSAI-UN^LOUIS^LOUIS PAUL^^^^L||"
    "19850512|M|||^^^^^^BDL^^75999|||||||26000123^^^HX^AN||||||||||||||VALI"
)
PV1 = "PV1|1|I|6268||||||||||||||||260004567^^^HX^VN||03|||||||||||||||||||||||20260302100000|||||||V"
ZBE = "ZBE|900001^HX|20260302100000||INSERT|N||Chirurgie^^^^^HX^UF^^^6268||HMS"

Fact = TypeVar("Fact", bound=AnyFact)


def fixture(name: str) -> bytes:
    """A synthetic message of ``fixtures/hl7``."""
    return (FIXTURES / f"{name}.er7").read_bytes()


def build(*segments: str, end: str = "\r", encoding: str = "utf-8") -> bytes:
    """A message of these segments."""
    return (end.join(segments) + end).encode(encoding)


def adt(event: str, *segments: str, control: str = "G000101") -> bytes:
    """An ADT of this event: MSH and EVN, then these segments."""
    return build(MSH.replace("ADT^A01^ADT_A01", f"ADT^{event}").replace("G000101", control), EVN, *segments)


def field(segment: str, number: int, value: str) -> str:
    """A segment with one field replaced, lengthened if need be."""
    fields = segment.split("|")
    place = number - 1 if segment.startswith("MSH") else number
    fields += [""] * (place + 1 - len(fields))
    fields[place] = value
    return "|".join(fields)


def parse(raw: bytes, context: Context | None = None) -> Parsed:
    """Parse with a context of its own."""
    return hl7.parse(raw, context or default())


def facts(parsed: Parsed, kind: type[Fact]) -> list[Fact]:
    """The facts of one type."""
    return [fact for fact in parsed.facts if isinstance(fact, kind)]


def one(raw: bytes | Parsed, kind: type[Fact]) -> Fact:
    """The only fact of that type."""
    found = facts(raw if isinstance(raw, Parsed) else parse(raw), kind)
    assert len(found) == 1
    return found[0]


def codes(parsed: Parsed) -> set[str]:
    """The codes of the flags."""
    return {flag.code for flag in parsed.flags}


def places(parsed: Parsed, code: str) -> list[str]:
    """Where a code was flagged."""
    return [flag.where for flag in parsed.flags if flag == Flag(code, flag.where)]


def pseudonym(kind: str, scope: str, value: bytes) -> bytes:
    """The pseudonym that the default context gives."""
    return default().pseudonym(kind, scope, value)


CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.3.6.1.4.1.19376.1.2.20"/>
<id root="1.2.250.9999.1.2.1002"/>
<code code="11490-0" codeSystem="2.16.840.1.113883.6.1"/>
<title>Lettre</title><effectiveTime value="20260305170000+0100"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
<setId root="1.2.250.9999.1.2.9"/><versionNumber value="2"/>
<recordTarget><patientRole>
<id root="1.2.250.1.213.1.4.8" extension="185057599900150"/><id root="1.2.250.9999.5" extension="700001"/>
<patient><name><family qualifier="BR">ESSAI-UN</family></name></patient>
</patientRole></recordTarget>
<custodian><assignedCustodian><representedCustodianOrganization>
<id root="1.2.250.1.71.4.2.2" extension="1990000001"/></representedCustodianOrganization></assignedCustodian></custodian>
<inFulfillmentOf><order><id root="1.2.250.9999.7" extension="P5501"/></order></inFulfillmentOf>
<documentationOf><serviceEvent><effectiveTime><low value="20260302100000+0100"/></effectiveTime></serviceEvent></documentationOf>
<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.250.9999.1.2.1001"/></parentDocument></relatedDocument>
<componentOf><encompassingEncounter><id root="1.2.250.9999.6" extension="260004567"/>
<effectiveTime><low value="20260302100000+0100"/></effectiveTime></encompassingEncounter></componentOf>
<component><nonXMLBody><text mediaType="application/pdf" representation="B64">JVBERi0xLjQK</text></nonXMLBody></component>
</ClinicalDocument>"""


def base64_of(text: str = CDA) -> str:
    """A document in base64, as OBX-5.5 carries it."""
    return base64.b64encode(text.encode()).decode()


def oru(*observations: str, profile: str = "2.1^CISIS_CDA_HL7_V2", before: tuple[str, ...] = ("ORC|NW",)) -> bytes:
    """An ORU^R01 with these OBX and PRT."""
    header = (
        rf"MSH|^~\&|SGL|LABO|PFI|HX|20260305151000||ORU^R01^ORU_R01|L000501|P|2.5|||||FRA|UNICODE UTF-8|||{profile}"
    )
    return build(header, PID, PV1, *before, "OBR|1|||11502-2^CR d'examens biologiques^LN", *observations)


def document(data: str | None = None, status: str = "F", subtype: str = "XML", number: int = 1) -> str:
    """The OBX of a document."""
    data = base64_of() if data is None else data
    return f"OBX|{number}|ED|11502-2^CR d'examens biologiques^LN||^TEXT^{subtype}^Base64^{data}||||||{status}"


def mark(code: str, value: str) -> str:
    """The OBX of a flag such as DESTDMP."""
    return f"OBX|9|CE|{code}^label^MetaDMPMSS||{value}^^expandedYes-NoIndicator||||||F"
