# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules promise about check mode, diff mode and running twice."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: full
    details:
      - Only fields that the module states or owns are shown. Values of Secrets are hidden.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
    details:
      - An unchanged object costs no write request.
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
    details:
      - A task on the controller itself runs without starting another Python, which is many times faster. Another host,
        another interpreter, C(become), C(async) and C(environment) make it run as any module.
      - Set the variable C(mcpops_in_process) to V(false) to switch this off.
  action_group:
    description: Use C(group/mcpops.gateway.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - mcpops.gateway.all
"""
