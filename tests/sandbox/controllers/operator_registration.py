# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: MCPServerRegistration becomes an entry in the broker's configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from http import HTTPStatus
from typing import Any, ClassVar

import aiohttp
from sandbox.client import Object
from sandbox.controllers.gateway_world import PORTS_ANNOTATION
from sandbox.controllers.operator_attachment import (
    RegistrationError,
    accepted_gateways,
    attaches,
    backend_of,
    endpoint,
    server_entry,
    service_key,
    valid_extensions,
)
from sandbox.controllers.operator_base import Config, OperatorController, nothing, read_config, with_condition
from sandbox.controllers.operator_release import (
    AGGREGATED_LABEL,
    APP_LABELS,
    EXTENSIONS,
    GATEWAYS,
    HTTP_ROUTES,
    PODS,
    REFERENCE_GRANTS,
    REGISTRATIONS,
    SECRETS,
    SERVICES,
    Release,
    named,
)
from sandbox.controllers.operator_secrets import SecretError, credential, server_ca
from sandbox.controllers.runtime import Key, Watch

STATUS_SECONDS = 10.0
POLL_SECONDS = 5.0


class RegistrationController(OperatorController):
    """Ready says that the configuration was written; only before 0.8 does it say that the broker connected."""

    workers: ClassVar[int] = 16

    def watches(self) -> Sequence[Watch]:
        return [
            *(Watch(resource) for resource in REGISTRATIONS),
            *(Watch(resource, self._all) for resource in EXTENSIONS),
            *self.operator_watches(REGISTRATIONS),
            Watch(HTTP_ROUTES, self._targeting),
            Watch(GATEWAYS, self._all),
            Watch(SECRETS, self._using),
            Watch(REFERENCE_GRANTS, nothing),
            Watch(SERVICES, nothing),
            Watch(PODS, nothing),
        ]

    def _registrations(self) -> list[Object]:
        release = self.release()
        return self.cache(release.registrations).list() if release else []

    def _all(self, _: Object) -> Iterable[Key]:
        return [(entry["metadata"]["namespace"], entry["metadata"]["name"]) for entry in self._registrations()]

    def _targeting(self, route: Object) -> Iterable[Key]:
        namespace, name = route["metadata"]["namespace"], route["metadata"]["name"]
        for entry in self._registrations():
            if entry["metadata"]["namespace"] == namespace and entry["spec"]["targetRef"]["name"] == name:
                yield namespace, entry["metadata"]["name"]

    def _using(self, secret: Object) -> Iterable[Key]:
        namespace, name = secret["metadata"]["namespace"], secret["metadata"]["name"]
        for entry in self._registrations():
            spec = entry["spec"]
            names = {(spec.get(field) or {}).get("name") for field in ("credentialRef", "caCertSecretRef")}
            if entry["metadata"]["namespace"] == namespace and name in names:
                yield namespace, entry["metadata"]["name"]

    async def reconcile(self, key: Key) -> float | None:
        release = self.release()
        registration = self.cache(release.registrations).get(*key) if release else None
        if release is None or registration is None:
            return None
        if registration["metadata"].get("deletionTimestamp"):
            await self._finalize(registration, release)
            return None
        if await self.add_finalizer(release.registrations, registration):
            return None
        try:
            extensions, route = self._extensions(registration, release)
            if not extensions:
                return None
            for extension in extensions:
                await self._upsert(registration, release, extension, route)
        except (RegistrationError, SecretError) as error:
            await self._write(registration, release, "False", "NotReady", str(error))
            return None
        again = await self._report(registration, release, extensions[0]["metadata"]["namespace"])
        await self._mark_route(route, registration)
        return again

    def _extensions(self, registration: Object, release: Release) -> tuple[list[Object], Object]:
        """The extensions whose brokers serve the server, and its route. Raises RegistrationError."""
        namespace, name = registration["metadata"]["namespace"], registration["spec"]["targetRef"]["name"]
        route = self.cache(HTTP_ROUTES).get(namespace, name)
        if route is None:
            raise RegistrationError(
                f'failed to get targeted httproute {namespace}/{name}: httproutes.gateway.networking.k8s.io "{name}" '
                "not found"
            )
        found = [self.cache(GATEWAYS).get(*where) for where in accepted_gateways(route)]
        gateways = [gateway for gateway in found if gateway]
        if not gateways:
            raise RegistrationError("no valid gateways for httproute")
        extensions = self.cache(release.extensions).list()
        valid, matching = False, []
        for gateway in gateways:
            grants = self.cache(REFERENCE_GRANTS).list(gateway["metadata"]["namespace"])
            for extension in valid_extensions(gateway, extensions, grants):
                valid = True
                if attaches(route, gateway, extension):
                    matching.append(extension)
        if not valid:
            raise RegistrationError("no valid mcpgatewayextensions configured")
        if not matching and release.modern:
            raise RegistrationError("no matching mcpgatewayextensions for attached listener")
        return matching, route  # before 0.7 a server that matches nowhere gets no status at all

    async def _upsert(self, registration: Object, release: Release, extension: Object, route: Object) -> None:
        spec, namespace = registration["spec"], registration["metadata"]["namespace"]
        authority = token = None
        if reference := spec.get("credentialRef"):
            secret = self.cache(SECRETS).get(namespace, reference["name"])
            token = credential(secret, reference["name"], reference.get("key") or "token")
        if reference := spec.get("caCertSecretRef"):
            secret = self.cache(SECRETS).get(namespace, reference["name"])
            authority = server_ca(secret, reference["name"], reference.get("key") or "ca.crt")
        backend = backend_of(route)
        # In 0.8 and 0.9 a bundle of authorities makes the operator speak TLS to every server.
        force_tls = "caCertSecretRef" in spec or "caCertBundleRef" in extension["spec"]
        service = self.cache(SERVICES).get(*service_key(route, backend))
        url, hostname = endpoint(route, backend, service, spec.get("path") or "/mcp", force_tls=force_tls)
        entry = server_entry(registration, url, hostname, modern=release.modern, credential=token, ca=authority)

        def change(config: Config) -> None:
            servers = config["servers"]
            for index, server in enumerate(servers):
                if server["name"] == entry["name"]:
                    servers[index] = entry
                    return
            servers.append(entry)

        await self.change_config(extension["metadata"]["namespace"], change)

    async def _write(
        self, registration: Object, release: Release, status: str, reason: str, message: str, **more: Any
    ) -> None:
        condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
        await self.set_condition(release.registrations, registration, condition, **more)

    async def _report(self, registration: Object, release: Release, namespace: str) -> float | None:
        """Writes Ready; before 0.8 by what the broker says of the server."""
        if registration["spec"].get("state") == "Disabled":
            await self._write(registration, release, "False", "Disabled", "server is disabled")
            return None
        if release.modern:
            await self._write(registration, release, "True", "Ready", "config written successfully")
            return None
        server = await self._server_status(namespace, named(registration))
        if server is None:
            message = "mcp server is not present in gateway yet"
            await self._write(registration, release, "False", "NotReady", message)
            return POLL_SECONDS
        ready, tools = bool(server.get("ready")), int(server.get("totalTools") or 0)
        status, reason = ("True", "Ready") if ready else ("False", "NotReady")
        message = server.get("message") or ""
        await self._write(registration, release, status, reason, message, discoveredTools=tools)
        return None if ready else POLL_SECONDS

    async def _server_status(self, namespace: str, name: str) -> Object | None:
        """What the broker of a namespace says of a server on its /status page."""
        port = next(
            (found for pod in self.cache(PODS).list(namespace, labels=APP_LABELS) if (found := _local_port(pod))),
            None,
        )
        if port is None:
            return None
        timeout = aiohttp.ClientTimeout(total=STATUS_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://127.0.0.1:{port}/status") as answer,
            ):
                body = await answer.json() if answer.status == HTTPStatus.OK else {}
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        return next((server for server in body.get("servers") or [] if server.get("name") == name), None)

    async def _mark_route(self, route: Object, registration: Object) -> None:
        """Adds the operator's condition to every parent in the route's status."""
        status = deepcopy(route.get("status") or {})
        for parent in status.get("parents") or []:
            condition = {
                "type": "Programmed",
                "status": "True",
                "reason": "InUseByMCPServerRegistration",
                "message": f"HTTPRoute is in use by MCPServerRegistration {named(registration)}",
                "observedGeneration": route["metadata"]["generation"],
            }
            parent["conditions"] = with_condition(parent["conditions"], condition)
        if status != (route.get("status") or {}):
            await self.replace(HTTP_ROUTES, {**route, "status": status}, subresource="status")

    async def _finalize(self, registration: Object, release: Release) -> None:
        """Takes the server out of every configuration in the cluster and its mark off the route."""
        name = named(registration)

        def change(config: Config) -> None:
            config["servers"] = [server for server in config["servers"] if server["name"] != name]

        for secret in self.cache(SECRETS).list(labels=AGGREGATED_LABEL):
            if any(server["name"] == name for server in read_config(secret)["servers"]):
                await self.change_config(secret["metadata"]["namespace"], change)
        namespace = registration["metadata"]["namespace"]
        route = self.cache(HTTP_ROUTES).get(namespace, registration["spec"]["targetRef"]["name"])
        if route:
            await self._unmark_route(route)
        await self.drop_finalizer(release.registrations, registration)

    async def _unmark_route(self, route: Object) -> None:
        status = deepcopy(route.get("status") or {})
        for parent in status.get("parents") or []:
            parent["conditions"] = [entry for entry in parent["conditions"] if entry["type"] != "Programmed"]
        if status != (route.get("status") or {}):
            await self.replace(HTTP_ROUTES, {**route, "status": status}, subresource="status")


def _local_port(pod: Object) -> int | None:
    """Where the sandbox's runner made the pod's port 8080 reachable on this machine."""
    ports = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION, "{}"))
    found = ports.get("8080")
    return int(found) if found else None
