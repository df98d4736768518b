"""The certificates of a configuration: their roles, and until when they hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from engine.certificates import certificates_of, expiries, read
from engine.errors import ConfigError
from engine.service import load_config

HEAD = """
store: var/jauge.db
keys: var/keys
establishments: [{finess: "990000001", name: Hôpital d'essai, mssante_domains: [ch.mssante.fr]}]
"""


def pem(path: Path, *ends: datetime) -> Path:
    """A PEM file with one certificate for each end."""
    authority = trustme.CA()
    path.write_bytes(
        b"".join(
            authority.issue_cert("here.example", not_before=datetime(2000, 1, 1, tzinfo=UTC), not_after=end)
            .cert_chain_pems[0]
            .bytes()
            for end in ends
        )
    )
    return path


def test_until_when_each_holds(tmp_path: Path) -> None:
    """A certificate until the first of its chain ends, authorities until the last of theirs; what cannot be read has no end."""
    first, last = datetime(2031, 5, 1, 12, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    pem(tmp_path / "chain.pem", last, first)
    (tmp_path / "broken.pem").write_text("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n")
    (tmp_path / "a.key").touch()
    path = tmp_path / "jauge.yaml"
    path.write_text(
        HEAD
        + """
feeds:
  - {name: his, listener: mllp, establishment: "990000001", tls: {certificate: chain.pem, key: a.key, client_ca: chain.pem}}
  - {name: lab, listener: mllp, establishment: "990000001", port: 2576, tls: {certificate: broken.pem, key: a.key}}
"""
    )
    ends = {"feeds.his": int(first.timestamp()), "feeds.his.client_ca": int(last.timestamp())}
    config = load_config(path)
    assert expiries(config) == ends
    (tmp_path / "chain.pem").unlink()
    assert expiries(config) == {}


def test_what_is_no_certificate(tmp_path: Path) -> None:
    """A file that holds something else is an error that names it; one that is not there is the system's error."""
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ConfigError, match=r"key\.pem: this is not a PEM certificate"):
        read(tmp_path / "key.pem")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.pem")


def test_the_roles(tmp_path: Path) -> None:
    """Each certificate has the place of the configuration as its role; mail servers that share their files have one."""
    for name in ("a.crt", "a.key", "ca.pem", "pass"):
        (tmp_path / name).touch()
    path = tmp_path / "jauge.yaml"
    path.write_text(
        HEAD
        + """
ps41:
  senders:
    - establishment: "990000001"
      sender: a@ch.mssante.fr
      smtp: {host: smtp.example, tls: {ca: ca.pem, certificate: a.crt, key: a.key}}
      imap: {host: imap.example, tls: {ca: ca.pem, certificate: a.crt, key: a.key}}
feeds:
  - {name: his, listener: mllp, establishment: "990000001", tls: {certificate: a.crt, key: a.key, client_ca: ca.pem}}
  - {name: lab, listener: mllp, establishment: "990000001", port: 2576}
  - {name: mail, listener: imap, establishment: "990000001", host: imap.example, user: u, password_file: pass, state: s, tls: {ca: ca.pem}}
"""
    )
    assert certificates_of(load_config(path)) == {
        "feeds.his": tmp_path / "a.crt",
        "feeds.his.client_ca": tmp_path / "ca.pem",
        "feeds.mail.ca": tmp_path / "ca.pem",
        "ps41.990000001.smtp": tmp_path / "a.crt",
        "ps41.990000001.smtp.ca": tmp_path / "ca.pem",
    }
