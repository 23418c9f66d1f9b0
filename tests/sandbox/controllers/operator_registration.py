# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: MCPServerRegistration becomes an entry in the broker's configuration.

Source: Kuadrant/mcp-gateway, internal/controller/mcpserverregistration_controller.go at v0.6.0 and v0.9.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, ClassVar

from ansible_collections.mcpops.gateway.plugins.module_utils._registration_rules import attaches, refers_to
from sandbox.client import Object, Resource
from sandbox.controllers.operator_attachment import accepted_gateways, valid_extensions
from sandbox.controllers.operator_base import (
    POLL_SECONDS,
    REQUEUE_SECONDS,
    RetryError,
    has_finalizer,
    nothing,
    with_condition,
    without_condition,
)
from sandbox.controllers.operator_broker_status import BrokerError, broker_status
from sandbox.controllers.operator_config import Config, read_config, server_entry, upsert
from sandbox.controllers.operator_endpoint import backend_of, endpoint, service_key, with_tls
from sandbox.controllers.operator_objects import gateway_key
from sandbox.controllers.operator_release import (
    AGGREGATED_LABEL,
    APP_LABELS,
    BROKER,
    EXTENSIONS,
    REGISTRATIONS,
    Release,
    named,
)
from sandbox.controllers.operator_secrets import RegistrationError, credential, labelled, server_ca
from sandbox.controllers.operator_writing import ConfigWriter
from sandbox.controllers.runtime import Key, Watch, key_of
from sandbox.kinds import GATEWAYS, HTTP_ROUTES, PODS, REFERENCE_GRANTS, SECRETS, SERVICES

NOT_THERE = "mcp server is not present in gateway yet"
IN_USE = {
    "type": "Programmed",
    "status": "True",
    "reason": "InUseByMCPServerRegistration",
    "message": "HTTPRoute is referenced by at least one MCPServerRegistration",
}


def marked_route(registration: Object) -> Key:
    """The route that the operator watches for a registration and marks.

    Here it honours ``targetRef.namespace``, which it ignores where it reads the route (#1199).
    """
    target = registration["spec"]["targetRef"]
    return target.get("namespace") or registration["metadata"]["namespace"], target["name"]


