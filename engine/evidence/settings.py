"""The settings of PS4.1 (``ps41`` in the configuration): who sends the test message, how, to whom, and who declares what.

Sources: the programme's sheet of PS4.1 (config/indicators.yaml), MSSanté client reference (SMTP 587 with STARTTLS, mutual TLS with an
IGC-Santé certificate), docs/fr/ps41.md.
"""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from engine.parsers import ins, kinds
from engine.scalars import Address, Finess, Oid
from engine.tls import ClientTlsSettings

TEST_ADDRESS: Final = "reponse.automatique-test@patient.mssante.fr"
"""The national robot that answers (run by the CNAM)."""

_DAY: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_HEADER: Final = re.compile(r"X-[A-Za-z0-9-]{1,60}")
_PLACES: Final = frozenset({"label", "family", "given", "birth"})

Line = Annotated[str, Meta(max_length=200)]
Number = Annotated[int, Meta(ge=1, le=65_535)]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself: only there may mail go without TLS."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mail server of the MSSanté operator, and how to be known to it."""

    host: Annotated[str, Meta(min_length=1, max_length=253, description="Name of the server, as in its certificate.")]
    port: Annotated[Number, Meta(description="TCP port.")]
    transport: Annotated[
        Literal["starttls", "tls", "plain"],
        Meta(description="`starttls`, `tls` from the first byte, or `plain` (this machine only: 127.0.0.1)."),
    ] = "starttls"
    tls: Annotated[
        ClientTlsSettings,
        Meta(description="Whom to believe, and the client certificate (IGC-Santé, organisation, AUTH_CLI)."),
    ] = field(default_factory=ClientTlsSettings)
    user: Annotated[str, Meta(max_length=254, description="Login. Empty: none, the client certificate is enough.")] = ""
    password_file: Annotated[
        Path | None,
        Meta(
            description="File with the password, for the engine's account only (mode 0400 or 0600).",
            extra={"exists": "file"},
        ),
    ] = None
    timeout_seconds: Annotated[
        float, Meta(ge=0.1, le=600, description="Longest wait for one answer of the server.")
    ] = 60.0

    def __post_init__(self) -> None:
        """What the settings say together."""
        if self.transport == "plain" and not is_loopback(self.host):
            raise ValueError("transport: plain is for this machine only (127.0.0.1): choose starttls or tls")
        if self.password_file is not None and not self.user:
            raise ValueError("password_file is without its user: add `user: ...`")
        if self.user and self.password_file is None and self.tls.certificate is None:
            raise ValueError("user is without its password: add `password_file: ...`")


