#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_server
short_description: Manage an MCPVirtualServer, a named selection of the gateway's tools
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Creates an MCPVirtualServer. Clients that send the header C(x-mcp-virtualserver) with C(NAMESPACE/NAME) see only the
    tools and prompts that it lists.
  - It is a selection, no protection. A name that does not exist is ignored by the operator's broker, and calls are not
    limited.
  - There is nothing to wait for, since no version of the operator writes the status of the object, and no version of
    it compares the names with the tools that there are. So this module asks the gateway for its tools after a change,
    and warns of names that no server offers.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.broker
  - mcpops.gateway.attributes
options:
  name:
    description:
      - Name of the virtual server.
    type: str
    required: true
  namespace:
    description:
      - Its namespace.
    type: str
    required: true
  description:
    description:
      - A sentence for people.
    type: str
  tools:
    description:
      - Names of tools as the gateway shows them, that is with the prefix. Required with O(state=present).
    type: list
    elements: str
  prompts:
    description:
      - Names of prompts with the prefix. Without it, all prompts. Since version 0.7 of the operator.
    type: list
    elements: str
  check_tools:
    description:
      - Whether the gateway is asked for its tools, when the virtual server was created or changed, to warn of names in
        O(tools) that no server offers now. A gateway that cannot be asked from here (it wants a token, for example) is
        no reason to fail; then the names are compared with the prefixes of the registrations.
      - It is not done in check mode, nor with O(wait=false).
    type: bool
    default: true
seealso:
  - module: mcpops.gateway.server_registration
  - module: mcpops.gateway.endpoint
"""

EXAMPLES = r"""
- name: The tools for travel agents
  mcpops.gateway.virtual_server:
    name: travel
    namespace: mcp-system
    description: Weather and time
    tools:
      - weather_get_forecast
      - time_get_current_time

- name: Remove it
  mcpops.gateway.virtual_server:
    name: travel
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
      kind: MCPVirtualServer
      namespace: mcp-system
      name: travel
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
unknown_tools:
  description:
    - Those of O(tools) that no server offers now; null when it was not found out. They are a warning, too.
  returned: always
  type: list
  elements: str
  sample: [weather_get_forecats]
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_place import OPTION
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run
from ansible_collections.mcpops.gateway.plugins.module_utils._virtual_server_job import virtual_server_job

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "description": {"type": "str"},
    "tools": {"type": "list", "elements": "str"},
    "prompts": {"type": "list", "elements": "str"},
    "check_tools": {"type": "bool", "default": True},
    "broker": OPTION,
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_if": [("state", "present", ("tools",))]}
JOB = virtual_server_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
