# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority and a server certificate for loopback.

Run as a program (``python -m sandbox.api.certificates DIR``) it writes ``ca.crt``, ``tls.crt`` and ``tls.key``
into the directory: the server starts it as a child process, so that the cryptography package (9 MB) is not
kept in the server's memory.
"""

from __future__ import annotations

import ipaddress
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)


def write_certificates(directory: Path) -> None:
    """Make both certificates (ECDSA P-256) and write them, the key readable by its owner only."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("mcpops-sandbox-ca", ca_key, None, None)
    key = ec.generate_private_key(ec.SECP256R1())
    server = _certificate("kube-apiserver", key, ca, ca_key)
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for name, content in (
        ("tls.key", key_pem),
        ("tls.crt", server.public_bytes(pem) + ca.public_bytes(pem)),
        ("ca.crt", ca.public_bytes(pem)),
    ):
        path = directory / name
        path.touch(mode=0o600)
        path.write_bytes(content)


def _certificate(
    common_name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey | None,
) -> x509.Certificate:
    """A certificate authority when there is no issuer, else a server certificate signed by the issuer."""
    is_ca = issuer is None
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.now(UTC) - timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_key_usage(is_ca), critical=True)
    )
    if issuer and issuer_key:
        loopback = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
        names = [x509.DNSName(name) for name in ("localhost", "kubernetes", "kubernetes.default.svc")]
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = (
            builder.add_extension(x509.SubjectAlternativeName([*loopback, *names]), critical=False)
            .add_extension(authority, critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
    return builder.sign(issuer_key or key, hashes.SHA256())


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


if __name__ == "__main__":
    write_certificates(Path(sys.argv[1]))
