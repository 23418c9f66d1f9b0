# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_config import watched_namespaces

DOCUMENTATION = r"""
name: broker_namespaces
short_description: The namespaces whose registrations the collection's own MCP broker serves
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Those of the servers, that of the broker (virtual servers are there), and others that are named.
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
  own:
    description: The broker's namespace.
    type: str
    required: true
  more:
    description: Further namespaces, or YAML text of them.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: The namespaces
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'weather', 'port': 9090}] | mcpops.gateway.broker_namespaces(namespace='mcp-servers',
      own='mcp-system', more=['team-a']) }}
"""

RETURN = r"""
_value:
  description: Names of namespaces, each once.
  type: list
  elements: str
  sample: [mcp-servers, mcp-system, team-a]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_namespaces": watched_namespaces}
