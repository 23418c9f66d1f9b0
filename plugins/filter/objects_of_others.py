# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_teardown import objects_of_others

DOCUMENTATION = r"""
name: objects_of_others
short_description: Extensions, registrations and virtual servers of others
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - As long as there are any, the operator is needed.
options:
  _input:
    description: A result of M(mcpops.gateway.info).
    type: dict
    required: true
  ours:
    description: Names, with their namespaces, that do not count.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: One of another team
  ansible.builtin.debug:
    msg: "{{ info | mcpops.gateway.objects_of_others(ours=['team-a/mcp-gateway']) }}"
  vars:
    info:
      extensions: [{namespace: team-a, name: mcp-gateway}, {namespace: team-b, name: mcp-gateway}]
"""

RETURN = r"""
_value:
  description: Names with their namespaces.
  type: list
  elements: str
  sample: [team-b/mcp-gateway]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"objects_of_others": objects_of_others}
