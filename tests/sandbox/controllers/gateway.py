# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gateway API controller: Gateways and HTTPRoutes of the sandbox's classes, served by a real Envoy."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sandbox.client import ApiError, Resource
from sandbox.controllers import envoy_config, gateway_service, gateway_status
from sandbox.controllers.envoy_clusters import cluster, service_clusters
from sandbox.controllers.envoy_external import add_tls, external_clusters
from sandbox.controllers.envoy_mesh import gateway_cluster, mesh_hosts, outside_clusters
from sandbox.controllers.envoy_process import Envoy, EnvoyUnavailableError
from sandbox.controllers.gateway_listeners import Listener, Problem, judge
from sandbox.controllers.gateway_routes import BoundRoute, bind
from sandbox.controllers.gateway_world import CONTROLLERS, PORTS_ANNOTATION, Json, Key, World, is_owned
from sandbox.controllers.kuadrant import KuadrantController
from sandbox.controllers.kuadrant_enforcement import Enforcement, enforce
from sandbox.controllers.kuadrant_issuers import Issuers
from sandbox.controllers.kuadrant_policies import Policy, of_part
from sandbox.controllers.outside import Outside
from sandbox.controllers.ports import PortBook
from sandbox.controllers.runtime import Controller, Watch, key_of
from sandbox.kinds import (
    AUTH_POLICIES,
    DESTINATION_RULES,
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    KUADRANTS,
    NAMESPACES,
    PODS,
    RATE_LIMIT_POLICIES,
    REFERENCE_GRANTS,
    SECRETS,
    SERVICE_ENTRIES,
    SERVICES,
)

log = logging.getLogger("sandbox.gateway")

EVERYTHING: Key = ("", "")
"""The only key: a route, a listener and a certificate hang together, so all of it is computed at once."""
SETTLE_SECONDS = 0.02
"""Changes that come this close together are served by one round."""
START_SECONDS = 5.0
"""How long Envoy may take to answer for the first time before Gateways are said not to be served."""
OUTSIDE_SECONDS = 0.5
"""How often the files about the outside are looked at."""


