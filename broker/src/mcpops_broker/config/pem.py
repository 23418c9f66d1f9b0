# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Certificates in the configuration."""

from __future__ import annotations

import ssl

from mcpops_broker.config.fields import Fields


def pem(fields: Fields, key: str) -> str | None:
    """Return the certificates of authorities under a key, as they are written; None when there are none."""
    text = fields.optional_text(key)
    if text:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError, TypeError):  # the last when it is not ASCII
            fields.problem(key, None, "it must be one or more certificates in PEM form")
    return text
