# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_config import broker_config

DOCUMENTATION = r"""
name: broker_config
short_description: The configuration of the collection's own MCP broker
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes the content of the broker's C(config.yaml) of the servers and virtual servers. It holds credentials.
options:
  _input:
    description: The servers in the form of the variable C(servers_list) of role P(mcpops.gateway.servers#role), or
      YAML text of them.
    type: raw
    required: true
  virtual:
    description: The virtual servers in the form of the variable C(servers_virtual), or YAML text of them.
    type: raw
    required: true
  namespace:
    description: Namespace of servers that name none.
    type: str
    required: true
  virtual_namespace:
    description: Namespace of virtual servers that name none.
    type: str
    required: true
  cluster_domain:
    description: The domain of the cluster's Services.
    type: str
    required: true
  settings:
    description: The broker's own settings, or YAML text of them.
    type: raw
    required: true
  allowed_origins:
    description: Origins of web pages that may call the broker, beside those of O(settings).
    type: raw
    required: true
  ca_cert:
    description: Authorities for all servers, as PEM text; may be empty.
    type: str
    required: true
  values:
    description: The values of Secrets, from P(mcpops.gateway.broker_credentials#filter).
    type: dict
    required: true
  public:
    description: What everybody who reaches the broker may read (V(status), V(metrics), V(ui)), unless O(settings)
      say so.
    type: list
    elements: str
    default: []
  cluster:
    description: The broker's key C(cluster), when it serves registrations; the servers are not in the file then.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: A configuration
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'weather', 'port': 9090}] | mcpops.gateway.broker_config(virtual=[], namespace='mcp-servers',
      virtual_namespace='mcp-system', cluster_domain='cluster.local', settings={}, allowed_origins=[],
      ca_cert='', values={}) }}
"""

RETURN = r"""
_value:
  description: The content of the file.
  type: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_config": broker_config}
