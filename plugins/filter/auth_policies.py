# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_policies import policies

DOCUMENTATION = r"""
name: auth_policies
short_description: The policies that protect an MCP endpoint
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes the AuthPolicies, RateLimitPolicies and the TLSPolicy (Kuadrant) of role P(mcpops.gateway.auth#role), as
    manifests for M(mcpops.gateway.apply).
options:
  _input:
    description:
      - The variables of role P(mcpops.gateway.auth#role) without their prefix.
      - Needed are C(name), C(gateway), C(gateway_namespace) and C(listener), and C(servers_namespace) with C(tools).
    type: dict
    required: true
  wanted:
    description: Whether to return the objects that are to be there, or those that are not to be there.
    type: str
    choices: [present, absent]
    required: true
"""

EXAMPLES = r"""
- name: An AuthPolicy for tokens of one issuer
  ansible.builtin.debug:
    msg: "{{ settings | mcpops.gateway.auth_policies(wanted='present') }}"
  vars:
    settings:
      name: mcp-gateway
      gateway: mcp-gateway
      gateway_namespace: openshift-ingress
      listener: mcps
      issuer: https://sso.example.com/realms/mcp
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
        return {"auth_policies": policies}
