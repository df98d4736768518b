"""The envelope of a SOAP message, 1.1 or 1.2: addressing, time, the patient of its security token, and what its body is.

WS-Addressing 1.0 (MessageID, RelatesTo, Action), WS-Security (Timestamp/Created), the VIHF of the CI-SIS (a SAML 2.0 assertion, of
which only the resource-id is read: the patient). Elements are known by their local names: official samples declare a
SOAP 1.1 envelope under a SOAP 1.2 media type.
"""

from __future__ import annotations

from typing import Final

from engine.parsers import dtm, soap_reader
from engine.parsers.dtm import Zone

_RESOURCE: Final = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
_ADDRESSING: Final = frozenset({"MessageID", "RelatesTo", "Action"})
_UTC: Final = Zone("UTC")


class Envelope:
    """What stands around the body; every text is clear, for memory only. Empty: absent."""

    __slots__ = ("_body", "_resource", "action", "body", "created", "message_id", "patient", "relates_to")

    def __init__(self, body: soap_reader.Sink) -> None:
        self.message_id = ""
        self.relates_to = ""
        self.action = ""
        self.created = 0  # seconds since 1970-01-01 UTC
        self.patient = ""  # CX of the security token's resource-id
        self.body = ""  # local name of what the body holds; of the root, without envelope
        self._body = body
        self._resource = False

    def __repr__(self) -> str:
        return f"Envelope(body={self.body!r})"

    def start(self, path: list[str], attributes: dict[str, str], place: int) -> bool:
        """See :class:`engine.parsers.soap_reader.Sink`."""
        if path[0] != "Envelope":
            if len(path) == 1:
                self.body = path[0]
            return self._body.start(path, attributes, place)
        if len(path) < 3:
            return False
        if path[1] == "Body":
            if len(path) == 3 and not self.body:
                self.body = path[2]
            return self._body.start(path, attributes, place)
        if path[1] != "Header":
            return False
        name = path[-1]
        if name == "Attribute":
            self._resource = attributes.get("Name") == _RESOURCE
        if name == "AttributeValue":
            return self._resource
        return (name in _ADDRESSING and len(path) == 3) or (name == "Created" and path[-2] == "Timestamp")

    def end(self, path: list[str], text: str, place: int) -> None:
        """See :class:`engine.parsers.soap_reader.Sink`."""
        if path[0] != "Envelope" or (len(path) > 2 and path[1] == "Body"):
            self._body.end(path, text, place)
        elif text:
            self._header(path[-1], text.strip())

    def _header(self, name: str, text: str) -> None:
        if name == "MessageID":
            self.message_id = self.message_id or text
        elif name == "RelatesTo":
            self.relates_to = self.relates_to or text
        elif name == "Action":
            self.action = self.action or text
        elif name == "Created":
            self.created = self.created or dtm.iso(text, _UTC, dtm.SECOND)
        else:
            self.patient = self.patient or text


def read(
    data: bytes, body: soap_reader.Sink, start: int = 0, end: int | None = None, encoding: str | None = None
) -> Envelope:
    """Read the message that is ``data[start:end]``; ``body`` hears what stands in its body, or in a root that is no envelope.

    Raises :class:`engine.errors.ParseError` with a code of ``soap_reader.CODES``, or what ``body`` raises.
    """
    envelope = Envelope(body)
    soap_reader.walk(data, envelope, start, end, encoding)
    return envelope


def utc(zone: Zone, text: str) -> int:
    """Seconds of a DTM that is UTC unless it says otherwise (IHE ITI TF-3 table 4.2.3.1.7-2); 0 when it is none."""
    bare = text.strip()
    return zone.seconds((f"{bare}Z" if bare.isdigit() else bare).encode("ascii", "replace"))
