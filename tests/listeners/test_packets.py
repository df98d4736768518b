"""Captures of the network: what a mirror port saw, read by tshark and put together here."""

from __future__ import annotations

import gzip
import ipaddress
import shutil
import struct
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.listeners import archive, packets
from engine.parsers.mllp import frame
from tests.listeners.conformance import FakePipeline, message
from tests.listeners.relay_place import answer

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

SYN, ACK, PUSH = 2, 16, 24


class Capture:
    """Packets of Ethernet, in the order they were seen."""

    def __init__(self, *, vlan: bool = False, six: bool = False) -> None:
        self.packets: list[bytes] = []
        self._vlan = vlan
        self._six = six

    def packet(self, source: int, target: int, sequence: int, flags: int, data: bytes = b"") -> None:
        """One segment between two ports of two machines."""
        tcp = struct.pack("!HHIIBBHHH", source, target, sequence % 2**32, 1, 5 << 4, flags, 65535, 0, 0) + data
        hosts = ["2001:db8::1", "2001:db8::2"] if self._six else ["192.0.2.1", "192.0.2.2"]
        first, second = (ipaddress.ip_address(host).packed for host in (hosts if source > target else hosts[::-1]))
        if self._six:
            ip, kind = struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + first + second, 0x86DD
        else:
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + first + second
            kind = 0x0800
        tag = struct.pack("!HH", 0x8100, 7) if self._vlan else b""
        self.packets.append(bytes(12) + tag + struct.pack("!H", kind) + ip + tcp)

    def write(self, path: Path, snaplen: int = 262_144) -> Path:
        """A pcap of it."""
        out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, 1)
        for number, one in enumerate(self.packets):
            out += struct.pack("<IIII", 1_772_000_000 + number, 0, min(len(one), snaplen), len(one)) + one[:snaplen]
        path.write_bytes(gzip.compress(out) if path.suffix == ".gz" else out)
        return path

    def write_ng(self, path: Path) -> Path:
        """A pcapng of it."""
        out = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + _block(1, struct.pack("<HHI", 1, 0, 0))
        for one in self.packets:
            head = struct.pack("<IIIII", 0, 0, 0, len(one), len(one))
            out += _block(6, head + one + bytes(-len(one) % 4))
        path.write_bytes(out)
        return path


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


SENDER, RECEIVER = 50_000, 2575
NAMES = [f"A{number}" for number in range(5)]


def conversation(capture: Capture, *, size: int = 3000, mss: int = 1000, syn: bool = True) -> list[int]:
    """Five messages and their answers, in segments; which packets hold data of the sender."""
    there, back, own = 1_000, 2**32 - 100, []
    if syn:
        capture.packet(SENDER, RECEIVER, there - 1, SYN)
        capture.packet(RECEIVER, SENDER, back - 1, SYN | ACK)
    for name in NAMES:
        block = frame(message(name, size=size))
        for begin in range(0, len(block), mss):
            own.append(len(capture.packets))
            capture.packet(SENDER, RECEIVER, there + begin, PUSH, block[begin : begin + mss])
        there += len(block)
        reply = frame(answer(message(name)))
        capture.packet(RECEIVER, SENDER, back, PUSH, reply)
        back += len(reply)
    return own


async def replayed(path: Path) -> tuple[FakePipeline, dict[str, int]]:
    """What a replay of the file gives to the pipeline, and its counts."""
    pipeline = FakePipeline()
    return pipeline, await archive.replay([path], pipeline, "test")


@needs_tshark
@pytest.mark.parametrize("kind", ["plain", "vlan", "ipv6", "gzip", "pcapng"])
async def test_both_directions_of_a_capture_are_read(tmp_path: Path, kind: str) -> None:
    """Each message and each answer, as it went over the wire, whatever the file and the network."""
    capture = Capture(vlan=kind == "vlan", six=kind == "ipv6")
    conversation(capture)
    if kind == "pcapng":
        path = capture.write_ng(tmp_path / "mirror.pcapng")
    else:
        path = capture.write(tmp_path / ("mirror.pcap.gz" if kind == "gzip" else "mirror.pcap"))
    pipeline, counts = await replayed(path)
    assert sorted(pipeline.ids) == sorted(NAMES + [f"R{name}" for name in NAMES])
    assert {len(payload) for payload in pipeline.payloads if b"MSA" not in payload} == {len(message("A0", size=3000))}
    assert counts == {"accepted": 10}


