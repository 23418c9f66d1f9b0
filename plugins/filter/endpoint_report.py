# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import report_lines

DOCUMENTATION = r"""
name: endpoint_report
short_description: What was found at an MCP endpoint, for a person to read
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Turns the result of M(mcpops.gateway.endpoint) into a few lines with the address, the HTTP status, the server, the
    protocol version, the tools,
    and how to connect a client.
options:
  _input:
    description: Result of M(mcpops.gateway.endpoint).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask the endpoint
  mcpops.gateway.endpoint:
    url: http://mcp.example.com:8080/mcp
  register: answer

- name: Show what it is
  ansible.builtin.debug:
    msg: "{{ answer | mcpops.gateway.endpoint_report }}"
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"endpoint_report": report_lines}
