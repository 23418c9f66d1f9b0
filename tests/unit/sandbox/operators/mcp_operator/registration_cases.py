# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's verdicts on an MCPServerRegistration, one row each: how it comes about, and what Ready says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from unit.sandbox.operators.mcp_operator.extension_cases import KEY, WRONG_BLOCK
from unit.sandbox.operators.mcp_operator.gateway_kit import BOTH, NEW, OLD, Gateway, certificate

Arrange = Callable[[Gateway], Awaitable[None]]
SERVERS = {"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"}
OTHER_PORT = {"name": "other", "port": 9000, "protocol": "HTTP", "hostname": "*.else.local"}


@dataclass(frozen=True)
class RegistrationCase:
    """One verdict on a registration ``weather``; ``{infra}`` and ``{team}`` stand for the namespaces."""

    name: str
    arrange: Arrange
    message: str
    reason: str = "NotReady"
    status: str = "False"
    configured: int = 0
    """How many servers the configuration has then."""
    begins: bool = False
    """Whether the message goes on with the words of a network library."""
    versions: tuple[str, ...] = BOTH


async def extended(world: Gateway) -> None:
    """A working gateway that has a second listener for servers and a third one on another port."""
    await world.grant()
    await world.listeners(SERVERS, OTHER_PORT)
    await world.extend()
    await world.ready()


def registered(route: dict[str, Any] | None = None, service: dict[str, Any] | None = None, **spec: Any) -> Arrange:
    """A server with its route and Service."""

    async def arrange(world: Gateway) -> None:
        await extended(world)
        await world.service(**(service or {}))
        await world.route(**{"section": "servers", **(route or {})})
        await world.register(**spec)

    return arrange


def with_secret(data: dict[str, str], field: str, *, labelled: bool = True, **ref: str) -> Arrange:
    """The same, with a Secret ``s`` that the registration refers to."""

    async def arrange(world: Gateway) -> None:
        await world.secret("s", data, labelled=labelled)
        await registered(**{field: {"name": "s", **ref}})(world)

    return arrange


async def no_route(world: Gateway) -> None:
    await extended(world)
    await world.register()


async def route_in_another_namespace(world: Gateway) -> None:
    """``targetRef.namespace`` does not help: the route is looked for beside the registration (#1199)."""
    await extended(world)
    await world.register(target={"namespace": world.infra})


async def no_service(world: Gateway) -> None:
    await extended(world)
    await world.route(section="servers")
    await world.register()


async def no_extension(world: Gateway) -> None:
    await world.listeners(SERVERS)
    await world.service()
    await world.route(section="servers")
    await world.register()


async def extension_not_ready(world: Gateway) -> None:
    await world.grant()
    await world.listeners(SERVERS)
    await world.extend(publicHost="broken.example.com")
    await world.refused("DeploymentNotReady")
    await world.service()
    await world.route(section="servers")
    await world.register()


def rules(*backends: Any, number: int = 1) -> dict[str, Any]:
    return {"rules": [{"backendRefs": list(backends)}] * number}


def kind(kind: str, group: str, name: str = "weather") -> dict[str, Any]:
    return {"group": group, "kind": kind, "name": name, "port": 9090}


WEATHER = {"name": "weather", "port": 9090}
LABEL = "mcp.kuadrant.io/secret=true"
ROUTE = "HTTPRoute {team}/weather"
STATUS = "http://mcp-gateway.{team}.svc.cluster.local:8080/status"
CA = "caCertSecretRef"
NOT_FOUND = 'failed to get targeted httproute HTTPRoute.gateway.networking.k8s.io "weather" not found'

