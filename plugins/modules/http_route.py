#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_route
short_description: Manage a custom HTTPRoute to the MCP gateway, with CORS and OAuth metadata
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Creates an HTTPRoute that leads the MCP endpoint to the gateway's broker, as the operator's automatic route does,
    and adds what that one lacks (CORS headers for web clients, the OAuth metadata path, rules of your own).
  - As the automatic route, it takes the headers C(mcp-init-host) and C(router-key) away from clients, which are the
    operator's own.
  - What the Gateway's controller would refuse (a listener that does not take routes of this namespace, or host names
    that it does not cover) is told before anything is written.
  - It waits until the controller of every parent reports the route as C(Accepted) and with C(ResolvedRefs).
  - With O(replace_automatic), the operator's route C(mcp-gateway-route) is removed after that, so that the endpoint
    never goes away in between.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
options:
  name:
    description:
      - Name of the HTTPRoute.
    type: str
    required: true
  namespace:
    description:
      - Its namespace, which is that of the MCPGatewayExtension and of the broker's Service.
    type: str
    required: true
  gateway:
    description:
      - Name of the Gateway. Required with O(state=present).
    type: str
  gateway_namespace:
    description:
      - Namespace of the Gateway. The default is O(namespace).
    type: str
  listener:
    description:
      - Name of the Gateway's listener. Required with O(state=present).
    type: str
  additional_parents:
    description:
      - Further listeners that the route attaches to, such as one with TLS beside one without. At most 31.
    type: list
    elements: dict
    suboptions:
      listener:
        description:
          - Name of the listener.
        type: str
        required: true
      gateway:
        description:
          - Name of its Gateway. The default is O(gateway).
        type: str
      gateway_namespace:
        description:
          - Namespace of that Gateway. The default is O(gateway_namespace), else O(namespace).
        type: str
  hostnames:
    description:
      - Host names of the route. The default is the public host of the MCPGatewayExtension in O(namespace), else that of
        O(listener) (V(*.example.com) becomes V(mcp.example.com)).
      - At least one has to fit the hostname of every listener. At most 16.
    type: list
    elements: str
  path:
    description:
      - Path of the MCP endpoint; what is below it is led to the broker, too.
    type: str
    default: /mcp
  backend_service:
    description:
      - The broker's Service.
    type: str
    default: mcp-gateway
  backend_port:
    description:
      - Its port.
    type: int
    default: 8080
  oauth_metadata:
    description:
      - Whether the path C(/.well-known/oauth-protected-resource) leads to the broker, too.
    type: bool
    default: true
  status_path:
    description:
      - Whether the path C(/status) leads to the broker, too. It shows the names and errors of the MCP servers to
        everybody unless a policy protects it.
    type: bool
    default: false
  rules:
    description:
      - Further rules, as in the HTTPRoute. The Gateway API takes at most 16 rules together with those of this module.
    type: list
    elements: dict
  cors:
    description:
      - Response headers with which browsers let web pages of other origins use the endpoint.
      - The standard channel of the Gateway API has no filter for CORS, so every origin becomes a rule of its own, which
        matches the header C(Origin).
      - The preflight (C(OPTIONS)) is answered by the broker; M(mcpops.gateway.endpoint) checks it as a browser does.
    type: dict
    suboptions:
      allow_origins:
        description:
          - Origins as browsers send them, such as V(https://chat.example.com), in lower case, without path and without
            the port that belongs to the scheme. Or V(*) alone for all.
        type: list
        elements: str
        required: true
      allow_methods:
        description:
          - Methods. The default is GET, POST, PUT, DELETE, OPTIONS and HEAD.
        type: list
        elements: str
      allow_headers:
        description:
          - Request headers. The default is what MCP clients send (C(Content-Type), C(Authorization), C(Accept),
            C(Origin), C(X-Requested-With), C(Mcp-Session-Id), C(Mcp-Protocol-Version) and C(Last-Event-ID)).
        type: list
        elements: str
      expose_headers:
        description:
          - Response headers that the page may read. The default is what MCP clients need (C(Mcp-Session-Id),
            C(Mcp-Protocol-Version) and C(WWW-Authenticate)).
        type: list
        elements: str
      max_age:
        description:
          - For how many seconds a browser may keep the answer to a preflight.
        type: int
        default: 3600
      allow_credentials:
        description:
          - Whether the page may send cookies. MCP clients send a token in a header and need it not.
          - Together with V(*) in O(cors.allow_origins) or another list it is refused, as browsers do (Fetch standard).
        type: bool
        default: false
      any_origin_with_credentials:
        description:
          - Send V(*) together with O(cors.allow_credentials) all the same, for clients that are no browsers.
        type: bool
        default: false
  replace_automatic:
    description:
      - Remove the operator's route C(mcp-gateway-route) once this one serves.
      - The MCPGatewayExtension must have C(http_route_management) C(Disabled), or the operator would make it again.
      - With O(state=absent), the other way round. This route is removed once the operator's route serves, if the
        MCPGatewayExtension has C(http_route_management) C(Enabled).
    type: bool
    default: false
  replaces:
    description:
      - Name of another HTTPRoute of the namespace, made by this collection, which is removed once this one serves.
    type: str
seealso:
  - module: mcpops.gateway.extension
    description: Its O(mcpops.gateway.extension#module:http_route_management) turns the automatic route off.
  - module: mcpops.gateway.endpoint
    description: Checks the endpoint, its CORS headers and its OAuth metadata.
  - name: Gateway API
    description: HTTPRoute and its rules.
    link: https://gateway-api.sigs.k8s.io/api-types/httproute/
"""

EXAMPLES = r"""
- name: A route for a web client, in place of the automatic one
  mcpops.gateway.http_route:
    name: mcp-custom
    namespace: mcp-system
    gateway: mcp-gateway
    gateway_namespace: openshift-ingress
    listener: mcps
    cors:
      allow_origins:
        - https://chat.example.com
    replace_automatic: true

- name: On two listeners
  mcpops.gateway.http_route:
    name: mcp-custom
    namespace: mcp-system
    gateway: mcp-gateway
    gateway_namespace: openshift-ingress
    listener: https
    additional_parents:
      - listener: mcps
    hostnames:
      - mcp.example.com

- name: With a rule of its own
  mcpops.gateway.http_route:
    name: mcp-custom
    namespace: mcp-system
    gateway: mcp-gateway
    gateway_namespace: openshift-ingress
    listener: mcps
    rules:
      - name: dashboard
        matches:
          - path:
              type: PathPrefix
              value: /dashboard
        backendRefs:
          - name: dashboard
            port: 3000

- name: Remove it
  mcpops.gateway.http_route:
    name: mcp-custom
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
    - api_version: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      namespace: mcp-system
      name: mcp-custom
      action: created
      fields: [spec]
      resource_version: "4711"
requests:
  description: How many requests the job took, as in RV(mcpops.gateway.apply#module:requests).
  returned: always
  type: dict
  sample:
    reads: 2
    writes: 1
hostnames:
  description: Host names of the route.
  returned: always
  type: list
  elements: str
  sample: [mcp.example.com]
url:
  description: The address of the endpoint by the listener's protocol and port; null when it is not known.
  returned: always
  type: str
  sample: https://mcp.example.com/mcp
parents:
  description: What the controllers of the Gateways report of the route.
  returned: always
  type: list
  elements: dict
  sample:
    - parentRef:
        group: gateway.networking.k8s.io
        kind: Gateway
        name: mcp-gateway
        namespace: openshift-ingress
        sectionName: mcps
      controllerName: istio.io/gateway-controller
      conditions:
        - type: Accepted
          status: "True"
          reason: Accepted
          message: Route was valid
          observedGeneration: 1
          lastTransitionTime: "2026-01-01T00:00:00Z"
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run
from ansible_collections.mcpops.gateway.plugins.module_utils._route_job import route_job

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "gateway": {"type": "str"},
    "gateway_namespace": {"type": "str"},
    "listener": {"type": "str"},
    "additional_parents": {
        "type": "list",
        "elements": "dict",
        "options": {
            "listener": {"type": "str", "required": True},
            "gateway": {"type": "str"},
            "gateway_namespace": {"type": "str"},
        },
    },
    "hostnames": {"type": "list", "elements": "str"},
    "path": {"type": "str", "default": "/mcp"},
    "backend_service": {"type": "str", "default": "mcp-gateway"},
    "backend_port": {"type": "int", "default": 8080},
    "oauth_metadata": {"type": "bool", "default": True},
    "status_path": {"type": "bool", "default": False},
    "rules": {"type": "list", "elements": "dict"},
    "cors": {
        "type": "dict",
        "options": {
            "allow_origins": {"type": "list", "elements": "str", "required": True},
            "allow_methods": {"type": "list", "elements": "str"},
            "allow_headers": {"type": "list", "elements": "str"},
            "expose_headers": {"type": "list", "elements": "str"},
            "max_age": {"type": "int", "default": 3600},
            "allow_credentials": {"type": "bool", "default": False},
            "any_origin_with_credentials": {"type": "bool", "default": False},
        },
    },
    "replace_automatic": {"type": "bool", "default": False},
    "replaces": {"type": "str"},
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_if": [("state", "present", ("gateway", "listener"))]}
JOB = route_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
