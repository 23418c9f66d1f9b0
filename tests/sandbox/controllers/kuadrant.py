# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kuadrant's operator, as far as statuses go: of AuthPolicies, RateLimitPolicies and of what policies affect.

What is enforced is found out, and put into Envoy, by the Gateway controller, which publishes each round here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from sandbox.client import ApiError, Resource
from sandbox.controllers import kuadrant_status
from sandbox.controllers.gateway_status import now
from sandbox.controllers.gateway_world import Json, Key
from sandbox.controllers.kuadrant_enforcement import Enforcement, revision
from sandbox.controllers.kuadrant_policies import Policy
from sandbox.controllers.runtime import Controller, Watch, key_of
from sandbox.kinds import (
    AUTH_POLICIES,
    DNS_POLICIES,
    GATEWAYS,
    HTTP_ROUTES,
    KUADRANTS,
    RATE_LIMIT_POLICIES,
    TLS_POLICIES,
)

EVERYTHING: Key = ("", "")
Parents = Mapping[Key, Sequence[tuple[Key, str]]]
"""Of each route the listeners (Gateway and name) that it is bound to."""


def _everything(_: Json) -> Iterable[Key]:
    return [EVERYTHING]


class KuadrantController(Controller):
    """Writes conditions; see the module."""

    name: ClassVar[str] = "kuadrant-operator"

    def __init__(self) -> None:
        super().__init__()
        self._round: tuple[Enforcement, Parents, set[Key]] | None = None

    def watches(self) -> Sequence[Watch]:
        kinds = (KUADRANTS, AUTH_POLICIES, RATE_LIMIT_POLICIES, DNS_POLICIES, TLS_POLICIES, GATEWAYS, HTTP_ROUTES)
        return [Watch(resource, _everything) for resource in kinds]

    def publish(self, enforcement: Enforcement, parents: Parents, gateways: set[Key]) -> None:
        """What the Gateway controller found out in a round about the Gateways that it serves."""
        self._round = enforcement, parents, gateways
        self.queue.add(EVERYTHING)

    async def reconcile(self, key: Key) -> float | None:
        if self._round is None:
            return None
        enforcement, parents, gateways = self._round
        time = now()
        writes = []
        accepted = list(enforcement.policies)
        for resource in (AUTH_POLICIES, RATE_LIMIT_POLICIES):
            for obj in self.cache(resource).list():
                name = (resource.kind, key_of(obj))
                if enforcement.revisions.get(name) != revision(obj):
                    continue  # the next round is on its way
                verdict = enforcement.accepted[name], enforcement.enforced.get(name)
                partial = name in enforcement.partial
                status = kuadrant_status.policy_status(obj, resource.kind, verdict, time, partial=partial)
                writes.append(self._status(resource, obj, status))
        for resource in (DNS_POLICIES, TLS_POLICIES):
            accepted += [Policy(resource.kind, obj) for obj in self.cache(resource).list() if _is_accepted(obj)]
        for obj in self.cache(KUADRANTS).list():
            writes.append(self._status(KUADRANTS, obj, kuadrant_status.kuadrant_ready(obj, time)))
        for gateway in self.cache(GATEWAYS).list():
            if key_of(gateway) in gateways:
                own, by_listener = _of_gateway(gateway, accepted)
                status = kuadrant_status.gateway_affected(gateway, own, by_listener, time)
                writes.append(self._status(GATEWAYS, gateway, status))
        for route in self.cache(HTTP_ROUTES).list():
            status = kuadrant_status.route_affected(route, _of_route(route, accepted, parents), time)
            writes.append(self._status(HTTP_ROUTES, route, status))
        errors = [error for error in await asyncio.gather(*writes, return_exceptions=True) if error]
        errors = [error for error in errors if not (isinstance(error, ApiError) and error.not_found)]
        if errors:
            raise errors[0]
        return None

    async def _status(self, resource: Resource, obj: Json, status: Json) -> None:
        empty: Json = {"parents": []} if resource is HTTP_ROUTES else {"conditions": []}
        if (obj.get("status") or empty) != status:
            meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
            await self.replace(resource, {**obj, "metadata": meta, "status": status}, subresource="status")


def _is_accepted(obj: Json) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return any(entry["type"] == "Accepted" and entry["status"] == "True" for entry in conditions)


def _targets(policies: Sequence[Policy], kind: str, key: Key) -> list[Policy]:
    return [policy for policy in policies if policy.target[:2] == (kind, key[1]) and policy.key[0] == key[0]]


def _of_gateway(gateway: Json, policies: Sequence[Policy]) -> tuple[list[Policy], dict[str, list[Policy]]]:
    own: list[Policy] = []
    by_listener: dict[str, list[Policy]] = {}
    for policy in sorted(_targets(policies, "Gateway", key_of(gateway)), key=lambda entry: entry.age):
        section = policy.target[2]
        if section is None:
            own.append(policy)
        else:
            by_listener.setdefault(section, []).append(policy)
    return own, by_listener


def _of_route(route: Json, policies: Sequence[Policy], parents: Parents) -> dict[Key, list[Policy]]:
    """By Gateway the policies on the route itself, its listeners and their Gateways."""
    bound = parents.get(key_of(route), [])
    own = [policy for policy in _targets(policies, "HTTPRoute", key_of(route)) if policy.target[2] is None]
    found: dict[Key, list[Policy]] = {}
    for gateway, listener in bound:
        behind = [policy for policy in _targets(policies, "Gateway", gateway) if policy.target[2] in (None, listener)]
        found[gateway] = found.get(gateway, own) + sorted(behind, key=lambda entry: entry.age)
    return found
