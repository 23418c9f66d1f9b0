#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: extension
short_description: Manage an MCPGatewayExtension, the MCP gateway on a Gateway's listener
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Creates an MCPGatewayExtension, which makes the MCP gateway operator run a broker and router for one listener of a
    Gateway.
  - The operator has no admission webhook and refuses only in status. This module applies the operator's rules before it
    writes (Gateway, listener and host name, allowed routes, ReferenceGrant, one extension a namespace, one a port) and
    names the extension that stands in the way.
  - It then waits until the extension is C(Ready) for its current generation, and until the HTTPRoute and the
    EnvoyFilter that this promises really exist.
  - The API version (C(v1) or C(v1alpha1)) is that which the cluster serves. Options that the installed version of the
    operator lacks are refused by name.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
options:
  name:
    description:
      - Name of the extension.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the extension. The broker runs there. A namespace has at most one extension.
    type: str
    required: true
  gateway:
    description:
      - Name of the Gateway. Required with O(state=present).
    type: str
  gateway_namespace:
    description:
      - Namespace of the Gateway. The default is O(namespace). Another one needs a ReferenceGrant there.
    type: str
  listener:
    description:
      - Name of the Gateway's listener for MCP traffic. Required with O(state=present).
    type: str
  public_host:
    description:
      - The host name that clients use. The default is that of the listener; V(*.example.com) becomes
        V(mcp.example.com).
    type: str
  private_host:
    description:
      - Host and port at which the broker reaches the Gateway from inside the cluster. The operator derives it.
      - Operators before 0.8 derive it wrongly for classes other than V(istio); for those the module fills it in.
    type: str
  backend_ping_interval:
    description:
      - Seconds between the broker's checks of the MCP servers, 10 to 7200. The operator's default is 60.
    type: int
  http_route_management:
    description:
      - Whether the operator makes the HTTPRoute C(mcp-gateway-route). V(Disabled) does not remove an existing one.
      - With OAuth and version 0.6.0 of the operator, V(Disabled) and a custom HTTPRoute are needed (a known issue).
    type: str
    choices: [Enabled, Disabled]
    default: Enabled
  trusted_headers_key:
    description:
      - The key with which the router checks signed headers of an authorization layer.
    type: dict
    suboptions:
      secret_name:
        description:
          - Secret with the PEM public key under C(key).
        type: str
        required: true
      generate:
        description:
          - V(Enabled) lets the operator make the Secret and a second one, with C(-private) appended to its name.
        type: str
        choices: [Enabled, Disabled]
  session_store:
    description:
      - Where sessions are kept when the broker has several replicas.
    type: dict
    suboptions:
      secret_name:
        description:
          - Secret with the connection string under C(CACHE_CONNECTION_STRING) and the label
            C(mcp.kuadrant.io/secret=true).
        type: str
        required: true
  log_level:
    description:
      - How much the broker logs. Since version 0.8 of the operator.
    type: str
    choices: [debug, info, warn, error]
  url_elicitation:
    description:
      - Whether users are asked for their own tokens by URL. Since version 0.7 of the operator.
    type: str
    choices: [Enabled, Disabled]
  oauth_protected_resource:
    description:
      - The OAuth protected resource metadata (RFC 9728) that the gateway publishes. Since version 0.7 of the operator.
    type: dict
    suboptions:
      authorization_servers:
        description:
          - URLs of the authorization servers, 1 to 10.
        type: list
        elements: str
        required: true
      resource_name:
        description:
          - A name for people.
        type: str
      resource:
        description:
          - The resource identifier. The operator's default V(https://PUBLIC_HOST/mcp) is wrong for plain HTTP and
            other ports.
        type: str
      bearer_methods_supported:
        description:
          - How tokens may be sent.
        type: list
        elements: str
      scopes_supported:
        description:
          - Scopes that clients may ask for.
        type: list
        elements: str
  ca_cert_bundle_ref:
    description:
      - A Secret with CA certificates that the broker trusts. Since version 0.8 of the operator.
    type: dict
    suboptions:
      name:
        description:
          - Name of the Secret, which needs the label C(mcp.kuadrant.io/secret=true).
        type: str
        required: true
      key:
        description:
          - Data entry with the PEM certificates. The operator's default is V(ca.crt).
        type: str
