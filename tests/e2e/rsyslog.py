"""A real rsyslog in a process of its own: a relay that takes messages over TCP and forwards them over mutual TLS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.e2e.engine import free_port
from tests.parsers.audit_messages import frames

CONFIG = """\
global(workDirectory="{folder}"
       DefaultNetstreamDriver="gtls"
       DefaultNetstreamDriverCAFile="{folder}/ca.pem"
       DefaultNetstreamDriverCertFile="{folder}/client.pem"
       DefaultNetstreamDriverKeyFile="{folder}/client.key"
       maxMessageSize="64k")
module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{port}")
action(type="omfwd" target="127.0.0.1" port="{target}" protocol="tcp" TCP_Framing="octet-counted"
       StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"
       template="RSYSLOG_SyslogProtocol23Format"
       queue.type="LinkedList" queue.filename="forward" queue.saveOnShutdown="on" queue.size="100000"
       action.resumeRetryCount="-1" action.resumeInterval="1")
"""


def find() -> str | None:
    """The program, with its driver of GnuTLS; None when either is not here.

    The driver of OpenSSL of Debian 12 reads a dead connection for ever, at full speed, once in a few kills of the receiver.
    """
    program = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return program if program and list(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so")) else None


class Relay:
    """``rsyslogd`` over a folder that holds ca.pem, client.pem and client.key."""

    def __init__(self, folder: Path, target: int, program: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.program = program
        self.config = folder / "rsyslog.conf"
        self.config.write_text(CONFIG.format(folder=folder, port=self.port, target=target))
        self.log = folder / "rsyslog.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start, and wait until it takes messages."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-n", "-f", str(self.config), "-i", str(self.folder / "rsyslog.pid")],
                stdout=log,
                stderr=log,
            )
        for _ in range(1_200):
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise AssertionError("rsyslog takes nothing after a minute")

    def __exit__(self, *_: object) -> None:
        """No relay outlives its test."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def give(self, *messages: bytes) -> None:
        """Hand messages to the relay; they are in its queue soon after."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(frames(*messages))
