# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_rights import rights

DOCUMENTATION = r"""
name: broker_rights
short_description: What the collection's own MCP broker may do when it serves registrations
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes its Roles and RoleBindings, for M(mcpops.gateway.apply).
options:
  _input:
    description: The namespaces whose registrations it serves.
    type: list
    elements: str
    required: true
  name:
    description: Its name, which its ServiceAccount and its Lease have, too.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  gateway_namespace:
    description: Namespace of the Gateway that leads to it.
    type: str
    required: true
  gateway:
    description: Name of that Gateway.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The rights
  ansible.builtin.debug:
    msg: >-
      {{ ['mcp-servers', 'mcp-system'] | mcpops.gateway.broker_rights(name='mcp-broker', namespace='mcp-system',
      gateway_namespace='gateway-system', gateway='mcp-gateway') }}
"""

RETURN = r"""
_value:
  description: Manifests.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_rights": rights}
