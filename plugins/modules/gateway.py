#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway
short_description: Manage a Gateway (Gateway API) and its listeners
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Creates a Gateway with its listeners, changes only what differs, and waits until its controller has accepted and
    programmed the Gateway and every listener named here.
  - Listeners that others own on the same Gateway (for example through M(mcpops.gateway.gateway_listener)) stay.
  - Clashes of names, ports, protocols and host names, invalid host names, selectors and kinds of routes, a GatewayClass
    that is missing or refused, and unusable certificate Secrets are told before anything is written.
  - A reason with which a listener stays as it is (such as C(HostnameConflict), C(PortUnavailable) or
    C(InvalidCertificateRef)) ends the waiting with what helps.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
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
  gateway_class_name:
    description:
      - Name of the GatewayClass, such as V(openshift-default) or V(istio). Required with O(state=present).
      - It must exist. One that its controller refuses is an error, one that no controller has accepted yet a warning.
    type: str
  listeners:
    description:
      - The listeners. Required with O(state=present); a Gateway has at least one and at most 64.
      - A listener that was listed here before and no longer is goes away, unless somebody else owns it, too.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the listener, unique within the Gateway. An MCPGatewayExtension refers to it.
        type: str
        required: true
      port:
        description:
          - The port on which the listener accepts connections (1 to 65535).
          - A port speaks one protocol, except that V(HTTPS) and V(TLS) can share one with different host names.
        type: int
        required: true
      protocol:
        description:
          - The protocol of the listener. MCP uses V(HTTP) and V(HTTPS); which others there are depends on the
            implementation behind the GatewayClass.
        type: str
        choices: [HTTP, HTTPS, TLS, TCP, UDP]
        required: true
      hostname:
        description:
          - The host name that the listener serves, in lower case, such as V(mcp.example.com) or V(*.example.com).
            Without it, every host.
          - The MCPGatewayExtension of the listener takes its public host from here (of V(*.example.com) it makes
            V(mcp.example.com)).
        type: str
      tls:
        description:
          - How TLS is handled. Needed for V(HTTPS) and V(TLS), refused for the others.
        type: dict
        suboptions:
          mode:
            description:
              - V(Terminate) decrypts at the Gateway, V(Passthrough) leaves TLS to the backend. The cluster's default
                is V(Terminate).
            type: str
            choices: [Terminate, Passthrough]
          certificate_refs:
            description:
              - Secrets of type C(kubernetes.io/tls) with the certificates.
              - They are checked before anything is written (existence, type, keys, PEM, whether the private key is that
                of the certificate, expiry).
              - A host name that is not covered, an expiry within 14 days and a chain out of order are warnings. When
                there is nothing to change, what is wrong is a warning, too.
            type: list
            elements: dict
            suboptions:
              name:
                description:
                  - Name of the Secret.
                type: str
                required: true
              namespace:
                description:
                  - Its namespace, when it is not that of the Gateway. That needs a ReferenceGrant there.
                type: str
              kind:
                description:
                  - Kind of the object. Others than a Secret are left to the implementation.
                type: str
                default: Secret
              group:
                description:
                  - API group of the object; empty for the core group.
                type: str
                default: ''
          options:
            description:
              - Options of the Gateway API implementation, text to text, at most 16.
            type: dict
      allowed_routes:
        description:
          - Which routes may attach. The cluster's default is routes of the Gateway's own namespace.
        type: dict
        suboptions:
          namespaces:
            description:
              - Namespaces whose routes may attach.
            type: dict
            suboptions:
              from:
                description:
                  - V(All) namespaces, the V(Same) as the Gateway's, or those that
                    O(listeners[].allowed_routes.namespaces.selector) selects (V(Selector)).
                type: str
                choices: [All, Same, Selector]
              selector:
                description:
                  - A label selector on namespaces, as in Kubernetes (C(matchLabels), C(matchExpressions)); V({})
                    selects all. Needed for V(Selector) and only then.
                type: dict
          kinds:
            description:
              - Kinds of routes that may attach, at most 8. Without it, those that fit the protocol.
            type: list
            elements: dict
            suboptions:
              kind:
                description:
                  - Kind of the route, such as V(HTTPRoute).
                type: str
                required: true
              group:
                description:
                  - API group of the route. The default is V(gateway.networking.k8s.io).
                type: str
  labels:
    description:
      - Labels of the Gateway, text to text. Other labels stay. Numbers and booleans become text.
    type: dict
  annotations:
    description:
      - Annotations of the Gateway, text to text. Other annotations stay. Numbers and booleans become text.
    type: dict
  addresses:
    description:
      - Addresses to ask the implementation for, at most 16. Without it, the implementation chooses.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - Type of the address. V(IPAddress), V(Hostname), V(NamedAddress) or one of the implementation
            (C(DOMAIN/TYPE)).
        type: str
        default: IPAddress
      value:
        description:
          - The address. Without it, any address of the type.
        type: str
  wait_address:
    description:
      - Also wait until the Gateway has an address, which needs a load balancer in most clusters.
    type: bool
    default: false
