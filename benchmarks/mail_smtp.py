"""1,000 letters of discharge given to the SMTP journal, alone and with a mail of 25 MB among them: what the large one costs the others.

``jauge run`` in a process of its own, mails of MSSanté with an XDM on ten connections, paced; the large mail (an XDM with a PDF of
18 MB) comes from another process, as fast as it is taken. A mail's latency counts from when it was due to its 250, which follows a
commit that reached the disk.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import random
import re
import smtplib
import subprocess
import sys
import zipfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.messages import matricule
from benchmarks.result import Budget, Figure, Result
from benchmarks.subject import ROOT, engine, folder, free_port

JOURNAL = "journal@jauge.example"
MAILS = 1_000
CONNECTIONS = 10
RATE = 50
"""Mails a second: more than any hospital sends, and little enough that letters do not wait for each other."""
LARGE_AT = 3.0
"""Seconds after the first mail at which the large one begins."""
PDF = 18_000_000
ROUNDS = 3
AFTER = 0.5
"""Seconds after the large mail's own answer in which letters may still feel it."""

CONFIGURATION = """\
store: store/jauge.sqlite3
keys: keys
http:
  port: {http}
log:
  format: json
  level: warning
establishments:
  - finess: "990000001"
    name: Benchmark
    mssante_domains: [ch-fictif.mssante.fr]
feeds:
  - name: mss
    listener: smtp
    establishment: "990000001"
    recipients: [journal@jauge.example]
    port: {smtp}
    messages_per_minute: 0
"""

_numbers: Iterator[int] = count(1)


