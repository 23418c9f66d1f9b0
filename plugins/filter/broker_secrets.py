# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_config import secret_references

DOCUMENTATION = r"""
name: broker_secrets
short_description: The Secrets that MCP servers refer to
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - The collection's own broker has credentials and authorities in its configuration, as the operator's broker does.
    This filter tells which Secrets have to be read for it.
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
"""

EXAMPLES = r"""
- name: The Secrets of the servers
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'tickets', 'port': 8000, 'credential_secret': {'name': 'jira'}}]
      | mcpops.gateway.broker_secrets(namespace='mcp-servers') }}
"""

RETURN = r"""
_value:
  description: A reference for every key of a Secret, with the first server that has it.
  type: list
  elements: dict
  sample:
    - server: tickets
      namespace: mcp-servers
      name: jira
      key: token
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_secrets": secret_references}
