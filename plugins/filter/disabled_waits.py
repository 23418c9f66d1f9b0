# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import disabled_waits

DOCUMENTATION = r"""
name: disabled_waits
short_description: What to wait for with MCP servers that are registered but disabled
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - A disabled MCP server never becomes ready. This filter makes the entries of the option
    O(mcpops.gateway.apply#module:wait_for) that say so.
options:
  _input:
    description:
      - The servers in the form of the variable C(servers_list) of role P(mcpops.gateway.servers#role), or YAML text of
        them.
    type: raw
    required: true
  namespace:
    description: Namespace of servers that name none.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: One entry, for the disabled server
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'weather'}, {'name': 'time', 'state': 'disabled'}] |
      mcpops.gateway.disabled_waits(namespace='mcp-servers') }}
"""

RETURN = r"""
_value:
  description: Entries for O(mcpops.gateway.apply#module:wait_for).
  type: list
  elements: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"disabled_waits": disabled_waits}
