#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_listener
short_description: Manage one listener of a Gateway that others own, too
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Adds, changes or removes one listener of an existing Gateway, and leaves the other listeners and everything else of
    the Gateway alone.
  - The listener is applied under a field manager of its own (C(FIELD_MANAGER/listener:NAME)), so that any number of
    tasks and playbooks can own listeners of one Gateway.
  - Clashes with the listeners that are there and unusable certificate Secrets are told before anything is written.
  - Waits until the controller reports this listener as C(Accepted), C(Programmed) and with C(ResolvedRefs). A reason
    with which it stays as it is (such as C(HostnameConflict), C(PortUnavailable) or C(InvalidCertificateRef)) ends the
    waiting with what helps.
  - With O(state=absent), the listener is removed whoever owns it, with a warning when routes are attached to it. The
    last listener of a Gateway cannot be removed.
  - For another name, remove the listener of the old name first, or the two clash.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
options:
  gateway:
    description:
      - Name of the Gateway.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the Gateway.
    type: str
    required: true
  name:
    description:
      - Name of the listener. An MCPGatewayExtension refers to it.
    type: str
    required: true
  port:
    description:
      - The port on which the listener accepts connections (1 to 65535). Required with O(state=present).
      - A port speaks one protocol, except that V(HTTPS) and V(TLS) can share one with different host names.
    type: int
  protocol:
    description:
      - The protocol of the listener. Required with O(state=present). MCP uses V(HTTP) and V(HTTPS); which others there
        are depends on the implementation behind the GatewayClass.
    type: str
    choices: [HTTP, HTTPS, TLS, TCP, UDP]
  hostname:
    description:
      - The host name that the listener serves, in lower case, such as V(mcp.example.com) or V(*.example.com). Without
        it, every host.
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
          - V(Terminate) decrypts at the Gateway, V(Passthrough) leaves TLS to the backend. The cluster's default is
            V(Terminate).
        type: str
        choices: [Terminate, Passthrough]
      certificate_refs:
        description:
          - Secrets of type C(kubernetes.io/tls) with the certificates.
          - They are checked before anything is written (existence, type, keys, PEM, whether the private key is that of
            the certificate, expiry).
          - A host name that is not covered, an expiry within 14 days and a chain out of order are warnings. When there
            is nothing to change, what is wrong is a warning, too.
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
              - V(All) namespaces, the V(Same) as the Gateway's, or those that O(allowed_routes.namespaces.selector)
                selects (V(Selector)).
            type: str
            choices: [All, Same, Selector]
          selector:
            description:
              - A label selector on namespaces, as in Kubernetes (C(matchLabels), C(matchExpressions)); V({}) selects
                all. Needed for V(Selector) and only then.
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
seealso:
  - module: mcpops.gateway.gateway
    description: The whole Gateway.
  - module: mcpops.gateway.reference_grant
    description: Needed for certificates of another namespace.
  - name: Gateway API
    description: Reference of the Gateway API.
    link: https://gateway-api.sigs.k8s.io/reference/spec/
"""

EXAMPLES = r"""
- name: The listener for MCP traffic
  mcpops.gateway.gateway_listener:
    gateway: mcp-gateway
    namespace: openshift-ingress
    name: mcps
    port: 8080
    protocol: HTTP
    hostname: mcp.example.com
    allowed_routes:
      namespaces:
        from: All

- name: A listener that terminates TLS
  mcpops.gateway.gateway_listener:
    gateway: mcp-gateway
    namespace: openshift-ingress
    name: https
    port: 443
    protocol: HTTPS
    hostname: mcp.example.com
    tls:
      certificate_refs:
        - name: mcp-tls-secret

- name: Remove a listener
  mcpops.gateway.gateway_listener:
    gateway: mcp-gateway
    namespace: openshift-ingress
    name: mcps
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
listener:
  description: The status of the listener as the Gateway's controller reports it; null when there is none.
  returned: always
  type: dict
  sample:
    name: mcps
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
from ansible_collections.mcpops.gateway.plugins.module_utils._listener_job import listener_job
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run

OPTIONS = {
    "gateway": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    **LISTENER,
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_if": [("state", "present", ("port", "protocol"))]}
JOB = listener_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
