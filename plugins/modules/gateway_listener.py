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
  - Waits until the controller reports this listener as C(Accepted), C(Programmed) and with C(ResolvedRefs).
  - With O(state=absent), the listener is removed whoever owns it. The last listener of a Gateway cannot be removed.
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
      - Name of the listener.
    type: str
    required: true
  port:
    description:
      - The port on which the listener accepts connections. Required with O(state=present).
    type: int
  protocol:
    description:
      - The protocol of the listener. Required with O(state=present).
    type: str
    choices: [HTTP, HTTPS, TLS, TCP, UDP]
  hostname:
    description:
      - The host name that the listener serves, such as V(mcp.example.com) or V(*.example.com). Without it, every host.
    type: str
  tls:
    description:
      - How TLS is handled. Needed for V(HTTPS) and V(TLS).
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
          - They are checked before anything is written (existence, type, keys, PEM, expiry; a host name that is not
            covered is a warning).
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
              - Kind of the object.
            type: str
            default: Secret
          group:
            description:
              - API group of the object; empty for the core group.
            type: str
            default: ''
      options:
        description:
          - Options of the Gateway API implementation, text to text.
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
              - All namespaces, the Gateway's own, those that O(allowed_routes.namespaces.selector) selects, or none.
            type: str
            choices: [All, Same, Selector, None]
          selector:
            description:
              - A label selector on namespaces, as in Kubernetes (C(matchLabels), C(matchExpressions)).
            type: dict
      kinds:
        description:
          - Kinds of routes that may attach. Without it, those that fit the protocol.
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
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_job import listener_job
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
