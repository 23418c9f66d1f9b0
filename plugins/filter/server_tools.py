# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import expected_tools

DOCUMENTATION = r"""
name: server_tools
short_description: Names of the tools that enabled MCP servers are said to have
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - The tools that servers name as C(expect_tools), with the servers' prefixes, for the option
    O(mcpops.gateway.endpoint#module:expect_tools).
options:
  _input:
    description: The servers in the form of the variable C(servers_list) of role P(mcpops.gateway.servers#role), or
      YAML text of them.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: One tool
  ansible.builtin.debug:
    msg: "{{ [{'name': 'weather', 'expect_tools': ['get_forecast']}] | mcpops.gateway.server_tools }}"
"""

RETURN = r"""
_value:
  description: The names.
  type: list
  elements: str
  sample: [weather_get_forecast]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_tools": expected_tools}
