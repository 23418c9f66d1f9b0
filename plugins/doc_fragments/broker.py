# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How modules that ask the gateway's broker reach it."""

    DOCUMENTATION = r"""
options:
  broker:
    description:
      - How to reach the broker, where the Gateway's own address and the extension's host do not suffice.
    type: dict
    suboptions:
      url:
        description:
          - Its address without a path, such as V(https://mcp.example.com).
        type: str
      connect_to:
        description:
          - The address to dial (C(HOST:PORT)) when the name in O(broker.url) does not resolve.
        type: str
      ca_cert:
        description:
          - CA certificates to trust, as a path or PEM text.
        type: str
      validate_certs:
        description:
          - Whether to check the certificate.
        type: bool
        default: true
      headers:
        description:
          - Headers to send, such as C(Authorization).
        type: dict
"""
