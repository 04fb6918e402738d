# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throw-away certificate authority for 127.0.0.1 and localhost, and nothing else."""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = "127.0.0.1"
_AUTHORITY_LIFETIME = datetime.timedelta(days=3650)
_SERVER_LIFETIME = datetime.timedelta(days=365)


def ensure_certificates(folder: Path) -> tuple[Path, Path]:
    """Return the files (authority, server chain with key), made in `folder` where they are missing.

    The authority is kept when the folder already holds one, so that clients which trust it go on trusting it; the
    server's certificate is made anew each time. The authority is constrained to loopback names: trusting its file
    trusts nothing else.
    """
    authority_path, authority_key_path = folder / "ca.pem", folder / "ca-key.pem"
    if authority_path.exists() and authority_key_path.exists():
        authority = x509.load_pem_x509_certificate(authority_path.read_bytes())
        authority_key = serialization.load_pem_private_key(authority_key_path.read_bytes(), None)
        assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    else:
        authority_key = ec.generate_private_key(ec.SECP256R1())
        authority = _make_authority(authority_key)
        write_private(authority_key_path, _key_pem(authority_key))
        authority_path.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _make_server(server_key, authority, authority_key)
    server_path = folder / "server.pem"
    write_private(server_path, _key_pem(server_key) + server.public_bytes(serialization.Encoding.PEM))
    return authority_path, server_path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _make_authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("Throw-away authority of a rehearsal platform")
    loopback_only = x509.NameConstraints(
        permitted_subtrees=[
            x509.IPAddress(ipaddress.ip_network(f"{LOOPBACK}/32")),
            x509.DNSName("localhost"),
        ],
        excluded_subtrees=None,
    )
    return (
        _builder(name, name, key.public_key(), _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(loopback_only, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_server(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")],
    )
    issuer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(_name("Rehearsal platform"), authority.subject, key.public_key(), _SERVER_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + lifetime)
    )


def _name(organisation: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
