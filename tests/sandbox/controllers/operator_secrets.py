# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: which Secrets the operator accepts. Pure functions; the texts are the operator's."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sandbox.controllers.operator_release import SECRET_LABEL

Object = Mapping[str, Any]

BUNDLE_LIMIT = 256 * 1024
SERVER_CA_LIMIT = 64 * 1024
LABEL_TEXT = "=".join(next(iter(SECRET_LABEL.items())))


class SecretError(ValueError):
    """A Secret is absent or unusable; ``reason`` is that of the Ready condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _labelled(secret: Object) -> bool:
    return bool(SECRET_LABEL.items() <= (secret["metadata"].get("labels") or {}).items())


def value(secret: Object, key: str) -> str | None:
    """A value of a Secret as text; None when the key is absent."""
    data = (secret.get("data") or {}).get(key)
    if data is None:
        return None
    try:
        return base64.b64decode(data).decode(errors="replace")
    except binascii.Error:
        return None


def check_trusted_headers(secret: Object | None, name: str, namespace: str) -> None:
    """The Secret with the public key that verifies trusted headers; it needs no label."""
    if secret is None:
        raise SecretError("SecretNotFound", f"secret {name} not found in namespace {namespace}")
    if not secret.get("data"):
        raise SecretError("SecretInvalid", f"secret {name} has no data")
    if value(secret, "key") is None:
        raise SecretError("SecretInvalid", f'secret {name} is missing required data entry "key"')


def check_session_store(secret: Object | None, name: str, namespace: str) -> None:
    """The Secret with the connection string of the session store."""
    key = "CACHE_CONNECTION_STRING"
    start = f"session store secret {name}"
    if secret is None:
        raise SecretError("SecretNotFound", f"{start} not found in namespace {namespace}")
    if not _labelled(secret):
        raise SecretError("SecretInvalid", f"{start} is missing required label {LABEL_TEXT}")
    if not secret.get("data"):
        raise SecretError("SecretInvalid", f"{start} has no data")
    text = value(secret, key)
    if text is None:
        raise SecretError("SecretInvalid", f'{start} is missing required data entry "{key}"')
    if not text:
        raise SecretError("SecretInvalid", f'{start} has empty "{key}" value')


def ca_bundle(secret: Object | None, name: str, key: str) -> str:
    """The certificate authorities that an extension trusts, in PEM."""
    start = f"CA bundle secret {name}"
    if secret is None:
        raise SecretError("SecretNotFound", f"{start} not found")
    return _authorities(secret, start, key, BUNDLE_LIMIT)


def server_ca(secret: Object | None, name: str, key: str) -> str:
    """The certificate authorities for one upstream server, in PEM."""
    start = f"CA certificate secret {name}"
    if secret is None:
        raise SecretError("NotReady", f"{start} not found")
    return _authorities(secret, start, key, SERVER_CA_LIMIT)


def _authorities(secret: Object, start: str, key: str, limit: int) -> str:
    if not _labelled(secret):
        raise SecretError("SecretInvalid", f"{start} missing required label {LABEL_TEXT}")
    text = value(secret, key)
    if text is None:
        raise SecretError("SecretInvalid", f"{start} missing key {key}")
    if len(text.encode()) > limit:
        raise SecretError("SecretInvalid", f"{start} data exceeds maximum size ({limit} bytes)")
    if problem := _pem_problem(text):
        raise SecretError("SecretInvalid", f"{start} is invalid: {problem}")
    return text


def _pem_problem(text: str) -> str | None:
    """Why the text is not a list of certificates of authorities."""
    from cryptography import x509  # noqa: PLC0415  (needs memory; few extensions name certificates)

    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return "no valid PEM certificates found"
    for certificate in certificates:
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            is_authority = constraints.value.ca
        except x509.ExtensionNotFound:
            is_authority = False
        if not is_authority:
            return f"certificate {certificate.subject.rfc4514_string()} is not a CA certificate"
    return None


def credential(secret: Object | None, name: str, key: str) -> str:
    """The value of the Authorization header that the broker sends to an upstream server."""
    start = f"credential secret {name}"
    if secret is None:
        raise SecretError("NotReady", f"{start} not found")
    if not _labelled(secret):
        raise SecretError("NotReady", f"{start} is missing required label {LABEL_TEXT}")
    text = value(secret, key)
    if text is None:
        raise SecretError("NotReady", f"{start} missing key {key}")
    return text


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
