# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import reports_together

DOCUMENTATION = r"""
name: endpoint_reports
short_description: The reports of several MCP endpoints as one
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Joins what P(mcpops.gateway.endpoint_report#filter) has made of each endpoint.
options:
  _input:
    description: The reports, at least one.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show all of them
  ansible.builtin.debug:
    msg: "{{ (reports | mcpops.gateway.endpoint_reports).text }}"
  vars:
    reports:
      - works: true
        url: http://mcp.example.com:8080/mcp
        text: [The MCP gateway works.]
"""

RETURN = r"""
_value:
  description: The report of the first endpoint, with the text of all of them, and all reports in C(endpoints).
  type: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"endpoint_reports": reports_together}
