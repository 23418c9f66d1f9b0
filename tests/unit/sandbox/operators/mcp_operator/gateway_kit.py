# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway with the MCP operator stand-in at work, for the tests of its reconcilers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sandbox.catalog.crds import operator_crds
from sandbox.catalog.csv import broker_image, cluster_service_version
from sandbox.client import Object, Resource
from sandbox.controllers.lifecycle import GarbageCollector
from sandbox.controllers.operator_base import OperatorController
from sandbox.controllers.operator_extension import ExtensionController
from sandbox.controllers.operator_registration import RegistrationController
from sandbox.controllers.operator_release import CONFIG_SECRET, ROUTE, SIGNING_KEY_SECRET, TOKENS_ROUTE, Release
from sandbox.controllers.operator_virtual_server import VirtualServerController
from sandbox.kinds import (
    DEPLOYMENTS,
    ENVOY_FILTERS,
    GATEWAYS,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from unit.sandbox.operators.kit import PATIENCE, AcceptingGateways, AvailableDeployments, Cluster, running

CONTROLLER = "mcp-gateway-controller"
BOTH, NEW, OLD = ("0.6.0", "0.9.0"), ("0.9.0",), ("0.6.0",)
"""Versions of the operator."""
SECRET_LABEL = {"mcp.kuadrant.io/secret": "true"}


class Gateway:
    """One Gateway ``gw`` in namespace ``infra``, and a namespace ``team`` that may extend it once it is granted."""

    def __init__(self, cluster: Cluster, release: Release, home: str, infra: str, team: str) -> None:
        self.cluster, self.release, self.home, self.infra, self.team = cluster, release, home, infra, team
        self.extensions = release.extensions
        self.registrations = release.registrations
        self.virtual_servers = release.virtual_servers

    async def start_operator(self) -> None:
        """What installing the operator leaves: its Deployment, available (the CRDs are there)."""
        csv = cluster_service_version(self.release.version, replaces=None, crds=[])
        wanted = csv["spec"]["install"]["spec"]["deployments"][0]
        await self.cluster.apply(DEPLOYMENTS, self.home, CONTROLLER, wanted["spec"])

        def available(deployment: Object) -> Any:
            return (deployment.get("status") or {}).get("availableReplicas")

        await self.cluster.until(DEPLOYMENTS, self.home, CONTROLLER, available)

    async def stop_operator(self) -> None:
        """Takes the operator's Deployment away; from then on it does nothing."""
        await self.cluster.client.delete(DEPLOYMENTS, CONTROLLER, self.home)
        await self.cluster.gone(DEPLOYMENTS, self.home, CONTROLLER)
        await operator_stopped()

    async def listeners(
        self, *more: Object, allowed: str = "All", hostname: str = "mcp.example.com", **metadata: Any
    ) -> None:
        """Writes the Gateway with a listener ``mcps`` on port 8080 and others."""
        first: Object = {"name": "mcps", "port": 8080, "protocol": "HTTP"}
        if hostname:
            first["hostname"] = hostname
        routes = {"namespaces": {"from": allowed}}
        listeners = [{**entry, "allowedRoutes": routes} for entry in (first, *more)]
        spec = {"gatewayClassName": "openshift-default", "listeners": listeners}
        await self.cluster.apply(GATEWAYS, self.infra, "gw", spec, metadata=metadata)

    async def listener(self, **fields: Any) -> None:
        """Changes fields of the listener ``mcps``."""
        spec = {
            "listeners": [{"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com", **fields}]
        }
        await self.cluster.apply(GATEWAYS, self.infra, "gw", {"gatewayClassName": "openshift-default", **spec})

    async def rival(self, namespace: str, section: str = "mcps") -> None:
        """Writes an extension in another namespace, and lets the second pass that tells which one is older."""
        await self.grant(namespace, name=f"grant-{namespace}")
        await self.extend("elder", namespace, target={"sectionName": section})
        await self.ready("elder", namespace)
        await self.age(namespace, "elder")

    async def age(self, namespace: str, name: str) -> None:
        """Returns when what is made from now on is younger than the extension (timestamps count whole seconds)."""
        found = await self.cluster.client.get(self.extensions, name, namespace)
        assert found
        born = datetime.datetime.fromisoformat(found["metadata"]["creationTimestamp"])
        older = born + datetime.timedelta(seconds=1) - datetime.datetime.now(datetime.UTC)
        await asyncio.sleep(max(0.0, older.total_seconds()))  # there is nothing else to wait for

    async def grant(self, *namespaces: str, name: str = "grant") -> None:
        """Lets extensions of the namespaces (the team's, unless given) refer to the Gateway."""
        entry = {"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension"}
        sources = [{**entry, "namespace": namespace} for namespace in namespaces or (self.team,)]
        target = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
        await self.cluster.apply(REFERENCE_GRANTS, self.infra, name, {"from": sources, "to": [target]})

    async def extend(self, name: str = "mcp-gateway", namespace: str = "", **spec: Any) -> None:
        """Writes an extension of the listener ``mcps``."""
        target = {"name": "gw", "namespace": self.infra, "sectionName": "mcps", **spec.pop("target", {})}
        await self.cluster.apply(self.extensions, namespace or self.team, name, {"targetRef": target, **spec})

    async def ready(self, name: str = "mcp-gateway", namespace: str = "") -> Object:
        return await self.cluster.condition(
            self.extensions, (namespace or self.team, name), "Ready", "True", "ValidMCPGatewayExtension"
        )

    async def ready_again(self) -> None:
        """Returns when Ready is True for the extension as it is now, with everything that this promises."""

        def current(extension: Object) -> bool:
            found = (extension.get("status") or {}).get("conditions") or [{}]
            wanted = ("True", extension["metadata"]["generation"])
            return (found[0].get("status"), found[0].get("observedGeneration")) == wanted

        await self.there(self.extensions, self.team, "mcp-gateway", current)

    async def canary(self) -> None:
        """Returns when the operator has seen everything that happened until now.

        Another team's extension becomes ready: what was to be noticed was in the same queues before it.
        """
        team = await self.cluster.namespace()
        infra = await self.cluster.namespace()
        other = Gateway(self.cluster, self.release, self.home, infra, team)
        await other.listeners()
        await other.grant()
        await other.extend()
        await other.ready()

    async def settled(self) -> None:
        """Returns when two looks at everything, with something seen by the operator in between, are the same."""
        before: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            while (now := await self.versions()) != before:
                before = now
                await self.canary()

    async def versions(self) -> dict[str, str]:
        """The resourceVersion of everything that the operator may write in the team's and the Gateway's namespaces."""
        kinds = {resource for resource, _, _ in objects_of(self).values()}
        kinds |= {self.extensions, self.registrations, self.virtual_servers, GATEWAYS}
        lists = await asyncio.gather(
            *(self.cluster.client.list(kind, space) for kind in kinds for space in (self.team, self.infra))
        )
        return {
            f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}": item["metadata"][
                "resourceVersion"
            ]
            for items, _ in lists
            for item in items
        }

    async def refused(self, text: str, name: str = "mcp-gateway", namespace: str = "") -> Object:
        return await self.cluster.condition(self.extensions, (namespace or self.team, name), "Ready", "False", text)

    async def secret(self, name: str, data: dict[str, str], *, labelled: bool = True) -> None:
        values = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        meta = {"labels": SECRET_LABEL if labelled else {}}
        await self.cluster.apply(SECRETS, self.team, name, metadata=meta, data=values)

    async def service(self, name: str = "weather", **spec: Any) -> None:
        await self.cluster.apply(SERVICES, self.team, name, {"ports": [{"port": 9090}], **spec})

    async def route(self, name: str = "weather", section: str = "mcps", **spec: Any) -> None:
        """A route of the team to a Service of the same name."""
        metadata = spec.pop("metadata", {})
        parent = {"name": "gw", "namespace": self.infra, "sectionName": section}
        rules = [{"backendRefs": [{"name": name, "port": 9090}]}]
        content = {"parentRefs": [parent], "hostnames": [f"{name}.mcp.local"], "rules": rules, **spec}
        await self.cluster.apply(HTTP_ROUTES, self.team, name, content, metadata=metadata)

    async def register(self, name: str = "weather", **spec: Any) -> None:
        target = {"name": name, **spec.pop("target", {})}
        await self.cluster.apply(self.registrations, self.team, name, {"targetRef": target, **spec})

    async def registered(self, text: str, *, status: str = "True", name: str = "weather") -> Object:
        return await self.cluster.condition(self.registrations, (self.team, name), "Ready", status, text)

    async def config(self, when: Any = lambda config: True) -> Object:
        """The broker's configuration as soon as ``when`` holds for it."""

        def read(secret: Object) -> Object:
            return dict(yaml.safe_load(base64.b64decode(secret["data"]["config.yaml"])))

        found = await self.cluster.until(SECRETS, self.team, CONFIG_SECRET, lambda secret: when(read(secret)))
        return read(found)

    async def config_text(self) -> str:
        """The text of the broker's configuration; as good as none when there is no Secret."""
        secret = await self.cluster.client.get(SECRETS, CONFIG_SECRET, self.team)
        return base64.b64decode(secret["data"]["config.yaml"]).decode() if secret else "servers: []"

    async def config_now(self) -> Object:
        """The broker's configuration as it is."""
        return dict(yaml.safe_load(await self.config_text()))

    async def there(self, resource: Resource, namespace: str, name: str, when: Any = lambda obj: True) -> Object:
        """The object as soon as it exists and ``when`` holds for it."""
        return await self.cluster.until(resource, namespace, name, when)

    async def absent(self, resource: Resource, namespace: str, name: str) -> bool:
        return await self.cluster.client.get(resource, name, namespace) is None

    async def broker(self, when: Any = lambda container: True) -> Object:
        """The container of the team's broker as soon as ``when`` holds for it."""

        def container(obj: Object) -> Object:
            return dict(obj["spec"]["template"]["spec"]["containers"][0])

        return container(await self.there(DEPLOYMENTS, self.team, "mcp-gateway", lambda obj: when(container(obj))))


