# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNSPolicy: a record for each hostname of a Gateway's listeners that have routes.

There is no DNS server: records that a provider would have taken are in ``DIR/outside/records.json``. The
provider's Secret is looked at as the DNS operator does; its credentials are not tried.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sandbox.controllers import kuadrant_status
from sandbox.controllers.gateway_listeners import Problem
from sandbox.controllers.gateway_status import now, set_conditions
from sandbox.controllers.gateway_world import Json, Key
from sandbox.controllers.kuadrant_policies import Policy
from sandbox.controllers.runtime import Controller, Watch, key_of
from sandbox.kinds import DNS_POLICIES, GATEWAYS, SECRETS
from sandbox.processes import write_private

DEFAULT_LABEL = "kuadrant.io/default-provider"
PROVIDERS = tuple(f"kuadrant.io/{name}" for name in ("aws", "gcp", "azure", "coredns", "inmemory"))
"""Types of a provider's Secret."""
EVERYTHING: Key = ("", "")


@dataclass(frozen=True, slots=True)
class Record:
    """A DNS record that a policy asks for; ``problem`` is why no provider takes it."""

    name: str
    host: str
    targets: tuple[str, ...]
    problem: Problem | None


def provider_problem(policy: Json, secrets: Mapping[Key, Json]) -> Problem | None:
    """What is wrong with the Secret of the DNS provider, named or the namespace's default one."""
    namespace = policy["metadata"]["namespace"]
    names = [entry["name"] for entry in policy["spec"].get("providerRefs") or []]
    if not names:
        defaults = [
            key[1]
            for key, secret in secrets.items()
            if key[0] == namespace and (secret["metadata"].get("labels") or {}).get(DEFAULT_LABEL) == "true"
        ]
        if not defaults:
            message = f"No default provider secret labeled {DEFAULT_LABEL} was found"
            return Problem("DNSProviderError", message)
        if len(defaults) > 1:
            return Problem("DNSProviderError", "Multiple default providers secrets found. Only one expected")
        names = defaults
    secret = secrets.get((namespace, names[0]))
    if secret is None:
        return Problem("DNSProviderError", f'The dns provider could not be loaded: Secret "{names[0]}" not found')
    if secret.get("type") not in PROVIDERS:
        kinds = ", ".join(PROVIDERS)
        message = f'The dns provider could not be loaded: the type of Secret "{names[0]}" is none of {kinds}'
        return Problem("DNSProviderError", message)
    return None


def records(policy: Json, gateway: Json, secrets: Mapping[Key, Json]) -> tuple[list[Record], str]:
    """The records of a policy, and why there are none where that needs saying."""
    status = gateway.get("status") or {}
    excluded = policy["spec"].get("excludeAddresses") or []
    addresses = [entry["value"] for entry in status.get("addresses") or [] if not _excluded(entry["value"], excluded)]
    attached = {entry["name"]: entry.get("attachedRoutes", 0) for entry in status.get("listeners") or []}
    section = policy["spec"]["targetRef"].get("sectionName")
    chosen = [entry for entry in gateway["spec"].get("listeners") or [] if section in (None, entry["name"])]
    if not any(attached.get(entry["name"]) for entry in chosen):
        return [], "no routes attached to any gateway listeners"
    if not addresses:
        return [], "no valid status addresses to use on gateway"
    problem = provider_problem(policy, secrets)
    name = gateway["metadata"]["name"]
    found = [
        Record(f"{name}-{entry['name']}", entry["hostname"].lower(), tuple(addresses), problem)
        for entry in chosen
        if entry.get("hostname") and attached.get(entry["name"])
    ]
    return found, ""


def _excluded(address: str, excluded: Sequence[str]) -> bool:
    """excludeAddresses: addresses, or networks written with a slash."""
    if address in excluded:
        return True
    try:
        return any(ipaddress.ip_address(address) in ipaddress.ip_network(net) for net in excluded if "/" in net)
    except ValueError:
        return False


