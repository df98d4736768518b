"""A second opinion on an XDM archive, written from the IHE text alone: it imports nothing of the engine.

IHE ITI TF-2 3.32 (layout), TF-3 4.2 (ebRIM metadata) and table 4.3.1-3 (what a Portable Media Creator must give), IHE PCC TF-2 4.1 (a CDA
and its entry). ``check(data)`` gives one sentence for each rule that is broken; none for a good archive.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator

from lxml import etree

LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
NS = {"rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0", "v3": "urn:hl7-org:v3", "h": "http://www.w3.org/1999/xhtml"}
SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"

AUTHORS = {"urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"}
TYPE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
SINGLE = {
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": "classCode",
    TYPE: "typeCode",
    FORMAT: "formatCode",
    "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": "healthcareFacilityTypeCode",
    "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": "practiceSettingCode",
    "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500": "contentTypeCode",
}
SEVERAL = {
    "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f": "confidentialityCode",
    "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4": "eventCodeList",
}
IDENTIFIERS = {
    "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427": "XDSDocumentEntry.patientId",
    "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab": "XDSDocumentEntry.uniqueId",
    "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446": "XDSSubmissionSet.patientId",
    "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832": "XDSSubmissionSet.sourceId",
    "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8": "XDSSubmissionSet.uniqueId",
}
IDENTIFIED = {"ExtrinsicObject", "RegistryPackage", "Association", "Classification", "ExternalIdentifier"}
TIMES = {"creationTime", "serviceStartTime", "serviceStopTime", "submissionTime"}
LISTS = {"sourcePatientInfo", "intendedRecipient", "authorInstitution", "authorRole", "authorSpecialty"}
UNSTRUCTURED = {
    "application/pdf": "urn:ihe:iti:xds-sd:pdf:2008",
    "text/plain": "urn:ihe:iti:xds-sd:text:2008",
}

OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
DTM = re.compile(r"\d{4}(?:\d\d(?:\d\d(?:\d\d(?:\d\d(?:\d\d)?)?)?)?)?")
CX = re.compile(r"[^^&]+\^\^\^&[0-2](?:\.[0-9]+)+&ISO(?:\^[A-Z]{1,5})?")
FILE = re.compile(r"[A-Z0-9_]{1,8}(?:\.[A-Z0-9_]{1,3})?")
FOLDER = re.compile(r"[A-Z0-9_]{1,8}")


def check(data: bytes) -> list[str]:
    """Every rule that the archive breaks; an archive that cannot be opened breaks the first."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        if archive.testzip() is not None:
            return ["the ZIP has an entry whose CRC is wrong"]
        contents = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        return [f"the ZIP cannot be read: {type(error).__name__}"]
    return [*_container(archive), *_layout(contents), *_submissions(contents)]


def _container(archive: zipfile.ZipFile) -> Iterator[str]:
    """An ordinary ZIP file (DICOM PS3.12 annex V)."""
    for info in archive.infolist():
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            yield "an entry is neither stored nor deflated"
        if info.flag_bits & 1:
            yield "an entry is encrypted"
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            yield "an entry is a symbolic link"
        if not info.is_dir() and posixpath.normpath(info.filename) != info.filename:
            yield "the path of an entry is not plain"
    if len({info.filename.upper() for info in archive.infolist()}) != len(archive.infolist()):
        yield "two entries have one name"


def _layout(contents: dict[str, bytes]) -> Iterator[str]:
    """TF-2 3.32.4.1.2.1 and 3.32.4.1.2.2."""
    for name in contents:
        *folders, file = name.split("/")
        if not FILE.fullmatch(file) or not all(FOLDER.fullmatch(folder) for folder in folders) or len(folders) > 7:
            yield "a name is not one of ISO 9660 level 1"
        if not folders and file.startswith("AUTORUN"):
            yield "there is an autorun file"
    if not any(name.startswith("IHE_XDM/") for name in contents):
        yield "there is no directory IHE_XDM at the root"
    subdirectories = {name.split("/")[1] for name in contents if name.startswith("IHE_XDM/") and name.count("/") > 1}
    if any(name.startswith("IHE_XDM/") and name.count("/") == 1 for name in contents):
        yield "a file stands in IHE_XDM itself"
    if any(f"IHE_XDM/{folder}/METADATA.XML" not in contents for folder in subdirectories):
        yield "a directory of IHE_XDM has no METADATA.XML"
    if not contents.get("README.TXT", b"").strip():
        yield "README.TXT is missing or empty"
    yield from _index(contents.get("INDEX.HTM"))