_stand_ins: list[OperatorController] = []


def stand_ins() -> list[OperatorController]:
    """The stand-in of the operator."""
    _stand_ins[:] = [ExtensionController(), RegistrationController(), VirtualServerController()]
    return _stand_ins


async def operator_stopped() -> None:
    """Returns when the stand-in has noticed that it is not running."""
    async with asyncio.timeout(PATIENCE):
        while any(controller.release() for controller in _stand_ins):  # noqa: ASYNC110  (no event to wait for)
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def operated(cluster: Cluster, release: Release, *, orphans: bool = False) -> AsyncIterator[Gateway]:
    """A cluster with the operator of a release at work, and a Gateway; what is left is removed while it still runs.

    ``orphans``: whether the API server leaves to others to collect what lost its owner.
    """
    await cluster.install()
    await cluster.install(operator_crds(release.version))
    home, infra, team = [await cluster.namespace() for _ in range(3)]
    found = Gateway(cluster, release, home, infra, team)
    around = [AvailableDeployments(), AcceptingGateways(), *([GarbageCollector()] if orphans else [])]
    async with running(cluster.client, [*stand_ins(), *around]):
        await found.start_operator()
        await found.listeners()
        try:
            yield found
        finally:
            await removed(found)
            await found.stop_operator()


async def removed(world: Gateway) -> None:
    """Deletes every extension, registration and virtual server and waits until they are gone."""
    client = world.cluster.client
    for resource in (world.virtual_servers, world.registrations, world.extensions):
        items, _ = await client.list(resource)
        for item in items:
            await client.delete(resource, item["metadata"]["name"], item["metadata"]["namespace"])
        for item in items:
            await world.cluster.gone(resource, item["metadata"]["namespace"], item["metadata"]["name"])


