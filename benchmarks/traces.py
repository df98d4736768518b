"""The traces of a submission: bytes to facts, beside what any reader of the same bytes must do.

The floors: a line of a log, its JSON decoded; an audit message and an answer, their XML parsed (lxml); a request with a 300 kB CDA,
its parts cut, both XML parsed and the SHA-1 of the document; a FHIR bundle with the same CDA, its JSON decoded, the base64
decoded and the XML parsed.
"""

from __future__ import annotations

import base64
import hashlib
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import msgspec
import pybase64
from lxml import etree

from benchmarks.messages import cda
from benchmarks.result import Figure, Result, compare
from benchmarks.subject import context

ROOT = Path(__file__).resolve().parent.parent
SIZE = 300_000
LINE = (
    b'{"time":"2026-03-10T16:20:05+01:00","event":"dmp.submission","status":"ACCEPTED","document_id":"1.2.250.1.999.42.10.1001",'
    b'"submission_set":"1.2.250.1.999.42.20.9001","message_id":"urn:uuid:00000000-0000-4000-8000-000000000041",'
    b'"ins":"290067599900261","ins_oid":"1.2.250.1.213.1.4.10","ipp":"700001","visit":"260004567","type_code":"11490-0",'
    b'"created":"2026-03-10T16:15:00+01:00"}'
)


def parse(data: bytes) -> object:
    """The whole tree, as safely as ours."""
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))


def mtom(document: bytes) -> bytes:
    """The request of the fixtures, with another document as its attachment."""
    whole = (ROOT / "fixtures" / "dmp" / "iti41_ldl_ses.http").read_bytes()
    start = whole.index(b"<ClinicalDocument")
    start = whole.rindex(b"\r\n\r\n", 0, start) + 4
    end = whole.index(b"</ClinicalDocument>", start) + len(b"</ClinicalDocument>")
    return whole[:start] + document + whole[end:]


def bundle(document: bytes) -> bytes:
    """The request of the fixtures, with another document as its Binary."""
    whole = (ROOT / "fixtures" / "fhir" / "iti65_request.http").read_bytes()
    resource = msgspec.json.decode(whole[whole.index(b"{") :])
    for entry in resource["entry"]:
        if entry["resource"]["resourceType"] == "Binary":
            entry["resource"]["data"] = base64.b64encode(document).decode()
    return msgspec.json.encode(resource)


def cut(raw: bytes) -> object:
    """Parts between the boundaries, both documents parsed, the SHA-1 of the second."""
    mark = raw[raw.index(b"--", raw.index(b"\r\n\r\n")) :].split(b"\r\n", 1)[0]
    bodies = [part.split(b"\r\n\r\n", 1)[-1] for part in raw.split(mark)[1:-1]]
    parse(bodies[0].strip())
    return parse(bodies[1].strip()), hashlib.sha1(bodies[1], usedforsecurity=False).digest()


def decoded(raw: bytes) -> object:
    """JSON, base64, XML."""
    resource = msgspec.json.decode(raw)
    (data,) = [one["resource"]["data"] for one in resource["entry"] if one["resource"]["resourceType"] == "Binary"]
    return parse(pybase64.b64decode(data, validate=True))


def run(_: Namespace) -> Result:
    """Measure one payload of each trace."""
    from engine.mappings import load
    from engine.parsers import formats, log
    from engine.resources import path

    ours = context()
    read_line = log.reader(load(path("logs/platform-json.yaml")))
    document = cda(1, SIZE)
    document = document if isinstance(document, bytes) else document.encode()
    audit = (ROOT / "fixtures" / "atna" / "iti-41.xml").read_bytes()
    answer = (ROOT / "fixtures" / "dmp" / "iti41_failure.xml").read_bytes()
    request, resource = mtom(document), bundle(document)
    result = Result("traces", "Traces of a submission: bytes to facts (ratio: to decoding and parsing the same bytes)")
    cases: tuple[tuple[str, bytes, Callable[[bytes], object], Callable[[bytes], object]], ...] = (
        ("line of a log, JSON", LINE, msgspec.json.decode, lambda raw: read_line(raw, ours)),
        ("audit message, ITI-41", audit, parse, lambda raw: formats.parse(raw, ours)),
        ("answer to ITI-41", answer, parse, lambda raw: formats.parse(raw, ours)),
        ("ITI-41, MTOM, 300 kB CDA", request, cut, lambda raw: formats.parse(raw, ours)),
        ("ITI-65 bundle, 300 kB CDA", resource, decoded, lambda raw: formats.parse(raw, ours)),
    )
    for name, raw, floor, read in cases:
        found = read(raw)
        if not found.facts:  # type: ignore[attr-defined]
            raise RuntimeError(f"{name}: no facts were read, flags {found.flags}")  # type: ignore[attr-defined]
        taken = compare(
            {"floor": lambda raw=raw, floor=floor: floor(raw), "jauge": lambda raw=raw, read=read: read(raw)}
        )  # type: ignore[misc]
        for who, seconds in taken.items():
            figure = Figure(f"{name} ({len(raw):,} B)  {who}", seconds * 1e6, "us", seconds / taken["floor"])
            result.figures.append(figure)
    return result
