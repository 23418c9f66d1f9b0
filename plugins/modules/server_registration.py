#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_registration
short_description: Register an MCP server at the MCP gateway (MCPServerRegistration)
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Creates an MCPServerRegistration, which makes the gateway offer the tools of the MCP server behind an HTTPRoute.
  - What the operator would complain of only in status is told before anything is written (the HTTPRoute, its shape and
    the port that it is attached to, the Secrets with their label and entries).
  - It then waits until the registration is C(Ready). Since version 0.8 of the operator that only means that the
    broker's configuration is written, so the broker itself is asked whether the server answers (O(confirm)).
  - The API version and the names of fields are those that the cluster serves. Options that the installed version of the
    operator lacks are refused by name.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.broker
  - mcpops.gateway.attributes
options:
  name:
    description:
      - Name of the registration.
    type: str
    required: true
  namespace:
    description:
      - Its namespace, which is also that of the HTTPRoute and of the Secrets.
    type: str
    required: true
  http_route:
    description:
      - Name of the HTTPRoute that leads to the server. The default is O(name).
      - It has exactly one rule with one C(backendRef), and a host name.
    type: str
  prefix:
    description:
      - What the names of the server's tools begin with at the gateway, such as V(weather_).
      - It cannot be changed once it is set.
    type: str
  path:
    description:
      - Path of the MCP endpoint of the server. The operator's default is V(/mcp).
    type: str
  enabled:
    description:
      - Whether the gateway offers the server. V(false) keeps the registration. Since version 0.7 of the operator.
    type: bool
    default: true
  credential_secret:
    description:
      - The Secret with the value of the header C(Authorization) that the broker sends to the server.
    type: dict
    suboptions:
      name:
        description:
          - Name of the Secret, which needs the label C(mcp.kuadrant.io/secret=true).
        type: str
        required: true
      key:
        description:
          - Its entry. The operator's default is V(token).
        type: str
  ca_cert_secret:
    description:
      - The Secret with CA certificates (PEM) that the broker trusts for this server. Since version 0.7 of the operator.
    type: dict
    suboptions:
      name:
        description:
          - Name of the Secret, which needs the label C(mcp.kuadrant.io/secret=true).
        type: str
        required: true
      key:
        description:
          - Its entry. The operator's default is V(ca.crt).
        type: str
  token_elicitation_url:
    description:
      - Where users get a token of their own for this server. Since version 0.7 of the operator.
    type: str
  user_specific_list:
    description:
      - Whether the server has other tools for other users, so that lists are read with the caller's credentials. Needs
        O(prefix). Since version 0.7 of the operator.
    type: bool
  category:
    description:
      - Categories for the discovery of tools, at most 3. Since version 0.7 of the operator.
    type: list
    elements: str
  tags:
    description:
      - Tags for the discovery of tools, at most 10. Since version 0.7 of the operator.
    type: list
    elements: str
  hint:
    description:
      - A sentence for the discovery of tools. Since version 0.7 of the operator.
    type: str
  confirm:
    description:
      - Whether the broker is asked if the server answers (at C(/status) through the Gateway), after the registration is
        C(Ready). With versions of the operator before 0.8 that is not needed.
      - V(auto) asks, and warns when the broker cannot be reached from here. V(always) fails then. V(never) asks
        nothing.
    type: str
    choices: [auto, always, never]
    default: auto
  min_tools:
    description:
      - How many tools the server must offer. More than 0 makes the confirmation a must.
    type: int
    default: 0
seealso:
  - module: mcpops.gateway.virtual_server
  - module: mcpops.gateway.http_route
  - module: mcpops.gateway.endpoint
"""

EXAMPLES = r"""
- name: Register the server behind the HTTPRoute weather
  mcpops.gateway.server_registration:
    name: weather
    namespace: mcp-servers
    prefix: weather_
    min_tools: 1

- name: A server that wants a token
  mcpops.gateway.server_registration:
    name: tracker
    namespace: mcp-servers
    prefix: tracker_
    path: /api/mcp
    credential_secret:
      name: tracker-credential
    tags: [issues]

- name: Keep it registered, and offer none of its tools
  mcpops.gateway.server_registration:
    name: tracker
    namespace: mcp-servers
    prefix: tracker_
    path: /api/mcp
    credential_secret:
      name: tracker-credential
    tags: [issues]
    enabled: false

- name: Remove it
  mcpops.gateway.server_registration:
    name: tracker
    namespace: mcp-servers
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
      kind: MCPServerRegistration
      namespace: mcp-servers
      name: weather
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
conditions:
  description: The registration's status conditions.
  returned: always
  type: list
  elements: dict
  sample:
    - type: Ready
      status: "True"
      reason: Ready
      message: config written successfully
broker:
  description:
    - What the broker says of the server; null when it was not asked.
    - With versions of the operator before 0.8, which ask the broker themselves, it is what they tell.
  returned: always
  type: dict
  contains:
    ready:
      description: Whether the server answers.
      type: bool
      returned: always
    total_tools:
      description: How many tools it offers.
      type: int
      returned: always
    message:
      description: The broker's own words.
      type: str
      returned: always
  sample:
    ready: true
    total_tools: 2
    message: ""
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_place import OPTION
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run
from ansible_collections.mcpops.gateway.plugins.module_utils._registration_job import registration_job

SECRET_REFERENCE: dict[str, t.Any] = {
    "type": "dict",
    "no_log": False,
    "options": {"name": {"type": "str", "required": True}, "key": {"type": "str", "no_log": False}},
}

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "http_route": {"type": "str"},
    "prefix": {"type": "str"},
    "path": {"type": "str"},
    "enabled": {"type": "bool", "default": True},
    "credential_secret": SECRET_REFERENCE,
    "ca_cert_secret": SECRET_REFERENCE,
    "token_elicitation_url": {"type": "str", "no_log": False},
    "user_specific_list": {"type": "bool"},
    "category": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str"},
    "hint": {"type": "str"},
    "confirm": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "min_tools": {"type": "int", "default": 0},
    "broker": OPTION,
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {}
JOB = registration_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
