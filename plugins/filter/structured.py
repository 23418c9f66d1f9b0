# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import Shape, structured

DOCUMENTATION = r"""
name: structured
short_description: A list or dictionary from itself or from YAML text
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Surveys of AWX and AAP send text. This filter makes the list or dictionary out of it that the text stands for, and
    leaves
    a value that is one already as it is.
  - Nothing, and empty text, becomes the empty list or dictionary.
  - For a list, text without YAML structure is split at commas.
positional: shape
options:
  _input:
    description: The value.
    type: raw
    required: true
  shape:
    description: What it has to become.
    type: str
    choices: [list, dict]
    required: true
"""

EXAMPLES = r"""
- name: The same list three times
  ansible.builtin.debug:
    msg:
      - "{{ ['a', 'b'] | mcpops.gateway.structured('list') }}"
      - "{{ 'a, b' | mcpops.gateway.structured('list') }}"
      - "{{ '[a, b]' | mcpops.gateway.structured('list') }}"
"""

RETURN = r"""
_value:
  description: The list or dictionary.
  type: raw
"""


def _structured(value: t.Any, shape: Shape) -> t.Any:
    try:
        return structured(value, shape)
    except ValueError as error:
        raise AnsibleFilterError(f"mcpops.gateway.structured: the value {error}.") from error


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"structured": _structured}