@dataclass
class Seen:
    """What one run saw: when each letter was due (seconds from the first) and how long after that it had its 250, in seconds."""

    letters: list[tuple[float, float]] = field(default_factory=list)
    large: float = 0.0

    def quantile(self, share: float, until: float = float("inf")) -> float:
        """Latency under which so many of the answers came; ``until``: of the letters due since the large one began, until then."""
        since = LARGE_AT if until < float("inf") else 0.0
        ordered = sorted(latency for due, latency in self.letters if since <= due <= until)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def archive(number: int, scan: bytes = b"") -> bytes:
    """The XDM of the fixtures for a patient and with a document of its own; ``scan``: one more file in it."""
    packed = io.BytesIO()
    swaps = {
        b"290067599900261": matricule(number).encode(),
        b"1.2.250.1.999.42.10.1002": b"1.2.250.1.999.42.11.%d" % (1_000_000 + number),
        b"1.2.250.1.999.42.20.9001": b"1.2.250.1.999.42.20.%d" % (1_000_000 + number),
        b"1.2.250.1.999.42.11.501": b"1.2.250.1.999.42.12.%d" % (1_000_000 + number),
        b"VEN0004242": b"27%08d" % number,
        b"IPP000777": b"7%08d" % number,
    }
    with (
        zipfile.ZipFile(ROOT / "fixtures" / "xdm" / "ldl_ses_n1.zip") as small,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        contents = {name: small.read(name) for name in small.namelist()}
        document, metadata = (f"IHE_XDM/SUBSET01/{name}.XML" for name in ("DOC00001", "METADATA"))
        before = hashlib.sha1(contents[document], usedforsecurity=False).hexdigest()
        size = len(contents[document])
        for old, new in swaps.items():
            contents[document] = contents[document].replace(old, new)
            contents[metadata] = contents[metadata].replace(old, new)
        after = hashlib.sha1(contents[document], usedforsecurity=False).hexdigest()
        contents[metadata] = contents[metadata].replace(before.encode(), after.encode())
        contents[metadata] = contents[metadata].replace(b">%d<" % size, b">%d<" % len(contents[document]))
        if scan:
            contents["IHE_XDM/SUBSET01/SCAN.PDF"] = scan
        for name, content in contents.items():
            made.writestr(name, content)
    return packed.getvalue()


def letter(number: int, scan: bytes = b"") -> bytes:
    """The letter of the fixtures (5 kB, an XDM with a CDA), of a patient and under a Message-ID of its own, to one of 50 correspondents."""
    whole = re.sub(rb"\r?\n", b"\r\n", (ROOT / "fixtures" / "mail" / "letter_professional.eml").read_bytes())
    whole = re.sub(rb"(?m)^Message-ID: <[^@>]*", b"Message-ID: <bench-%d" % number, whole, count=1)
    whole = whole.replace(b"sacha.destinataire@", b"sacha.destinataire.%d@" % (number % 50))
    head, part = whole.split(b"Content-Type: application/zip", 1)
    fields = part.split(b"\r\n\r\n", 1)[0]
    written = base64.encodebytes(archive(number, scan)).replace(b"\n", b"\r\n")
    return head + b"Content-Type: application/zip" + fields + b"\r\n\r\n" + written + b"--M1--\r\n"


def large(number: int) -> bytes:
    """The same with a PDF of 18 MB in its XDM (scanned: nothing compresses it), which makes a mail of 25 MB."""
    return letter(number, b"%PDF-1.4\n" + random.Random(7).randbytes(PDF))


async def expect(reader: asyncio.StreamReader, code: bytes) -> None:
    """One reply of that code."""
    while (line := await reader.readline())[3:4] == b"-":
        pass
    if not line.startswith(code):
        raise ConnectionError(f"{line[:3]!r} instead of {code!r}")


async def connection(port: int, mails: list[bytes], place: int, origin: float, seen: Seen) -> None:
    """One sender: each mail when it is due, once the one before was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await expect(reader, b"220")
    writer.write(b"EHLO bench.example\r\n")
    await expect(reader, b"250")
    for turn, mail in enumerate(mails):
        due = (turn * CONNECTIONS + place) / RATE
        await asyncio.sleep(max(0.0, origin + due - perf_counter()))
        writer.write(b"MAIL FROM:<service@ch-fictif.mssante.fr>\r\nRCPT TO:<%b>\r\nDATA\r\n" % JOURNAL.encode())
        for code in (b"250", b"250", b"354"):
            await expect(reader, code)
        writer.write(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        await expect(reader, b"250")
        seen.letters.append((due, perf_counter() - origin - due))
    writer.close()
    await writer.wait_closed()


async def letters(port: int, mails: int, giant: subprocess.Popen[bytes] | None) -> Seen:
    """Give so many letters, and have the process of the large mail give that one among them."""
    written = [letter(next(_numbers)) for _ in range(mails)]
    seen = Seen()
    origin = perf_counter() + 0.2

    async def begin() -> None:
        if giant is None or giant.stdin is None:
            return
        await asyncio.sleep(origin + LARGE_AT - perf_counter())
        began = perf_counter()
        giant.stdin.write(b"now\n")
        giant.stdin.close()
        if await asyncio.to_thread(giant.wait, 60):
            raise RuntimeError("the large mail was not taken")
        seen.large = perf_counter() - began

    senders = (connection(port, written[at::CONNECTIONS], at, origin, seen) for at in range(CONNECTIONS))
    await asyncio.gather(begin(), *senders)
    return seen


def trial(port: int, *, among: bool, mails: int = MAILS) -> Seen:
    """One run, with a large mail among the letters or without."""
    if not among:
        return asyncio.run(letters(port, mails, None))
    command = [sys.executable, "-m", "benchmarks.mail_smtp", str(port), str(next(_numbers))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as giant:
        assert giant.stdout is not None
        giant.stdout.readline()  # it is ready
        return asyncio.run(letters(port, mails, giant))


def run(options: Namespace) -> Result:
    """In turns: the letters alone, and with a large mail among them."""
    size = len(large(0)) / 1e6
    result = Result("mail_smtp", f"SMTP journal: {MAILS:,} letters at {RATE}/s, alone and with a mail of {size:.0f} MB")
    alone: list[Seen] = []
    among: list[Seen] = []
    with folder() as place:
        (place / "store").mkdir()
        Path(place, "jauge.yaml").write_text(CONFIGURATION.format(http=free_port(), smtp=free_port()))
        with engine(place) as real:
            trial(real.mllp, among=True, mails=MAILS // 5)  # warm
            real.settle()
            for _ in range(ROUNDS):
                alone.append(trial(real.mllp, among=False))
                real.settle()
                among.append(trial(real.mllp, among=True))
                real.settle()
    for label, runs in (("alone", alone), ("with the large mail", among)):
        for share, word in ((0.5, "p50"), (0.99, "p99"), (1.0, "slowest")):
            figure = median(seen.quantile(share) for seen in runs)
            result.figures.append(Figure(f"{label}: latency, {word}", figure * 1e3, "ms"))
    result.figures.append(Figure("the large mail itself", median(seen.large for seen in among) * 1e3, "ms"))
    # The same letters in both: those that were due while the large one came, was read and was answered.
    ends = [LARGE_AT + seen.large + AFTER for seen in among]
    pairs = [(a.quantile(1.0, end), b.quantile(1.0, end)) for a, b, end in zip(among, alone, ends, strict=True)]
    result.figures.append(Figure("meanwhile, slowest letter", median(a for a, _ in pairs) * 1e3, "ms"))
    result.figures.append(Figure("in the same seconds alone, slowest letter", median(b for _, b in pairs) * 1e3, "ms"))
    more = median(a - b for a, b in pairs)
    result.budgets.append(Budget("the slowest letter, more than alone", more * 1e3, 50, "ms"))
    result.notes.append(f"each figure is the median of {ROUNDS} rounds in which both take turns")
    return result


def main() -> None:
    """The process of the large mail: says that it is ready, waits for a line, gives it."""
    mail = large(int(sys.argv[2]))
    with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60) as sender:
        sender.ehlo()
        print("ready", flush=True)
        sys.stdin.readline()
        sender.mail("service@ch-fictif.mssante.fr")
        sender.rcpt(JOURNAL)
        sender.putcmd("data")
        sender.getreply()
        sender.send(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        code, _ = sender.getreply()
    sys.exit(0 if code == 250 else 1)


if __name__ == "__main__":
    main()
