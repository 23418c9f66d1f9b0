# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``gateway_listener``: one listener of a Gateway that others own, too."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Invalid, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_checks import (
    check_certificates,
    check_listeners,
    warn_of_overlaps,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_job import await_gateway
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_manifest import listener_manifest, skeleton
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import GatewayReady
from ansible_collections.mcpops.gateway.plugins.module_utils._report import ABSENT, UPDATED, Outcome, Report

Params = dict[str, t.Any]
LONGEST_MANAGER = 128
"""Kubernetes: a field manager's name has at most so many bytes."""
REMOVAL_ATTEMPTS = 5


def listener_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """One listener of a Gateway that others own, too."""
    if params["state"] == "absent":
        return _remove_listener(engine, params), {"listener": None}
    name, namespace, gateway = params["name"], params["namespace"], params["gateway"]
    label = f"{namespace}/{gateway}"
    wanted = listener_manifest(params)
    check_listeners(label, [wanted])
    manifest = skeleton(gateway, namespace)
    manifest["spec"] = {"listeners": [wanted]}
    steps = engine.plan([manifest], listener_manager(engine.manager, name))
    step = steps[0]
    changing = bool(step.difference)
    if step.live is not None:
        others = (step.live.get("spec") or {}).get("listeners") or []
        check_listeners(label, [wanted], others)
        if changing:
            warn_of_overlaps(engine, label, [wanted], others)
    elif step.resource is not None:
        message = f"Gateway {label} does not exist, so it cannot get the listener {name}"
        fix = "create it first (module mcpops.gateway.gateway) or correct gateway and namespace"
        engine.missing("gateway", message, fix)
        step.local = step.local or "the Gateway does not exist yet"
    check_certificates(engine, label, namespace, [wanted], changing=changing)
    report = engine.carry_out(steps, listener_manager(engine.manager, name))
    found = await_gateway(engine, report, step, GatewayReady([name], gateway=False))
    return report, {"listener": next((one for one in found["listeners"] if one.get("name") == name), None)}


def listener_manager(manager: str, listener: str) -> str:
    """The field manager that owns one listener, so that applying another one does not drop it."""
    name = f"{manager}/listener:{listener}"
    if len(name.encode()) <= LONGEST_MANAGER:
        return name
    return f"{manager}/listener:{hashlib.sha256(listener.encode()).hexdigest()[:32]}"


def _remove_listener(engine: Engine, params: Params) -> Report:
    """Remove it whoever owns it: a JSON patch that tests the place first, repeated when the list has moved."""
    name, namespace = params["name"], params["namespace"]
    label = f"Gateway {namespace}/{params['gateway']}"
    manifest = skeleton(params["gateway"], namespace)
    resource = engine.discovery.find(API_VERSION, "Gateway")
    if resource is None:
        return Report([Outcome(manifest, ABSENT)])
    tried: Outcome | None = None
    last = ""
    for _attempt in range(REMOVAL_ATTEMPTS):
        live = engine.client.get(resource, params["gateway"], namespace)
        listeners = ((live or {}).get("spec") or {}).get("listeners") or []
        place = next((place for place, one in enumerate(listeners) if one.get("name") == name), None)
        if tried is not None and live is not None and place is None:
            tried.live = live
            return Report([tried])  # our patch did it, and its answer was lost on the way
        if live is None or place is None:
            return Report([Outcome(manifest, ABSENT, live=live)])
        if len(listeners) == 1:
            raise Refused(
                f"{label} keeps its listener {name}: it is the last one, and a Gateway needs at least one; remove the "
                "Gateway itself (module mcpops.gateway.gateway with state absent) or add another listener first."
            )
        _warn_of_routes(engine, f"{label}: the listener {name}", live, name)
        path = f"/spec/listeners/{place}"
        operations = [{"op": "test", "path": f"{path}/name", "value": name}, {"op": "remove", "path": path}]
        before, after = ({**manifest, "spec": {"listeners": shown}} for shown in ([listeners[place]], []))
        tried = Outcome(manifest, UPDATED, [f"spec.listeners[name={name}]"], before, after)
        try:
            tried.live = engine.client.json_patch(
                resource,
                params["gateway"],
                namespace,
                operations,
                manager=listener_manager(engine.manager, name),
                dry_run=engine.check,
            )
        except Invalid as error:
            last = error.message
            continue  # the list has changed between our look and our patch
        return Report([tried])
    raise Refused(f"The listener {name} of {label} could not be removed in {REMOVAL_ATTEMPTS} attempts: {last}")


def _warn_of_routes(engine: Engine, said: str, live: Object, name: str) -> None:
    reported = (live.get("status") or {}).get("listeners") or []
    attached = sum(int(one.get("attachedRoutes") or 0) for one in reported if one.get("name") == name)
    if attached:
        engine.warn(f"{said} is removed with {attached} attached {'route' if attached == 1 else 'routes'}.")
