# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``server_registration``: check what it refers to, apply, wait, ask the broker."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _registration_rules as rules
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_place import (
    Broker,
    broker_of,
    check_told,
    gateway_of,
    told_broker,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_status import (
    ServerStatus,
    UnreachableError,
    await_server,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, Forbidden, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import GROUP, VERSIONS
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import KIND as EXTENSION
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION as GATEWAY_API
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import GROUP as GATEWAY_GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import NEIGHBOUR_GRACE
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._secret_references import Reference, check_secrets

Params = dict[str, t.Any]
KIND = "MCPServerRegistration"
CREDENTIAL_KEY, CA_KEY = "token", "ca.crt"
"""The operator's defaults for the entries of the two Secrets."""
FINAL = {"Ready": ("PrefixConflict",)}


def registration_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """An MCPServerRegistration, present or absent."""
    manifest = registration_manifest(params)
    if params["state"] == "absent":
        return engine.remove([manifest]), {"conditions": [], "broker": None}
    _check_options(manifest, params)
    if params["enabled"] and not _before_08(engine):
        manifest["spec"]["state"] = "Enabled"
    steps = engine.plan([manifest])
    if steps[0].difference:
        _check_route(engine, manifest)
        check_secrets(engine, label_of(manifest), params["namespace"], _references(params))
    report = engine.carry_out(steps)
    live = _await_ready(engine, report, steps[0], params)
    status = _ask_broker(engine, manifest, params, live) if params["enabled"] else None
    return report, {
        "conditions": ((live or {}).get("status") or {}).get("conditions") or [],
        "broker": None
        if status is None
        else {"ready": status.ready, "total_tools": status.tools, "message": status.message},
    }


def registration_manifest(params: Params) -> Manifest:
    """The object as the options describe it, in the newest version's words; the plan gives it the cluster's."""
    metadata = {"name": params["name"], "namespace": params["namespace"]}
    manifest: Manifest = {"apiVersion": GROUP, "kind": KIND, "metadata": metadata}
    if params["state"] == "absent":
        return manifest
    spec: dict[str, t.Any] = {
        "targetRef": {"group": GATEWAY_GROUP, "kind": "HTTPRoute", "name": params["http_route"] or params["name"]},
        "prefix": params["prefix"],
        "path": params["path"],
        "credentialRef": _reference(params["credential_secret"]),
        "caCertSecretRef": _reference(params["ca_cert_secret"]),
        "hint": params["hint"],
        "category": params["category"],
        "tags": params["tags"],
    }
    if not params["enabled"]:
        spec["state"] = "Disabled"
    if params["user_specific_list"] is not None:
        spec["userSpecificList"] = "Enabled" if params["user_specific_list"] else "Disabled"
    if params["token_elicitation_url"]:
        spec["tokenURLElicitation"] = {"url": params["token_elicitation_url"]}
    manifest["spec"] = {field: value for field, value in spec.items() if value not in (None, "")}
    return manifest


def _before_08(engine: Engine) -> bool:
    """Whether the operator is known to be that old; 0.6 has no field ``state``."""
    resource = engine.discovery.find_in_group(GROUP, KIND)
    return resource is not None and resource.version != VERSIONS[0]


def _reference(options: Params | None) -> dict[str, str] | None:
    return {key: str(value) for key, value in options.items() if value} if options else None


def _check_options(manifest: Manifest, params: Params) -> None:
    """What contradicts itself or cannot be meant, before anything is read or written. Raises ConfigError."""
    label = label_of(manifest)
    if params["user_specific_list"] and not params["prefix"]:
        raise ConfigError(f"{label}: user_specific_list needs a prefix, by which calls find their server; set prefix.")
    if params["path"] and not params["path"].startswith("/"):
        raise ConfigError(
            f"{label}: path {params['path']!r} does not begin with a slash, and the operator puts it right behind host "
            f"and port; write /{params['path']}."
        )
    if params["confirm"] == "never" and params["min_tools"] > 0:
        raise ConfigError(
            f"{label}: min_tools {params['min_tools']} can only be found out by asking the broker, which confirm never "
            "forbids; drop one of them."
        )
    if params["confirm"] != "never":
        check_told(params["broker"])


def _check_route(engine: Engine, manifest: Manifest) -> None:
    namespace, name = manifest["metadata"]["namespace"], manifest["spec"]["targetRef"]["name"]
    said = f"{label_of(manifest)} needs the HTTPRoute {namespace}/{name}"
    route = engine.read(GATEWAY_API, "HTTPRoute", name, namespace)
    if route is None:
        engine.missing(
            "route",
            f"{said}, which does not exist",
            "create it in the same namespace (the operator looks nowhere else) or correct http_route",
        )
        return
    problem = rules.route_problem(route)
    if problem:
        raise Refused(f"{said}, which {problem}; correct the route or name another one in http_route.")
    with contextlib.suppress(Forbidden):  # who may not see the Gateways is told by the operator's condition
        _check_attachment(engine, label_of(manifest), route)


def _check_attachment(engine: Engine, label: str, route: Object) -> None:
    """The operator offers a server at the gateways whose port its route is attached to."""
    places = rules.gateways_of(route)
    resource = engine.discovery.find_in_group(GROUP, EXTENSION)
    extensions = engine.client.list(resource)[0] if resource is not None else []
    standing = [one for one in extensions if gateway_of(one) in places and not one["metadata"].get("deletionTimestamp")]
    gateways = {place: engine.read(GATEWAY_API, "Gateway", place[1], place[0]) for place in map(gateway_of, standing)}
    if any(rules.attaches(route, gateways[gateway_of(one)] or {}, one) for one in standing):
        return
    where = label_of(route)
    if standing:
        seen = ", ".join(f"{label_of(one)} (listener {one['spec']['targetRef']['sectionName']})" for one in standing)
        said = f"{label} would be offered by no gateway: its {where} is attached to another port than {seen}"
        fix = (
            "let its parentRefs name a listener with the port of that one in sectionName, or have a hostname of it in "
            "the route"
        )
    else:
        named = ", ".join("/".join(place) for place in places) or "no Gateway"
        said = (
            f"{label} would be offered by no gateway: no MCPGatewayExtension stands on {named}, the parents of {where}"
        )
        fix = "create one (module mcpops.gateway.extension), or correct the route's parentRefs"
    if engine.wait:
        engine.missing("extension", said, fix)
    else:
        engine.warn(f"{said}; {fix}.")


def _references(params: Params) -> t.Iterator[Reference]:
    for option, key, authorities in (
        ("credential_secret", CREDENTIAL_KEY, 0),
        ("ca_cert_secret", CA_KEY, rules.LARGEST_CA),
    ):
        told = params[option]
        if told:
            yield Reference(option, told["name"], told["key"] or key, authorities=authorities)


def _await_ready(engine: Engine, report: Report, step: Step, params: Params) -> Object | None:
    fix = "look at the message, at the HTTPRoute's status.parents, and at the operator's log"
    # A disabled registration reports Ready=False with the reason Disabled, and that is what was asked for.
    wanted = {"Ready": "True" if params["enabled"] else "False"}
    goal = Conditions(wanted, FINAL if params["enabled"] else None, fix=fix, grace=NEIGHBOUR_GRACE)
    return engine.await_goal(report, step, goal)


def _ask_broker(engine: Engine, manifest: Manifest, params: Params, live: Object | None) -> ServerStatus | None:
    """What the broker says; None when it was not asked, or could not be asked and need not be."""
    if params["confirm"] == "never" or not engine.wait or engine.check:
        return None
    if not (params["broker"] or {}).get("url") and _before_08(engine):
        return _told_by_operator(manifest, params, live)
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    needed = params["confirm"] == "always" or params["min_tools"] > 0
    try:
        broker = _broker(engine, manifest, params)
        return await_server(
            broker, namespace, name, min_tools=params["min_tools"], deadline=engine.deadline, patient=needed
        )
    except UnreachableError as error:
        said = f"{label_of(manifest)} is Ready, which only means that the broker's configuration is written"
        if needed:
            raise Refused(f"{said}; whether the server answers could not be found out: {error}.") from error
        engine.warn(f"{said}; the broker could not be asked whether the server answers: {error}.")
        return None


def _told_by_operator(manifest: Manifest, params: Params, live: Object | None) -> ServerStatus:
    """Before 0.8 the operator itself asks the broker before it says Ready, and writes how many tools it saw."""
    status = ServerStatus(True, True, int(((live or {}).get("status") or {}).get("discoveredTools") or 0))
    if not status.satisfies(params["min_tools"]):
        raise Refused(f"{label_of(manifest)} is Ready, but {status.seen(params['min_tools'])}.")
    return status


def _broker(engine: Engine, manifest: Manifest, params: Params) -> Broker:
    """Where to ask: as told by the option ``broker``, else the extension on the Gateway of the route.

    Raises UnreachableError when no extension with a known address is found.
    """
    told = told_broker(params["broker"])
    if told is not None:
        return told
    namespace = manifest["metadata"]["namespace"]
    route = engine.read(GATEWAY_API, "HTTPRoute", manifest["spec"]["targetRef"]["name"], namespace)
    newest = engine.discovery.need(f"{GROUP}/{VERSIONS[0]}", EXTENSION)
    try:
        extensions = engine.client.list(newest)[0]
    except Forbidden as error:
        raise UnreachableError(f"{error.message} Tell its address in broker.url") from error
    for place in rules.gateways_of(route or {}):
        gateway = engine.read(GATEWAY_API, "Gateway", place[1], place[0])
        for extension in extensions:
            found = broker_of(extension, gateway, params["broker"]) if gateway_of(extension) == place else None
            if found is not None:
                return found
    raise UnreachableError("no MCPGatewayExtension stands on a Gateway of its route; tell its address in broker.url")
