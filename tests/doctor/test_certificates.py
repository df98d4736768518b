"""Certificates: real ones, each wrong in one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from engine.doctor.certificates import certificates
from engine.doctor.finding import Finding
from engine.doctor.running import Running
from tests.doctor.site import codes, site

NOW = datetime.now(UTC)
TLS = """\
store: var/jauge.db
keys: var/keys
http: {host: 127.0.0.1, port: 0}
establishments: [{finess: "990000001", name: CH}]
feeds:
  - {name: his, listener: mllp, establishment: "990000001", port: 0, tls: {certificate: a.crt, key: a.key, client_ca: ca.pem}}
"""


class Shelf:
    """The three files of a feed's TLS, right unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "ca.pem")
        self.leaf()

    def leaf(self, name: str = "localhost", **dates: Any) -> trustme.LeafCert:
        """A certificate and its key."""
        made = self.authority.issue_cert(name, **dates)
        (self.folder / "a.crt").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
        made.private_key_pem.write_to_path(self.folder / "a.key")
        return made

    def look(self) -> list[Finding]:
        """What the doctor says."""
        return certificates(site(self.folder, TLS))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three files, all right."""
    return Shelf(tmp_path)


def test_all_is_well(shelf: Shelf) -> None:
    """Until when is said, for the certificate and for the authority."""
    shelf.leaf(not_after=NOW + timedelta(days=200, hours=1))
    found = shelf.look()
    assert [(one.place, one.state) for one in found] == [("feeds.his", "ok"), ("feeds.his.client_ca", "ok")]
    assert "200 days" in found[0].what


@pytest.mark.parametrize(
    ("begin", "end", "code", "state"),
    [
        (-90, -1, "certificate-expired", "problem"),
        (-90, 12, "certificate-expiring", "warning"),
        (3, 90, "certificate-early", "problem"),
    ],
)
def test_dates(shelf: Shelf, begin: int, end: int, code: str, state: str) -> None:
    """Expired, about to, not yet valid."""
    shelf.leaf(not_before=NOW + timedelta(days=begin), not_after=NOW + timedelta(days=end, hours=1))
    found = [one for one in shelf.look() if one.code]
    assert [(one.code, one.place, one.state) for one in found] == [(code, "feeds.his", state)]
    assert found[0].do


def test_another_key(shelf: Shelf) -> None:
    """The key is not the certificate's."""
    shelf.authority.issue_cert("x.example").private_key_pem.write_to_path(shelf.folder / "a.key")
    found = shelf.look()
    assert codes(found) == {"certificate-unusable": "feeds.his"}
    assert "a.key" in found[0].what


@pytest.mark.parametrize("name", ["a.crt", "a.key", "ca.pem"])
def test_what_is_no_pem(shelf: Shelf, name: str) -> None:
    """Each of the three files: it is named."""
    (shelf.folder / name).write_text("not a certificate")
    found = shelf.look()
    assert codes(found) == {"certificate-unusable": "feeds.his"}
    assert name in found[0].what


def test_the_order_of_a_chain(shelf: Shelf) -> None:
    """A certificate followed by one that did not sign it."""
    (shelf.folder / "a.crt").write_bytes((shelf.folder / "a.crt").read_bytes() + trustme.CA().cert_pem.bytes())
    assert codes(shelf.look()) == {"certificate-chain": "feeds.his"}


def test_a_chain_that_follows(tmp_path: Path) -> None:
    """The leaf, then who signed it: all is well."""
    shelf = Shelf(tmp_path)
    root = shelf.authority
    shelf.authority = root.create_child_ca()
    shelf.leaf()
    assert codes(shelf.look()) == {}


def test_the_name(shelf: Shelf) -> None:
    """A certificate of another machine may be right (an alias), and is shown."""
    shelf.leaf("other.example")
    found = [one for one in shelf.look() if one.code]
    assert [(one.code, one.state) for one in found] == [("certificate-name", "warning")]
    assert "other.example" in found[0].what


def test_an_authority_that_is_none(shelf: Shelf) -> None:
    """The certificate of a sender in place of the authority's."""
    shelf.authority.issue_cert("sender.example").cert_chain_pems[0].write_to_path(shelf.folder / "ca.pem")
    assert codes(shelf.look()) == {"certificate-no-authority": "feeds.his.client_ca"}


def test_the_use_and_the_key(shelf: Shelf) -> None:
    """A certificate of a client, and one whose key is short."""
    for bits, uses, code in (
        (2048, [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH], "certificate-use"),
        (1024, [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH], "certificate-weak"),
    ):
        key = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=300))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .sign(key, hashes.SHA256())
        )
        (shelf.folder / "a.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (shelf.folder / "a.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        assert codes(shelf.look()) == {code: "feeds.his"}


def test_a_certificate_that_was_not_taken(tmp_path: Path) -> None:
    """The running engine shows another one than the file holds."""
    assert codes(certificates(site(tmp_path, running=Running(answers=True, old_certificate=True)))) == {
        "certificate-not-taken": "http"
    }
