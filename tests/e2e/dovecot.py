"""A real Dovecot in a folder of its own: one account, its Maildir, TLS with certificates of a test's authority; may be killed and started again.

Mails are put into the Maildir by hand, as a delivery agent does. As root its services run under the accounts that its package brings and
the mail belongs to ``nobody``; as anybody else everything is that person's own.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import trustme

from tests.e2e.engine import free_port

USER = "journal@ch-fictif.mssante.fr"
PASSWORD = 'secret "quoted\\" é'  # what a careless client would not quote

CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
shutdown_clients = no
ssl = {ssl}
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
ssl_ca = <{folder}/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = {mutual}
auth_ssl_require_client_cert = {mutual}
auth_ssl_username_from_cert = {external}
disable_plaintext_auth = yes
auth_mechanisms = {mechanisms}
passdb {{
  driver = {passdb}
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={folder}/mail
}}
mail_location = maildir:{folder}/mail
first_valid_uid = 1
first_valid_gid = 1
mailbox_idle_check_interval = 1 secs
mail_max_userip_connections = 50
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
{more}
"""


def find() -> str | None:
    """The program, with its IMAP server; None when either is not here."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return program if program and Path("/usr/lib/dovecot/imap").exists() else None


class Dovecot:
    """``dovecot`` over a folder. ``authority`` signs its certificate (for ``localhost``) and those of the clients it lets in."""

    def __init__(
        self,
        program: str,
        authority: trustme.CA,
        *,
        mutual: bool = False,
        external: bool = False,
        idle: bool = True,
        ssl_required: bool = True,
    ) -> None:
        """``mutual``: a client certificate is wanted; ``external``: and is all that is wanted; ``idle``: it offers IDLE."""
        # Not below pytest's own folder, which its services could not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="jauge-dovecot-"))
        self.program = program
        self.port, self.tls_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self.folder.chmod(0o755)
        root = os.geteuid() == 0
        me = pwd.getpwuid(os.geteuid())
        self._owner = pwd.getpwnam("nobody") if root else me
        authority.cert_pem.write_to_path(self.folder / "ca.pem")
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_pem.write_to_path(self.folder / "server.key")
        for number, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(self.folder / "server.pem", append=number > 0)
        (self.folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")
        (self.folder / "dovecot.conf").write_text(
            CONFIG.format(
                folder=self.folder,
                ssl="required" if ssl_required else "yes",
                mutual="yes" if mutual else "no",
                external="yes" if external else "no",
                mechanisms="external" if external else "plain login",
                passdb="static\n  args = nopassword=y"
                if external
                else f"passwd-file\n  args = scheme=PLAIN username_format=%u {self.folder}/users",
                owner=self._owner.pw_uid,
                group=self._owner.pw_gid,
                internal="dovecot" if root else me.pw_name,
                internal_group="dovecot" if root else me.pw_gid,
                login="dovenull" if root else me.pw_name,
                port=self.port,
                tls_port=self.tls_port,
                more="" if idle else "imap_capability = IMAP4rev1 SASL-IR LITERAL+ UIDPLUS",
            ),
            encoding="utf-8",
        )
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        self._give(self.folder / "mail")
        for box in ("INBOX", "Sent"):
            self.make(box)

    def __enter__(self) -> Self:
        """Start, and wait until it takes connections."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """No Dovecot outlives its test, nor does its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        assert self.process is None
        with (self.folder / "start.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-F", "-c", str(self.folder / "dovecot.conf")],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(1_200):
            assert self.process.poll() is None, (self.folder / "start.log").read_text()
            with socket.socket() as probe:
                probe.settimeout(2)
                with contextlib.suppress(OSError):
                    probe.connect(("127.0.0.1", self.port))
                    if probe.recv(4) == b"* OK":
                        return
            time.sleep(0.05)
        raise AssertionError("Dovecot takes nothing after a minute")

    def kill(self) -> None:
        """kill -9, the whole of it."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            for lock in (self.folder / "mail").rglob("*.lock"):
                lock.unlink()  # of who was killed; Dovecot waits two minutes for it

    # -- mail ---------------------------------------------------------------------------------------------------------

    def path(self, mailbox: str = "INBOX") -> Path:
        """The Maildir of a mailbox."""
        return self.folder / "mail" if mailbox == "INBOX" else self.folder / "mail" / f".{mailbox}"

    def make(self, mailbox: str) -> None:
        """Make a mailbox."""
        for folder in (self.path(mailbox), *(self.path(mailbox) / name for name in ("tmp", "new", "cur"))):
            folder.mkdir(exist_ok=True)
            self._give(folder)

    def deliver(self, *mails: bytes, mailbox: str = "INBOX", age_days: float = 0) -> None:
        """Put mails into a mailbox, one after the other, each whole; ``age_days`` ago by the server's own date."""
        for mail in mails:
            number = next(self._numbers)
            name = f"{1_770_000_000 + number}.M{number}P{os.getpid()}.fictif"
            hidden = self.path(mailbox) / "tmp" / name
            hidden.write_bytes(mail)
            self._give(hidden)
            if age_days:
                os.utime(hidden, (time.time() - age_days * 86_400,) * 2)
            hidden.rename(self.path(mailbox) / "new" / name)

    def flags(self, mailbox: str = "INBOX") -> list[str]:
        """The flags of each mail, as the Maildir holds them: ``S`` is seen."""
        names = [path.name for path in (self.path(mailbox) / "cur").iterdir()]
        names += [path.name for path in (self.path(mailbox) / "new").iterdir()]
        return [name.partition(":2,")[2] for name in names]

    def forget_uids(self, mailbox: str = "INBOX") -> None:
        """Lose the list of UIDs: at the next start every mail has another one, under another UIDVALIDITY."""
        head = (self.path(mailbox) / "dovecot-uidlist").read_text(encoding="ascii", errors="replace").split("\n", 1)[0]
        former = int(next(word[1:] for word in head.split() if word.startswith("V")))
        while int(time.time()) <= former:  # a UIDVALIDITY is the second it was made in
            time.sleep(0.05)
        for path in self.path(mailbox).glob("dovecot*"):
            path.unlink()

    def context(self, authority: trustme.CA) -> ssl.SSLContext:
        """What a client needs to believe this server."""
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
