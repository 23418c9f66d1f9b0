#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: info
short_description: Everything that an MCP gateway consists of, in one call
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Reads the operator's Subscription, the Gateways, MCPGatewayExtensions, MCPServerRegistrations, MCPVirtualServers,
    HTTPRoutes, ReferenceGrants and the policies of Kuadrant, one request a kind, and returns what matters of each.
  - It changes nothing and reads no Secrets. What is not in order is told as C(problem) of each object, in the words of
    its own status.
  - Kinds that the cluster does not serve, or that this user may not read, are told and are no failure.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.attributes
attributes:
  diff_mode:
    support: N/A
    details:
      - The module changes nothing.
options:
  namespace:
    description:
      - Only what is in this namespace, and what its MCPGatewayExtensions use elsewhere (Gateways with their routes,
        grants and policies). Without it, all of the cluster.
      - With it, rights on that namespace and on those of the Gateways suffice.
    type: str
requirements:
  - python >= 3.11
  - PyYAML
seealso:
  - module: mcpops.gateway.endpoint
  - module: mcpops.gateway.gateway_info
"""

EXAMPLES = r"""
- name: Look at the MCP gateway
  mcpops.gateway.info:
  register: found

- name: Every registration is ready
  ansible.builtin.assert:
    that: found.registrations | rejectattr('ready') | list | length == 0

- name: One team's, with rights on its namespace only
  mcpops.gateway.info:
    namespace: mcp-system
  register: ours

- name: Everything is in order
  ansible.builtin.assert:
    that: (ours.gateways + ours.routes + ours.policies) | selectattr('problem') | list | length == 0
    quiet: true
  ignore_errors: true

- name: Show the addresses for clients
  ansible.builtin.debug:
    msg: "{{ found.extensions | map(attribute='url') | list }}"
"""

RETURN = r"""
operator:
  description: The operator, as OLM installed it.
  returned: success
  type: dict
  contains:
    installed:
      description: Whether an installed version was found.
      type: bool
      returned: always
    namespace:
      description: Namespace of its Subscription.
      type: str
      returned: always
    subscription:
      description: Name of its Subscription.
      type: str
      returned: always
    channel:
      description: The channel.
      type: str
      returned: always
    state:
      description: State of the Subscription, such as V(AtLatestKnown) or V(UpgradePending).
      type: str
      returned: always
    csv:
      description: Name of the installed ClusterServiceVersion.
      type: str
      returned: always
    upgrade:
      description: Name of the ClusterServiceVersion that waits to be installed; null when there is none.
      type: str
      returned: always
    phase:
      description: Phase of the installed ClusterServiceVersion.
      type: str
      returned: always
    version:
      description: Version of the operator.
      type: str
      returned: always
    api_versions:
      description: Versions of C(mcp.kuadrant.io) that the cluster serves, the preferred one first.
      type: list
      elements: str
      returned: always
  sample:
    installed: true
    namespace: mcp-system
    subscription: mcp-gateway
    channel: preview
    state: AtLatestKnown
    csv: mcp-gateway.v0.9.0
    upgrade: null
    phase: Succeeded
    version: 0.9.0
    api_versions: [v1, v1alpha1]
gateways:
  description:
    - Gateways with their class, addresses and listeners.
    - C(problem) says what keeps the Gateway or a listener from being ready; empty when all is well.
  returned: success
  type: list
  elements: dict
  sample:
    - name: mcp-gateway
      namespace: openshift-ingress
      class: openshift-default
      addresses: [192.0.2.10]
      programmed: true
      problem: ""
      listeners:
        - name: mcps
          port: 8080
          protocol: HTTP
          hostname: mcp.example.com
          programmed: true
          attached_routes: 1
extensions:
  description:
    - MCPGatewayExtensions with their Gateway (C(NAMESPACE/NAME)), what they report, and where clients and probes
      connect.
    - C(ready) is true only for the object's present generation. C(envoy_filter) is null when the filter does not
      exist.
  returned: success
  type: list
  elements: dict
  sample:
    - name: mcp-gateway
      namespace: mcp-system
      ready: true
      reason: ValidMCPGatewayExtension
      message: successfully verified and configured
      gateway: openshift-ingress/mcp-gateway
      listener: mcps
      public_host: mcp.example.com
      url: http://mcp.example.com:8080/mcp
      connect_to: 192.0.2.10:8080
      http_route_management: Enabled
      envoy_filter: openshift-ingress/mcp-ext-proc-mcp-system-gateway
registrations:
  description: MCPServerRegistrations and what they report.
  returned: success
  type: list
  elements: dict
  sample:
    - name: weather
      namespace: mcp-servers
      ready: true
      reason: Ready
      message: config written successfully
      prefix: weather_
      path: /mcp
      http_route: weather
      enabled: true
virtual_servers:
  description: MCPVirtualServers.
  returned: success
  type: list
  elements: dict
  sample:
    - name: travel
      namespace: mcp-system
      tools: [weather_get_forecast]
      prompts: []
routes:
  description:
    - HTTPRoutes with the Gateways that they name, and whether all of them accept the route.
    - C(problem) says which parent does not, or what its references lack; empty when all is well.
  returned: success
  type: list
  elements: dict
  sample:
    - name: mcp-gateway-route
      namespace: mcp-system
      hostnames: [mcp.example.com]
      gateways: [openshift-ingress/mcp-gateway]
      accepted: true
      problem: ""
reference_grants:
  description: ReferenceGrants, as they are. C(name) of C(to) is null when all objects of the kind may be referred to.
  returned: success
  type: list
  elements: dict
  sample:
    - name: allow-team-a
      namespace: openshift-ingress
      from:
        - group: mcp.kuadrant.io
          kind: MCPGatewayExtension
          namespace: team-a
      to:
        - group: gateway.networking.k8s.io
          kind: Gateway
          name: null
policies:
  description:
    - DNSPolicies, AuthPolicies, TLSPolicies and RateLimitPolicies, with what they target (C(NAMESPACE/NAME) of a
      Gateway or an HTTPRoute).
    - C(problem) says what keeps it from being accepted and enforced; empty when all is well.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: DNSPolicy
      name: mcp-gateway
      namespace: openshift-ingress
      target: openshift-ingress/mcp-gateway
      accepted: true
      enforced: true
      problem: ""
not_served:
  description: Kinds that the cluster does not serve.
  returned: success
  type: list
  elements: str
  sample: [AuthPolicy, DNSPolicy, RateLimitPolicy, TLSPolicy]
not_allowed:
  description: Kinds that this user may not list; C(KIND in NAMESPACE) where it is only that namespace.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._info_job import gather
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run_info


def _read(client: ApiClient, params: dict[str, t.Any]) -> dict[str, t.Any]:
    return gather(client, params["namespace"])


def main() -> None:
    run_info({"namespace": {"type": "str"}}, _read)


if __name__ == "__main__":
    main()
