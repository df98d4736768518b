"""The vocabulary: what one message told us, in the field's own words.

A fact is a small frozen struct. It carries pseudonyms (16 bytes, see ``engine.privacy``), codes of public tables and
times; never a name, a number or a text from a message. Facts are compared by value: the same fact twice is one fact.

Times are whole seconds since 1970-01-01 UTC. A local time of the sender is converted by the parser, with the time zone
of the feed (HL7 v2.5 chapter 2, TS: no offset means the sender's local time). ``0`` means unknown.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

# INS authorities: the last arc of 1.2.250.1.213.1.4.x (CI-SIS, PAM-FR 4.4). 0: no INS in the message.
INS_NONE: Final = 0
INS_NIR: Final = 8
INS_NIA: Final = 9
INS_TEST: Final = 10
INS_DEMO: Final = 11

# The traces of a submission to the DMP, the strongest proof last: where two of them contradict each other about one submission,
# the stronger one holds (docs/rules.md section 7). A Document of trace HL7 is a request to feed, not yet a submission.
HL7: Final = "hl7"
LOG: Final = "log"  # a line of the platform's log
AUDIT: Final = "audit"  # ATNA (ITI-41, ITI-42) or FHIR AuditEvent (ITI-65)
ZAM: Final = "zam"  # the business acknowledgement ZAM^Z01
TRANSACTION: Final = "transaction"  # the transaction itself: ITI-41, ITI-57, ITI-65 and their responses
TRACES: Final = (HL7, LOG, AUDIT, ZAM, TRANSACTION)
# Not a trace of a submission: MSSanté mail itself (Mailed), and its receipts (DSN, MDN).
MAIL: Final = "mail"

# Who a mail goes to (docs/rules.md section 8; ``engine.parsers.addresses``).
PROFESSIONAL: Final = "professional"  # a mailbox of the MSSanté trust space that is not the establishment's own
CITIZEN: Final = "citizen"  # Mon espace santé: <matricule>@patient.mssante.fr
OWN: Final = "own"  # a mailbox of the establishment itself
OUTSIDE: Final = "outside"  # ordinary mail: never counted
TEST: Final = "test"  # the national test address and those of the configuration: never counted


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """Base of every fact; stored as a tagged msgpack array."""


class Identity(Fact, frozen=True, array_like=True, gc=False, tag="identity"):
    """What a message said of a person (PID, ZFA, ZFD; PAM-FR 3.3, 3.9, 3.10)."""

    at: int  # recorded: EVN-2, else MSH-7
    ipp: bytes | None  # pseudonym of the IPP (PID-3 type PI)
    ins: bytes | None  # pseudonym of the matricule (PID-3 type INS), whatever its root
    ins_root: int  # INS_NONE, INS_NIR, INS_NIA, INS_TEST or INS_DEMO
    ins_key_valid: bool  # the control key matches; False also when there is no INS
    status: str  # PID-32 codes, upper case, joined by "~"; "" when absent
    birth_corrected: bool  # ZFD-4 = Y: the identity cannot be qualified
    dmp: str  # ZFA-1: ACTIF, FERME, INEXISTANT; "" when unknown
    feeding: str  # ZFA-9: IO (opposed), INO, NA; "" when unknown


class Movement(Fact, frozen=True, array_like=True, gc=False, tag="movement"):
    """One ADT event on a venue (PAM-FR 2.2, ZBE)."""

    at: int  # recorded: EVN-2, else MSH-7
    when: int  # takes effect: ZBE-2, else PV1-44/45, EVN-6, EVN-2, MSH-7
    establishment: str  # FINESS of the feed
    ipp: bytes | None
    ins: bytes | None
    visit: bytes | None  # PV1-19
    dossier: bytes | None  # PID-18
    movement: bytes | None  # ZBE-1
    event: str  # trigger: A01 ... A55, Z99
    action: str  # ZBE-4: INSERT, UPDATE, CANCEL (DELETE is read as CANCEL); "" without ZBE
    historic: bool  # ZBE-5 = Y
    original: str  # ZBE-6: event of the movement that is updated or cancelled
    patient_class: str  # PV1-2: I, E, O, R, V, N
    treatment: str  # PV1-21, table 0032: 03, 04, 05, 06 ...
    unit: str  # code of the UF: ZBE-7.10, else ZBE-7.1 without structure, else PV1-3.1
    nature: str  # ZBE-9, its letters sorted: "HMS", "C", "HCM" ...
    entry: int  # PV1-44
    exit: int  # PV1-45
    level: str  # PV1-51: V or A
    preadmitted: bool  # PV1-5 valued
    death: bool  # PID-29 or PID-30 = Y, or ZFM-2 = 9


class Alias(Fact, frozen=True, array_like=True, gc=False, tag="alias"):
    """Two identifiers name the same thing from now on (A40, A47 of an IPP, A49, A50, A41, A42 ...)."""

    at: int
    kind: str  # "ipp", "dossier" or "visit"
    kept: bytes
    dropped: bytes


class Reattached(Fact, frozen=True, array_like=True, gc=False, tag="reattached"):
    """A dossier (A44, A43) or a venue (A45) now belongs to another patient."""

    at: int
    kind: str  # "dossier", "visit" or "ipp" (A43: everything of the former IPP)
    moved: bytes | None  # the dossier or the venue; None for "ipp"
    ipp: bytes | None  # its new patient
    former: bytes | None


class InsRetired(Fact, frozen=True, array_like=True, gc=False, tag="ins-retired"):
    """An INS was modified or removed (A47 with the INS in MRG-1; PAM-FR 4.4.4)."""

    at: int
    ipp: bytes | None
    ins: bytes


class Document(Fact, frozen=True, array_like=True, gc=False, tag="document"):
    """One document as one trace shows it.

    Trace HL7: in one ORU^R01 or MDM (CI-SIS volet "Transmission de documents CDA en HL7 v2"). Other traces: one
    submission of it to the DMP, named by its metadata (``body`` "unseen") or with its bytes; see
    ``engine.parsers.submissions``.
    """

    at: int  # MSH-7; of another trace: when it was submitted
    establishment: str  # FINESS of the feed
    exchange: (
        bytes  # pseudonym of (sender, control id): what ACK and ZAM answer to; of another trace: the first of its keys
    )
    position: int  # 0, 1 ...: several documents in one message are renderings (N1, N3) of the same report
    ipp: bytes | None
    ins: bytes | None  # of the message's own PID-3
    ins_root: int
    status: str  # PID-32 of the message, "" when absent: then the last ADT status holds
    birth_corrected: bool
    visit: bytes | None  # PV1-19
    dossier: bytes | None  # PID-18
    encounter: bytes | None  # CDA encompassingEncounter/id, when its root is one configured for the establishment
    id: bytes | None  # pseudonym of the CDA id, else of TXA-12
    chain: bytes | None  # pseudonym of the CDA setId
    version: int  # versionNumber, 0 when unknown
    replaces: bytes | None  # relatedDocument RPLC parent id, else TXA-13
    orders: tuple[bytes, ...]  # pseudonyms of the placer and filler order numbers
    request: str  # "initial", "replacement" or "deletion": OBX-11, then the event, then ORC-1
    final: bool  # OBX-11/OBR-25 say final (F, C, D ...), not preliminary
    type_code: str  # CDA code, else OBR-4/TXA-2: JDV_J07 code; "" when unknown
    kind: str  # engine.parsers.kinds: "ldl-ses", "prescription", "cr-operatoire", "cr-bio", "cr-imagerie", "other"
    # "cda": readable CDA; "unreadable": announced but not readable; "none": a result without document; "unseen": named, not shown
    body: str
    level: int  # 1, 2, 3 by the body itself; 0 unknown
    declared_level: int  # by the templates; 0 when they say nothing
    created: int  # CDA effectiveTime, else TXA-4/6, OBR-22, MSH-7
    service_start: int  # documentationOf/serviceEvent low, else OBR-7
    service_stop: int
    cda_ins: bytes | None  # pseudonym of the matricule in recordTarget
    cda_ins_root: int
    traits_complete: bool  # the six traits of the CDA (RNIV)
    custodian: str  # FINESS of the custodian, "" when unknown
    patient_class: str  # PV1-2
    dmp: str  # DESTDMP: "Y", "N" or "" (absent: unknown)
    mss_professional: str  # DESTMSSANTEPS
    mss_patient: str  # DESTMSSANTEPAT
    recipients: tuple[bytes, ...]  # pseudonyms of the MSSanté addresses of PRT RCT, else of the CDA's recipients
    ack_wanted: bool  # ACK_RECEPTION = Y
    sender: str  # application@facility
    trace: str = HL7
    # What answers may be joined by, besides the exchange: submission set, MessageID of the SOAP request. They
    # name one submission for ever, whereas a control id of the HL7 exchange may serve again.
    keys: tuple[bytes, ...] = ()
    control: bytes | None = None  # the exchange of the HL7 message that a line of the log names (sender, control id)
    alias: bytes | None = None  # TXA-12 (pseudonym of kind "document") when the CDA id is another
    hash: bytes | None = None  # pseudonym of the SHA-1 of the document; None when unknown
    entry: bytes | None = None  # pseudonym of the entryUUID, when it is a UUID (the DMP keeps it)
    replaces_entry: bytes | None = None  # target of an RPLC association
    weak: bool = False  # no identifier of the document at all: only patient or visit, type and time
    # Who the document was produced for, patients apart: the professional MSSanté address ("address") of each PRT RCT and
    # informationRecipient, else its identifier ("correspondent": PS_IdNat or structure).
    intended: tuple[bytes, ...] = ()


class Outcome(Fact, frozen=True, array_like=True, gc=False, tag="outcome"):
    """An answer to an exchange: technical ACK, business acknowledgement ZAM (Z01, Z02, Z03), or a trace's word of its outcome.

    ``exchange`` is any key of a submission: that of the HL7 message, one of ``Document.keys``, or the pseudonym of a document
    (its ``id`` or ``alias``) where the trace names nothing else.
    """

    at: int  # EVN-2 of a ZAM (date of the acknowledged event), else MSH-7
    exchange: bytes  # pseudonym of (sender of the original, its control id)
    # "technical" (the platform, or the transport: a SOAP fault is a refusal), "dmp", "withdrawal" (the document left the DMP),
    # "mss-delivery" or "mss-reading"
    layer: str
    accepted: bool
    code: str  # MSA-1 (technical), or ERR-5.1, errorCode when refused: a code of a public table, else "other"
    recipient: bytes | None  # pseudonym of the address (Z02, Z03)
    sender: str  # application@facility that answers
    trace: str = ZAM
    warning: str = ""  # code of a warning that came with an acceptance


class Sent(Fact, frozen=True, array_like=True, gc=False, tag="sent"):
    """One message went from an application to another."""

    at: int  # MSH-7
    exchange: bytes  # pseudonym of (sender, control id)
    digest: bytes  # 8 bytes of the content: tells a resend from a reused control id
    sender: str  # application@facility
    receiver: str
    content: str  # "identity", "movement", "document", "order", "appointment", "acknowledgement" or "other"
    ins: bool  # the message shows a qualified INS, whatever its root (docs/rules.md section 2)
    ins_root: int


class Activity(Fact, frozen=True, array_like=True, gc=False, tag="activity"):
    """An order or an appointment of a patient (ORM, OMx, RDE, SIU), as far as the rules need it."""

    at: int
    establishment: str
    ipp: bytes | None
    visit: bytes | None
    dossier: bytes | None
    kind: str  # "order" or "appointment"
    number: bytes | None  # placer order number (ORC-2) or placer appointment id (SCH-1), else the filler's
    control: str  # ORC-1, or the SIU event (S12 ...)
    when: int  # planned: SCH-11.4 / ORC-7 / OBR-36
    sender: str  # application@facility: the theatre system is known by its name
    section: str  # OBR-24 (LAB, RAD ...), "" when absent


class Submission(Fact, frozen=True, array_like=True, gc=False, tag="submission"):
    """A submission to the DMP that names its patient and its submission set, but no document (ATNA, AuditEvent)."""

    at: int
    establishment: str
    ipp: bytes | None
    ins: bytes | None
    ins_root: int
    key: bytes  # of the submission set: what another trace may have named a document by
    trace: str = AUDIT


class Entry(Fact, frozen=True, array_like=True, gc=False, tag="entry"):
    """The DMP's own name of a document (entryUUID), as an ITI-18 response tells it: deletions and replacements use no other."""

    at: int
    ipp: bytes | None
    ins: bytes | None
    document: bytes  # pseudonym of kind "document" of the uniqueId
    entry: bytes


