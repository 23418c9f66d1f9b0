# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import endpoint_of

DOCUMENTATION = r"""
name: gateway_endpoint
short_description: The address at which a Gateway's listener serves MCP
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Works out the URL from the listener's protocol, host name and port, with the rules of the MCP gateway operator (a
    wildcard V(*.example.com)
    becomes V(mcp.example.com)), and the Gateway's own address to connect to.
positional: listener
options:
  _input:
    description: A list with the Gateway object, or an empty list when it does not exist.
    type: list
    elements: dict
    required: true
  listener:
    description: Name of the listener.
    type: str
    required: true
  name:
    description: Name of the Gateway, for messages.
    type: str
    required: true
  namespace:
    description: Namespace of the Gateway, for messages.
    type: str
    required: true
  host:
    description: Public host of the MCPGatewayExtension, when it has one of its own.
    type: str
    default: ""
  path:
    description: Path of the endpoint.
    type: str
    default: /mcp
"""

EXAMPLES = r"""
- name: Read the Gateway
  kubernetes.core.k8s_info:
    api_version: gateway.networking.k8s.io/v1
    kind: Gateway
    name: mcp-gateway
    namespace: gateway-system
  register: found

- name: Show the address
  ansible.builtin.debug:
    msg: >-
      {{ found.resources | mcpops.gateway.gateway_endpoint('mcps', name='mcp-gateway', namespace='gateway-system') }}
"""

RETURN = r"""
_value:
  description: >-
    C(url), C(connect_to) (the Gateway's address with the port, empty when it has none) and C(problem) (empty, or the
    reason why there is no URL).
  type: dict
  sample: {url: "http://mcp.example.com:8080/mcp", connect_to: "192.0.2.10:8080", problem: ""}
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gateway_endpoint": endpoint_of}