class Smtp(Server, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the test message is handed in."""

    port: Annotated[Number, Meta(description="TCP port.")] = 587


class Imap(Server, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the reply arrives."""

    port: Annotated[Number, Meta(description="TCP port.")] = 143
    mailbox: Annotated[
        str, Meta(min_length=1, max_length=200, description="Folder in which the reply is looked for; never changed.")
    ] = "INBOX"
    poll_seconds: Annotated[
        float,
        Meta(ge=0.1, le=3_600, description="Time between two looks, where the server does not tell news (IDLE)."),
    ] = 15.0


class Patient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The patient of the test document: by default the national test patient of the ANS's examples. Never a real one."""

    matricule: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{5}([0-9]{2}|2[AB])[0-9]{8}$",
            description="INS of test, 15 characters with its key; sent under the test root 1.2.250.1.213.1.4.10.",
            extra={"hint": "15 characters, key included: 279035121518989"},
        ),
    ] = "279035121518989"
    family: Annotated[str, Meta(min_length=1, max_length=100, description="Birth name.")] = "PAT-TROIS"
    given: Annotated[str, Meta(min_length=1, max_length=100, description="First given name of the birth act.")] = (
        "DOMINIQUE"
    )
    given_names: Annotated[
        str,
        Meta(min_length=1, max_length=200, description="All the given names of the birth act, separated by blanks."),
    ] = "DOMINIQUE MARIE-LOUISE"
    birth: Annotated[str, Meta(pattern=_DAY, description="Date of birth.", extra={"hint": "as 1979-03-28"})] = (
        "1979-03-28"
    )
    sex: Annotated[Literal["F", "M"], Meta(description="Sex of the birth act.")] = "F"
    birthplace: Annotated[
        str,
        Meta(
            pattern=r"^[0-9][0-9AB][0-9]{3}$",
            description="Code (COG) of the commune or country of birth.",
            extra={"hint": "5 characters: 51215"},
        ),
    ] = "51215"
    birthplace_name: Annotated[str, Meta(min_length=1, max_length=100, description="Its name.")] = "DOMPREMY"

    def __post_init__(self) -> None:
        """The key of the matricule and the date must be right."""
        if not ins.check(self.matricule).key_valid:
            raise ValueError("patient.matricule: its key (the two last digits) is wrong")
        try:
            date.fromisoformat(self.birth)
        except ValueError:
            raise ValueError("patient.birth is not a date: write it as 1979-03-28") from None


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the test message says. The programme asks for no wording: the national robot answers any message with its XDM."""

    label: Annotated[
        str, Meta(min_length=1, max_length=80, description="Title of the document, and label of the subject.")
    ] = "Message de test PS4.1"
    subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=300,
            description="Subject, as MSSanté asks; `{label}`, `{family}`, `{given}` and `{birth}` are filled in.",
        ),
    ] = "XDM/1.0/DDM+{label} {family} {given} {birth}"
    body: Annotated[
        tuple[Annotated[str, Meta(max_length=2_000)], ...],
        Meta(min_length=1, description="Text of the mail, one paragraph each."),
    ] = (
        "Bonjour,",
        "Ce message de test est envoyé au titre de l'indicateur PS4.1 du programme SUN-ES. Il contient une archive IHE_XDM avec un "
        "document CDA R2 de niveau 1 d'un patient fictif, et sa copie en PDF.",
        "Aucune donnée ne concerne une personne réelle.",
    )
    type_code: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=32,
            description="Type of the document (JDV_J07). There is no type for a test: the default is the discharge letter, which every "
            "MSSanté receiver knows and which level 1 may carry.",
        ),
    ] = "11490-0"
    ins: Annotated[
        Literal["O", "N"],
        Meta(description="X-MSS-INS, whether the INS is qualified: `N`, an INS of test never is."),
    ] = "N"
    nil: Annotated[
        str,
        Meta(
            max_length=40,
            pattern=r"^[0-9A-Za-z._-]*$",
            description="X-MSS-NIL, reference number of the sending software. Empty: no such header.",
        ),
    ] = ""
    receipt: Annotated[bool, Meta(description="Whether a read receipt is asked for (Disposition-Notification-To).")] = (
        True
    )
    headers: Annotated[
        Mapping[str, Line],
        Meta(description="More headers of your operator's own, `X-...` only."),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A subject that can be filled in, a known type, headers that do not take the place of ours."""
        try:
            places = {name for _, name, _, _ in string.Formatter().parse(self.subject) if name is not None}
        except ValueError:
            places = {""}
        if not places <= _PLACES:
            raise ValueError("message.subject: between braces only {label}, {family}, {given}, {birth}")
        if "XDM/1.0/DDM" not in self.subject:
            raise ValueError("message.subject must hold XDM/1.0/DDM (IHE ITI-32)")
        found = kinds.TABLE.get(self.type_code)
        if found is None or not found.current or not found.class_code:
            raise ValueError("message.type_code is no document type of JDV_J07: 11490-0, 34112-3 ...")
        for name in self.headers:
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                raise ValueError("message.headers: only headers X-... that are not set elsewhere")


_OURS: Final = frozenset({"x-mss-codecda", "x-mss-ins", "x-mss-nil"})


