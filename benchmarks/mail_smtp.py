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
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.load import Load
from benchmarks.messages import matricule
from benchmarks.result import Budget, Figure, Result
from benchmarks.subject import ROOT, engine, folder, free_port

JOURNAL = "journal@jauge.example"
MAILS = 1_000
CONNECTIONS = 10
RATE = 100
"""Mails a second: more than any hospital sends, and little enough that nobody waits for anybody."""
LARGE_AT = 3.0
"""Seconds after the first mail at which the large one begins."""
PDF = 18_000_000
ROUNDS = 3

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


async def connection(port: int, mails: list[bytes], place: int, origin: float, load: Load) -> None:
    """One sender: each mail when it is due, once the one before was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await expect(reader, b"220")
    writer.write(b"EHLO bench.example\r\n")
    await expect(reader, b"250")
    for turn, mail in enumerate(mails):
        due = origin + (turn * CONNECTIONS + place) / RATE
        await asyncio.sleep(max(0.0, due - perf_counter()))
        writer.write(b"MAIL FROM:<service@ch-fictif.mssante.fr>\r\nRCPT TO:<%b>\r\nDATA\r\n" % JOURNAL.encode())
        for code in (b"250", b"250", b"354"):
            await expect(reader, code)
        writer.write(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        await expect(reader, b"250")
        load.latencies.append(perf_counter() - due)
    writer.close()
    await writer.wait_closed()


async def letters(port: int, giant: subprocess.Popen[bytes] | None) -> tuple[Load, float]:
    """Give all letters; what was seen, and how long the large mail took if there is one."""
    mails = [letter(next(_numbers)) for _ in range(MAILS)]
    load = Load()
    start = perf_counter() + 0.2

    async def begin() -> float:
        if giant is None or giant.stdin is None:
            return 0.0
        await asyncio.sleep(LARGE_AT)
        giant.stdin.write(b"now\n")
        giant.stdin.close()
        began = perf_counter()
        if await asyncio.to_thread(giant.wait, 60):
            raise RuntimeError("the large mail was not taken")
        return perf_counter() - began

    taken, *_ = await asyncio.gather(
        begin(), *(connection(port, mails[at::CONNECTIONS], at, start, load) for at in range(CONNECTIONS))
    )
    load.seconds = perf_counter() - start
    return load, taken


def trial(port: int, *, among: bool) -> tuple[Load, float]:
    """One run, with a large mail among the letters or without."""
    if not among:
        return asyncio.run(letters(port, None))
    command = [sys.executable, "-m", "benchmarks.mail_smtp", str(port), str(next(_numbers))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as giant:
        assert giant.stdout is not None
        giant.stdout.readline()  # it is ready
        return asyncio.run(letters(port, giant))


def run(options: Namespace) -> Result:
    """In turns: the letters alone, and with a large mail among them."""
    size = len(large(0)) / 1e6
    result = Result("mail_smtp", f"SMTP journal: {MAILS:,} letters at {RATE}/s, alone and with a mail of {size:.0f} MB")
    alone: list[Load] = []
    among: list[Load] = []
    taken: list[float] = []
    with folder() as place:
        (place / "store").mkdir()
        Path(place, "jauge.yaml").write_text(CONFIGURATION.format(http=free_port(), smtp=free_port()))
        with engine(place) as real:
            trial(real.mllp, among=True)  # warm
            real.settle()
            for _ in range(ROUNDS):
                alone.append(trial(real.mllp, among=False)[0])
                real.settle()
                load, seconds = trial(real.mllp, among=True)
                among.append(load)
                taken.append(seconds)
                real.settle()
    for label, loads in (("alone", alone), ("with the large mail", among)):
        for share, word in ((0.5, "p50"), (0.99, "p99"), (1.0, "slowest")):
            figure = median(load.quantile(share) for load in loads)
            result.figures.append(Figure(f"{label}: latency, {word}", figure * 1e3, "ms"))
    result.figures.append(Figure("the large mail itself", median(taken) * 1e3, "ms"))
    more = [a.quantile(1.0) - b.quantile(1.0) for a, b in zip(among, alone, strict=True)]
    result.budgets.append(Budget("the slowest letter, more than alone", median(more) * 1e3, 50, "ms"))
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
