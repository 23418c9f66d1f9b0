# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``extension``: predict the operator's verdict, apply, wait until the gateway really is there."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _extension_rules as rules
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery import not_served
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden, KindNotServed, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import (
    FIELDS_SINCE_06,
    GROUP,
    KIND,
    ROUTE,
    SINCE,
    VERSIONS,
    envoy_filter,
    extension_manifest,
    private_host,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import url_of
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION as GATEWAY_API
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Conditions, Exists
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import NEIGHBOUR_GRACE
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import NAMESPACE, Resource, label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._schema import read_schema
from ansible_collections.mcpops.gateway.plugins.module_utils._secret_references import Reference, check_secrets
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Target

Params = dict[str, t.Any]
REFUSALS = (
    rules.REASON_INVALID,
    rules.REASON_GRANT_REQUIRED,
    "SecretNotFound",
    "SecretInvalid",
    "GuardrailsSecretNotFound",
)
"""Reasons of Ready=False with which the operator waits for a change by somebody."""
ISTIO = "networking.istio.io"
LARGEST_BUNDLE = 256 * 1024
"""The operator: at most so many bytes of CA certificates for the gateway."""


def extension_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """An MCPGatewayExtension, present or absent."""
    resource = _resource(engine)
    manifest = extension_manifest(params, resource.api_version if resource else f"{GROUP}/{VERSIONS[0]}")
    if params["state"] == "absent":
        nothing: Params = {"public_host": None, "url": None, "http_route": None, "envoy_filter": None, "conditions": []}
        return engine.remove([manifest]), nothing
    target = manifest["spec"]["targetRef"]
    gateway = engine.read(GATEWAY_API, "Gateway", target["name"], target["namespace"])
    listener = rules.listener_named(gateway or {}, target["sectionName"]) or {}
    if resource is not None:
        _fit_version(engine, resource, manifest, gateway, listener)
    steps = engine.plan([manifest])
    host: str | None = None
    if steps[0].difference or not listener:
        host = _predict(engine, manifest, steps[0].live, gateway, resource)
    if steps[0].difference:
        check_secrets(engine, label_of(manifest), params["namespace"], _references(params))
    report = engine.carry_out(steps)
    live = _await(engine, report, manifest, resource)
    host = host or _host(manifest, listener)
    made = manifest["spec"].get("httpRouteManagement") != "Disabled"
    return report, {
        "public_host": host,
        "url": url_of(host, listener) if host else None,
        "http_route": ROUTE if made else None,
        "envoy_filter": envoy_filter(params["namespace"]),
        "conditions": ((live or {}).get("status") or {}).get("conditions") or [],
    }


def _resource(engine: Engine) -> Resource | None:
    """The kind in the newest version that the cluster serves; None in check mode when there is none yet."""
    for version in VERSIONS:
        found = engine.discovery.find(f"{GROUP}/{version}", KIND)
        if found is not None:
            return found
    return engine.discovery.find_in_group(GROUP, KIND)


def _fit_version(
    engine: Engine, resource: Resource, manifest: Manifest, gateway: Object | None, listener: t.Any
) -> None:
    """Refuse by name what the installed version lacks, and give older versions the private host they get wrong."""
    spec = manifest["spec"]
    if resource.version != VERSIONS[0] and "privateHost" not in spec and gateway is not None and listener:
        needed = private_host(gateway, listener)
        if needed:
            spec["privateHost"] = needed
    newer = set(spec) - FIELDS_SINCE_06
    schema = read_schema(engine.client, resource) if newer else None
    below = schema.field("spec") if schema else None
    unknown = below.unknown_fields(spec, "spec") if below else []
    if not unknown:
        return
    label = label_of(manifest)
    hints = [f"{path} (since {SINCE[path.split('.')[1]]})" if path.split(".")[1] in SINCE else path for path in unknown]
    message = (
        f"{label} cannot have {', '.join(hints)}: the installed version of the MCP gateway operator does not know it "
        f"(it serves {resource.api_version})"
    )
    if any(path.startswith("spec.oauthProtectedResource") for path in unknown):
        raise Refused(
            f"{message}; with OAuth on 0.6 set http_route_management to Disabled, leave oauth_protected_resource "
            "out, and make a custom "
            "HTTPRoute that also serves /.well-known/oauth-protected-resource (known issue of 0.6), or upgrade the "
            "operator."
        )
    raise Refused(f"{message}; leave it out or upgrade the operator (module mcpops.gateway.olm_subscription).")


def _references(params: Params) -> t.Iterator[Reference]:
    """The Secrets of the extension, with the operator's rules for each."""
    trusted, store, authorities = (
        params[option] or {} for option in ("trusted_headers_key", "session_store", "ca_cert_bundle_ref")
    )
    if trusted and trusted["generate"] != "Enabled":
        yield Reference("trusted_headers_key", trusted["secret_name"], "key", labelled=False)
    if store:
        yield Reference("session_store", store["secret_name"], "CACHE_CONNECTION_STRING")
    if authorities:
        key = authorities["key"] or "ca.crt"
        yield Reference("ca_cert_bundle_ref", authorities["name"], key, authorities=LARGEST_BUNDLE)


def _host(manifest: Manifest, listener: t.Mapping[str, t.Any]) -> str | None:
    try:
        return rules.public_host(listener.get("hostname"), manifest["spec"].get("publicHost"))
    except rules.PublicHostError:
        return None


def _predict(
    engine: Engine, manifest: Manifest, live: Object | None, gateway: Object | None, resource: Resource | None
) -> str | None:
    """The operator's verdict, said before anything is written. Returns the public host."""
    namespace = manifest["metadata"]["namespace"]
    target = manifest["spec"]["targetRef"]
    candidate = {**manifest, "metadata": {**manifest["metadata"]}}
    if live is not None:
        candidate["metadata"]["creationTimestamp"] = live["metadata"].get("creationTimestamp")
    verdict = rules.verdict(
        candidate,
        gateway=gateway,
        namespace_labels=_namespace_labels(engine, namespace),
        grants=_grants(engine, target["namespace"]) if target["namespace"] != namespace else [],
        # One that is being removed stands in the way until it is gone, but not for good.
        extensions=[one for one in _extensions(engine, resource, namespace) if not _leaving(one)],
    )
    if verdict.accepted:
        return verdict.public_host
    said = f"{label_of(manifest)} would be refused by the operator: {verdict.message}"
    way_out = _way_out(verdict, namespace, target, gateway)
    if verdict.winner is not None or not _may_come(verdict, gateway, target):
        raise Refused(f"{said}; {way_out}.", reason=verdict.reason)
    engine.missing("grant" if verdict.reason == rules.REASON_GRANT_REQUIRED else "gateway", said, way_out)
    return _host(manifest, rules.listener_named(gateway or {}, target["sectionName"]) or {})


def _leaving(extension: Object) -> bool:
    return bool(extension["metadata"].get("deletionTimestamp"))


def _may_come(verdict: rules.Verdict, gateway: Object | None, target: t.Mapping[str, t.Any]) -> bool:
    """Whether the verdict is for want of something that an earlier task of the play may make."""
    return gateway is None or verdict.reason == rules.REASON_GRANT_REQUIRED or _no_listener(gateway, target)


def _no_listener(gateway: Object, target: t.Mapping[str, t.Any]) -> bool:
    return rules.listener_named(gateway, target["sectionName"]) is None


def _way_out(verdict: rules.Verdict, namespace: str, target: t.Mapping[str, t.Any], gateway: Object | None) -> str:
    if verdict.winner is not None:
        winner = verdict.winner["metadata"]
        name = f"{winner.get('namespace')}/{winner['name']}"
        if winner.get("namespace") == namespace:
            return f"the older one, {name}, wins: change that one (name: {winner['name']}), or remove it first"
        return f"the older one, {name}, wins: use a listener with another port, or remove that extension"
    if verdict.reason == rules.REASON_GRANT_REQUIRED:
        return (
            f"create a ReferenceGrant in {target['namespace']} from MCPGatewayExtension of {namespace} to the Gateway "
            "(module mcpops.gateway.reference_grant)"
        )
    if gateway is None:
        return "create the Gateway (module mcpops.gateway.gateway) or correct gateway and gateway_namespace"
    names = ", ".join(str(one.get("name")) for one in (gateway.get("spec") or {}).get("listeners") or [])
    if _no_listener(gateway, target):
        return f"its listeners are {names}; correct listener or add it (module mcpops.gateway.gateway_listener)"
    if "does not allow routes" in verdict.message:
        return "set allowed_routes.namespaces.from of the listener to All, or to a Selector that fits the namespace"
    return "give the listener a hostname or set public_host to a host name"


def _namespace_labels(engine: Engine, namespace: str) -> dict[str, str]:
    try:
        found = engine.client.get(NAMESPACE, namespace)
    except Forbidden:
        found = None
    return ((found or {}).get("metadata") or {}).get("labels") or {"kubernetes.io/metadata.name": namespace}


def _grants(engine: Engine, namespace: str) -> list[Object]:
    resource = engine.discovery.find_in_group(rules.GATEWAY_GROUP, "ReferenceGrant")
    return engine.client.list(resource, namespace)[0] if resource is not None else []


def _extensions(engine: Engine, resource: Resource | None, namespace: str) -> list[Object]:
    if resource is None:
        return []
    try:
        return engine.client.list(resource)[0]
    except Forbidden:
        # A role for one namespace: rivals elsewhere can only be seen in the operator's verdict.
        return engine.client.list(resource, namespace)[0]


def _await(engine: Engine, report: Report, manifest: Manifest, resource: Resource | None) -> Object | None:
    """Ready on the current generation, and then the objects that Ready promises."""
    live = report.live(KIND)
    if live is None or not engine.wait or engine.check or resource is None:
        return live
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    ready = Conditions(
        {"Ready": "True"},
        {"Ready": REFUSALS},
        fix=(
            f"look at the Deployment mcp-gateway in namespace {namespace}, its pods, and the operator's log. Its pods"
            " are not ready either while MCP servers are registered and none of them answers: remove their"
            " registrations, and register them again afterwards"
        ),
        grace=NEIGHBOUR_GRACE,
    )
    target = Target(resource, name, namespace, ready, live)
    engine.await_all([target])
    promised = []
    if manifest["spec"].get("httpRouteManagement") != "Disabled":
        routes = engine.discovery.need(GATEWAY_API, "HTTPRoute")
        promised.append(Target(routes, ROUTE, namespace, Exists("the operator makes it when the extension is Ready")))
    filters = engine.discovery.find(f"{ISTIO}/v1alpha3", "EnvoyFilter") or engine.discovery.find_in_group(
        ISTIO, "EnvoyFilter"
    )
    if filters is None:
        raise KindNotServed(not_served(f"{ISTIO}/v1alpha3", "EnvoyFilter"))
    where = manifest["spec"]["targetRef"]["namespace"]
    promised.append(
        Target(filters, envoy_filter(namespace), where, Exists("without it, requests bypass the MCP router"))
    )
    engine.await_all(promised)
    return target.live
