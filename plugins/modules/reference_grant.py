#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: reference_grant
short_description: Manage a ReferenceGrant (Gateway API)
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - A ReferenceGrant lets objects of other namespaces refer to objects of its own namespace. An MCPGatewayExtension
    needs one in the Gateway's namespace when it lives in another one; so does a Gateway whose certificate lives
    elsewhere.
  - The version of the kind is that which the cluster serves. Nothing is waited for, since a ReferenceGrant has no
    status; the object that refers shows whether it is enough.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
options:
  name:
    description:
      - Name of the ReferenceGrant.
    type: str
    required: true
  namespace:
    description:
      - Its namespace, which is that of the objects referred to.
    type: str
    required: true
  from:
    description:
      - Who may refer. Required with O(state=present), 1 to 16 entries.
      - The MCP gateway operator reacts at once only to changes of the first entry, so put the MCPGatewayExtension
        first.
    type: list
    elements: dict
    suboptions:
      group:
        description:
          - API group of the objects that refer.
        type: str
        default: mcp.kuadrant.io
      kind:
        description:
          - Kind of the objects that refer.
        type: str
        default: MCPGatewayExtension
      namespace:
        description:
          - Namespace of the objects that refer.
        type: str
        required: true
  to:
    description:
      - What may be referred to. Required with O(state=present), 1 to 16 entries.
    type: list
    elements: dict
    suboptions:
      group:
        description:
          - API group of the objects referred to; empty for the core group.
        type: str
        default: gateway.networking.k8s.io
      kind:
        description:
          - Kind of the objects referred to.
        type: str
        default: Gateway
      name:
        description:
          - Name of the object referred to. Without it, all objects of the kind.
        type: str
seealso:
  - module: mcpops.gateway.extension
    description: Needs a grant when it is in another namespace than its Gateway.
  - module: mcpops.gateway.gateway
    description: Needs a grant for certificates of another namespace.
  - name: ReferenceGrant
    description: What a ReferenceGrant is, by the Gateway API.
    link: https://gateway-api.sigs.k8s.io/api-types/referencegrant/
"""

EXAMPLES = r"""
- name: Extensions of team-a may use Gateways of gateway-system
  mcpops.gateway.reference_grant:
    name: allow-team-a
    namespace: gateway-system
    from:
      - namespace: team-a
    to:
      - kind: Gateway

- name: A Gateway of openshift-ingress may use one certificate of the namespace certificates
  mcpops.gateway.reference_grant:
    name: ingress-certificate
    namespace: certificates
    from:
      - group: gateway.networking.k8s.io
        kind: Gateway
        namespace: openshift-ingress
    to:
      - group: ''
        kind: Secret
        name: wildcard

- name: Remove a grant
  mcpops.gateway.reference_grant:
    name: allow-team-a
    namespace: gateway-system
    state: absent
"""

RETURN = r"""
objects:
  description: What happened to every object, as in RV(mcpops.gateway.apply#module:objects).
  returned: always
  type: list
  elements: dict
  sample:
    - api_version: gateway.networking.k8s.io/v1beta1
      kind: ReferenceGrant
      namespace: gateway-system
      name: allow-team-a
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
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._grant_job import grant_job
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "from": {
        "type": "list",
        "elements": "dict",
        "options": {
            "group": {"type": "str", "default": "mcp.kuadrant.io"},
            "kind": {"type": "str", "default": "MCPGatewayExtension"},
            "namespace": {"type": "str", "required": True},
        },
    },
    "to": {
        "type": "list",
        "elements": "dict",
        "options": {
            "group": {"type": "str", "default": "gateway.networking.k8s.io"},
            "kind": {"type": "str", "default": "Gateway"},
            "name": {"type": "str"},
        },
    },
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_if": [("state", "present", ("from", "to"))]}
JOB = grant_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
