"""config/interface-engines: the channel of Mirth has the form of an export, and does what its recipe says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from engine.parsers.acknowledgement import Acknowledger
from engine.receipt import Receipt

FOLDER = Path(__file__).resolve().parent.parent / "config" / "interface-engines"
VERSION = "4.4.1"
MIRTH = "com.mirth.connect."

# What an export of that version holds in each of these, in this order (an import maps them to fields of the same names).
CHILDREN = {
    "channel": "id nextMetaDataId name description revision sourceConnector destinationConnectors preprocessingScript "
    "postprocessingScript deployScript undeployScript properties",
    "sourceConnector": "metaDataId name properties transformer filter transportName mode enabled waitForPrevious",
    "connector": "metaDataId name properties transformer responseTransformer filter transportName mode enabled waitForPrevious",
    "sourceConnectorProperties": "responseVariable respondAfterProcessing processBatch firstResponse processingThreads resourceIds queueBufferSize",
    "destinationConnectorProperties": "queueEnabled sendFirst retryIntervalMillis regenerateTemplate retryCount rotate "
    "includeFilterTransformer threadCount threadAssignmentVariable validateResponse resourceIds queueBufferSize reattachAttachments",
    "transmissionModeProperties": "pluginPointName startOfMessageBytes endOfMessageBytes useMLLPv2 ackBytes nackBytes maxRetries",
    MIRTH + "connectors.vm.VmReceiverProperties": "pluginProperties sourceConnectorProperties",
    MIRTH
    + "connectors.tcp.TcpDispatcherProperties": "pluginProperties destinationConnectorProperties transmissionModeProperties "
    "serverMode remoteAddress remotePort overrideLocalBinding localAddress localPort sendTimeout bufferSize keepConnectionOpen "
    "checkRemoteHost responseTimeout ignoreResponse queueOnResponseTimeout dataTypeBinary charsetEncoding template",
    "transformer": "elements inboundTemplate outboundTemplate inboundDataType outboundDataType inboundProperties outboundProperties",
    "responseTransformer": "elements inboundTemplate outboundTemplate inboundDataType outboundDataType inboundProperties outboundProperties",
}


@pytest.fixture(scope="module")
def channel() -> ET.Element:
    """The channel."""
    return ET.parse(FOLDER / "mirth-jauge-copy.xml").getroot()


def text(channel: ET.Element, path: str) -> str:
    """The text of the one element of that path."""
    (found,) = channel.findall(path)
    return found.text or ""


def test_the_channel_has_the_form_of_an_export(channel: ET.Element) -> None:
    """Each part has the elements that this version writes, in its order; every version is the same; ids are in order."""
    seen = set()
    for element in channel.iter():
        assert element.get("version", VERSION) == VERSION
        for name in (element.get("class", ""), element.tag):
            if name in CHILDREN:
                seen.add(name)
                assert [child.tag for child in element] == CHILDREN[name].split(), name
                break
    assert seen == set(CHILDREN)
    ids = [int(one.text or "") for one in channel.iter("metaDataId")]
    assert ids == list(range(len(ids)))
    assert int(text(channel, "nextMetaDataId")) == len(ids)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text(channel, "id"))


def test_the_channel_never_holds_the_others_up(channel: ET.Element) -> None:
    """Who writes to it is answered at once; what Jauge has not taken waits in the queue, for ever, in order, on disk."""
    source = "sourceConnector/properties/sourceConnectorProperties/"
    assert text(channel, source + "respondAfterProcessing") == "false"
    assert text(channel, source + "responseVariable") == "None"
    target = "destinationConnectors/connector/properties/destinationConnectorProperties/"
    assert text(channel, target + "queueEnabled") == "true"
    assert text(channel, target + "sendFirst") == "false"
    assert text(channel, target + "retryCount") == "0"
    assert text(channel, target + "rotate") == "false"
    assert text(channel, target + "threadCount") == "1"
    assert text(channel, "properties/messageStorageMode") == "PRODUCTION"


def test_the_channel_changes_no_byte(channel: ET.Element) -> None:
    """Raw from end to end, no step and no filter on the way out, MLLP around it, and the answer is waited for."""
    assert {one.text for tag in ("inboundDataType", "outboundDataType") for one in channel.iter(tag)} == {"RAW"}
    for place in (
        "sourceConnector/transformer",
        "sourceConnector/filter",
        "destinationConnectors/connector/transformer",
    ):
        assert len(channel.findall(f"{place}/elements/*")) == 0
    properties = "destinationConnectors/connector/properties/"
    assert text(channel, properties + "template") == "${message.rawData}"
    assert text(channel, properties + "ignoreResponse") == "false"
    assert text(channel, properties + "queueOnResponseTimeout") == "true"
    assert text(channel, properties + "transmissionModeProperties/startOfMessageBytes") == "0B"
    assert text(channel, properties + "transmissionModeProperties/endOfMessageBytes") == "1C0D"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_what_jauge_cannot_store_now_is_sent_again(channel: ET.Element) -> None:
    """The step that reads Jauge's own answers: accepted is sent, refused is an error, unavailable and no answer are queued again."""
    (script,) = channel.iter("script")
    line = b"MSH|^~\\&|GAM|HX|DPI|HX|20260302101500||ADT^A01^ADT_A01|A1|P|2.5\r"
    answer = Acknowledger().answers
    cases = {
        answer(line, Receipt("accepted"))[0].decode(): "SENT",
        answer(line, Receipt("refused", "not-hl7", "MSH"))[0].decode(): "ERROR",
        answer(line, Receipt("unavailable", "store-unavailable"))[0].decode(): "QUEUED",
        "": "QUEUED",
        "MSH|^~\\&|X\r": "QUEUED",
    }
    program = (
        "const SENT='SENT',QUEUED='QUEUED',ERROR='ERROR';"
        f"console.log(JSON.stringify({json.dumps(list(cases))}.map(answer => {{"
        "let responseStatus=SENT; const response={getMessage:()=>answer};"
        f"{script.text}\nreturn responseStatus}})))"
    )
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == list(cases.values())


def test_every_recipe_is_in_the_index_and_leads_to_the_checks() -> None:
    """The index names each file beside it, and each recipe ends where one sees whether it works."""
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in sorted(FOLDER.iterdir()):
        if path.name != "README.md":
            named = index + (FOLDER / "mirth.md").read_text(encoding="utf-8")
            assert f"]({path.name})" in named
        if path.suffix == ".md" and path.name != "README.md":
            assert "README.md#what-to-check-afterwards" in path.read_text(encoding="utf-8")
