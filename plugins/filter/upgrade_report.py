# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_upgrade import upgrade_report

DOCUMENTATION = r"""
name: upgrade_report
short_description: Two states of an MCP gateway side by side
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - One line for each value; what did not change is said once. Tools that were lost or are new are named.
positional: after
options:
  _input:
    description: The state before, from P(mcpops.gateway.upgrade_state#filter).
    type: dict
    required: true
  after:
    description: The state afterwards.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What an upgrade did
  ansible.builtin.debug:
    msg: "{{ ({} | mcpops.gateway.upgrade_state(endpoint={})) | mcpops.gateway.upgrade_report(now) }}"
  vars:
    now: "{{ {'operator': {'csv': 'mcp-gateway.v0.9.0'}} | mcpops.gateway.upgrade_state(endpoint={}) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample: ["operator: mcp-gateway.v0.6.0 (Succeeded) -> mcp-gateway.v0.9.0 (Succeeded)"]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"upgrade_report": upgrade_report}