seealso:
  - module: mcpops.gateway.gateway_listener
    description: One listener of a Gateway that others own.
  - module: mcpops.gateway.reference_grant
    description: Needed for certificates of another namespace.
  - module: mcpops.gateway.gateway_info
    description: Where a listener serves MCP.
  - name: Gateway API
    description: Reference of the Gateway API.
    link: https://gateway-api.sigs.k8s.io/reference/spec/
"""

EXAMPLES = r"""
- name: The Gateway of the MCP gateway guide
  mcpops.gateway.gateway:
    name: mcp-gateway
    namespace: openshift-ingress
    gateway_class_name: openshift-default
    listeners:
      - name: http
        port: 80
        protocol: HTTP
        allowed_routes:
          namespaces:
            from: All
      - name: mcps
        hostname: mcp.example.com
        port: 8080
        protocol: HTTP
        allowed_routes:
          namespaces:
            from: All
      - name: https
        hostname: mcp.apps.example.com
        port: 443
        protocol: HTTPS
        tls:
          mode: Terminate
          certificate_refs:
            - name: default-ingress-cert
        allowed_routes:
          namespaces:
            from: All

- name: Remove it
  mcpops.gateway.gateway:
    name: mcp-gateway
    namespace: openshift-ingress
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
      kind: Gateway
      namespace: openshift-ingress
      name: mcp-gateway
      action: updated
      fields: ["spec.listeners[name=mcps].port"]
      resource_version: "4711"
requests:
  description: How many requests the job took, as in RV(mcpops.gateway.apply#module:requests).
  returned: always
  type: dict
  sample:
    reads: 2
    writes: 1
addresses:
  description: The addresses that the Gateway has.
  returned: always
  type: list
  elements: dict
  sample:
    - type: IPAddress
      value: 192.0.2.10
listeners:
  description: The status of the Gateway's listeners as its controller reports it; empty in check mode on a new Gateway.
  returned: always
  type: list
  elements: dict
  sample:
    - name: mcps
      attachedRoutes: 1
      supportedKinds:
        - group: gateway.networking.k8s.io
          kind: HTTPRoute
      conditions:
        - type: Programmed
          status: "True"
          reason: Programmed
          message: ""
          observedGeneration: 1
          lastTransitionTime: "2026-01-01T00:00:00Z"
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_args import LISTENER
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_job import gateway_job
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "gateway_class_name": {"type": "str"},
    "listeners": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            **LISTENER,
            "port": {"type": "int", "required": True},
            "protocol": {**LISTENER["protocol"], "required": True},
        },
    },
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "addresses": {
        "type": "list",
        "elements": "dict",
        "options": {"type": {"type": "str", "default": "IPAddress"}, "value": {"type": "str"}},
    },
    "wait_address": {"type": "bool", "default": False},
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_if": [("state", "present", ("gateway_class_name", "listeners"))]}
JOB = gateway_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