@needs_tshark
async def test_order_and_repetition_do_not_matter(tmp_path: Path) -> None:
    """Retransmitted, seen at both ports of the mirror, out of order: each message once."""
    capture = Capture()
    conversation(capture)
    capture.packets = (
        capture.packets[:2]
        + [one for pair in zip(capture.packets[3::2], capture.packets[2::2], strict=False) for one in (*pair, pair[0])]
        + capture.packets[-1:]
    )
    pipeline, counts = await replayed(capture.write(tmp_path / "mirror.pcap"))
    assert sorted(pipeline.ids) == sorted(NAMES + [f"R{name}" for name in NAMES])
    assert counts == {"accepted": 10}


@needs_tshark
@pytest.mark.parametrize("lost", ["beginning", "middle", "end"])
async def test_a_lost_segment_costs_its_message_and_is_counted(tmp_path: Path, lost: str) -> None:
    """A message with a hole is not delivered and is counted as incomplete; all the others are."""
    capture = Capture()
    own = conversation(capture)
    third = own[8:12]
    del capture.packets[{"beginning": third[0], "middle": third[1], "end": third[3]}[lost]]
    pipeline, counts = await replayed(capture.write(tmp_path / "mirror.pcap"))
    assert sorted(pipeline.ids) == sorted([name for name in NAMES if name != "A2"] + [f"R{name}" for name in NAMES])
    size = len(frame(message("A2", size=3000))) - 3000 if lost == "end" else 1000
    assert counts == {"accepted": 9, "incomplete": 1, "missing-bytes": size}


@needs_tshark
async def test_the_middle_of_a_connection(tmp_path: Path) -> None:
    """A capture that begins within a message, and ends within another: both are counted, those between are read."""
    capture = Capture()
    own = conversation(capture, syn=False)
    capture.packets = capture.packets[own[1] : own[-1]]
    pipeline, counts = await replayed(capture.write(tmp_path / "mirror.pcap"))
    assert sorted(pipeline.ids) == sorted(NAMES[1:4] + [f"R{name}" for name in NAMES[:4]])
    assert counts == {"accepted": 7, "incomplete": 2, "missing-bytes": 0}


@needs_tshark
async def test_packets_cut_short_by_the_capture(tmp_path: Path) -> None:
    """A capture that kept only the beginning of each packet holds no whole message: it says how much is missing."""
    capture = Capture()
    conversation(capture)
    pipeline, counts = await replayed(capture.write(tmp_path / "mirror.pcap", snaplen=500))
    assert {name for name in pipeline.ids if name.startswith("A")} == set()
    assert counts["incomplete"] >= 5
    assert counts["missing-bytes"] > 5000


@needs_tshark
async def test_other_traffic_is_not_ours(tmp_path: Path) -> None:
    """Connections that carry no HL7 are passed over, whole or not."""
    capture = Capture()
    capture.packet(SENDER, 80, 1, PUSH, b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
    capture.packet(SENDER, 80, 9_000, PUSH, b"\x0bnot of ours")
    pipeline, counts = await replayed(capture.write(tmp_path / "mirror.pcap"))
    assert pipeline.payloads == []
    assert counts == {}


@needs_tshark
async def test_a_capture_that_breaks_off(tmp_path: Path) -> None:
    """A file that ends in the middle of a packet: what came before is read, and the file is told as damaged."""
    capture = Capture()
    conversation(capture)
    path = capture.write(tmp_path / "mirror.pcap")
    path.write_bytes(path.read_bytes()[:-50])
    pipeline, counts = await replayed(path)
    assert len(pipeline.payloads) == 9
    assert counts["damaged"] == 1


async def test_without_tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tshark is not installed, that is one clear error with its mend."""
    monkeypatch.setenv("PATH", str(tmp_path))
    path = Capture().write(tmp_path / "mirror.pcap")
    with pytest.raises(ConfigError, match="apt-get install tshark"):
        await replayed(path)


def test_captures_are_recognised_by_their_first_bytes(tmp_path: Path) -> None:
    """Not by their name: an archive of messages is none, nor is an empty or an absent file."""
    assert packets.recognises(Capture().write(tmp_path / "a"))
    assert packets.recognises(Capture().write(tmp_path / "b.gz"))
    assert packets.recognises(Capture().write_ng(tmp_path / "c"))
    for name, content in (("d", message("A1")), ("e", b""), ("f", b"\x1f\x8b"), ("g", gzip.compress(message("A1")))):
        (tmp_path / name).write_bytes(content)
        assert not packets.recognises(tmp_path / name)
    assert not packets.recognises(tmp_path / "absent")
