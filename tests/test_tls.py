"""The TLS context: each wrong file is one clear error."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from engine.errors import ConfigError
from engine.tls import ClientTlsSettings, TlsSettings, client_context, server_context


@pytest.fixture
def settings(tmp_path: Path) -> TlsSettings:
    """Right files."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return TlsSettings(certificate=tmp_path / "server.pem", key=tmp_path / "server.key", client_ca=tmp_path / "ca.pem")


def test_right_files(settings: TlsSettings) -> None:
    """Right files give a context that asks for the client's certificate."""
    context = server_context(settings)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem"])
def test_missing_file(settings: TlsSettings, tmp_path: Path, name: str) -> None:
    """A file that is not there is named."""
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match=f"{name}: this file does not exist"):
        server_context(settings)


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem"])
def test_wrong_content(settings: TlsSettings, tmp_path: Path, name: str) -> None:
    """A file that is not PEM is named."""
    (tmp_path / name).write_text("hello")
    with pytest.raises(ConfigError, match=f"{name}: this is not a PEM"):
        server_context(settings)


def test_folder(settings: TlsSettings, tmp_path: Path) -> None:
    """A folder in place of a file is named."""
    (tmp_path / "ca.pem").unlink()
    (tmp_path / "ca.pem").mkdir()
    with pytest.raises(ConfigError, match="this is a folder"):
        server_context(settings)


def test_key_of_another_certificate(settings: TlsSettings, tmp_path: Path) -> None:
    """A key that does not fit is named."""
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(tmp_path / "server.key")
    with pytest.raises(ConfigError, match=r"server\.key: this key is not the certificate's"):
        server_context(settings)


def test_key_with_a_password(settings: TlsSettings, tmp_path: Path) -> None:
    """A key under a password is an error, never a question on the terminal."""
    key = serialization.load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    (tmp_path / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"invented"),
        )
    )
    with pytest.raises(ConfigError, match="protected by a password"):
        server_context(settings)


class TestClient:
    """The context of a connection that goes out."""

    @pytest.fixture
    def client(self, settings: TlsSettings, tmp_path: Path) -> ClientTlsSettings:
        """Right files."""
        return ClientTlsSettings(ca=tmp_path / "ca.pem", certificate=settings.certificate, key=settings.key)

    def test_right_files(self, client: ClientTlsSettings) -> None:
        """The server's certificate and its name are checked, against that authority alone."""
        context = client_context(client)
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert len(context.get_ca_certs()) == 1
        assert client_context(ClientTlsSettings()).check_hostname

    @pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem"])
    def test_wrong_files(self, client: ClientTlsSettings, tmp_path: Path, name: str) -> None:
        """A file that is missing or no PEM is named."""
        (tmp_path / name).write_text("hello")
        with pytest.raises(ConfigError, match=f"{name}: this is not a PEM"):
            client_context(client)
        (tmp_path / name).unlink()
        with pytest.raises(ConfigError, match=f"{name}: this file does not exist"):
            client_context(client)

    def test_certificate_without_key(self, tmp_path: Path) -> None:
        """A certificate and its key come together."""
        with pytest.raises(ValueError, match="certificate and key"):
            ClientTlsSettings(certificate=tmp_path / "server.pem")