REGISTRATION_CASES = [
    RegistrationCase("no route", no_route, NOT_FOUND),
    RegistrationCase("route in another namespace", route_in_another_namespace, NOT_FOUND),
    RegistrationCase(
        "route not accepted",
        registered({"metadata": {"annotations": {"test/ignored": ""}}}),
        "no valid gateways for httproute",
    ),
    RegistrationCase("no extension", no_extension, "no valid mcpgatewayextensions configured"),
    RegistrationCase("extension not ready", extension_not_ready, "no valid mcpgatewayextensions configured"),
    RegistrationCase(
        "another port",
        registered({"section": "other"}),
        "no matching mcpgatewayextensions for attached listener",
        versions=NEW,
    ),
    RegistrationCase(
        "another port, bad route",
        registered({"section": "other", **rules(WEATHER, number=2)}),
        f"{ROUTE} has > 1 rule, which is unsupported",
        versions=OLD,
    ),
    *(
        RegistrationCase(title, registered(route), f"{ROUTE} {message}")
        for title, route, message in (
            ("no backend", rules(), "has no backend references"),
            ("two rules without backend", rules(number=2), "has no backend references"),
            ("two rules", rules(WEATHER, number=2), "has > 1 rule, which is unsupported"),
            ("two backends", rules(WEATHER, WEATHER), "has > 1 backend reference, which is unsupported"),
            ("no hostname", {"hostnames": []}, "must have at least one hostname"),
        )
    ),
    RegistrationCase(
        "strange backend", registered(rules(kind("Bucket", "x.io"))), "unsupported backend reference kind: Bucket"
    ),
    RegistrationCase(
        "bad host name",
        registered(rules(kind("Hostname", "networking.istio.io", "a/b"))),
        "invalid hostname in backendRef: a/b",
    ),
    RegistrationCase("no service", no_service, 'failed to get service weather: Service "weather" not found'),
    RegistrationCase("no credential", registered(credentialRef={"name": "s"}), "credential secret s not found"),
    *(
        RegistrationCase(title, arrange, message)
        for title, arrange, message in (
            (
                "credential unlabelled",
                with_secret({"token": "x"}, "credentialRef", labelled=False),
                f"credential secret s is missing required label {LABEL}",
            ),
            (
                "credential without key",
                with_secret({"a": "b"}, "credentialRef"),
                "credential secret s missing key token",
            ),
            (
                "credential without named key",
                with_secret({"a": "b"}, "credentialRef", key="k"),
                "credential secret s missing key k",
            ),
        )
    ),
    RegistrationCase(
        "no CA", registered(caCertSecretRef={"name": "s"}), "CA certificate secret s not found", versions=NEW
    ),
    *(
        RegistrationCase(title, arrange, message, versions=NEW)
        for title, arrange, message in (
            (
                "CA unlabelled",
                with_secret({"ca.crt": "x"}, CA, labelled=False),
                f"CA certificate secret s is missing required label {LABEL}",
            ),
            ("CA without key", with_secret({"a": "b"}, CA), "CA certificate secret s missing key ca.crt"),
            (
                "CA too large",
                with_secret({"ca.crt": "x" * 65537}, CA),
                "CA certificate data in secret s exceeds maximum size (65536 bytes)",
            ),
            (
                "CA without certificate",
                with_secret({"ca.crt": "x"}, CA),
                "CA certificate in secret s is invalid: no valid PEM certificate blocks found",
            ),
            (
                "CA of another kind",
                with_secret({"ca.crt": KEY}, CA),
                f"CA certificate in secret s is invalid: {WRONG_BLOCK}",
            ),
            (
                "CA is a leaf",
                with_secret({"ca.crt": certificate(authority=False)}, CA),
                'CA certificate in secret s is invalid: certificate for "test" is not a CA certificate',
            ),
        )
    ),
    RegistrationCase("ready", registered(), "config written successfully", "Ready", "True", 1, versions=NEW),
    RegistrationCase(
        "disabled", registered(state="Disabled"), "server is disabled", "Disabled", "False", 1, versions=NEW
    ),
    RegistrationCase(
        "broker unreachable",
        registered(),
        f'Validation failed: failed to send request: Get "{STATUS}": ',
        configured=1,
        begins=True,
        versions=OLD,
    ),
]
