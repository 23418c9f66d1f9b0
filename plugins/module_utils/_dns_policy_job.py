# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``dns_policy``: a DNSPolicy of Kuadrant on a Gateway, and the records it stands for."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._dns_policy_checks import (
    check_delegation,
    check_providers,
    check_rivals,
    check_target,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._dns_policy_rules import option_problems
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import addresses_of, records_of
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION as GATEWAY_API
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import GROUP as GATEWAY_GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import NEIGHBOUR_GRACE, POLICY_FAILURES
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of

Params = dict[str, t.Any]
API_VERSION = "kuadrant.io/v1"
KIND = "DNSPolicy"


def dns_policy_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """A DNSPolicy, present or absent."""
    manifest = dns_policy_manifest(params)
    if params["state"] == "absent":
        return engine.remove([manifest]), {"conditions": [], "total_records": 0, "records": []}
    found = option_problems(params)
    if found:
        raise ConfigError(f"{label_of(manifest)} is not changed: {'; '.join(found)}.")
    steps = engine.plan([manifest])
    check_delegation(manifest, steps[0].live)
    gateway = engine.read(GATEWAY_API, "Gateway", params["gateway"], params["namespace"])
    if steps[0].difference:
        check_target(engine, manifest, gateway)
        check_rivals(engine, manifest, steps[0])
        check_providers(engine, manifest)
    records = records_of(gateway or {}, params["listener"])
    if gateway is not None and not addresses_of(gateway):
        engine.warn(
            f"Gateway {params['namespace']}/{params['gateway']} has no address yet, so {label_of(manifest)} has "
            "nothing to publish (is there a load balancer, for example MetalLB?)."
        )
    report = engine.carry_out(steps)
    goal = Conditions(
        {"Accepted": "True", "Enforced": "True"},
        POLICY_FAILURES,
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
