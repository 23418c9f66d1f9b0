# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import dns_report_of

DOCUMENTATION = r"""
name: dns_report
short_description: Which DNS records a Gateway's host names need, for a person to read
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Puts the records into words, and says who makes them.
  - Names of the machine itself (V(localhost) and what ends with V(.localhost)) need none.
options:
  _input:
    description: The return value RV(mcpops.gateway.gateway_info#module:records).
    type: list
    elements: dict
    required: true
  published:
    description: Whether a DNSPolicy makes the records.
    type: bool
    required: true
  total:
    description: How many records it has made.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Tell which record to create
  ansible.builtin.debug:
    msg: >-
      {{ ([{'name': 'mcp.example.com', 'type': 'A', 'value': '192.0.2.10'}]
      | mcpops.gateway.dns_report(published=false)).text }}
"""

RETURN = r"""
_value:
  description: C(published), C(records), and C(text), the lines for a person.
  type: dict
"""


def _report(records: t.Sequence[dict[str, t.Any]], *, published: bool, total: int = 0) -> dict[str, t.Any]:
    return dns_report_of(records, published=published, total=total)


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"dns_report": _report}
