"""Certificates: readable, with their key, for the right use and name, in their dates, with a chain that holds together."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from engine.certificates import Material, materials, read
from engine.config import Config
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site
from engine.errors import ConfigError
from engine.tls import ClientTlsSettings, TlsSettings, client_context, server_context

CODES: Final = {
    "certificate-unusable": "The certificate, its key or its authority cannot be used. The mend is beside it.",
    "certificate-expired": "The certificate has expired: peers refuse it. Renew it.",
    "certificate-expiring": "The certificate expires soon. Renew it.",
    "certificate-early": "The certificate does not hold yet: is the clock right?",
    "certificate-chain": "The certificates of the file do not follow each other: put the leaf first, then its issuer, and so on.",
    "certificate-use": "The certificate was made for another use (server or client): ask its authority for the right one.",
    "certificate-name": "None of the names of the certificate is this machine's: peers that check the name refuse it.",
    "certificate-weak": "The key is too short for TLS today: have a certificate made with 2048 bits (RSA) or 256 (EC) at least.",
    "certificate-no-authority": "The file of the authority holds no authority: give the certificate of who signs the others.",
    "certificate-not-taken": "The engine shows another certificate than the file holds: it could not be taken, or the engine must be restarted.",
}
SOON_DAYS: Final = 30
_LEAST_BITS: Final = 2048


def certificates(site: Site) -> list[Finding]:
    """Every certificate and authority that the configuration names."""
    found = Findings("certificates")
    for material in materials(site.config):
        _material(found, site, material)
    if site.running.old_certificate:
        what = "the engine shows another certificate than the file holds"
        found.warning("http", "certificate-not-taken", what, "look at the engine's log, then restart it")
    return found.all


def _material(found: Findings, site: Site, material: Material) -> None:
    before = len(found.all)
    chain: list[x509.Certificate] = []
    server = material.authority_role.endswith("client_ca")
    try:
        if material.certificate is not None:
            chain = read(material.certificate)
            _weak(found, material, chain[0])
        if len(found.all) == before:
            _usable(material, server=server)
        authorities = read(material.authority) if material.authority is not None else []
    except ConfigError as error:
        found.problem(material.role, "certificate-unusable", f"{error.file}: {error.message}", error.mend)
        return
    except OSError as error:
        what = f"{error.filename}: {(error.strerror or 'unreadable').lower()}"
        found.problem(material.role, "certificate-unusable", what, "let the engine's account read it")
        return
    now = datetime.fromtimestamp(site.now, UTC)
    if chain:
        _dates(found, material.role, chain, now)
        _chain(found, material.role, chain)
        _use(found, material.role, chain[0], server=server)
        if server:
            _names(found, site.config, material.role, chain[0])
    if material.authority is not None:
        _authority(found, material, authorities, now)


def _usable(material: Material, *, server: bool) -> None:
    """Loads it all as the engine does. Raises ConfigError."""
    if server and material.certificate is not None and material.key is not None:
        server_context(TlsSettings(certificate=material.certificate, key=material.key, client_ca=material.authority))
    else:
        client_context(ClientTlsSettings(ca=material.authority, certificate=material.certificate, key=material.key))


def _weak(found: Findings, material: Material, leaf: x509.Certificate) -> None:
    key = leaf.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < _LEAST_BITS:
        what = f"{material.certificate}: a key of {key.key_size} bits"
        found.problem(material.role, "certificate-weak", what, f"have it made with {_LEAST_BITS} bits at least")


def _dates(found: Findings, role: str, chain: list[x509.Certificate], now: datetime) -> None:
    end = min(one.not_valid_after_utc for one in chain)
    begin = max(one.not_valid_before_utc for one in chain)
    days = (end - now).days
    if end <= now:
        found.problem(role, "certificate-expired", f"expired on {end:%Y-%m-%d}", "renew it")
    elif begin > now:
        do = "look at the clock (timedatectl), else wait or have another one made"
        found.problem(role, "certificate-early", f"holds from {begin:%Y-%m-%d %H:%M} UTC on", do)
    elif days < SOON_DAYS:
        what = f"expires on {end:%Y-%m-%d}, in {days} day(s)"
        found.warning(role, "certificate-expiring", what, "have it renewed now")
    else:
        found.ok(role, f"with its key, until {end:%Y-%m-%d} ({days} days)")


def _chain(found: Findings, role: str, chain: list[x509.Certificate]) -> None:
    for issued, issuer in pairwise(chain):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            do = "put the leaf first, then the certificate that signed it, and so on; nothing else"
            found.problem(role, "certificate-chain", "the certificates of the file do not follow each other", do)
            return


def _use(found: Findings, role: str, leaf: x509.Certificate, *, server: bool) -> None:
    try:
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return  # for any use
    wanted = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    if not uses & {wanted, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}:
        side = "a server" if server else "a client"
        do = f"ask for one of {side} ({'serverAuth' if server else 'clientAuth; IGC-Santé: AUTH_CLI'})"
        found.problem(role, "certificate-use", f"was not made for {side}", do)


def _names(found: Findings, config: Config, role: str, leaf: x509.Certificate) -> None:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        do = "have it made with the name that peers connect to, in subjectAltName"
        found.warning(role, "certificate-name", "has no name that is checked today (subjectAltName)", do)
        return
    had = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    had |= {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    ours = {socket.gethostname().lower(), socket.getfqdn().lower(), "localhost", _host(config, role).lower()}
    ours |= {address for name in tuple(ours) for address in _addresses(name)}
    wild = {f"*.{name.partition('.')[2]}" for name in ours if "." in name}
    if not had & (ours | wild):
        what = f"is for {', '.join(sorted(had)[:3]) or 'nobody'}; this machine is {socket.getfqdn()}"
        do = "right if peers connect by that name (an alias); else have it made for the name that they use"
        found.warning(role, "certificate-name", what, do)


def _host(config: Config, role: str) -> str:
    if role == "http":
        return config.http.host
    return next((getattr(f.settings, "host", "") for f in config.feeds if role == f"feeds.{f.name}"), "")


def _addresses(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except (OSError, UnicodeError):
        return set()


def _authority(found: Findings, material: Material, authorities: list[x509.Certificate], now: datetime) -> None:
    role, path = material.authority_role, material.authority
    able = [one for one in authorities if _is_authority(one)]
    if not able:
        do = "give the certificate of the authority that signs the others, not one that it signed"
        found.problem(role, "certificate-no-authority", f"{path} holds no authority", do)
        return
    late = [one for one in able if one.not_valid_after_utc <= now]
    end = max(one.not_valid_after_utc for one in able)
    if len(late) == len(able):
        found.problem(role, "certificate-expired", f"{path}: expired on {end:%Y-%m-%d}", "ask for the new authority")
    elif (end - now).days < SOON_DAYS:
        what = f"{path}: the last one expires on {end:%Y-%m-%d}"
        found.warning(role, "certificate-expiring", what, "add the next one of that authority to the file")
    else:
        found.ok(role, f"{len(able)} authority(ies), until {end:%Y-%m-%d}")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return certificate.issuer == certificate.subject
