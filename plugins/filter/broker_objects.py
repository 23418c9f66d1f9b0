# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_objects import broker_objects

DOCUMENTATION = r"""
name: broker_objects
short_description: The Kubernetes objects of the collection's own MCP broker
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes the ServiceAccount, the Secret with the configuration, the Service, the Deployment, the PodDisruptionBudget
    (with several replicas), and as wanted the HorizontalPodAutoscaler, the NetworkPolicy and the ServiceMonitor of the
    broker, for M(mcpops.gateway.apply).
options:
  _input:
    description: The configuration, as YAML text.
    type: str
    required: true
  settings:
    description: The variables of role P(mcpops.gateway.broker#role), without their prefix.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The objects
  ansible.builtin.debug:
    msg: "{{ 'servers: []' | mcpops.gateway.broker_objects(settings=settings) }}"
  vars:
    settings:
      name: mcp-broker
      namespace: mcp-system
      image: registry.example.com/mcpops-broker:0.1.0
      image_pull_policy: IfNotPresent
      image_pull_secrets: []
      replicas: 2
      workers: 1
      port: 8080
      public_host: mcp.example.com
      url: http://mcp.example.com:8080/mcp
      log_level: info
      resources: {}
      node_selector: {}
      tolerations: []
      env: []
      oauth_protected_resource: {}
      drain: 20
      autoscaling: {max_replicas: 5}
      network_policy: false
      network_policy_namespaces: []
      gateway_namespace: gateway-system
      service_monitor: false
      service_monitor_labels: {}
      service_monitor_interval: 30s
      session_key: "{{ lookup('ansible.builtin.file', 'session.key') }}"
      session_key_version: ""
      secrets: [{name: broker-oauth}]
      watched_namespaces: [mcp-servers]
"""

RETURN = r"""
_value:
  description: Manifests.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"broker_objects": broker_objects}