async def another(world: Gateway) -> Gateway:
    """A Gateway of its own under the same operator."""
    infra, team = [await world.cluster.namespace() for _ in range(2)]
    found = Gateway(world.cluster, world.release, world.home, infra, team)
    await found.listeners()
    return found


def objects_of(world: Gateway) -> Mapping[str, tuple[Resource, str, str]]:
    """Every object that an extension can lead to: short name, resource, namespace, name."""
    team, broker = world.team, "mcp-gateway"
    return {
        "config": (SECRETS, team, CONFIG_SECRET),
        "key": (SECRETS, team, SIGNING_KEY_SECRET),
        "account": (SERVICE_ACCOUNTS, team, broker),
        "deployment": (DEPLOYMENTS, team, broker),
        "service": (SERVICES, team, broker),
        "route": (HTTP_ROUTES, team, ROUTE),
        "tokens": (HTTP_ROUTES, team, TOKENS_ROUTE),
        "private": (SECRETS, team, "trust-private"),
        "filter": (ENVOY_FILTERS, world.infra, f"mcp-ext-proc-{team}-gateway"),
    }


async def existing(world: Gateway) -> set[str]:
    """The short names of the objects that are there."""
    found = await asyncio.gather(
        *(world.cluster.client.get(resource, name, space) for resource, space, name in objects_of(world).values())
    )
    return {short for short, obj in zip(objects_of(world), found, strict=True) if obj}


def release(version: str) -> Release:
    """The release of a version, as the stand-in sees it."""
    return Release(version, broker_image(version))


def certificate(*, authority: bool | None) -> str:
    """A self-signed certificate in PEM, of an authority or not, or one that does not say."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
    )
    if authority is not None:
        made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
