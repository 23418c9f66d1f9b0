# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: certificates of authorities that it accepts, key pairs that it makes."""

from __future__ import annotations

import binascii
import re

_BLOCK = re.compile(r"-----BEGIN ([^-]+)-----\s(.*?)-----END \1-----", re.DOTALL)


def authorities_problem(text: str) -> str | None:
    """Why the text is not a list of certificates of authorities in PEM, in the operator's words; None if it is.

    A certificate without basic constraints counts as an authority's. Source: Kuadrant/mcp-gateway at v0.9.0,
    validateCACertPEM; what follows "failed to parse certificate: " is the parser's own text, which differs here.
    """
    from cryptography import x509  # noqa: PLC0415  (needs memory; few extensions name certificates)

    blocks = _BLOCK.findall(text)
    for kind, body in blocks:
        if kind != "CERTIFICATE":
            return f'unexpected PEM block type "{kind}", expected CERTIFICATE'
        try:
            certificate = x509.load_der_x509_certificate(binascii.a2b_base64(body))
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        except x509.ExtensionNotFound:
            continue
        except ValueError as error:
            return f"failed to parse certificate: {error}"
        if not constraints.value.ca:
            names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
            return f'certificate for "{str(names[0].value) if names else ""}" is not a CA certificate'
    return None if blocks else "no valid PEM certificate blocks found"


def new_key_pair() -> tuple[str, str]:
    """A new ECDSA P-256 key: public and private part in PEM, as the operator generates it."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return public.decode(), private.decode()
