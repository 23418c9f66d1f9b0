# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The jobs of the modules ``gateway`` and ``gateway_listener``."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _fields
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Invalid, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_checks import (
    check_certificates,
    check_class,
    check_listeners,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION, listener_manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import GatewayReady
from ansible_collections.mcpops.gateway.plugins.module_utils._report import ABSENT, UPDATED, Outcome, Report

Params = dict[str, t.Any]
LONGEST_MANAGER = 128
"""Kubernetes: a field manager's name has at most so many bytes."""
REMOVAL_ATTEMPTS = 5


# ---- module gateway


def gateway_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """A Gateway with its listeners."""
    name, namespace = params["name"], params["namespace"]
    if params["state"] == "absent":
        return engine.remove([_skeleton(name, namespace)]), {"addresses": [], "listeners": []}
    label = f"{namespace}/{name}"
    wanted = [listener_manifest(listener) for listener in params["listeners"] or []]
    check_listeners(label, wanted)
    manifest = gateway_manifest(params, wanted)
    steps = engine.plan([manifest])
    live = steps[0].live
    if live is not None:
        check_listeners(label, wanted, _listeners_of_others(live, engine.manager))
    if steps[0].difference:
        if params["gateway_class_name"]:
            check_class(engine, label, params["gateway_class_name"])
        check_certificates(engine, label, namespace, wanted)
    report = engine.carry_out(steps)
    goal = GatewayReady([listener["name"] for listener in wanted], address=params["wait_address"])
    return report, _await(engine, report, steps[0], goal)


def gateway_manifest(params: Params, listeners: list[dict[str, t.Any]]) -> Manifest:
    """The Gateway as the options describe it."""
    manifest = _skeleton(params["name"], params["namespace"])
    for key in ("labels", "annotations"):
        if params.get(key):
            manifest["metadata"][key] = {str(name): str(value) for name, value in params[key].items()}
    spec = manifest["spec"] = {"gatewayClassName": params["gateway_class_name"], "listeners": listeners}
    if params.get("addresses"):
        spec["addresses"] = [
            {key: value for key, value in (("type", address.get("type")), ("value", address.get("value"))) if value}
            for address in params["addresses"]
        ]
    return manifest


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


# ---- module gateway_listener


def listener_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """One listener of a Gateway that others own, too."""
    if params["state"] == "absent":
        return _remove_listener(engine, params), {"listener": None}
    name, namespace, gateway = params["name"], params["namespace"], params["gateway"]
    label = f"{namespace}/{gateway}"
    wanted = listener_manifest(params)
    check_listeners(label, [wanted])
    manifest = _skeleton(gateway, namespace)
    manifest["spec"] = {"listeners": [wanted]}
    steps = engine.plan([manifest], listener_manager(engine.manager, name))
    step = steps[0]
    if step.live is not None:
        check_listeners(label, [wanted], (step.live.get("spec") or {}).get("listeners") or [])
    elif step.resource is not None:
        message = f"Gateway {label} does not exist, so it cannot get the listener {name}"
        fix = "create it first (module mcpops.gateway.gateway) or correct gateway and namespace"
        engine.missing("gateway", message, fix)
        step.local = step.local or "the Gateway does not exist yet"
    if step.difference:
        check_certificates(engine, label, namespace, [wanted])
    report = engine.carry_out(steps, listener_manager(engine.manager, name))
    found = _await(engine, report, step, GatewayReady([name], gateway=False))
    return report, {"listener": next((one for one in found["listeners"] if one.get("name") == name), None)}


def listener_manager(manager: str, listener: str) -> str:
    """The field manager that owns one listener, so that applying another one does not drop it."""
    name = f"{manager}/listener:{listener}"
    if len(name.encode()) <= LONGEST_MANAGER:
        return name
    return f"{manager}/listener:{hashlib.sha256(listener.encode()).hexdigest()[:32]}"


def _remove_listener(engine: Engine, params: Params) -> Report:
    """Remove it whoever owns it: a JSON patch that tests the place first, repeated when the list has moved."""
    manifest = _skeleton(params["gateway"], params["namespace"])
    resource = engine.discovery.find(API_VERSION, "Gateway")
    tried: Outcome | None = None
    for _attempt in range(REMOVAL_ATTEMPTS):
        live = engine.client.get(resource, params["gateway"], params["namespace"]) if resource is not None else None
        listeners = ((live or {}).get("spec") or {}).get("listeners") or []
        place = next((place for place, one in enumerate(listeners) if one.get("name") == params["name"]), None)
        if tried is not None and live is not None and place is None:
            tried.live = live
            return Report([tried])  # our patch did it, and its answer was lost on the way
        if live is None or place is None or resource is None:
            return Report([Outcome(manifest, ABSENT, live=live)])
        if len(listeners) == 1:
            raise Refused(
                f"Gateway {params['namespace']}/{params['gateway']} keeps its listener {params['name']}: it is the "
                "last one, and a Gateway "
                "needs at least one; remove the Gateway itself (module mcpops.gateway.gateway with state absent) or "
                "add another listener first."
            )
        path = f"/spec/listeners/{place}"
        operations = [{"op": "test", "path": f"{path}/name", "value": params["name"]}, {"op": "remove", "path": path}]
        manager = listener_manager(engine.manager, params["name"])
        before, after = ({**manifest, "spec": {"listeners": shown}} for shown in ([listeners[place]], []))
        tried = Outcome(manifest, UPDATED, [f"spec.listeners[name={params['name']}]"], before, after)
        try:
            tried.live = engine.client.json_patch(
                resource, params["gateway"], params["namespace"], operations, manager=manager, dry_run=engine.check
            )
        except Invalid:
            continue  # the list has changed between our look and our patch
        return Report([tried])
    raise Refused(
        f"The listener {params['name']} of Gateway {params['namespace']}/{params['gateway']} could not be removed: "
        "somebody else kept "
        "changing the list of listeners; run again."
    )


# ---- both


def _skeleton(name: str, namespace: str) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": "Gateway", "metadata": {"name": name, "namespace": namespace}}


def _await(engine: Engine, report: Report, step: Step, goal: GatewayReady) -> Params:
    """Wait, and return the Gateway's status as the modules show it."""
    live = engine.await_goal(report, step, goal)
    status = (live or {}).get("status") or {}
    return {"addresses": status.get("addresses") or [], "listeners": status.get("listeners") or []}