class RegistrationController(ConfigWriter):
    """Ready says that the configuration was written; only before 0.8 does it say that the broker connected."""

    workers: ClassVar[int] = 16

    def __init__(self) -> None:
        super().__init__()
        self._seen_state: dict[tuple[Resource, Key], tuple[str, int, bool]] = {}

    def watches(self) -> Sequence[Watch]:
        return [
            *(Watch(resource, partial(self._own, resource)) for resource in REGISTRATIONS),
            *(Watch(resource, self._behind) for resource in EXTENSIONS),
            *self.operator_watches(REGISTRATIONS),
            Watch(HTTP_ROUTES, self._targeting),
            Watch(SECRETS, self._using),
            *(Watch(resource, nothing) for resource in (GATEWAYS, REFERENCE_GRANTS, SERVICES, PODS)),
        ]

    def _registrations(self) -> list[Object]:
        release = self.release()
        return self.cache(release.registrations).list() if release else []

    def _own(self, resource: Resource, registration: Object) -> Iterable[Key]:
        """The registration itself, unless only its metadata or status changed.

        Each API version is followed for itself: news that came through one is not in the cache of the other yet.
        """
        meta, key = registration["metadata"], key_of(registration)
        state = (meta["uid"], meta["generation"], "deletionTimestamp" in meta)
        if self._seen_state.get((resource, key)) == state:
            return []
        self._seen_state[resource, key] = state
        return [key]

    def _targeting(self, route: Object) -> Iterable[Key]:
        wanted = key_of(route)
        return [key_of(entry) for entry in self._registrations() if marked_route(entry) == wanted]

    def _behind(self, extension: Object) -> Iterable[Key]:
        """Those whose route names the extension's Gateway as a parent."""
        gateway = self.cache(GATEWAYS).get(*gateway_key(extension))
        if gateway is None:
            return
        for entry in self._registrations():
            route = self.cache(HTTP_ROUTES).get(*marked_route(entry))
            parents = (route or {"spec": {}})["spec"].get("parentRefs") or []
            if route and any(refers_to(parent, gateway, route["metadata"]["namespace"]) for parent in parents):
                yield key_of(entry)

    def _using(self, secret: Object) -> Iterable[Key]:
        if not labelled(secret):
            return
        namespace, name = key_of(secret)
        for entry in self._registrations():
            spec = entry["spec"]
            names = {(spec.get(field) or {}).get("name") for field in ("credentialRef", "caCertSecretRef")}
            if entry["metadata"]["namespace"] == namespace and name in names:
                yield key_of(entry)

    async def reconcile_for(self, release: Release, key: Key) -> float | None:
        registration = self.cache(release.registrations).get(*key)
        if registration is None:
            self._seen_state.pop((release.registrations, key), None)
            return None
        if registration["metadata"].get("deletionTimestamp"):
            if has_finalizer(registration):
                await self._clean_up(registration, release)
            return None
        if await self.add_finalizer(release.registrations, registration):
            return REQUEUE_SECONDS
        try:
            route = self._route(registration)
            extensions = self._extensions(route, release)
            if extensions is None:
                await self._write(registration, release, "no valid mcpgatewayextensions configured")
                return None
            if not extensions and release.modern:
                await self._write(registration, release, "no matching mcpgatewayextensions for attached listener")
                return None
            entry = await self._entry(registration, release, extensions, route)
        except RegistrationError as error:
            await self._write(registration, release, str(error))
            raise RetryError(str(error)) from error

        def change(config: Config) -> None:
            upsert(config, entry)

        for namespace in _namespaces(extensions):
            await self.change_config(namespace, change)
        if release.modern:
            await self._report(registration, release)
            return None
        # Where a server matches no extension, this version writes no status at all.
        return await self._report_for_brokers(registration, release, extensions, entry)

    def _route(self, registration: Object) -> Object:
        """The route; always that of the registration's own namespace (#1199). Raises RegistrationError."""
        name = registration["spec"]["targetRef"]["name"]
        route = self.cache(HTTP_ROUTES).get(registration["metadata"]["namespace"], name)
        if route is None:
            kind = "HTTPRoute.gateway.networking.k8s.io"
            raise RegistrationError(f'failed to get targeted httproute {kind} "{name}" not found')
        return route

    def _extensions(self, route: Object, release: Release) -> list[Object] | None:
        """The extensions whose brokers serve the route; None if one of its Gateways has none at all.

        Raises RegistrationError.
        """
        gateways = [found for where in accepted_gateways(route) if (found := self.cache(GATEWAYS).get(*where))]
        if not gateways:
            raise RegistrationError("no valid gateways for httproute")
        matching = []
        for gateway in gateways:
            grants = self.cache(REFERENCE_GRANTS).list(gateway["metadata"]["namespace"])
            valid = valid_extensions(gateway, self.cache(release.extensions).list(), grants)
            if not valid:
                return None
            matching += [extension for extension in valid if attaches(route, gateway, extension)]
        return matching

    async def _entry(
        self, registration: Object, release: Release, extensions: Sequence[Object], route: Object
    ) -> dict[str, Any]:
        """The server's entry in the configuration. Raises RegistrationError."""
        spec, namespace = registration["spec"], registration["metadata"]["namespace"]
        service = self.cache(SERVICES).get(*service_key(route, backend_of(route)))
        url, hostname = endpoint(route, service, spec.get("path") or "", release)
        # In 0.8 and 0.9 a bundle of authorities makes the operator speak TLS to every server.
        if "caCertSecretRef" in spec or any("caCertBundleRef" in extension["spec"] for extension in extensions):
            url = with_tls(url)
        token = authority = ""
        if reference := spec.get("credentialRef"):
            secret = await self.client.get(SECRETS, reference["name"], namespace)
            token = credential(secret, reference["name"], reference.get("key", ""))
        if reference := spec.get("caCertSecretRef"):
            secret = await self.client.get(SECRETS, reference["name"], namespace)
            authority = server_ca(secret, reference["name"], reference.get("key") or "ca.crt")
        return server_entry(registration, url, hostname, release, credential=token, ca=authority)

    async def _write(
        self, registration: Object, release: Release, message: str, reason: str = "NotReady", tools: int = 0
    ) -> None:
        status = "True" if reason == "Ready" else "False"
        condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
        more = {} if release.modern else {"discoveredTools": tools or None}
        await self.set_condition(release.registrations, registration, condition, **more)

    async def _report(self, registration: Object, release: Release) -> None:
        """Says that the configuration is written, which is no word about the server."""
        if registration["spec"].get("state") == "Disabled":
            await self._write(registration, release, "server is disabled", "Disabled")
        else:
            await self._write(registration, release, "config written successfully", "Ready")
        await self._mark_route(registration)

    async def _report_for_brokers(
        self, registration: Object, release: Release, extensions: Sequence[Object], entry: Mapping[str, Any]
    ) -> float | None:
        """Says what each broker says of the server; the last one's word stays."""
        wanted = f"{entry['name']}:{entry.get('toolPrefix', '')}:{entry.get('hostname', '')}"
        for namespace in _namespaces(extensions):
            pods = self.cache(PODS).list(namespace, labels=APP_LABELS)
            try:
                servers = await broker_status(namespace, self.cache(SERVICES).get(namespace, BROKER), pods)
            except BrokerError as error:
                await self._write(registration, release, str(error))
                raise RetryError(str(error)) from error
            found = next((server for server in servers if server.get("id") == wanted), None)
            if found is None:
                await self._write(registration, release, NOT_THERE)
                return POLL_SECONDS
            reason = "Ready" if found.get("ready") else "NotReady"
            tools = int(found.get("totalTools") or 0)
            await self._write(registration, release, str(found.get("message") or ""), reason, tools)
            await self._mark_route(registration)
            if reason == "NotReady":
                return POLL_SECONDS
        return None

    async def _mark_route(self, registration: Object) -> None:
        """Adds the operator's condition to every parent in the route's status."""
        await self._change_marks(registration, with_condition)

    async def _unmark_route(self, registration: Object) -> None:
        """Takes the condition away, also if another registration uses the route."""
        await self._change_marks(registration, lambda conditions, mark: without_condition(conditions, mark["type"]))

    async def _change_marks(self, registration: Object, change: Any) -> None:
        route = self.cache(HTTP_ROUTES).get(*marked_route(registration))
        status = deepcopy((route or {}).get("status") or {})
        if route is None:
            return
        mark = {**IN_USE, "observedGeneration": route["metadata"]["generation"]}
        for parent in status.get("parents") or []:
            parent["conditions"] = change(parent.get("conditions") or [], mark)
        if status != (route.get("status") or {}):
            await self.replace(HTTP_ROUTES, {**route, "status": status}, subresource="status")

    async def _clean_up(self, registration: Object, release: Release) -> None:
        """Takes the server out of every configuration in the cluster and its mark off the route."""
        name = named(registration)

        def change(config: Config) -> None:
            config["servers"] = [server for server in config["servers"] if server.get("name") != name]

        for secret in self.cache(SECRETS).list(labels=AGGREGATED_LABEL):
            if any(server.get("name") == name for server in read_config(secret)["servers"]):
                await self.change_config(secret["metadata"]["namespace"], change)
        await self._unmark_route(registration)
        await self.drop_finalizer(release.registrations, registration)


def _namespaces(extensions: Iterable[Object]) -> list[str]:
    """Each once, in the order of the extensions."""
    return list(dict.fromkeys(extension["metadata"]["namespace"] for extension in extensions))