def _index(page: bytes | None) -> Iterator[str]:
    if page is None:
        yield "INDEX.HTM is missing"
        return
    try:
        root = etree.fromstring(page, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError:
        yield "INDEX.HTM is not well-formed XHTML"
        return
    if root.tag != f"{{{NS['h']}}}html":
        yield "INDEX.HTM is not XHTML"
    if not root.xpath("h:head/h:title", namespaces=NS) or not root.xpath("h:body/*", namespaces=NS):
        yield "INDEX.HTM has no title or no body"
    if root.xpath("//h:script | //h:style | //h:font | //@style", namespaces=NS):
        yield "INDEX.HTM has what XHTML Basic does not"
    if "README.TXT" not in root.xpath("//h:a/@href", namespaces=NS):
        yield "INDEX.HTM has no link to README.TXT"


def _submissions(contents: dict[str, bytes]) -> Iterator[str]:
    times: list[str] = []
    for name, data in contents.items():
        if not re.fullmatch(r"IHE_XDM/[^/]+/METADATA\.XML", name):
            continue
        try:
            root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            yield "METADATA.XML is not well-formed"
            continue
        if root.getroottree().docinfo.doctype:
            yield "METADATA.XML has a DOCTYPE"
        if root.tag != f"{{{LCM}}}SubmitObjectsRequest" or [one.tag for one in root] != [
            f"{{{NS['rim']}}}RegistryObjectList"
        ]:
            yield "METADATA.XML is not a SubmitObjectsRequest that holds one RegistryObjectList"
            continue
        yield from _objects(root[0])
        submission = _submission_set(root[0])
        if submission is None:
            yield "there is not exactly one submission set"
            continue
        times.append(_slot(submission, "submissionTime"))
        yield from _set(submission)
        for entry in root[0].findall("rim:ExtrinsicObject", NS):
            yield from _entry(entry, submission, root[0])
            yield from _stored(entry, contents, posixpath.dirname(name))
    if len(set(times)) != len(times):
        yield "two submission sets have one submissionTime"


def _submission_set(objects: etree._Element) -> etree._Element | None:
    ids = set(
        objects.xpath(f".//rim:Classification[@classificationNode='{SET_NODE}']/@classifiedObject", namespaces=NS)
    )
    found = [one for one in objects.findall("rim:RegistryPackage", NS) if one.get("id") in ids]
    return found[0] if len(found) == 1 else None


def _slot(owner: etree._Element, name: str) -> str:
    values = owner.xpath(f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value/text()", namespaces=NS)
    return values[0] if len(values) == 1 else ""


def _identifier(owner: etree._Element, label: str) -> str:
    scheme = next(scheme for scheme, name in IDENTIFIERS.items() if name == label)
    values = owner.xpath(f"rim:ExternalIdentifier[@identificationScheme='{scheme}']/@value", namespaces=NS)
    return values[0] if len(values) == 1 else ""


def _code(owner: etree._Element, scheme: str) -> tuple[str, str]:
    for one in owner.xpath(f"rim:Classification[@classificationScheme='{scheme}']", namespaces=NS):
        return one.get("nodeRepresentation", ""), _slot(one, "codingScheme")
    return "", ""


def _objects(objects: etree._Element) -> Iterator[str]:
    """TF-3 4.2.3.1: how ebRIM writes attributes."""
    ids = Counter(objects.xpath(".//@id"))
    if max(ids.values(), default=0) > 1:
        yield "an id is used twice"
    for one in objects.iter(f"{{{NS['rim']}}}*"):
        kind = etree.QName(one).localname
        if kind in IDENTIFIED and not one.get("id"):
            yield f"a {kind} has no id"
    for one in objects.iterfind(".//rim:Slot", NS):
        values = one.xpath("rim:ValueList/rim:Value/text()", namespaces=NS)
        if not values or any(len(value) > 256 or value != value.strip() for value in values):
            yield f"the slot {one.get('name')} has no value, or one that is too long or padded"
        if len(values) > 1 and one.get("name") not in LISTS:
            yield f"the slot {one.get('name')} has several values"
        if one.get("name") in TIMES and not all(DTM.fullmatch(value) for value in values):
            yield f"the time {one.get('name')} is not YYYYMMDDhhmmss"
        if one.get("name") == "sourcePatientInfo" and not all(re.match(r"PID-\d+\|", value) for value in values):
            yield "sourcePatientInfo is not a list of PID-n|..."
    for one in objects.iterfind(".//rim:Classification", NS):
        yield from _classification(one)
    for one in objects.iterfind(".//rim:ExternalIdentifier", NS):
        label = one.xpath("string(rim:Name/rim:LocalizedString/@value)", namespaces=NS)
        if label != IDENTIFIERS.get(one.get("identificationScheme", "")):
            yield "an ExternalIdentifier is not named as its scheme asks"
        if one.get("registryObject") != one.getparent().get("id") or not one.get("value"):
            yield "an ExternalIdentifier has no value or is not its parent's"
        if label.endswith("patientId") and not CX.fullmatch(one.get("value", "")):
            yield f"{label} is not a CX"
    known = set(objects.xpath("rim:ExtrinsicObject/@id | rim:RegistryPackage/@id", namespaces=NS))
    for one in objects.iterfind("rim:Association", NS):
        if one.get("sourceObject") not in known or not one.get("targetObject"):
            yield "an association has no source or no target"
        if one.get("associationType") == HAS_MEMBER and one.get("targetObject") not in known:
            yield "a HasMember leads nowhere"


def _classification(one: etree._Element) -> Iterator[str]:
    if one.get("classificationNode"):
        return
    scheme, owner = one.get("classificationScheme", ""), one.getparent()
    if one.get("classifiedObject") != owner.get("id"):
        yield "a Classification is not its parent's"
    if one.get("nodeRepresentation") is None:
        yield "a Classification has no nodeRepresentation"
    if scheme in AUTHORS:
        if not _people(one):
            yield "an author has neither authorPerson nor authorInstitution"
        return
    if scheme not in SINGLE | SEVERAL:
        yield "a Classification has an unknown scheme"
    if not one.get("nodeRepresentation") or not _slot(one, "codingScheme"):
        yield f"the code {(SINGLE | SEVERAL).get(scheme)} lacks its code or its codingScheme"
    if not one.xpath("string(rim:Name/rim:LocalizedString/@value)", namespaces=NS):
        yield f"the code {(SINGLE | SEVERAL).get(scheme)} lacks its display name"
    if (
        scheme in SINGLE
        and len(owner.xpath(f"rim:Classification[@classificationScheme='{scheme}']", namespaces=NS)) > 1
    ):
        yield f"{SINGLE[scheme]} comes more than once"


def _people(author: etree._Element) -> bool:
    return any(
        author.xpath(f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value/text()", namespaces=NS)
        for name in ("authorPerson", "authorInstitution")
    )


def _set(submission: etree._Element) -> Iterator[str]:
    """Table 4.3.1-3, SubmissionSet, XDM MC: required are entryUUID, sourceId, submissionTime, uniqueId."""
    if not DTM.fullmatch(_slot(submission, "submissionTime")):
        yield "the submission set has no submissionTime"
    for label in ("XDSSubmissionSet.uniqueId", "XDSSubmissionSet.sourceId"):
        value = _identifier(submission, label)
        if not OID.fullmatch(value) or len(value) > 64:
            yield f"{label} is missing or no OID"


def _entry(entry: etree._Element, submission: etree._Element, objects: etree._Element) -> Iterator[str]:
    """Table 4.3.1-3, DocumentEntry, XDM MC: required are entryUUID, hash, mimeType, objectType, size, uniqueId, URI."""
    if entry.get("objectType") != STABLE:
        yield "the objectType of an entry is not that of a stable document"
    if not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", entry.get("mimeType", "")):
        yield "an entry has no mimeType"
    root, _, extension = _identifier(entry, "XDSDocumentEntry.uniqueId").partition("^")
    if not OID.fullmatch(root) or len(root) > 64 or len(extension) > 16:
        yield "the uniqueId of an entry is missing or no OID"
    for name in ("hash", "size", "URI"):
        if not _slot(entry, name):
            yield f"an entry has no {name}"
    ours, theirs = (
        _identifier(entry, "XDSDocumentEntry.patientId"),
        _identifier(submission, "XDSSubmissionSet.patientId"),
    )
    if ours and theirs and ours != theirs:
        yield "the patient of an entry is not that of its submission set"
    members = objects.xpath(
        f"rim:Association[@associationType='{HAS_MEMBER}'][@sourceObject=$set][@targetObject=$entry]",
        namespaces=NS,
        set=submission.get("id"),
        entry=entry.get("id"),
    )
    if [_slot(one, "SubmissionSetStatus") for one in members] != ["Original"]:
        yield "an entry is not an original member of the submission set, once"


def _stored(entry: etree._Element, contents: dict[str, bytes], folder: str) -> Iterator[str]:
    """TF-2 3.32.4.1.4: size and hash are those of the file that the URI leads to."""
    uri = _slot(entry, "URI")
    path = posixpath.normpath(posixpath.join(folder, uri))
    if not uri or uri.startswith("/") or ":" in uri or path not in contents:
        yield "the URI of an entry leads to no file"
        return
    data = contents[path]
    if _slot(entry, "size") != str(len(data)):
        yield "the size of an entry is not that of its file"
    if _slot(entry, "hash").lower() != hashlib.sha1(data).hexdigest():
        yield "the hash of an entry is not that of its file"
    if entry.get("mimeType") == "text/xml":
        yield from _content(entry, data)


def _content(entry: etree._Element, data: bytes) -> Iterator[str]:
    """PCC TF-2 4.1.1: what an entry takes from its CDA."""
    try:
        document = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError:
        yield "a document is not well-formed"
        return
    if document.tag != f"{{{NS['v3']}}}ClinicalDocument":
        yield "a document that is text/xml is no CDA"
        return
    (number,) = document.findall("v3:id", NS)
    name = number.get("root", "") + (f"^{number.get('extension')}" if number.get("extension") else "")
    if _identifier(entry, "XDSDocumentEntry.uniqueId") != name:
        yield "the uniqueId of an entry is not the id of its CDA"
    code = document.find("v3:code", NS)
    if code is None or _code(entry, TYPE) != (code.get("code"), code.get("codeSystem")):
        yield "the typeCode of an entry is not the code of its CDA"
    numbers = [
        (one.get("root"), one.get("extension")) for one in document.findall("v3:recordTarget/v3:patientRole/v3:id", NS)
    ]
    written = re.match(r"([^^]+)\^\^\^&([^&]+)&", _identifier(entry, "XDSDocumentEntry.patientId"))
    if written is not None and (written[2], written[1]) not in numbers:
        yield "the patientId of an entry is no number of the patient of its CDA"
    body = document.find("v3:component/v3:nonXMLBody/v3:text", NS)
    format_code = _code(entry, FORMAT)[0]
    if body is not None and UNSTRUCTURED.get(body.get("mediaType", ""), format_code) != format_code:
        yield "the formatCode of an entry is not that of its scanned document (XDS-SD)"
    if body is None and format_code in UNSTRUCTURED.values():
        yield "the formatCode of an entry says XDS-SD, and its CDA is structured"
