"""The messages that are measured: invented people, establishments (FINESS 990000001, 990000019) and documents.

They have the shape and the length of what French hospitals send (PAM-FR 2.11, CI-SIS "Transmission de documents CDA en
HL7 v2" 2.1).
"""

from __future__ import annotations

import base64
import random

_ADMISSION = (
    r"MSH|^~\&|GAM|HX|DPI|HX|20260302101500||ADT^A01^ADT_A01|{id}|P|2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR||2.11^IHE_FRANCE-2.11-PAM",
    "EVN||20260302101500||||20260302100000",
    "PID|1||{ipp}^^^HX&990000001&M^PI~{ins}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS||ESSAI-UN^LOUIS"
    "^LOUIS PAUL^^M.^^L||19850512|M|||1 rue Inventée^^VILLEFICTIVE^^99999^FRA^H~^^^^^^BDL^^75999|||||||{dossier}^^^HX&990000001&M^AN"
    "|||||||||||||N|VALI",
    "PV1|1|I|6268^101^A^HX&990000001&M^O|R|||||||||||||||{visit}^^^HX&990000001&M^VN||03"
    "|||||||||||||||||||||||20260302100000|||||||V",
    "ZBE|{movement}^HX^990000001^M|20260302100000||INSERT|N||Chirurgie^^^^^HX&990000001&M^UF^^^6268|Chirurgie^^^^^HX&990000001&M^UF"
    "^^^6268|HMS",
    "ZFA|ACTIF|20260302100500|||||||INO|20260302100500|IC|20260302100500",
    "ZFD|||Y|N|INSI|20260302100400|CN|20300101",
)

_RESULT_HEAD = (
    r"MSH|^~\&|SGL|LABO|PFI|HX|20260305151000||ORU^R01^ORU_R01|{id}|P|2.5|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2",
    "PID|||700001^^^HX&990000001&M^PI~185057599900150^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS||ESSAI-UN^LOUIS"
    "^LOUIS PAUL^^^^L||19850512|M|||^^^^^^BDL^^75999|||||||26000123^^^HX&990000001&M^AN|||||||||||||N|VALI",
    "PV1|1|I|6268||||||||||||||||260004567^^^HX&990000001&M^VN|||||||||||||||||||||||||20260302100000",
)

_DESTINATIONS = (
    "PRT||UC||SB^Send by^participation|899999999991^BIOLOGUE^ZOE^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    "|||LABO HX^^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^990000019",
    "PRT||UC||RCT^Result Copies To^participation|899999999992^MEDECIN^MAX^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    "||||||||||^^X.400^max.medecin@exemple.mssante.fr",
    *(
        f"OBX|{n}|CE|{code}^{label}^MetaDMPMSS||{value}^^expandedYes-NoIndicator||||||F"
        for n, (code, label, value) in enumerate(
            (
                ("MASQUE_PS", "Masqué aux professionnels de Santé", "N"),
                ("INVISIBLE_PATIENT", "Document Non Visible par le patient", "N"),
                ("INVISIBLE_REP_LEGAUX", "Non visible par les représentants Légaux du patient", "N"),
                ("CONNEXION_SECRETE", "Connexion Secrete", "N"),
                ("MODIF_CONF_CODE", "Modification Confidentiality Code", "N"),
                ("DESTDMP", "Destinataire DMP", "Y"),
                ("DESTMSSANTEPS", "Destinataire PS", "Y"),
                ("DESTMSSANTEPAT", "Destinataire Patient", "N"),
                ("ACK_RECEPTION", "Accusé de réception", "Y"),
            ),
            start=2,
        )
    ),
)


def matricule(number: int) -> str:
    """An invented INS with a right key (97 - n mod 97): commune 999 does not exist."""
    digits = f"1{number // 12_000 % 100:02d}{number // 1_000 % 12 + 1:02d}75999{number % 1_000:03d}"
    return f"{digits}{97 - int(digits) % 97:02d}"


def admission(number: int = 1, patient: int | None = None) -> bytes:
    """One admission (ADT^A01, about 800 bytes): its own control id and movement, and its own patient and venue unless given."""
    person = number if patient is None else patient
    text = "\r".join(_ADMISSION).format(
        id=f"B{number:09d}",
        ins=matricule(person),
        ipp=f"7{person:08d}",
        dossier=f"26{person:08d}",
        visit=f"27{person:08d}",
        movement=f"9{number:08d}",
    )
    return text.encode() + b"\r"


