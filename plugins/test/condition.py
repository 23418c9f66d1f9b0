# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mcpops.gateway.plugins.module_utils import _conditions

DOCUMENTATION = r"""
name: condition
short_description: Whether an object has a status condition
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - True when a Kubernetes object has the condition in C(status.conditions) with the wanted status, and the condition
    speaks of the object's current generation.
options:
  _input:
    description:
      - The object, as M(kubernetes.core.k8s_info) returns it in C(resources).
    type: dict
    required: true
  type:
    description:
      - Type of the condition.
    type: str
    required: true
  status:
    description:
      - The status that it must have.
    type: str
    choices: ["True", "False", "Unknown"]
    default: "True"
  reason:
    description:
      - The reason that it must have, if that matters.
    type: str
"""

EXAMPLES = r"""
- name: Stop unless the extension is ready
  ansible.builtin.assert:
    that: found.resources[0] is mcpops.gateway.condition('Ready')

- name: Stop when the Gateway has not been accepted for want of a class
  ansible.builtin.assert:
    that: gateway is not mcpops.gateway.condition('Accepted', 'False', reason='InvalidParameters')
"""

RETURN = r"""
_value:
  description:
    - Whether the condition holds.
  type: bool
"""


def condition(live: t.Any, type: str, status: t.Any = "True", reason: str | None = None) -> bool:
    """The test itself; raises AnsibleFilterError for something that is no object."""
    if not isinstance(live, t.Mapping):
        raise AnsibleFilterError(
            "mcpops.gateway.condition tests a Kubernetes object (a mapping with status.conditions)."
        )
    return _conditions.holds(live, str(type), str(status), reason)


class TestModule:
    """Tests of this file."""

    def tests(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"condition": condition}