class Mailed(Fact, frozen=True, array_like=True, gc=False, tag="mailed"):
    """One outgoing MSSanté mail to one recipient, with one document of its XDM; one fact for each pair of them.

    A mail without XDM (or whose XDM cannot be read) is one fact for each recipient, ``document`` None. A mail that comes in, a receipt and a
    request to delete (XDM "action" D) are none.
    """

    at: int  # Date, else the first Received
    establishment: str
    message: bytes  # pseudonym of kind "mail" of the Message-ID: what DSN and MDN answer to
    recipient: bytes  # pseudonym of the address
    category: str  # PROFESSIONAL, CITIZEN, OWN, OUTSIDE or TEST
    ins: bytes | None  # of the patient: the citizen address's matricule, else the XDM's patientId, else the CDA's
    ins_root: int  # INS_NIR for a citizen address: it exists for real identities only, whatever the matricule
    ipp: bytes | None  # patientId of the XDM when it is no INS
    xdm: str  # "valid", "flawed" (read, with errors), "unreadable" or "none"
    document: bytes | None = None  # pseudonym of kind "document": uniqueId of the metadata, else the CDA's id
    alias: bytes | None = None  # the CDA's id when the uniqueId is another
    chain: bytes | None = None  # setId
    version: int = 0
    hash: bytes | None = None  # pseudonym of the SHA-1 of the part itself
    replaces: bytes | None = None
    type_code: str = ""
    kind: str = ""
    body: str = ""  # "cda", "unreadable" (announced as a CDA) or "other" (a PDF ... that is a document of its own)
    level: int = 0
    created: int = 0
    service_start: int = 0
    cda_ins: bytes | None = None
    cda_ins_root: int = INS_NONE
    encounter: bytes | None = None
    intended: tuple[bytes, ...] = ()  # as Document.intended, of the CDA


AnyFact = (
    Identity
    | Movement
    | Alias
    | Reattached
    | InsRetired
    | Document
    | Outcome
    | Sent
    | Activity
    | Submission
    | Entry
    | Mailed
)