seealso:
  - module: mcpops.gateway.gateway_listener
  - module: mcpops.gateway.reference_grant
  - module: mcpops.gateway.endpoint
"""

EXAMPLES = r"""
- name: The MCP gateway on a Gateway of another namespace
  mcpops.gateway.extension:
    name: mcp-gateway
    namespace: mcp-system
    gateway: mcp-gateway
    gateway_namespace: openshift-ingress
    listener: mcps
  register: mcp_gateway

- name: Tell where it is
  ansible.builtin.debug:
    msg: "MCP clients connect to {{ mcp_gateway.url }}"

- name: With OAuth metadata, and a route of its own
  mcpops.gateway.extension:
    name: mcp-gateway
    namespace: mcp-system
    gateway: mcp-gateway
    gateway_namespace: openshift-ingress
    listener: mcps
    http_route_management: Disabled
    oauth_protected_resource:
      authorization_servers:
        - https://sso.example.com/realms/mcp
      resource: https://mcp.example.com/mcp

- name: Remove it
  mcpops.gateway.extension:
    name: mcp-gateway
    namespace: mcp-system
    state: absent
"""

RETURN = r"""
objects:
  description: What happened to every object, as in RV(mcpops.gateway.apply#module:objects).
  returned: always
  type: list
  elements: dict
  sample:
    - api_version: mcp.kuadrant.io/v1
      kind: MCPGatewayExtension
      namespace: mcp-system
      name: mcp-gateway
      action: updated
      fields: [spec.publicHost]
      resource_version: "4711"
requests:
  description: How many requests the job took, as in RV(mcpops.gateway.apply#module:requests).
  returned: always
  type: dict
  sample:
    reads: 2
    writes: 1
public_host:
  description: The host name that clients use; null when it is not known (check mode without a Gateway).
  returned: always
  type: str
  sample: mcp.example.com
url:
  description: The address of the MCP endpoint by the listener's protocol and port; null when it is not known.
  returned: always
  type: str
  sample: http://mcp.example.com:8080/mcp
http_route:
  description: The HTTPRoute that the operator keeps; null with O(http_route_management=Disabled).
  returned: always
  type: str
  sample: mcp-gateway-route
envoy_filter:
  description: The EnvoyFilter that the operator keeps in the Gateway's namespace.
  returned: always
  type: str
  sample: mcp-ext-proc-mcp-system-gateway
conditions:
  description: The extension's status conditions.
  returned: always
  type: list
  elements: dict
  sample:
    - type: Ready
      status: "True"
      reason: ValidMCPGatewayExtension
      message: successfully verified and configured
      observedGeneration: 1
      lastTransitionTime: "2026-01-01T00:00:00Z"
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_job import extension_job
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run

SWITCH = ["Enabled", "Disabled"]

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "gateway": {"type": "str"},
    "gateway_namespace": {"type": "str"},
    "listener": {"type": "str"},
    "public_host": {"type": "str"},
    "private_host": {"type": "str"},
    "backend_ping_interval": {"type": "int"},
    "http_route_management": {"type": "str", "choices": SWITCH, "default": "Enabled"},
    "trusted_headers_key": {
        "type": "dict",
        "no_log": False,
        "options": {
            "secret_name": {"type": "str", "required": True, "no_log": False},
            "generate": {"type": "str", "choices": SWITCH},
        },
    },
    "session_store": {
        "type": "dict",
        "options": {"secret_name": {"type": "str", "required": True, "no_log": False}},
    },
    "log_level": {"type": "str", "choices": ["debug", "info", "warn", "error"]},
    "url_elicitation": {"type": "str", "choices": SWITCH},
    "oauth_protected_resource": {
        "type": "dict",
        "options": {
            "authorization_servers": {"type": "list", "elements": "str", "required": True},
            "resource_name": {"type": "str"},
            "resource": {"type": "str"},
            "bearer_methods_supported": {"type": "list", "elements": "str"},
            "scopes_supported": {"type": "list", "elements": "str"},
        },
    },
    "ca_cert_bundle_ref": {
        "type": "dict",
        "options": {"name": {"type": "str", "required": True}, "key": {"type": "str", "no_log": False}},
    },
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_if": [("state", "present", ("gateway", "listener"))]}
JOB = extension_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
