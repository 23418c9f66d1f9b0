# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_extensions import extensions, without_contents

DOCUMENTATION = r"""
name: extensions
short_description: One MCPGatewayExtension or several, with all their settings
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Completes every entry of the variable C(extension_list) of role P(mcpops.gateway.extension#role) with the role's
    other variables. Without an entry, those alone make one extension.
positional: defaults
options:
  _input:
    description: The entries, or YAML text of them.
    type: raw
    required: true
  defaults:
    description: The role's variables without their prefix.
    type: dict
    required: true
  contents:
    description: Whether the contents of Secrets are among the settings. What is shown or looped over must be without.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Two teams on one Gateway
  ansible.builtin.debug:
    msg: "{{ [{'namespace': 'team-a'}, {'namespace': 'team-b'}] | mcpops.gateway.extensions({'gateway': 'shared'}) }}"
"""

RETURN = r"""
_value:
  description: The extensions.
  type: list
  elements: dict
"""


def _extensions(given: t.Any, defaults: dict[str, t.Any], *, contents: bool = False) -> list[dict[str, t.Any]]:
    found = extensions(given, defaults)
    return found if contents else [without_contents(one) for one in found]


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"extensions": _extensions}
