# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_config import credentials

DOCUMENTATION = r"""
name: broker_credentials
short_description: The values of Secrets that MCP servers refer to
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Takes the answers of a loop of M(kubernetes.core.k8s_info) over what P(mcpops.gateway.broker_secrets#filter) gives.
options:
  _input:
    description: The C(results) of the loop.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop when a Secret is missing
  ansible.builtin.fail:
    msg: "{{ (answers.results | mcpops.gateway.broker_credentials).problems | join('; ') }}"
  when: (answers.results | mcpops.gateway.broker_credentials).problems | length > 0
"""

RETURN = r"""
_value:
  description: The keys V(known) (text by C(NAMESPACE/NAME/KEY)) and V(problems) (sentences about what is missing).
  type: dict
"""


def _credentials(answers: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    values, problems = credentials(answers)
    return {"known": values, "problems": problems}


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_credentials": _credentials}
