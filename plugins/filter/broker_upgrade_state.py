# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_upgrade import broker_state

DOCUMENTATION = r"""
name: broker_upgrade_state
short_description: What counts of an MCP gateway when the collection's own broker is upgraded
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Takes the broker's image, how many of its Pods are ready, and the tools that the endpoint offers.
options:
  _input:
    description: The broker's Deployment as it is in the cluster, or nothing.
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
    msg: "{{ deployment | mcpops.gateway.broker_upgrade_state(endpoint=verify_report) }}"
  vars:
    deployment:
      spec: {replicas: 2, template: {spec: {containers: [{image: registry.example.com/mcpops-broker:0.1.0}]}}}
      status: {readyReplicas: 2}
    verify_report: {works: true, tools: [time_get_current_time]}
"""

RETURN = r"""
_value:
  description: C(broker), C(image), C(endpoint) and C(tools), for P(mcpops.gateway.upgrade_report#filter).
  type: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_upgrade_state": broker_state}
