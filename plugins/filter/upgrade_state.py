# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_upgrade import upgrade_state

DOCUMENTATION = r"""
name: upgrade_state
short_description: What counts of an MCP gateway when its operator is upgraded
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Takes the operator's version, the readiness of extensions and registrations, and the tools that the endpoint offers.
options:
  _input:
    description: A result of M(mcpops.gateway.info).
    type: dict
    required: true
  endpoint:
    description: The fact C(verify_report) of role P(mcpops.gateway.verify#role).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The state of a gateway
  ansible.builtin.debug:
    msg: "{{ info | mcpops.gateway.upgrade_state(endpoint=verify_report) }}"
  vars:
    info:
      operator: {csv: mcp-gateway.v0.9.0, phase: Succeeded, version: 0.9.0, api_versions: [v1, v1alpha1]}
    verify_report: {works: true, tools: [time_get_current_time]}
"""

RETURN = r"""
_value:
  description: C(csv), C(phase), C(version), C(upgrade), C(api_versions), C(extensions), C(registrations), C(endpoint),
    C(tools).
  type: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"upgrade_state": upgrade_state}
