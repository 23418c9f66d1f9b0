# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``dns_policy``: a DNSPolicy of Kuadrant on a Gateway, and the records it stands for."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION as GATEWAY_API
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import GROUP as GATEWAY_GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import NEIGHBOUR_GRACE
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of

Params = dict[str, t.Any]
API_VERSION = "kuadrant.io/v1"
KIND = "DNSPolicy"
PROVIDER_TYPE = "kuadrant.io/"
"""What the type of a provider's Secret begins with: kuadrant.io/aws, /gcp, /azure, /coredns, /inmemory."""
FAILURES = {"Accepted": ("TargetNotFound", "Conflicted", "Invalid", "MissingDependency"), "Enforced": ("Overridden",)}
"""Reasons (Kuadrant) with which a policy stays as it is until somebody changes something.

Enforced=False with the reason Unknown means that no record is ready yet.
"""


def dns_policy_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """A DNSPolicy, present or absent."""
    manifest = dns_policy_manifest(params)
    if params["state"] == "absent":
        return engine.remove([manifest]), {"conditions": [], "total_records": 0, "records": []}
    steps = engine.plan([manifest])
    gateway = engine.read(GATEWAY_API, "Gateway", params["gateway"], params["namespace"])
    if steps[0].difference:
        _check_target(engine, manifest, gateway)
        _check_rivals(engine, manifest, steps[0])
        _check_providers(engine, manifest)
    records = records_of(gateway or {}, params["listener"])
    if gateway is not None and not _addresses(gateway):
        engine.warn(
            f"Gateway {params['namespace']}/{params['gateway']} has no address yet, so {label_of(manifest)} has "
            "nothing to publish (is there a load balancer, for example MetalLB?)."
        )
    report = engine.carry_out(steps)
    goal = Conditions(
        {"Accepted": "True", "Enforced": "True"},
        FAILURES,
        fix="look at the namespace's DNSRecord objects, the provider's Secret, and the Kuadrant operators' logs",
        grace=NEIGHBOUR_GRACE,
    )
    live = engine.await_goal(report, steps[0], goal)
    status = (live or {}).get("status") or {}
    total = int(status.get("totalRecords") or 0)
    if engine.wait and not engine.check and total == 0 and records:
        # Kuadrant reports Enforced=True also when it publishes nothing.
        engine.warn(
            f"{label_of(manifest)} is enforced but publishes no record; look at the Gateway's listeners (do routes "
            "attach to them?) and at the DNSRecord objects of the namespace."
        )
    return report, {"conditions": status.get("conditions") or [], "total_records": total, "records": records}


def dns_policy_manifest(params: Params) -> Manifest:
    """The DNSPolicy as the options describe it."""
    metadata = {"name": params["name"], "namespace": params["namespace"]}
    manifest: Manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}
    if params["state"] == "absent":
        return manifest
    target = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": params["gateway"]}
    if params["listener"]:
        target["sectionName"] = params["listener"]
    spec: dict[str, t.Any] = {"targetRef": target}
    if params["provider_secrets"]:
        spec["providerRefs"] = [{"name": name} for name in params["provider_secrets"]]
    balancing, check = params["load_balancing"], params["health_check"]
    if balancing:
        spec["loadBalancing"] = {
            "geo": balancing["geo"],
            "weight": balancing["weight"],
            "defaultGeo": balancing["default_geo"],
        }
    if check:
        told = {
            "path": check["path"],
            "port": check["port"],
            "protocol": check["protocol"],
            "interval": check["interval"],
            "failureThreshold": check["failure_threshold"],
        }
        spec["healthCheck"] = {field: value for field, value in told.items() if value is not None}
    if params["exclude_addresses"]:
        spec["excludeAddresses"] = params["exclude_addresses"]
    if params["delegate"] is not None:
        spec["delegate"] = params["delegate"]
    manifest["spec"] = spec
    return manifest


def records_of(gateway: Object, listener: str | None) -> list[dict[str, str]]:
    """The DNS records that make a Gateway's hosts reachable, whoever publishes them.

    One a host name and address: ``name``, ``type`` (A, AAAA or CNAME) and ``value``.
    """
    listeners = (gateway.get("spec") or {}).get("listeners") or []
    hosts = [one.get("hostname") for one in listeners if listener in {None, "", one.get("name")}]
    return [
        {"name": str(host), "type": _type(address), "value": address}
        for host in dict.fromkeys(host for host in hosts if host)
        for address in _addresses(gateway)
    ]


def _addresses(gateway: Object) -> list[str]:
    return [str(one["value"]) for one in (gateway.get("status") or {}).get("addresses") or [] if one.get("value")]


def _type(address: str) -> str:
    try:
        return "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"


def _check_target(engine: Engine, manifest: Manifest, gateway: Object | None) -> None:
    target, place = manifest["spec"]["targetRef"], manifest["metadata"]["namespace"]
    said = f"{label_of(manifest)} needs the Gateway {place}/{target['name']}"
    if gateway is None:
        engine.missing("gateway", f"{said}, which does not exist", "a DNSPolicy stands in its Gateway's namespace")
        return
    names = [str(one.get("name")) for one in (gateway.get("spec") or {}).get("listeners") or []]
    section = target.get("sectionName")
    if section and section not in names:
        engine.missing(
            "gateway", f"{said} with a listener {section} (there are: {', '.join(names)})", "correct listener"
        )
    if not any(one.get("hostname") for one in (gateway.get("spec") or {}).get("listeners") or []):
        engine.warn(f"{said} with a listener that has a hostname; none of its listeners has one to publish.")


def _check_rivals(engine: Engine, manifest: Manifest, step: Step) -> None:
    """Kuadrant accepts only the oldest of several policies with the same target."""
    if step.live is not None or step.resource is None:
        return
    place = manifest["metadata"]["namespace"]
    for other in engine.client.list(step.resource, place)[0]:
        if (other.get("spec") or {}).get("targetRef") == manifest["spec"]["targetRef"]:
            name = other["metadata"]["name"]
            raise Refused(
                f"{label_of(manifest)} would be refused as Conflicted: the older {KIND} {place}/{name} has the same "
                f"target; change that one (name: {name}), remove it first, or name another listener."
            )


def _check_providers(engine: Engine, manifest: Manifest) -> None:
    place = manifest["metadata"]["namespace"]
    for reference in manifest["spec"].get("providerRefs") or []:
        said = f"{label_of(manifest)}: the Secret {place}/{reference['name']} of provider_secrets"
        fix = "create it with the credentials of the DNS provider"
        secret = engine.read_secret(reference["name"], place, said, missing="secret", fix=fix)
        if secret is not None and not str(secret.get("type")).startswith(PROVIDER_TYPE):
            raise Refused(
                f"{said} has the type {secret.get('type')}; Kuadrant reads kuadrant.io/aws, kuadrant.io/gcp, "
                "kuadrant.io/azure or kuadrant.io/coredns. Make it again with that type."
            )
