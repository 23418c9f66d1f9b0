# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the sandbox's issuers. cryptography (9 MB) is only loaded when one is asked for."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
    from sandbox.controllers.gateway_world import Json

DAYS = 90
"""cert-manager's default validity."""


class Authority(NamedTuple):
    """A certificate that may sign others, and its key."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes


def authority(secret: Json) -> Authority | None:
    """The CA of a Secret of the type kubernetes.io/tls; None when it holds none."""
    data = secret.get("data") or {}
    return _authority(data.get("tls.crt") or "", data.get("tls.key") or "")


@lru_cache(maxsize=8)
def _authority(chain: str, private: str) -> Authority | None:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(chain))
        key = load_pem_private_key(base64.b64decode(private), None)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return None
    kinds = (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey)
    if not constraints.ca or not isinstance(key, kinds) or key.public_key() != certificate.public_key():
        return None
    return Authority(certificate, key)


def issue(hosts: Sequence[str], signer: Authority | None) -> tuple[bytes, bytes, bytes]:
    """A certificate for DNS names (itself its issuer without ``signer``): chain, private key and root, all PEM."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    signing = signer.key if signer else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    start = datetime.now(UTC) - timedelta(minutes=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    issued = builder.sign(signing, None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = issued.public_bytes(pem)
    return chain, private, signer.certificate.public_bytes(pem) if signer else chain
