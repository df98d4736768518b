"""The servers that the engine connects to: a real Dovecot, an SMTP server, closed ports, wrong authorities, wrong passwords."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trustme

from engine.doctor.servers import servers
from tests.doctor.site import CONFIG, codes, site
from tests.e2e.dovecot import PASSWORD, USER, Dovecot, find
from tests.e2e.engine import free_port
from tests.evidence import smtp_server
from tests.evidence.smtp_server import Certificates, Handler, Served

IMAP = """\
  - name: mail
    listener: imap
    establishment: "990000001"
    host: {host}
    port: {port}
    transport: {transport}
    tls: {{ca: ca.pem}}
    user: {user}
    password_file: pass
    state: s
"""
RELAY = '  - {{name: relay, listener: mllp_relay, establishment: "990000001", port: 0, target_host: {host}, target_port: {port}}}\n'
PS41 = """\
ps41:
  senders:
    - establishment: "990000001"
      sender: sorties@ch-fictif.mssante.fr
      smtp: {{host: localhost, port: {port}, transport: {transport}, tls: {{ca: ca.pem}}, user: {user}, password_file: pass}}
"""


def imap(folder: Path, port: int, transport: str = "starttls", host: str = "localhost") -> str:
    """A configuration with a mailbox."""
    return CONFIG.format(http=0, mllp=0) + IMAP.format(host=host, port=port, transport=transport, user=USER)


def files(folder: Path, authority: trustme.CA, password: str = PASSWORD) -> None:
    """The authority and the password."""
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "pass").write_text(password + "\n", encoding="utf-8")
    (folder / "pass").chmod(0o600)


def test_dovecot(tmp_path: Path) -> None:
    """Both kinds of TLS, with and without login; a wrong password and a wrong authority are told apart, and no password is shown."""
    program = find()
    if program is None:
        pytest.skip("Dovecot is not here: scripts/tools brings it")
    authority = trustme.CA()
    with Dovecot(program, authority) as dovecot:
        for port, transport in ((dovecot.port, "starttls"), (dovecot.tls_port, "tls")):
            files(tmp_path, authority)
            given = site(tmp_path, imap(tmp_path, port, transport))
            assert [(one.place, one.state) for one in servers(given)] == [("feeds.mail", "ok")]
            assert "takes the login" in servers(given, login=True)[0].what
            files(tmp_path, authority, "wrong-password")
            found = servers(given, login=True)
            assert codes(found) == {"server-login": "feeds.mail"}
            assert "wrong-password" not in found[0].what + found[0].do
            files(tmp_path, trustme.CA())
            assert codes(servers(given)) == {"server-certificate": "feeds.mail"}
        assert dovecot.flags() == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("transport", ["starttls", "tls"])
def test_smtp(tmp_path: Path, transport: str) -> None:
    """Greeted, believed, and the login tried when it is asked for; no mail is sent."""
    held = Certificates(tmp_path)
    handler = Handler()
    with Served(handler, transport=transport, context=held.context(), login=True) as served:
        port = served.smtp.port
        text = PS41.format(port=port, transport=transport, user=smtp_server.USER) + CONFIG.format(http=0, mllp=0)
        files(tmp_path, held.authority, smtp_server.PASSWORD)
        given = site(tmp_path, text)
        assert [(one.place, one.state) for one in servers(given)] == [("ps41.990000001.smtp", "ok")], servers(given)
        assert handler.logins == []
        assert "takes the login" in servers(given, login=True)[0].what
        files(tmp_path, held.authority, "wrong-password")
        assert codes(servers(given, login=True)) == {"server-login": "ps41.990000001.smtp"}
        assert handler.mails == []


def test_nobody_is_there(tmp_path: Path) -> None:
    """A closed port, a name that means nothing, a port that speaks something else."""
    files(tmp_path, trustme.CA())
    closed = imap(tmp_path, free_port())
    assert codes(servers(site(tmp_path, closed))) == {"server-refuses": "feeds.mail"}
    nameless = imap(tmp_path, 143, host="no-such-host.invalid")
    assert codes(servers(site(tmp_path, nameless))) == {"server-unknown": "feeds.mail"}
    with Served(Handler()) as served:  # SMTP, not IMAP
        assert codes(servers(site(tmp_path, imap(tmp_path, served.smtp.port)))) == {"server-odd": "feeds.mail"}
        port = served.smtp.port
        assert codes(servers(site(tmp_path, imap(tmp_path, port, "tls")))) == {"server-tls": "feeds.mail"}


def test_the_receiver_behind_a_relay(tmp_path: Path) -> None:
    """It is reached, or not."""
    text = CONFIG.format(http=0, mllp=0)
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        port = receiver.getsockname()[1]
        found = servers(site(tmp_path, text + RELAY.format(host="127.0.0.1", port=port)))
        assert [(one.place, one.state) for one in found] == [("feeds.relay", "ok")]
    found = servers(site(tmp_path, text + RELAY.format(host="127.0.0.1", port=port)))
    assert codes(found) == {"server-refuses": "feeds.relay"}
