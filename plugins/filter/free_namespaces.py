# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_teardown import free_namespaces

DOCUMENTATION = r"""
name: free_namespaces
short_description: Namespaces that nobody else needs
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Leaves out namespaces that hold extensions, registrations, virtual servers or Gateways of others, and that of the
    operator while others need it.
options:
  _input:
    description: Names of namespaces.
    type: list
    elements: str
    required: true
  info:
    description: A result of M(mcpops.gateway.info).
    type: dict
    required: true
  others:
    description: Names, with their namespaces, of objects of others that need the operator.
    type: list
    elements: str
    required: true
  operator:
    description: Namespace of the operator.
    type: str
    required: true
  gateway:
    description: Namespace and name of the one Gateway that does not count.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The operator's namespace stays
  ansible.builtin.debug:
    msg: >-
      {{ ['mcp-system', 'mcp-servers'] | mcpops.gateway.free_namespaces(info={}, others=['team-b/mcp-gateway'],
      operator='mcp-system', gateway='gateway-system/mcp-gateway') }}
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
        return {"free_namespaces": free_namespaces}
