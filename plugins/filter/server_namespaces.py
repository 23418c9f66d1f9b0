# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import server_namespaces

DOCUMENTATION = r"""
name: server_namespaces
short_description: Namespaces of MCP servers, those outside the cluster or those in it
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - A server in the cluster has a Service and therefore a namespace. What stands for a server outside needs one, too;
    this filter names them, each once.
options:
  _input:
    description: The servers in the form of the variable C(servers_list) of role P(mcpops.gateway.servers#role), or
      YAML text of them.
    type: raw
    required: true
  namespace:
    description: Namespace of servers that name none.
    type: str
    required: true
  outside:
    description: Whether those of the servers outside the cluster are wanted, or of those in it.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: One namespace, that of the server with a url
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'weather', 'port': 9090}, {'name': 'issues', 'url': 'https://mcp.example.com/mcp'}]
      | mcpops.gateway.server_namespaces(namespace='mcp-servers') }}
"""

RETURN = r"""
_value:
  description: Names of namespaces.
  type: list
  elements: str
  sample: [mcp-servers]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_namespaces": server_namespaces}
