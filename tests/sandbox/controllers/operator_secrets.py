# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: which Secrets the operator accepts. Pure functions; the texts are the operator's.

Source: Kuadrant/mcp-gateway at v0.9.0, internal/controller: trusted_headers.go, session_store.go, ca_cert_bundle.go,
buildMCPServerConfig and validateCACertPEM in mcpserverregistration_controller.go. 0.6.0 has the same texts for the
Secrets that it knows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sandbox.controllers.operator_certificates import authorities_problem
from sandbox.controllers.operator_release import SECRET_LABEL

Object = Mapping[str, Any]

BUNDLE_LIMIT = 256 * 1024
SERVER_CA_LIMIT = 64 * 1024
LABEL_TEXT = "=".join(next(iter(SECRET_LABEL.items())))
NOT_FOUND, INVALID = "SecretNotFound", "SecretInvalid"


class RefusalError(ValueError):
    """What the extension asks for cannot be had; ``reason`` and the text are those of its Ready condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RegistrationError(ValueError):
    """The server cannot be registered; the text is the Ready condition's message."""


def labelled(secret: Object) -> bool:
    """Whether the operator's caches and watches see the Secret."""
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
    """The Secret with the public key that verifies trusted headers; it needs no label. Raises RefusalError."""
    if secret is None:
        raise RefusalError(NOT_FOUND, f"secret {name} not found in namespace {namespace}")
    if not secret.get("data"):
        raise RefusalError(INVALID, f"secret {name} has no data")
    if value(secret, "key") is None:
        raise RefusalError(INVALID, f'secret {name} is missing required data entry "key"')


def check_session_store(secret: Object | None, name: str, namespace: str) -> None:
    """The Secret with the connection string of the session store. Raises RefusalError."""
    key = "CACHE_CONNECTION_STRING"
    start = f"session store secret {name}"
    if secret is None:
        raise RefusalError(NOT_FOUND, f"{start} not found in namespace {namespace}")
    if not labelled(secret):
        raise RefusalError(INVALID, f"{start} is missing required label {LABEL_TEXT}")
    if not secret.get("data"):
        raise RefusalError(INVALID, f"{start} has no data")
    text = value(secret, key)
    if text is None:
        raise RefusalError(INVALID, f'{start} is missing required data entry "{key}"')
    if not text:
        raise RefusalError(INVALID, f'{start} has empty "{key}" value')


def ca_bundle(secret: Object | None, name: str, key: str) -> str:
    """The certificate authorities that an extension trusts, in PEM. Raises RefusalError."""
    if secret is None:
        raise RefusalError(NOT_FOUND, f"CA bundle secret {name} not found")
    if not labelled(secret):
        raise RefusalError(INVALID, f"CA bundle secret {name} missing required label {LABEL_TEXT}")
    text = value(secret, key)
    if text is None:
        raise RefusalError(INVALID, f"CA bundle secret {name} missing key {key}")
    if len(text.encode()) > BUNDLE_LIMIT:
        raise RefusalError(INVALID, f"CA bundle data in secret {name} exceeds maximum size ({BUNDLE_LIMIT} bytes)")
    if problem := authorities_problem(text):
        raise RefusalError(INVALID, f"CA bundle in secret {name} is invalid: {problem}")
    return text


def server_ca(secret: Object | None, name: str, key: str) -> str:
    """The certificate authorities for one upstream server, in PEM. Raises RegistrationError."""
    start = f"CA certificate secret {name}"
    text = _for_server(secret, start, key)
    if len(text.encode()) > SERVER_CA_LIMIT:
        raise RegistrationError(f"CA certificate data in secret {name} exceeds maximum size ({SERVER_CA_LIMIT} bytes)")
    if problem := authorities_problem(text):
        raise RegistrationError(f"CA certificate in secret {name} is invalid: {problem}")
    return text


def credential(secret: Object | None, name: str, key: str) -> str:
    """The value of the Authorization header that the broker sends to an upstream server. Raises RegistrationError."""
    return _for_server(secret, f"credential secret {name}", key)


def _for_server(secret: Object | None, start: str, key: str) -> str:
    if secret is None:
        raise RegistrationError(f"{start} not found")
    if not labelled(secret):
        raise RegistrationError(f"{start} is missing required label {LABEL_TEXT}")
    text = value(secret, key)
    if text is None:
        raise RegistrationError(f"{start} missing key {key}")
    return text
