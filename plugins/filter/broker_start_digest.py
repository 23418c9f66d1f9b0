# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_start import start_digest

DOCUMENTATION = r"""
name: broker_start_digest
short_description: What the collection's own MCP broker reads at the start only, as a digest
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes a short digest of the settings that a running broker does not read again (C(store), C(cluster), C(drain)),
    so that another one starts it anew. No password is part of it.
options:
  _input:
    description: The content of the broker's C(config.yaml), from P(mcpops.gateway.broker_config#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What a start depends on
  ansible.builtin.debug:
    msg: "{{ {'broker': {'drain': 30}} | mcpops.gateway.broker_start_digest }}"
"""

RETURN = r"""
_value:
  description: The digest; empty when none of these settings is given.
  type: str
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_start_digest": start_digest}
