# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_values import listeners

DOCUMENTATION = r"""
name: gateway_listeners
short_description: The listeners of the MCP gateway's Gateway
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Takes the listeners that a user gave. When there are none, it makes those of the install guide, V(http) on port 80,
    V(mcps) for MCP
    and V(https) with a certificate, and V(mcp-servers) for the routes of MCP servers when there are any.
  - Routes of all namespaces may attach to a listener that does not say otherwise.
options:
  _input:
    description: The listeners as options of M(mcpops.gateway.gateway), or YAML text of them.
    type: raw
    required: true
  hostname:
    description: Host name of the listener V(mcps).
    type: str
    required: true
  port:
    description: Port of the listeners V(mcps) and V(mcp-servers).
    type: int
    required: true
  https_hostname:
    description: Host name of the listener V(https).
    type: str
    required: true
  certificate:
    description: Secret with the certificate of the listener V(https). Empty leaves that listener out.
    type: str
    required: true
  servers_hostname:
    description: Host name of the listener V(mcp-servers).
    type: str
    required: true
  servers:
    description: The MCP servers to register, or YAML text of them.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: The listeners of the install guide
  ansible.builtin.debug:
    msg: >-
      {{ [] | mcpops.gateway.gateway_listeners(hostname='mcp.example.com', port=8080,
      https_hostname='mcp.apps.example.com',
      certificate='default-ingress-cert', servers_hostname='*.mcp.local', servers=[]) }}
"""

RETURN = r"""
_value:
  description: Listeners as the option O(mcpops.gateway.gateway#module:listeners) takes them.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gateway_listeners": listeners}
