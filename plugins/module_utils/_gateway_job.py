# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``gateway``."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _fields
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_checks import (
    check_certificates,
    check_class,
    check_listeners,
    refuse,
    warn_of_overlaps,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_manifest import (
    gateway_manifest,
    listener_manifest,
    skeleton,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import address_problems
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import GatewayReady
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report

Params = dict[str, t.Any]


def gateway_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """A Gateway with its listeners."""
    name, namespace = params["name"], params["namespace"]
    if params["state"] == "absent":
        return engine.remove([skeleton(name, namespace)]), {"addresses": [], "listeners": []}
    label = f"{namespace}/{name}"
    wanted = [listener_manifest(listener) for listener in params["listeners"]]
    if not wanted:
        refuse(label, ["the option listeners is empty, and a Gateway has at least one listener"])
    check_listeners(label, wanted)
    refuse(label, address_problems(params["addresses"] or []))
    steps = engine.plan([gateway_manifest(params, wanted)])
    changing = bool(steps[0].difference)
    others = _listeners_of_others(steps[0].live or {}, engine.manager)
    check_listeners(label, wanted, others)
    if changing:
        check_class(engine, label, params["gateway_class_name"])
        warn_of_overlaps(engine, label, wanted, others)
    check_certificates(engine, label, namespace, wanted, changing=changing)
    report = engine.carry_out(steps)
    goal = GatewayReady([listener["name"] for listener in wanted], address=params["wait_address"])
    return report, await_gateway(engine, report, steps[0], goal)


def _listeners_of_others(live: Object, manager: str) -> list[dict[str, t.Any]]:
    """Listeners that stay whatever this manager applies: those that somebody else owns, too."""
    others = _fields.owned_by_others(live, manager)
    held = [tree for tree in others if "f:spec" in tree]
    staying = []
    for listener in (live.get("spec") or {}).get("listeners") or []:
        segment = f'k:{{"name":"{listener.get("name")}"}}'
        if any(segment in ((tree["f:spec"] or {}).get("f:listeners") or {}) for tree in held):
            staying.append(listener)
    return staying


def await_gateway(engine: Engine, report: Report, step: Step, goal: GatewayReady) -> Params:
    """Wait, and return the Gateway's status as the modules show it."""
    live = engine.await_goal(report, step, goal)
    status = (live or {}).get("status") or {}
    return {"addresses": status.get("addresses") or [], "listeners": status.get("listeners") or []}
