# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_teardown import operator_is_gone

DOCUMENTATION = r"""
name: operator_is_gone
short_description: Whether the operator does not run
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Judges what was found of the operator's Deployment. When other namespaces may not be read, nobody knows, and the
    answer is V(false).
options:
  _input:
    description: A result of M(kubernetes.core.k8s_info) for the Deployment in the operator's namespace.
    type: dict
    required: true
  anywhere:
    description: The same for all namespaces; it may have been skipped, or have failed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: No Deployment was found
  ansible.builtin.debug:
    msg: "{{ {'resources': []} | mcpops.gateway.operator_is_gone(anywhere={'resources': []}) }}"
"""

RETURN = r"""
_value:
  description: Whether it does not run.
  type: bool
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"operator_is_gone": operator_is_gone}
