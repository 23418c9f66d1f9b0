# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_objects import owns_replicas_alone

DOCUMENTATION = r"""
name: owns_replicas_alone
short_description: Whether nobody but this collection holds the number of Pods of a Deployment
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Kubernetes sets the number to 1 when its only holder leaves it out, so it is handed to another field manager before
    an autoscaler gets it.
options:
  _input:
    description: The Deployment as it is in the cluster, or nothing.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Look before an autoscaler is made
  ansible.builtin.debug:
    msg: "{{ found.resources | first | default({}) | mcpops.gateway.owns_replicas_alone }}"
"""

RETURN = r"""
_value:
  description: V(true) when the field manager of this collection is its only holder.
  type: bool
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"owns_replicas_alone": owns_replicas_alone}
