# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_environment import environment_file

DOCUMENTATION = r"""
name: broker_environment
short_description: The environment of the collection's own MCP broker on a host
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes the lines of a file that systemd and the shell read alike.
options:
  _input:
    description: Variables, as a list of dictionaries with C(name) and C(value), or YAML text of it.
    type: raw
    required: true
  protected:
    description: OAuth protected resource metadata, in the form of C(broker_oauth_protected_resource) of role
      P(mcpops.gateway.broker#role).
    type: raw
    required: true
  url:
    description: Address of the MCP endpoint, for that metadata.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A proxy for servers outside
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'HTTPS_PROXY', 'value': 'http://proxy.example.com:3128'}]
      | mcpops.gateway.broker_environment(protected={}, url='http://mcp.example.com:8080/mcp') }}
"""

RETURN = r"""
_value:
  description: The content of the file.
  type: str
  sample: HTTPS_PROXY=http://proxy.example.com:3128
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_environment": environment_file}