def observations(count: int = 30) -> bytes:
    """A classic laboratory result: ORU^R01 with so many numeric OBX, no document."""
    lines = [
        *_RESULT_HEAD,
        "ORC|RE|98765431^DPI|1001-E1^SGL",
        "OBR|1|98765431^DPI|1001-E1^SGL|BIO^Biologie^L|||20260305101000|||||||||||||||20260305150000||LAB|F",
        *(
            f"OBX|{n}|NM|{2000 + n}-{n % 10}^Analyse {n}^LN||{n}.{n % 7}|mmol/L|1-50|N|||F|||20260305140000"
            for n in range(1, count + 1)
        ),
    ]
    return ("\r".join(lines).format(id="L000501") + "\r").encode()


def cda(level: int, size: int) -> bytes:
    """A laboratory report in CDA R2 of about ``size`` bytes: level 1 (an invented PDF) or level 3 (coded entries)."""
    head = _CDA_HEAD.format(body="1.3.6.1.4.1.19376.1.2.20" if level == 1 else "1.2.250.1.213.1.1.2.70")
    if level == 1:
        pdf = b"%PDF-1.4\n" + random.Random(1).randbytes(max(0, (size - len(head)) * 3 // 4))
        body = f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{base64.b64encode(pdf).decode()}</text></nonXMLBody>'
    else:
        count = max(1, (size - len(head)) // len(_CDA_ENTRY))
        rows = "".join(f"<tr><td>Analyse {n}</td><td>{n},{n % 7} mmol/L</td></tr>" for n in range(count // 8))
        entries = "".join(_CDA_ENTRY.format(n=n, value=f"{n}.{n % 7}") for n in range(count - count // 16))
        body = (
            "<structuredBody><component><section><code code='18719-5' codeSystem='2.16.840.1.113883.6.1'/><title>Biochimie</title>"
            f"<text><table><tbody>{rows}</tbody></table></text>{entries}</section></component></structuredBody>"
        )
    return f"{head}<component>{body}</component></ClinicalDocument>".encode()


def report(level: int, size: int) -> bytes:
    """An ORU^R01 that carries such a CDA to the DMP and to one doctor, in base64."""
    document = base64.b64encode(cda(level, size)).decode()
    lines = [
        *_RESULT_HEAD,
        "ORC|NW|98765431^DPI|1001-E1^SGL",
        "OBR|1|98765431^DPI|1001-E1^SGL|11502-2^CR d'examens biologiques^LN|||20260305101000|||||||||||||||||||F",
    ]
    text = "\r".join(lines).format(id="L000502")
    text += f"\rOBX|1|ED|11502-2^CR d'examens biologiques^LN||^TEXT^XML^Base64^{document}||||||F\r"
    return (text + "\r".join(_DESTINATIONS) + "\r").encode()


_CDA_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    '<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
    '<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/><templateId root="{body}"/>'
    '<id root="1.2.250.1.999.1.1" extension="D0001"/>'
    '<code code="11502-2" displayName="CR d\'examens biologiques" codeSystem="2.16.840.1.113883.6.1"/>'
    '<title>Compte rendu</title><effectiveTime value="20260305150000+0100"/>'
    '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>'
    '<setId root="1.2.250.1.999.1.2" extension="S0001"/><versionNumber value="1"/>'
    '<recordTarget><patientRole><id extension="185057599900150" root="1.2.250.1.213.1.4.8"/>'
    '<id extension="700001" root="1.2.250.1.999.2"/><patient><name><family qualifier="BR">ESSAI-UN</family>'
    '<given>LOUIS PAUL</given><given qualifier="BR">LOUIS</given></name>'
    '<administrativeGenderCode code="M" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19850512"/>'
    "<birthplace><place><addr><county>75999</county></addr></place></birthplace></patient></patientRole></recordTarget>"
    '<author><time value="20260305150000+0100"/><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="899999999991"/>'
    "<assignedPerson><name><family>BIOLOGUE</family><given>ZOE</given></name></assignedPerson></assignedAuthor></author>"
    "<custodian><assignedCustodian><representedCustodianOrganization>"
    '<id root="1.2.250.1.71.4.2.2" extension="1990000001"/><name>HX</name>'
    "</representedCustodianOrganization></assignedCustodian></custodian>"
    '<documentationOf><serviceEvent><effectiveTime><low value="20260305101000+0100"/></effectiveTime></serviceEvent></documentationOf>'
    '<componentOf><encompassingEncounter><id root="1.2.250.1.999.3" extension="260004567"/>'
    '<effectiveTime><low value="20260302100000+0100"/></effectiveTime></encompassingEncounter></componentOf>'
)

_CDA_ENTRY = (
    '<entry typeCode="DRIV"><observation classCode="OBS" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.3.1.6"/>'
    '<id root="1.2.250.1.999.4" extension="{n}"/><code code="{n}-1" displayName="Analyse" codeSystem="2.16.840.1.113883.6.1"/>'
    '<statusCode code="completed"/><effectiveTime value="20260305140000+0100"/>'
    '<value xsi:type="PQ" value="{value}" unit="mmol/L"/></observation></entry>'
)
