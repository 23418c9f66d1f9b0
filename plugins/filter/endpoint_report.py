# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import report_of

DOCUMENTATION = r"""
name: endpoint_report
short_description: What was found at an MCP endpoint, in short and for a person to read
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Takes what matters to a person from the result of M(mcpops.gateway.endpoint), and puts it into a few lines of text
    with
    the address, the HTTP status, the server, the protocol version, the tools, and how to connect a client.
options:
  _input:
    description: Result of M(mcpops.gateway.endpoint).
    type: dict
    required: true
  problem:
    description: Why the endpoint could not be asked, when the result is that of a skipped task.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Ask the endpoint
  mcpops.gateway.endpoint:
    url: http://mcp.example.com:8080/mcp
  register: answer

- name: Show what it is
  ansible.builtin.debug:
    msg: "{{ (answer | mcpops.gateway.endpoint_report).text }}"
"""

RETURN = r"""
_value:
  description: >-
    C(works), and when that is true C(url), C(dialed), C(http_status), C(initialize) (the JSON-RPC answer to it, or to
    C(server/discover) where there is no handshake), C(server_info), C(protocol_version), C(tools), C(tool_count),
    C(call_result), C(oauth), C(cors); and C(text), the lines for a person.
  type: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"endpoint_report": report_of}