class Author(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the test document says wrote and signed it."""

    identifier: Annotated[
        str,
        Meta(
            max_length=64,
            pattern=r"^[0-9A-Za-z/._-]*$",
            description="National identifier (PS_IdNat: `8` and the RPPS ...). Empty: an internal one of the establishment, `3` and the FINESS.",
        ),
    ] = ""
    family: Annotated[str, Meta(min_length=1, max_length=100, description="Name.")] = "TEST"
    given: Annotated[str, Meta(min_length=1, max_length=100, description="Given name.")] = "JAUGE"


class Declaration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The organisational mailbox that the establishment declares: it works, and patients' messages are read in it."""

    address: Annotated[Address, Meta(description="Its address.")]
    service: Annotated[str, Meta(min_length=1, max_length=120, description="Service that reads it.")]
    responsible: Annotated[
        str, Meta(min_length=1, max_length=120, description="Person or function that answers for it.")
    ]
    declared: Annotated[
        str, Meta(pattern=_DAY, description="Date of the declaration.", extra={"hint": "as 2026-03-10"})
    ]
    open_since: Annotated[
        str,
        Meta(
            pattern=r"^$|" + _DAY, description="Date of its opening. Empty: not told.", extra={"hint": "as 2026-01-15"}
        ),
    ] = ""

    def __post_init__(self) -> None:
        """The dates must be dates."""
        for day in filter(None, (self.declared, self.open_since)):
            try:
                date.fromisoformat(day)
            except ValueError:
                raise ValueError(f"mailbox: {day} is not a date: write it as 2026-03-10") from None


class Sender(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One establishment that proves PS4.1."""

    establishment: Annotated[Finess, Meta(description="FINESS of the establishment, declared under `establishments`.")]
    sender: Annotated[
        Address, Meta(description="MSSanté address that the test message comes from (any kind of mailbox).")
    ]
    sender_name: Annotated[
        str, Meta(max_length=120, description="Name beside it. Empty: that of the establishment.")
    ] = ""
    oid: Annotated[
        Oid | None,
        Meta(
            description="OID of the sending software or establishment (sourceId). Empty: one made of the FINESS, under 2.25."
        ),
    ] = None
    facility: Annotated[
        Literal["SA01", "SA04"],
        Meta(description="Kind of establishment in the document (JDV_J02): `SA01` public, `SA04` private."),
    ] = "SA01"
    smtp: Annotated[Smtp, Meta(description="Where the message is handed in.")]
    imap: Annotated[
        Imap | None, Meta(description="Where the reply arrives. Empty: `jauge ps41 watch` cannot be used.")
    ] = None
    mailbox: Annotated[
        Declaration | None,
        Meta(description="The organisational mailbox that is declared. Empty: the proof is not complete."),
    ] = None
    author: Annotated[Author, Meta(description="Who the test document says wrote it.")] = field(default_factory=Author)


class Ps41(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PS4.1: the test message to the national test mailbox, and its proof; see docs/fr/ps41.md."""

    folder: Annotated[
        Path | None,
        Meta(description="Where the tests and their proofs are kept (0700). Empty: `ps41` beside the store."),
    ] = None
    address: Annotated[Address, Meta(description="The test address, that answers by itself.")] = TEST_ADDRESS
    valid_days: Annotated[
        int,
        Meta(ge=1, le=3_660, description="Days during which a proof holds: the indicator is asked for every semester."),
    ] = 183
    reply_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=720,
            description="Hours during which a message of the test address that names no other is taken for the reply.",
        ),
    ] = 24
    message: Annotated[Message, Meta(description="What the test message says.")] = field(default_factory=Message)
    patient: Annotated[Patient, Meta(description="The test patient.")] = field(default_factory=Patient)
    senders: Annotated[
        tuple[Sender, ...], Meta(description="The establishments that prove PS4.1, and their mail servers.")
    ] = ()

    def sender(self, finess: str) -> Sender | None:
        """The entry of an establishment, None when it has none."""
        return next((sender for sender in self.senders if sender.establishment == finess), None)
