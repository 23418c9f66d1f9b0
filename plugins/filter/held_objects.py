# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_teardown import held_objects

DOCUMENTATION = r"""
name: held_objects
short_description: The operator's objects that a removal would remove
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - The operator alone lets go of its objects, so the playbook C(mcpops.gateway.teardown) has to know them before.
options:
  _input:
    description: A result of M(mcpops.gateway.apply) with O(mcpops.gateway.apply#module:state=absent), in check mode.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What the operator has to let go of
  ansible.builtin.debug:
    msg: "{{ look | mcpops.gateway.held_objects }}"
  vars:
    look:
      objects:
        - {api_version: mcp.kuadrant.io/v1, namespace: mcp-servers, name: weather, action: deleted}
"""

RETURN = r"""
_value:
  description: Names with their namespaces.
  type: list
  elements: str
  sample: [mcp-servers/weather]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"held_objects": held_objects}
