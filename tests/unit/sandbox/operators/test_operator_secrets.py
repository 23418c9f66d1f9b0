# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Secrets the MCP operator stand-in accepts, and how it refuses the others."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sandbox.controllers.operator_secrets import (
    SecretError,
    ca_bundle,
    check_session_store,
    check_trusted_headers,
    credential,
    new_key_pair,
    server_ca,
)
from unit.sandbox.operators.gateway_kit import SECRET_LABEL, certificate

Object = dict[str, Any]


def secret(data: dict[str, str], labels: dict[str, str] | None = None) -> Object:
    values = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"labels": SECRET_LABEL if labels is None else labels}, "data": values}


def refusal(check: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(SecretError) as caught:
        check(*arguments)
    return caught.value.reason, str(caught.value)


def test_trusted_header_secrets() -> None:
    assert refusal(check_trusted_headers, None, "s", "n") == ("SecretNotFound", "secret s not found in namespace n")
    assert refusal(check_trusted_headers, secret({}), "s", "n") == ("SecretInvalid", "secret s has no data")
    missing = 'secret s is missing required data entry "key"'
    assert refusal(check_trusted_headers, secret({"other": "x"}, {}), "s", "n") == ("SecretInvalid", missing)
    check_trusted_headers(secret({"key": "PEM"}, {}), "s", "n")


def test_session_store_secrets() -> None:
    key = "CACHE_CONNECTION_STRING"

    def refused(found: Object | None) -> str:
        return refusal(check_session_store, found, "s", "n")[1]

    assert refused(None) == "session store secret s not found in namespace n"
    assert refused(secret({key: "redis://"}, {})) == (
        "session store secret s is missing required label mcp.kuadrant.io/secret=true"
    )
    assert refused(secret({})) == "session store secret s has no data"
    assert refused(secret({"a": "b"})) == f'session store secret s is missing required data entry "{key}"'
    assert refused(secret({key: ""})) == f'session store secret s has empty "{key}" value'
    check_session_store(secret({key: "redis://"}), "s", "n")


def test_ca_bundles() -> None:
    def refused(found: Object | None) -> tuple[str, str]:
        return refusal(ca_bundle, found, "s", "ca.crt")

    assert refused(None) == ("SecretNotFound", "CA bundle secret s not found")
    assert refused(secret({"ca.crt": "x"}, {}))[1] == (
        "CA bundle secret s missing required label mcp.kuadrant.io/secret=true"
    )
    assert refused(secret({"a": "b"}))[1] == "CA bundle secret s missing key ca.crt"
    large = "x" * (256 * 1024 + 1)
    assert refused(secret({"ca.crt": large}))[1] == "CA bundle secret s data exceeds maximum size (262144 bytes)"
    assert refused(secret({"ca.crt": "no certificate"}))[1].startswith("CA bundle secret s is invalid: ")
    leaf = certificate(authority=False)
    assert "is not a CA certificate" in refused(secret({"ca.crt": leaf}))[1]
    good = certificate(authority=True)
    assert ca_bundle(secret({"ca.crt": good}), "s", "ca.crt") == good


def test_secrets_of_a_server() -> None:
    assert refusal(credential, None, "s", "token")[1] == "credential secret s not found"
    unlabelled = secret({"token": "x"}, {})
    assert refusal(credential, unlabelled, "s", "token")[1] == (
        "credential secret s is missing required label mcp.kuadrant.io/secret=true"
    )
    assert refusal(credential, secret({"a": "b"}), "s", "token")[1] == "credential secret s missing key token"
    assert credential(secret({"token": "Bearer x"}), "s", "token") == "Bearer x"
    assert refusal(server_ca, None, "s", "ca.crt")[1] == "CA certificate secret s not found"
    large = secret({"ca.crt": "x" * (64 * 1024 + 1)})
    assert refusal(server_ca, large, "s", "ca.crt")[1].endswith("exceeds maximum size (65536 bytes)")


def test_generated_keys_are_a_pair_in_pem() -> None:
    public, private = new_key_pair()
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    assert private.startswith("-----BEGIN EC PRIVATE KEY-----")
