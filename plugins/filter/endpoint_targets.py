# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import targets_of

DOCUMENTATION = r"""
name: endpoint_targets
short_description: The MCP endpoints that there are to prove
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes one entry for every extension that is to be there, with what is to be asked and which servers' tools have to
    be listed.
positional: defaults
options:
  _input:
    description: The extensions in the form of the variable C(extension_list) of role P(mcpops.gateway.extension#role),
      or YAML text of them.
    type: raw
    required: true
  defaults:
    description: What an extension does not say, C(gateway), C(gateway_namespace), C(listener) and C(public_host).
    type: dict
    required: true
  servers:
    description: The registered servers in the form of C(servers_list) of role P(mcpops.gateway.servers#role).
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: One endpoint
  ansible.builtin.debug:
    msg: >-
      {{ [] | mcpops.gateway.endpoint_targets({'gateway': 'mcp-gateway', 'gateway_namespace': 'gateway-system',
      'listener': 'mcps', 'public_host': ''}, servers=[{'name': 'weather'}]) }}
"""

RETURN = r"""
_value:
  description: The endpoints.
  type: list
  elements: dict
"""


def _targets(extensions: t.Any, defaults: dict[str, t.Any], *, servers: t.Any) -> list[dict[str, t.Any]]:
    return targets_of(extensions, servers, defaults)


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"endpoint_targets": _targets}
