# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import enabled_prefixes

DOCUMENTATION = r"""
name: server_prefixes
short_description: Prefixes of the tools of enabled MCP servers
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - The prefixes that tools must have when all enabled servers work, for the option
    O(mcpops.gateway.endpoint#module:expect_prefixes).
  - Servers without a prefix are left out.
options:
  _input:
    description: The servers in the form of the variable C(servers_list) of role P(mcpops.gateway.servers#role), or
      YAML text of them.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Prefixes
  ansible.builtin.debug:
    msg: "{{ [{'name': 'weather'}, {'name': 'time', 'prefix': 'clock_'}] | mcpops.gateway.server_prefixes }}"
"""

RETURN = r"""
_value:
  description: The prefixes.
  type: list
  elements: str
  sample: [weather_, clock_]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_prefixes": enabled_prefixes}
