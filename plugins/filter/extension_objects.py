# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_extensions import objects

DOCUMENTATION = r"""
name: extension_objects
short_description: What belongs to MCPGatewayExtensions
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes manifests for M(mcpops.gateway.apply) of what role P(mcpops.gateway.extension#role) creates or removes beside
    the extensions.
positional: part
options:
  _input:
    description: The extensions, from P(mcpops.gateway.extensions#filter).
    type: list
    elements: dict
    required: true
  part:
    description:
      - V(namespaces), V(secrets) and V(grants) are to be made.
      - V(routes) are the custom routes (setting C(route_name)) to be removed.
      - V(itself) is the extension, V(leftovers) what stays when it goes, V(remains) all that must be gone then.
    type: str
    choices: [namespaces, secrets, grants, routes, itself, leftovers, remains]
    required: true
"""

EXAMPLES = r"""
- name: The namespaces
  ansible.builtin.debug:
    msg: >-
      {{ [{'namespace': 'team-a'}] | mcpops.gateway.extensions({}) | mcpops.gateway.extension_objects('namespaces') }}
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
        return {"extension_objects": objects}
