"""Audit messages of a submission: ATNA (DICOM PS3.15) of ITI-41 in a syslog message of RFC 5424."""

from __future__ import annotations

from typing import Final, NamedTuple

_DESTINATION: Final = "https://dmp.exemple.invalid/services/repository"


class Audit(NamedTuple):
    """What one audit message says."""

    at: str  # ISO 8601 with offset
    patient: str  # CX
    set_id: str
    accepted: bool
    process: int


def message(what: Audit) -> bytes:
    """The whole syslog message, without the frame of its transport."""
    mark = "\ufeff" if what.process % 2 else ""
    head = f"<85>1 {what.at} pfi.ch-fictif.example pfi-dmp {what.process} IHE+RFC-3881 - "
    return f"{head}{mark}{_audit(what)}".encode()


def _audit(what: Audit) -> str:
    code = ("csd-code", "originalText") if what.process % 5 else ("code", "displayName")  # the older spelling

    def coded(tag: str, value: str, system: str, label: str) -> str:
        return f'<{tag} {code[0]}="{value}" codeSystemName="{system}" {code[1]}="{label}"/>'

    patient = what.patient.replace("&", "&amp;")
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AuditMessage>'
        f'<EventIdentification EventActionCode="R" EventDateTime="{what.at}" EventOutcomeIndicator="{0 if what.accepted else 8}">'
        f"{coded('EventID', '110106', 'DCM', 'Export')}"
        f"{coded('EventTypeCode', 'ITI-41', 'IHE Transactions', 'Provide and Register Document Set-b')}</EventIdentification>"
        f'<ActiveParticipant UserID="http://www.w3.org/2005/08/addressing/anonymous" AlternativeUserID="{what.process}" '
        'UserIsRequestor="true" NetworkAccessPointID="pfi.ch-fictif.example" NetworkAccessPointTypeCode="1">'
        f"{coded('RoleIDCode', '110153', 'DCM', 'Source Role ID')}</ActiveParticipant>"
        f'<ActiveParticipant UserID="{_DESTINATION}" UserIsRequestor="false" NetworkAccessPointID="dmp.exemple.invalid" '
        f'NetworkAccessPointTypeCode="1">{coded("RoleIDCode", "110152", "DCM", "Destination Role ID")}</ActiveParticipant>'
        '<AuditSourceIdentification AuditSourceID="PFI-DMP" AuditEnterpriseSiteID="1990000001"/>'
        '<ParticipantObjectIdentification ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1" '
        f'ParticipantObjectID="{patient}">{coded("ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")}'
        "</ParticipantObjectIdentification>"
        '<ParticipantObjectIdentification ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="20" '
        f'ParticipantObjectID="{what.set_id}">'
        f"{coded('ParticipantObjectIDTypeCode', 'urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd', 'IHE XDS Metadata', 'submission set')}"
        "</ParticipantObjectIdentification></AuditMessage>"
    )
