# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From the objects of a cluster to servers and virtual servers of the configuration. Pure but for a memory of entries.

An object that cannot be used harms no other: what is wrong with it becomes its Ready condition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mcpops_broker.cluster import secrets as secret_rules
from mcpops_broker.cluster.kinds import Key, Object, key_of, named
from mcpops_broker.cluster.routes import NotReadyError, accepted, address, attached, with_tls
from mcpops_broker.cluster.secrets import Secrets
from mcpops_broker.config.cluster import ClusterOptions
from mcpops_broker.config.model import Server, VirtualServer
from mcpops_broker.config.parse import ConfigError, from_document

ELSEWHERE = "its HTTPRoute is not attached to the port of the broker's listener"
NO_GATEWAY = "the broker's Gateway is not there, or cannot be read"


@dataclass(frozen=True, slots=True)
class World:
    """What was read of the cluster."""

    registrations: Collection[Object] = ()
    virtual_servers: Collection[Object] = ()
    routes: Mapping[Key, Object] = field(default_factory=dict)
    services: Mapping[Key, Object] = field(default_factory=dict)
    gateway: Object | None = None
    secrets: Secrets = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What comes of it."""

    servers: tuple[Server, ...] = ()
    """The oldest first: of two that offer the same name the older one has it."""
    virtual_servers: tuple[VirtualServer, ...] = ()
    refused: Mapping[Key, str] = field(default_factory=dict)
    """Registrations that cannot be served, and why."""
    elsewhere: Mapping[Key, str] = field(default_factory=dict)
    """Registrations that are not this broker's business, and why. Their status is somebody else's."""


class Reader:
    """Makes `Found` of `World`, and remembers entries that were judged before."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[dict[str, Any], Server]] = {}

    def read(self, world: World, options: ClusterOptions, file: Collection[Server]) -> Found:
        """`file` are the servers of the configuration file, which come first."""
        servers, refused, elsewhere = [], {}, {}
        personal = {server.prefix: server.name for server in file if server.user_specific}
        taken = {server.name for server in file}
        known, self._known = self._known, {}
        for registration in sorted(world.registrations, key=_age):
            key = key_of(registration)
            if registration["metadata"].get("deletionTimestamp"):
                continue
            try:
                route = _route(registration, world)
                if options.gateway:
                    if world.gateway is None or not attached(route, world.gateway, options.listener):
                        elsewhere[key] = ELSEWHERE if world.gateway else NO_GATEWAY
                        continue
                    if not accepted(route, options.gateway):
                        raise NotReadyError("no valid gateways for httproute")
                entry = _entry(registration, route, world, options)
                if entry["name"] in taken:
                    raise NotReadyError(
                        f"the broker's configuration file has a server of the name {entry['name']}, too"
                    )
                server = self._server(entry, known)
                if server.user_specific and (owner := personal.setdefault(server.prefix, server.name)) != server.name:
                    raise NotReadyError(f'conflict: prefix "{server.prefix}" is already used by {owner}')
                servers.append(server)
            except NotReadyError as error:
                refused[key] = str(error)
        virtual = tuple(_virtual_server(obj) for obj in sorted(world.virtual_servers, key=_age) if _lives(obj))
        return Found(tuple(servers), virtual, refused, elsewhere)

    def _server(self, entry: dict[str, Any], known: Mapping[str, tuple[dict[str, Any], Server]]) -> Server:
        """Judge an entry as one of the configuration file."""
        before = known.get(entry["name"])
        if before is None or before[0] != entry:
            try:
                before = entry, replace(from_document({"servers": [entry]}).servers[0], foreign=True)
            except ConfigError as error:
                place = f"servers[0] ({entry['name']}): "
                raise NotReadyError("; ".join(problem.removeprefix(place) for problem in error.problems)) from None
        self._known[entry["name"]] = before
        return before[1]


def _age(obj: Object) -> tuple[str, Key]:
    return obj["metadata"].get("creationTimestamp") or "", key_of(obj)


def _lives(obj: Object) -> bool:
    return not obj["metadata"].get("deletionTimestamp")


def _route(registration: Object, world: World) -> Object:
    """The route; always one of the registration's own namespace, as with the operator."""
    name = registration["spec"]["targetRef"]["name"]
    route = world.routes.get((registration["metadata"]["namespace"], name))
    if route is None:
        kind = "HTTPRoute.gateway.networking.k8s.io"
        raise NotReadyError(f'failed to get targeted httproute {kind} "{name}" not found')
    return route


def _entry(registration: Object, route: Object, world: World, options: ClusterOptions) -> dict[str, Any]:
    """The element of `servers` that the operator would write."""
    spec = registration["spec"]
    find: Callable[[Key], Object | None] = world.services.get
    url, hostname = address(route, spec.get("path") or "/mcp", find, options.domain)
    credential = secret_rules.credential(registration, world.secrets)
    authority = secret_rules.authority(registration, world.secrets)
    optional = {
        "prefix": spec.get("prefix") or spec.get("toolPrefix"),
        "credential": credential,
        "caCert": authority,
        "userSpecificList": spec.get("userSpecificList") == "Enabled",
        **{name: spec.get(name) for name in ("category", "hint", "tags", "tokenURLElicitation")},
    }
    return {
        "name": named(key_of(registration)),
        "url": with_tls(url) if authority else url,
        "hostname": hostname,
        "state": spec.get("state") or "Enabled",
        **{name: value for name, value in optional.items() if value},
    }


def _virtual_server(obj: Object) -> VirtualServer:
    spec = obj["spec"]
    return VirtualServer(named(key_of(obj)), frozenset(spec.get("tools") or ()), frozenset(spec.get("prompts") or ()))