def status(policy: Json, accepted: Problem | None, found: Sequence[Record], why_none: str, time: str) -> Json:
    """The whole new status."""
    bad = [record for record in found if record.problem]
    enforced, more, partial = None, "", False
    if not found:
        more = " : no DNSRecords created based on policy and gateway configuration"
        more += f" : {why_none}" if why_none else ""
    elif len(bad) == len(found):
        reason = "policy is not enforced on any DNSRecord: not a single DNSRecord is ready"
        enforced = kuadrant_status.unknown("DNSPolicy", reason)
    elif bad:
        partial, more = True, ". Not ready DNSRecords are: " + "".join(f"{record.name} " for record in bad)
    new = kuadrant_status.policy_status(policy, "DNSPolicy", (accepted, enforced), time, partial=partial, more=more)
    if accepted:
        return new
    conditions = [entry for entry in new["conditions"] if entry["type"] != "SubResourcesHealthy"]
    if policy["spec"].get("healthCheck"):
        words = "All sub-resources are healthy" if found else "No sub-resources present"
        healthy = {"type": "SubResourcesHealthy", "status": "True", "reason": "SubResourcesHealthy", "message": words}
        conditions = set_conditions(new["conditions"], [healthy], policy["metadata"].get("generation", 1), time)
    old = (policy.get("status") or {}).get("recordConditions") or {}
    by_host = {record.host: _not_ready(record, old.get(record.host) or [], policy, time) for record in bad}
    return {**new, "conditions": conditions, "totalRecords": len(found), "recordConditions": by_host}


def _not_ready(record: Record, old: Sequence[Json], policy: Json, time: str) -> list[Json]:
    assert record.problem is not None
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": record.problem.reason,
        "message": record.problem.message,
    }
    return set_conditions(old, [ready], policy["metadata"].get("generation", 1), time)


class DnsPolicyController(Controller):
    """Judges DNSPolicies and keeps the table of records."""

    name: ClassVar[str] = "kuadrant-dns"

    def __init__(self, table: Path) -> None:
        super().__init__()
        self._table = table

    def watches(self) -> Sequence[Watch]:
        def everything(_: Json) -> Iterable[Key]:
            return [EVERYTHING]

        return [Watch(resource, everything) for resource in (DNS_POLICIES, GATEWAYS, SECRETS)]

    async def reconcile(self, key: Key) -> float | None:
        policies = [Policy("DNSPolicy", obj) for obj in self.cache(DNS_POLICIES).list()]
        gateways = {key_of(obj): obj for obj in self.cache(GATEWAYS).list()}
        secrets = {key_of(obj): obj for obj in self.cache(SECRETS).list()}
        table: dict[str, Json] = {}
        changed = []
        for policy in policies:
            gateway = gateways.get((policy.key[0], policy.target[1]))
            accepted = accepted_problem(policy, policies, gateway)
            found, why_none = records(policy.obj, gateway, secrets) if gateway and not accepted else ([], "")
            for record in found:
                if not record.problem:
                    table[record.host] = {"record": record.name, "type": "A", "targets": list(record.targets)}
            new = status(policy.obj, accepted, found, why_none, now())
            if (policy.obj.get("status") or {}) != new:
                changed.append((policy.obj, new))
        self._save(table)  # before a status says that it is so
        for obj, new in changed:
            meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
            await self.replace(DNS_POLICIES, {**obj, "metadata": meta, "status": new}, subresource="status")
        return None

    def _save(self, table: dict[str, Json]) -> None:
        text = json.dumps(table, indent=1, sort_keys=True) + "\n"
        if table or self._table.exists():
            self._table.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(self._table, text)


def accepted_problem(policy: Policy, policies: Sequence[Policy], gateway: Json | None) -> Problem | None:
    """What keeps a DNSPolicy or TLSPolicy from being accepted: no target, or an older policy with the same one."""
    _, name, section = policy.target
    listeners = (gateway or {"spec": {}})["spec"].get("listeners") or []
    if gateway is None or (section and section not in {entry["name"] for entry in listeners}):
        return kuadrant_status.target_not_found(policy.kind, name)
    for other in sorted(policies, key=lambda entry: entry.age):
        older = other.age[0] < policy.age[0] and not other.obj["metadata"].get("deletionTimestamp")
        if older and other.target == policy.target and other.key[0] == policy.key[0]:
            return kuadrant_status.conflicted(policy.kind, other.key)
    return None
