# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's verdicts on an MCPGatewayExtension, one row each: how it comes about, what Ready says, what exists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox.kinds import REFERENCE_GRANTS
from unit.sandbox.operators.mcp_operator.gateway_kit import BOTH, NEW, Gateway, certificate

Arrange = Callable[[Gateway], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """One verdict; ``{infra}`` and ``{team}`` in the message are the namespaces of the Gateway and of the team.

    ``{dns}`` is what Kubernetes says of a name that is no subdomain.
    """

    name: str
    arrange: Arrange
    reason: str
    message: str
    objects: str
    """Which objects of the extension exist then, by their short names in `gateway_kit.objects_of`."""
    status: str = "False"
    subject: str = "mcp-gateway"
    versions: tuple[str, ...] = BOTH


CHECKED = "config key"
RUNNING = f"{CHECKED} account deployment service route"
ALL = f"{RUNNING} filter"


def granted(**spec: Any) -> Arrange:
    """An extension that is allowed to refer to the Gateway."""

    async def arrange(world: Gateway) -> None:
        await world.grant()
        await world.extend(**spec)

    return arrange


def with_secret(name: str, data: dict[str, str], *, labelled: bool = True, **spec: Any) -> Arrange:
    """The same, after a Secret."""

    async def arrange(world: Gateway) -> None:
        await world.secret(name, data, labelled=labelled)
        await granted(**spec)(world)

    return arrange


def with_listener(allowed: str = "All", hostname: str = "mcp.example.com", **spec: Any) -> Arrange:
    """The same, with another listener."""

    async def arrange(world: Gateway) -> None:
        await world.listeners(allowed=allowed, hostname=hostname)
        await granted(**spec)(world)

    return arrange


async def second_in_namespace(world: Gateway) -> None:
    await granted(name="first")(world)
    await world.ready("first")
    await world.age(world.team, "first")
    await world.extend("a-second")


async def no_gateway(world: Gateway) -> None:
    await granted(target={"name": "nowhere"})(world)


async def no_target_namespace(world: Gateway) -> None:
    """Not the extension's own namespace, whatever the field's description says (#1186)."""
    await world.cluster.apply(
        world.extensions, world.team, "mcp-gateway", {"targetRef": {"name": "gw", "sectionName": "mcps"}}
    )


async def selector_without_match(world: Gateway) -> None:
    routes = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "another"}}}}
    await world.listener(allowedRoutes=routes)
    await granted()(world)


async def selector_with_match(world: Gateway) -> None:
    wanted = {"matchLabels": {"kubernetes.io/metadata.name": world.team}}
    await world.listener(allowedRoutes={"namespaces": {"from": "Selector", "selector": wanted}})
    await granted()(world)


async def grant_for_another_gateway(world: Gateway) -> None:
    source = {"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": world.team}
    to = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "another"}
    await world.cluster.apply(REFERENCE_GRANTS, world.infra, "grant", {"from": [source], "to": [to]})
    await world.extend()


async def taken_port(world: Gateway) -> None:
    rival = await world.cluster.namespace(f"{world.team}-rival")
    await world.listeners({"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"})
    await world.rival(rival)
    await granted(target={"sectionName": "servers"})(world)


async def listener_without_status(world: Gateway) -> None:
    """The Gateway's controller does not get round to a new listener."""
    late = {"name": "late", "port": 9000, "protocol": "HTTP", "hostname": "late.example.com"}
    await world.listeners(late, annotations={"test/ignored": ""})
    await granted(target={"sectionName": "late"})(world)


def needs_store(data: dict[str, str], *, labelled: bool = True) -> Arrange:
    return with_secret("redis", data, labelled=labelled, sessionStore={"secretName": "redis"})


def needs_bundle(data: dict[str, str], *, labelled: bool = True, **ref: str) -> Arrange:
    return with_secret("bundle", data, labelled=labelled, caCertBundleRef={"name": "bundle", **ref})


