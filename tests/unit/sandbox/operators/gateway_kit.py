# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway with the MCP operator stand-in at work, for the tests of its reconcilers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
from collections.abc import AsyncIterator
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sandbox.catalog.crds import operator_crds
from sandbox.catalog.csv import broker_image, cluster_service_version
from sandbox.client import Object, Resource
from sandbox.controllers.operator_extension import ExtensionController
from sandbox.controllers.operator_registration import RegistrationController
from sandbox.controllers.operator_release import (
    CONFIG_SECRET,
    DEPLOYMENTS,
    GATEWAYS,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    SECRETS,
    SERVICES,
    Release,
)
from sandbox.controllers.operator_virtual_server import VirtualServerController
from unit.sandbox.operators.kit import PATIENCE, AcceptingGateways, AvailableDeployments, Cluster, running

CONTROLLER = "mcp-gateway-controller"
SECRET_LABEL = {"mcp.kuadrant.io/secret": "true"}


class Gateway:
    """One Gateway ``gw`` and a team namespace that may refer to it."""

    def __init__(self, cluster: Cluster, release: Release, home: str, infra: str, team: str) -> None:
        self.cluster, self.release, self.home, self.infra, self.team = cluster, release, home, infra, team
        self.extension_controller = ExtensionController()
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
        """Takes the operator's Deployment away."""
        await self.cluster.client.delete(DEPLOYMENTS, CONTROLLER, self.home)
        await self.cluster.gone(DEPLOYMENTS, self.home, CONTROLLER)
        await self.operator_stopped()

    async def operator_stopped(self) -> None:
        """Returns when the stand-in has noticed that it is not running."""
        async with asyncio.timeout(PATIENCE):
            while self.extension_controller.release():  # noqa: ASYNC110  (its caches have no event to wait for)
                await asyncio.sleep(0.005)

    async def listeners(self, *more: Object, allowed: str = "All", hostname: str = "mcp.example.com") -> None:
        """Writes the Gateway with a listener ``mcps`` on port 8080 and others."""
        first: Object = {"name": "mcps", "port": 8080, "protocol": "HTTP"}
        if hostname:
            first["hostname"] = hostname
        routes = {"namespaces": {"from": allowed}}
        listeners = [{**entry, "allowedRoutes": routes} for entry in (first, *more)]
        await self.cluster.apply(
            GATEWAYS, self.infra, "gw", {"gatewayClassName": "openshift-default", "listeners": listeners}
        )

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

    async def refused(self, text: str, name: str = "mcp-gateway", namespace: str = "") -> Object:
        return await self.cluster.condition(self.extensions, (namespace or self.team, name), "Ready", "False", text)

    async def secret(self, name: str, data: dict[str, str], *, labelled: bool = True) -> None:
        values = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        meta = {"labels": SECRET_LABEL if labelled else {}}
        await self.cluster.apply(SECRETS, self.team, name, metadata=meta, data=values)

    async def service(self, name: str = "weather") -> None:
        await self.cluster.apply(SERVICES, self.team, name, {"ports": [{"port": 9090}]})

    async def route(self, name: str = "weather", section: str = "mcps", **spec: Any) -> None:
        """A route of the team to a Service of the same name."""
        parent = {"name": "gw", "namespace": self.infra, "sectionName": section}
        rules = [{"backendRefs": [{"name": name, "port": 9090}]}]
        content = {"parentRefs": [parent], "hostnames": [f"{name}.mcp.local"], "rules": rules, **spec}
        await self.cluster.apply(HTTP_ROUTES, self.team, name, content)

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

    async def absent(self, resource: Resource, namespace: str, name: str) -> bool:
        return await self.cluster.client.get(resource, name, namespace) is None


@contextlib.asynccontextmanager
async def gateway(cluster: Cluster, release: Release) -> AsyncIterator[Gateway]:
    """A gateway in namespaces of its own; what is left is removed while the operator still runs."""
    await cluster.install()
    await cluster.install(operator_crds(release.version))
    home, infra, team = [await cluster.namespace() for _ in range(3)]
    found = Gateway(cluster, release, home, infra, team)
    own = [found.extension_controller, RegistrationController(), VirtualServerController()]
    async with running(cluster.client, [*own, AvailableDeployments(), AcceptingGateways()]):
        await found.start_operator()
        await found.listeners()
        try:
            yield found
        finally:
            for resource in (found.virtual_servers, found.registrations, found.extensions):
                items, _ = await cluster.client.list(resource)
                for item in items:
                    await cluster.client.delete(resource, item["metadata"]["name"], item["metadata"]["namespace"])
                for item in items:
                    await cluster.gone(resource, item["metadata"]["namespace"], item["metadata"]["name"])
            await found.stop_operator()


def release(version: str) -> Release:
    """The release of a version, as the stand-in sees it."""
    image = broker_image(version)
    if version == "0.6.0":
        return Release(version, image, "v1alpha1", "toolPrefix", "JWT_SESSION_SIGNING_KEY", modern=False)
    return Release(version, image)


def certificate(*, authority: bool) -> str:
    """A self-signed certificate in PEM, of an authority or not."""
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
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
