"""Audit messages for tests: invented patients, structures and submission sets."""

from __future__ import annotations

from pathlib import Path

from engine.parsers.syslog_frames import counted

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "atna"

INS_CX = "285017511867881^^^&1.2.250.1.213.1.4.10&ISO^NH"
IPP_CX = "990000000042^^^&1.2.250.1.999.42.1&ISO^PI"
SET_ID = "1.2.250.1.999.42.20.9001"
NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
TIME = "2026-03-10T16:20:05.120+01:00"
AT = 1_773_156_005  # of TIME


def fixture(name: str) -> bytes:
    """One of the files of fixtures/atna."""
    return (FIXTURES / name).read_bytes()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def audit(
    *,
    event: str = "ITI-41",
    outcome: str | None = "0",
    time: str | None = TIME,
    set_id: str | None = SET_ID,
    node: str = NODE,
    patients: tuple[str, ...] = (INS_CX,),
    old: bool = False,
    user: str = "Dr Nom Prenom",
    more: str = "",
) -> bytes:
    """One AuditMessage on one line; ``old`` writes it as RFC 3881 did. ``more`` is XML that stands before its end."""
    code, text = ("code", "displayName") if old else ("csd-code", "originalText")

    def coded(tag: str, value: str, system: str, words: str) -> str:
        return f'<{tag} {code}="{value}" codeSystemName="{system}" {text}="{words}"/>'

    when = "" if time is None else f' EventDateTime="{time}"'
    ended = "" if outcome is None else f' EventOutcomeIndicator="{outcome}"'
    persons = "".join(
        '<ParticipantObjectIdentification ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1" '
        f'ParticipantObjectID="{_escaped(one)}">{coded("ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")}'
        "</ParticipantObjectIdentification>"
        for one in patients
    )
    sets = (
        ""
        if set_id is None
        else '<ParticipantObjectIdentification ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="20" '
        f'ParticipantObjectID="{_escaped(set_id)}">'
        f"{coded('ParticipantObjectIDTypeCode', node, 'IHE XDS Metadata', 'submission set classificationNode')}"
        "</ParticipantObjectIdentification>"
    )
    return (
        f'<AuditMessage><EventIdentification EventActionCode="R"{when}{ended}>'
        f"{coded('EventID', '110106', 'DCM', 'Export')}"
        f"{coded('EventTypeCode', event, 'IHE Transactions', 'Provide and Register Document Set-b')}"
        "</EventIdentification>"
        f'<ActiveParticipant UserID="urn:990000019" UserName="{user}" UserIsRequestor="true" '
        f'NetworkAccessPointID="192.0.2.7" NetworkAccessPointTypeCode="2">{coded("RoleIDCode", "110153", "DCM", "Source")}'
        "</ActiveParticipant>"
        '<AuditSourceIdentification AuditSourceID="PFI-DMP" AuditEnterpriseSiteID="990000001"/>'
        f"{persons}{sets}{more}</AuditMessage>"
    ).encode()


def syslog(
    message: bytes,
    *,
    time: str = TIME,
    msgid: str = "IHE+RFC-3881",
    structured: str = "-",
    bom: bool = False,
) -> bytes:
    """One RFC 5424 message, as ATNA sends it (PRI 85: security, notice)."""
    mark = b"\xef\xbb\xbf" if bom else b""
    return f"<85>1 {time} pfi.ch-fictif.example pfi-dmp 4711 {msgid} {structured} ".encode() + mark + message


def numbered(number: int, *, outcome: str = "0") -> bytes:
    """A syslog message whose submission set is that of ``number``; all different."""
    time = f"2026-03-{1 + number % 28:02}T{number // 28 % 24:02}:{number // 672 % 60:02}:05+01:00"
    return syslog(audit(set_id=f"1.2.250.1.999.42.20.{number}", time=time, outcome=outcome), time=time)


def frames(*messages: bytes) -> bytes:
    """Messages in octet counting."""
    return b"".join(map(counted, messages))
