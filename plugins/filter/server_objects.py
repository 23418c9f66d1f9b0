# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import server_objects

DOCUMENTATION = r"""
name: server_objects
short_description: The Kubernetes objects of registered MCP servers
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes the HTTPRoute, the Secret with the credential and the MCPServerRegistration of every server, for one outside
    the cluster the ServiceEntry and DestinationRule as well, and the MCPVirtualServers, as manifests for
    M(mcpops.gateway.apply).
options:
  _input:
    description: The servers in the form of the variable C(servers_list) of role P(mcpops.gateway.servers#role), or
      YAML text of them.
    type: raw
    required: true
  virtual:
    description: The virtual servers in the form of the variable C(servers_virtual), or YAML text of them.
    type: raw
    required: true
  wanted:
    description: Whether to return the objects that are to be there, the names of those of entries that are not to be
      there, or the names of those that entries which are to be there may have left from an earlier form of
      themselves.
    type: str
    choices: [present, absent, leftover]
    required: true
  state:
    description: V(absent) when none of the servers is to be there.
    type: str
    choices: [present, absent]
    required: true
  namespace:
    description: Namespace of servers that name none.
    type: str
    required: true
  virtual_namespace:
    description: Namespace of virtual servers that name none.
    type: str
    required: true
  gateway:
    description: Name of the Gateway.
    type: str
    required: true
  gateway_namespace:
    description: Namespace of the Gateway.
    type: str
    required: true
  listener:
    description: Listener for the routes of servers that name none.
    type: str
    required: true
  domain:
    description: Domain of the host names of servers that name none.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The objects of a server
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'weather', 'port': 9090}] | mcpops.gateway.server_objects(virtual=[], wanted='present',
      state='present',
      namespace='mcp-servers', virtual_namespace='mcp-system', gateway='mcp-gateway',
      gateway_namespace='gateway-system',
      listener='mcp-servers', domain='mcp.local') }}
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
        return {"server_objects": server_objects}
