# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mcpops.gateway.plugins.module_utils import _extension_rules

DOCUMENTATION = r"""
name: public_host
short_description: The host name that clients of an MCP gateway use
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Applies the rule of the MCP gateway operator to a listener's host name, V(*.example.com) becomes V(mcp.example.com).
positional: public_host
options:
  _input:
    description:
      - Host name of the Gateway's listener. It may be empty when O(public_host) is given.
    type: str
    required: true
  public_host:
    description:
      - The host name given to the extension, which wins over that of the listener. A port behind it is dropped.
    type: str
"""

EXAMPLES = r"""
- name: Show the host names
  ansible.builtin.debug:
    msg:
      - "{{ '*.example.com' | mcpops.gateway.public_host }}"  # mcp.example.com
      - "{{ 'listener.example.com' | mcpops.gateway.public_host('tools.example.com:8080') }}"  # tools.example.com
"""

RETURN = r"""
_value:
  description:
    - The host name.
  type: str
"""


def public_host(hostname: t.Any, public_host: t.Any = None) -> str:
    """The rule itself; raises AnsibleFilterError with the operator's own words."""
    for value in (hostname, public_host):
        if value is not None and not isinstance(value, str):
            raise AnsibleFilterError(
                f"mcpops.gateway.public_host takes host names as text, not {type(value).__name__}."
            )
    try:
        return _extension_rules.public_host(hostname or None, public_host or None)
    except _extension_rules.PublicHostError as error:
        raise AnsibleFilterError(f"mcpops.gateway.public_host: {error}.") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"public_host": public_host}
