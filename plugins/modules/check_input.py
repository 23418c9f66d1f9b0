#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_input
short_description: Check the variables of this collection's roles before anything is written
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Compares the variables of one or more roles of this collection with their argument specifications and with the rules
    that only the values together can break (two listeners on one port, two servers with one prefix, a listener that no
    Gateway has).
  - Every problem is named in one message.
  - Values may be what a survey of AWX or AAP sends, which is text for everything, V("8080"), V("true"), or YAML text
    for a list or dictionary. Empty text counts as not given.
  - It is the first step of every role and of the playbook C(mcpops.gateway.site).
  - It runs on the controller and needs no access to the cluster.
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: N/A
    details:
      - The action changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
options:
  roles:
    description:
      - Names of roles of this collection, without its name in front. Their variables must be visible to the task.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check the variables of two roles at once
  mcpops.gateway.check_input:
    roles: [gateway, servers]
"""

RETURN = r"""
problems:
  description: The problems, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["gateway_listeners[1] (mcps): port '80x' must be a whole number"]
"""
