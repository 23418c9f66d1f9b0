# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_teardown import teardown_report

DOCUMENTATION = r"""
name: teardown_report
short_description: What is gone, and what stays and why
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - The last word of the playbook C(mcpops.gateway.teardown).
options:
  _input:
    description: A result of M(mcpops.gateway.info) from before the operator's removal.
    type: dict
    required: true
  others:
    description: Names of objects of others, because of which the operator stays.
    type: list
    elements: str
    required: true
  managers:
    description: Field managers of the Gateway.
    type: list
    elements: str
    required: true
  check:
    description: Whether this is check mode.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Everything is gone
  ansible.builtin.debug:
    msg: "{{ {} | mcpops.gateway.teardown_report(others=[], managers=[], check=false) }}"
"""

RETURN = r"""
_value:
  description: Sentences.
  type: list
  elements: str
  sample: ["The MCP gateway is removed, and nothing of it is left."]
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"teardown_report": teardown_report}