INVALID, SECRET_NOT_FOUND, SECRET_INVALID = "InvalidMCPGatewayExtension", "SecretNotFound", "SecretInvalid"
STORE = "CACHE_CONNECTION_STRING"
LABEL = "mcp.kuadrant.io/secret=true"
DNS_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LISTENER = 'listener "mcps" on gateway {infra}/gw'
TRUST = {"secretName": "trust"}
WRONG_BLOCK = 'unexpected PEM block type "EC PRIVATE KEY", expected CERTIFICATE'
KEY = "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n"

SURROUNDINGS = [
    Case(
        "second in namespace",
        second_in_namespace,
        INVALID,
        "conflict: namespace {team} already has MCPGatewayExtension first (only one per namespace allowed)",
        ALL,
        subject="a-second",
    ),
    Case("no gateway", no_gateway, INVALID, "invalid: gateway target {infra}/nowhere not found", ""),
    Case("no target namespace", no_target_namespace, INVALID, "invalid: gateway target /gw not found", ""),
    Case(
        "no listener",
        granted(target={"sectionName": "nope"}),
        INVALID,
        'listener "nope" not found on gateway {infra}/gw',
        "",
    ),
    Case(
        "no hostname",
        with_listener(hostname=""),
        INVALID,
        f"{LISTENER} has no hostname and spec.publicHost is not set",
        "",
    ),
    *(
        Case(
            f"routes {title}",
            arrange,
            INVALID,
            f'{LISTENER} does not allow routes from namespace "{{team}}"',
            "",
        )
        for title, arrange in (
            ("from Same", with_listener(allowed="Same")),
            ("of other labels", selector_without_match),
        )
    ),
    *(
        Case(
            title,
            arrange,
            "ReferenceGrantRequired",
            "invalid: ReferenceGrant required in {infra} to allow cross-namespace reference from {team}",
            "config",
        )
        for title, arrange in (("no grant", Gateway.extend), ("grant for another gateway", grant_for_another_gateway))
    ),
    Case(
        "port taken",
        taken_port,
        INVALID,
        "conflict: listener port 8080 on gateway {infra}/gw is already configured by MCPGatewayExtension "
        "{team}-rival/elder (listener mcps)",
        "",
    ),
]
PUBLIC_HOSTS = [
    Case(f"public host {given}", granted(publicHost=given), INVALID, message, CHECKED)
    for given, message in (
        ("https://x.example.com", 'invalid public host "https://x.example.com": must be a hostname, not a URL'),
        ("X.example.com", 'invalid public host "X.example.com": {dns}'),
        ("*.example.com", 'invalid public host "*.example.com": {dns}'),
        ("x_y.example.com:8080", 'invalid public host "x_y.example.com": {dns}'),
        ("a:b:80", 'invalid public host "a:b:80": {dns}'),
        ("x" * 254, f'invalid public host "{"x" * 254}": must be no more than 253 characters'),
        (":8080", "unable to derive public host: no hostname available"),
    )
]
USER_SECRETS = [
    Case(
        "no trusted headers",
        granted(trustedHeadersKey=TRUST),
        SECRET_NOT_FOUND,
        "secret trust not found in namespace {team}",
        "config",
    ),
    Case(
        "trusted headers empty",
        with_secret("trust", {}, trustedHeadersKey=TRUST),
        SECRET_INVALID,
        "secret trust has no data",
        "config",
    ),
    Case(
        "trusted headers without key",
        with_secret("trust", {"public": "x"}, trustedHeadersKey=TRUST),
        SECRET_INVALID,
        'secret trust is missing required data entry "key"',
        "config",
    ),
    Case(
        "no session store",
        granted(sessionStore={"secretName": "redis"}),
        SECRET_NOT_FOUND,
        "session store secret redis not found in namespace {team}",
        CHECKED,
    ),
    *(
        Case(f"session store {title}", arrange, SECRET_INVALID, f"session store secret redis {rest}", CHECKED)
        for title, arrange, rest in (
            ("unlabelled", needs_store({STORE: "x"}, labelled=False), f"is missing required label {LABEL}"),
            ("empty", needs_store({}), "has no data"),
            ("without key", needs_store({"a": "b"}), f'is missing required data entry "{STORE}"'),
            ("with empty key", needs_store({STORE: ""}), f'has empty "{STORE}" value'),
        )
    ),
    Case(
        "no bundle",
        granted(caCertBundleRef={"name": "bundle"}),
        SECRET_NOT_FOUND,
        "CA bundle secret bundle not found",
        CHECKED,
        versions=NEW,
    ),
    *(
        Case(f"bundle {title}", arrange, SECRET_INVALID, message, CHECKED, versions=NEW)
        for title, arrange, message in (
            (
                "unlabelled",
                needs_bundle({"ca.crt": "x"}, labelled=False),
                f"CA bundle secret bundle missing required label {LABEL}",
            ),
            ("without key", needs_bundle({"a": "b"}), "CA bundle secret bundle missing key ca.crt"),
            ("without named key", needs_bundle({"a": "b"}, key="root"), "CA bundle secret bundle missing key root"),
            (
                "too large",
                needs_bundle({"ca.crt": "x" * 262145}),
                "CA bundle data in secret bundle exceeds maximum size (262144 bytes)",
            ),
            (
                "without certificate",
                needs_bundle({"ca.crt": "x"}),
                "CA bundle in secret bundle is invalid: no valid PEM certificate blocks found",
            ),
            (
                "of another kind",
                needs_bundle({"ca.crt": KEY}),
                f"CA bundle in secret bundle is invalid: {WRONG_BLOCK}",
            ),
            (
                "with a leaf",
                needs_bundle({"ca.crt": certificate(authority=True) + certificate(authority=False)}),
                'CA bundle in secret bundle is invalid: certificate for "test" is not a CA certificate',
            ),
        )
    ),
]
NOT_YET = ("DeploymentNotReady", "broker-router deployment is not ready")
VALID = ("ValidMCPGatewayExtension", "successfully verified and configured")
WORKING = [
    Case("broker not ready", with_listener(publicHost="broken.example.com"), *NOT_YET, RUNNING),
    Case("listener without status", listener_without_status, *NOT_YET, ALL),
    Case("ready", granted(), *VALID, ALL, "True"),
    Case("ready by selector", selector_with_match, *VALID, ALL, "True"),
    Case("ready with host and port", granted(publicHost="x.example.com:8080"), *VALID, ALL, "True"),
    Case(
        "ready without route",
        granted(httpRouteManagement="Disabled"),
        *VALID,
        f"{CHECKED} account deployment service filter",
        "True",
    ),
    Case(
        "ready with own keys",
        granted(trustedHeadersKey={**TRUST, "generate": "Enabled"}),
        *VALID,
        f"{ALL} private",
        "True",
    ),
    Case(
        "ready with a key without label",
        with_secret("trust", {"key": "x"}, labelled=False, trustedHeadersKey=TRUST),
        *VALID,
        ALL,
        "True",
    ),
    Case("ready with session store", needs_store({STORE: "redis://x"}), *VALID, ALL, "True"),
    Case("ready with bundle", needs_bundle({"ca.crt": certificate(authority=True)}), *VALID, ALL, "True", versions=NEW),
    Case(
        "ready with a bundle that says nothing of authority",
        needs_bundle({"ca.crt": certificate(authority=None)}),
        *VALID,
        ALL,
        "True",
        versions=NEW,
    ),
    Case("ready with tokens route", granted(urlElicitation="Enabled"), *VALID, f"{ALL} tokens", "True", versions=NEW),
    Case(
        "ready without tokens route",
        granted(urlElicitation="Enabled", httpRouteManagement="Disabled"),
        *VALID,
        f"{CHECKED} account deployment service filter",
        "True",
        versions=NEW,
    ),
]
"""A broker whose public host starts with ``broken.`` does not come up; see `AvailableDeployments`."""

EXTENSION_CASES = [*SURROUNDINGS, *PUBLIC_HOSTS, *USER_SECRETS, *WORKING]
