#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_info
short_description: Find out where a Gateway's listener serves MCP, and who manages the Gateway
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Reads a Gateway and works out the URL of the MCP endpoint from the listener's protocol, host name and port, with the
    rules of the MCP gateway operator (V(*.example.com) becomes V(mcp.example.com)).
  - A Gateway or listener that does not exist is no failure but told in RV(problem).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.attributes
attributes:
  diff_mode:
    support: N/A
    details:
      - The module changes nothing.
options:
  name:
    description:
      - Name of the Gateway.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the Gateway.
    type: str
    required: true
  listener:
    description:
      - Name of the listener that serves MCP.
    type: str
    default: mcps
  public_host:
    description:
      - Public host of the MCPGatewayExtension, when it has one of its own.
    type: str
  path:
    description:
      - Path of the endpoint.
    type: str
    default: /mcp
requirements:
  - python >= 3.11
  - PyYAML
seealso:
  - module: mcpops.gateway.endpoint
    description: Proves the endpoint that is found here.
  - module: mcpops.gateway.info
    description: Everything that the MCP gateway consists of.
"""

EXAMPLES = r"""
- name: Find the endpoint
  mcpops.gateway.gateway_info:
    name: mcp-gateway
    namespace: openshift-ingress
    listener: mcps
  register: found

- name: Prove it, by the Gateway's address as long as its name has no DNS record
  mcpops.gateway.endpoint:
    url: "{{ found.url }}"
    connect_to: "{{ found.connect_to }}"
    connect_to_when: unresolved
"""

RETURN = r"""
url:
  description: The address for clients; empty when there is none.
  returned: success
  type: str
  sample: http://mcp.example.com:8080/mcp
connect_to:
  description: The Gateway's own address with the listener's port; empty while the Gateway has none.
  returned: success
  type: str
  sample: 192.0.2.10:8080
managers:
  description:
    - The field managers that own the Gateway (its C(spec.gatewayClassName)); V(mcpops.gateway) is this collection.
    - Empty when the Gateway does not exist.
  returned: success
  type: list
  elements: str
  sample: [mcpops.gateway]
records:
  description:
    - The DNS records that the host name of the listener needs, one for each address of the Gateway. Empty while it has
      no address, and for a listener without a host name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Host name.
      type: str
    type:
      description: V(A), V(AAAA) or V(CNAME).
      type: str
    value:
      description: Address, or host name.
      type: str
  sample:
    - name: mcp.example.com
      type: A
      value: 192.0.2.10
problem:
  description: Why there is no RV(url); empty when there is one.
  returned: success
  type: str
  sample: ""
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery import Discovery
from ansible_collections.mcpops.gateway.plugins.module_utils._fields import managers_of
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import endpoint_of, records_of
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run_info

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "listener": {"type": "str", "default": "mcps"},
    "public_host": {"type": "str"},
    "path": {"type": "str", "default": "/mcp"},
}


def _read(client: ApiClient, params: dict[str, t.Any]) -> dict[str, t.Any]:
    resource = Discovery(client).find(API_VERSION, "Gateway")
    gateway = client.get(resource, params["name"], params["namespace"]) if resource is not None else None
    managers = managers_of(gateway or {}, ("f:spec", "f:gatewayClassName"))
    records = records_of(gateway or {}, params["listener"])
    return {"managers": managers, "records": records, **endpoint_of(gateway, params)}


def main() -> None:
    run_info(OPTIONS, _read)


if __name__ == "__main__":
    main()