def _everything(_: Json) -> Iterable[Key]:
    return [EVERYTHING]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round found out: judged listeners, bound routes, and the Envoy configuration for them."""

    listeners: dict[Key, list[Listener]]
    routes: list[BoundRoute]
    ports: dict[Key, dict[int, int]]
    config: envoy_config.Config
    mesh: list[Json]
    enforcement: Enforcement


class GatewayController(Controller):
    """Programs Envoy, then writes statuses, so that Programmed is only said of what is really served."""

    name: ClassVar[str] = "sandbox-gateway"

    def __init__(
        self,
        envoy: Envoy,
        ports: PortBook,
        kuadrant: KuadrantController,
        outside: Outside,
        *,
        owned_only: bool = False,
    ) -> None:
        super().__init__()
        self._owned_only = owned_only
        self._envoy = envoy
        self._ports = ports
        self._kuadrant = kuadrant
        self._outside = outside
        self._patience = time.monotonic() + START_SECONDS
        self._issuers = Issuers(outside, envoy.mesh_port, lambda: self.queue.add(EVERYTHING))

    def watches(self) -> Sequence[Watch]:
        resources = (GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, REFERENCE_GRANTS, SERVICES, PODS, SECRETS, NAMESPACES)
        more = (SERVICE_ENTRIES, DESTINATION_RULES, AUTH_POLICIES, RATE_LIMIT_POLICIES, KUADRANTS)
        return [Watch(resource, _everything) for resource in (*resources, *more)]

    async def start(self) -> None:
        await self._envoy.start(lambda: self.queue.add(EVERYTHING))
        self.queue.add(EVERYTHING)
        self._look_out = asyncio.create_task(self._follow_outside(), name="outside")

    async def stop(self) -> None:
        self._look_out.cancel()
        await self._issuers.stop()
        await self._envoy.stop()

    async def _follow_outside(self) -> None:
        """The files about the outside have no watch of the API."""
        stamp = self._outside.stamp()
        while True:
            await asyncio.sleep(OUTSIDE_SECONDS)
            stamp, before = self._outside.stamp(), stamp
            if stamp != before:
                self.queue.add(EVERYTHING)

    def world(self) -> World:
        """What the caches hold now."""

        def keyed(resource: Resource) -> dict[Key, Json]:
            return {key_of(obj): obj for obj in self.cache(resource).list()}

        def named(resource: Resource) -> dict[str, Json]:
            return {key[1]: obj for key, obj in keyed(resource).items()}

        classes = named(GATEWAY_CLASSES)
        if self._owned_only:  # in somebody's cluster the other classes have a controller of their own
            classes = {name: entry for name, entry in classes.items() if is_owned(entry)}
        return World(
            classes=classes,
            gateways=self.cache(GATEWAYS).list(),
            routes=self.cache(HTTP_ROUTES).list(),
            grants=self.cache(REFERENCE_GRANTS).list(),
            services=keyed(SERVICES),
            pods=self.cache(PODS).list(),
            secrets=keyed(SECRETS),
            namespaces=named(NAMESPACES),
            service_entries=self.cache(SERVICE_ENTRIES).list(),
            destination_rules=self.cache(DESTINATION_RULES).list(),
        )

    async def reconcile(self, key: Key) -> float | None:
        await asyncio.sleep(SETTLE_SECONDS)
        world = self.world()
        plan = self._plan(world)
        try:
            refused = await self._envoy.push(plan.config, plan.mesh)
        except EnvoyUnavailableError as error:
            log.debug("Envoy does not answer: %s", error)
            if time.monotonic() < self._patience:
                return 0.05
            await self._write_statuses(world, plan, {}, down=True)
            return 0.3
        self._patience = 0.0
        for name, reason in refused.items():
            log.error("Envoy refused %s: %s", name, reason)
        plan.enforcement.refused(
            {key: fault.message for key in plan.listeners if (fault := self._fault(key, plan, refused))}
        )
        self._kuadrant.publish(plan.enforcement, _parents(plan.routes), set(plan.listeners))
        await self._write_statuses(world, plan, refused)
        return 2.0 if refused else None

    def _plan(self, world: World) -> Plan:
        gateways = [gateway for gateway in world.gateways if world.controller_of(gateway)]
        listeners = {key_of(gateway): judge(gateway, world) for gateway in gateways}
        routes = [bind(route, world, listeners) for route in world.routes]
        routes = [route for route in routes if route.parents]
        enforcement = self._enforce(world, routes)
        config = envoy_config.Config(clusters=service_clusters(world) | external_clusters(world, self._outside))
        add_tls(config.clusters, world, self._outside)
        for guard in enforcement.guards:
            if guard.providers:
                config.providers |= guard.providers
                config.requirements[guard.requirement] = guard.requirement_config()
        ports: dict[Key, dict[int, int]] = {}
        for key, judged in listeners.items():
            numbers = sorted({listener.port for listener in judged if listener.programmed})
            ports[key] = {number: self._ports.get(_book_name(key, number), number) for number in numbers}
            for number, local in ports[key].items():
                serving = [entry for entry in judged if entry.port == number and entry.programmed]
                name = _listener_name(key, number)
                envoy_config.add_port(config, name, local, (serving, routes), self._envoy.folder, ports=ports[key])
                target = gateway_cluster(key, number)
                config.clusters[target] = cluster(target, [local])
        self._ports.keep({"mesh", *(_book_name(key, port) for key, numbers in ports.items() for port in numbers)})
        names = {key_of(gateway): gateway_service.service_name(gateway) for gateway in gateways}
        table = self._outside.table()
        config.clusters |= outside_clusters(table)
        return Plan(listeners, routes, ports, config, mesh_hosts(world, ports, names, table), enforcement)

    def _enforce(self, world: World, routes: Sequence[BoundRoute]) -> Enforcement:
        resources = (AUTH_POLICIES, RATE_LIMIT_POLICIES)
        policies = [Policy(resource.kind, obj) for resource in resources for obj in self.cache(resource).list()]
        kuadrant = bool(self.cache(KUADRANTS).list())
        result = enforce(world, policies, routes, self._issuers.get, kuadrant=kuadrant)
        identities = [rule.spec for policy in policies for rule in of_part(policy.rules, "authentication").values()]
        self._issuers.keep(spec["jwt"] for spec in identities if spec.get("jwt"))
        return result

    async def _write_statuses(self, world: World, plan: Plan, refused: dict[str, str], *, down: bool = False) -> None:
        """Writes what changed; a refused write does not keep the others from being made. ``down``: Envoy is."""
        stamp = gateway_status.now()
        writes = [
            self._status(GATEWAY_CLASSES, entry, gateway_status.class_status(entry, stamp))
            for entry in world.classes.values()
            if entry["spec"]["controllerName"] in CONTROLLERS
        ]
        writes += [
            self._gateway_status(gateway, plan, refused, stamp, down=down)
            for gateway in world.gateways
            if key_of(gateway) in plan.listeners
        ]
        bound = {key_of(entry.route): entry for entry in plan.routes}
        for route in world.routes:
            status = gateway_status.route_status(bound.get(key_of(route)) or BoundRoute(route, []), stamp)
            writes.append(self._status(HTTP_ROUTES, route, status))
        errors = [error for error in await asyncio.gather(*writes, return_exceptions=True) if error]
        # An object that was deleted meanwhile needs no status.
        errors = [error for error in errors if not (isinstance(error, ApiError) and error.not_found)]
        if errors:
            raise errors[0]

    async def _gateway_status(
        self, gateway: Json, plan: Plan, refused: dict[str, str], stamp: str, *, down: bool
    ) -> None:
        key = key_of(gateway)
        await self._publish_service(gateway, plan.listeners[key])
        current = await self._publish_ports(gateway, plan.ports.get(key, {}))
        if current["metadata"].get("generation") != gateway["metadata"].get("generation"):
            return  # the specification changed meanwhile; the next round is already on its way
        fault = self._fault(key, plan, refused)
        service = f"{gateway_service.service_name(gateway)}.{key[0]}.svc.cluster.local"
        status = gateway_status.gateway_status(current, plan.listeners[key], service, fault, stamp, down=down)
        await self._status(GATEWAYS, current, status)

    def _fault(self, key: Key, plan: Plan, refused: dict[str, str]) -> Problem | None:
        for number in plan.ports.get(key, {}):
            name = _listener_name(key, number)
            for refused_name, reason in refused.items():
                if refused_name == name or refused_name.startswith(f"{name}."):
                    if "cannot bind" in reason:  # somebody took the port meanwhile: the next round tries another
                        self._ports.drop(_book_name(key, number))
                    return Problem("Invalid", f"Envoy refused the listener of port {number}: {reason}")
        return None

    async def _publish_service(self, gateway: Json, listeners: Sequence[Listener]) -> None:
        wanted = gateway_service.service(gateway, listeners)
        if wanted is None:
            return
        found = self.cache(SERVICES).get(gateway["metadata"]["namespace"], gateway_service.service_name(gateway))
        if not gateway_service.is_as_wanted(found, wanted):
            found = await self.apply(SERVICES, wanted)
        if found and (found.get("status") or {}) != gateway_service.STATUS:
            await self.patch(SERVICES, found, {"status": gateway_service.STATUS}, subresource="status")

    async def _publish_ports(self, gateway: Json, ports: dict[int, int]) -> Json:
        annotation = json.dumps({str(port): local for port, local in sorted(ports.items())})
        if (gateway["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION) == annotation:
            return gateway
        return await self.patch(GATEWAYS, gateway, {"metadata": {"annotations": {PORTS_ANNOTATION: annotation}}})

    async def _status(self, resource: Resource, obj: Json, status: Json) -> None:
        """Replaces the status if it changed, as Istio does: what others wrote is part of ``status``."""
        if (obj.get("status") or {"parents": []}) != status:
            meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
            await self.replace(resource, {**obj, "metadata": meta, "status": status}, subresource="status")


def _parents(routes: Iterable[BoundRoute]) -> dict[Key, list[tuple[Key, str]]]:
    """Of each route the Gateways and listeners that it is bound to."""
    return {
        key_of(route.route): [
            (key_of(listener.gateway), listener.name) for parent in route.parents for listener, _ in parent.bound
        ]
        for route in routes
    }


def _book_name(key: Key, port: int) -> str:
    return f"{key[0]}/{key[1]}/{port}"


def _listener_name(key: Key, port: int) -> str:
    return f"{key[0]}.{key[1]}.{port}"
