"""A real Postfix over a folder of its own: takes mail on a port of 127.0.0.1 and sends a copy of each to the journal.

Nothing else leaves it: whatever the recipients, only the copies are delivered, everything else is discarded. It must be started by
root, and its daemons then run as the account of the package; the machine's own Postfix, if there is one, is not touched.
"""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.e2e.engine import free_port

JOURNAL = "journal@jauge.example"

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mta.ch-fictif.example
mydestination =
local_recipient_maps =
alias_maps =
fast_flush_domains =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
message_size_limit = 104857600
always_bcc = {journal}
default_transport = discard:
relay_transport = discard:
transport_maps = texthash:{folder}/transport
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
"""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
journal unix - - n - - smtp -o soft_bounce=yes
"""

# Postfix ends with the test, even with one that was killed: its standard input is then closed.
WATCH = """\
"$0" -c "$1" start-fg &
cat >/dev/null
"$0" -c "$1" stop
wait
rm -rf "$1"
"""


def find() -> str | None:
    """Why there is no Postfix here; None when there is one."""
    if os.geteuid() != 0:
        return "only root may start a Postfix"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [name for name in ("postfix", "postqueue") if shutil.which(name, path=path) is None]
    return "Postfix is not here: scripts/tools brings it" if missing else None


class Postfix:
    """``postfix start-fg`` with a journal at ``target``; ``settings`` are lines of main.cf, as ``smtp_tls_CAfile=...``."""

    def __init__(self, target: int, *settings: str) -> None:
        # Not pytest's folder, which only root may enter: the daemons are another account.
        self.folder = Path(tempfile.mkdtemp(prefix="jauge-postfix-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        for name in ("queue", "data"):
            (self.folder / name).mkdir(mode=0o755)
        shutil.chown(self.folder / "data", "postfix", "postfix")
        main = MAIN.format(folder=self.folder, journal=JOURNAL) + "".join(f"{line}\n" for line in settings)
        (self.folder / "main.cf").write_text(main)
        (self.folder / "master.cf").write_text(MASTER.format(port=self.port))
        (self.folder / "transport").write_text(f"{JOURNAL.partition('@')[2]} journal:[127.0.0.1]:{target}\n")
        self.log = self.folder / "mail.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start, and wait until it takes mail."""
        said = self.folder / "start.log"
        with said.open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", WATCH, self._command("postfix"), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        for _ in range(1_200):
            assert self.process.poll() is None, said.read_text() + self.told()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise AssertionError("Postfix takes nothing after a minute: " + self.told())

    def __exit__(self, *_: object) -> None:
        """No Postfix, and no folder of it, outlives its test."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def give(
        self,
        *mails: bytes,
        sender: str = "service@ch-fictif.mssante.fr",
        recipients: Sequence[str] = ("cabinet@cabinet-fictif.mssante.fr",),
    ) -> None:
        """Hand mails in; they are in its queue, on disk, when this returns."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as session:
            for mail in mails:
                assert session.sendmail(sender, list(recipients), mail) == {}

    def waiting(self) -> int:
        """How many mails are in the queue."""
        said = subprocess.run(
            [self._command("postqueue"), "-c", str(self.folder), "-j"], capture_output=True, timeout=60, check=False
        )
        return sum(1 for line in said.stdout.splitlines() if json.loads(line))

    def flush(self) -> None:
        """Try everything that waits now."""
        subprocess.run([self._command("postqueue"), "-c", str(self.folder), "-f"], timeout=60, check=False)

    def postponed(self) -> bool:
        """Whether a mail was given, was not taken, and is kept (a refusal for good too: soft_bounce)."""
        return any(f"status={word}" in self.told() for word in ("deferred", "SOFTBOUNCE"))

    def told(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _command(self, name: str) -> str:
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert found
        return found
