# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The cluster as a source of configuration: watches the objects, tells the broker of changes, and writes their status.

Every worker of every replica watches for itself, so that none depends on another; one of them all writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.cluster import kinds
from mcpops_broker.cluster.api import Api, ApiProblem
from mcpops_broker.cluster.kinds import Object, named
from mcpops_broker.cluster.leader import Leader
from mcpops_broker.cluster.mirror import Mirror
from mcpops_broker.cluster.registrations import Found, Reader, World
from mcpops_broker.cluster.reports import Report, Reporter, registration_report, virtual_server_report
from mcpops_broker.cluster.secrets import SecretReader
from mcpops_broker.config.model import Config
from mcpops_broker.status import ClusterStatus, ServerStatus, server_status, virtual_server_status
from mcpops_broker.upstream.upstream import State

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

SETTLE = 0.05
"""Seconds to wait for more changes before they are looked at together."""
LOOK = 1.0
"""Seconds between two looks at what the servers' health has become."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The mirrors of one namespace, None: of all."""

    registrations: Mirror
    virtual_servers: Mirror
    routes: Mirror
    services: Mirror

    def all(self) -> tuple[Mirror, ...]:
        return self.registrations, self.virtual_servers, self.routes, self.services

    def reported(self) -> Iterator[Object]:
        """The objects that have a status to be written."""
        return chain(self.registrations.objects.values(), self.virtual_servers.objects.values())


class Cluster:
    """One worker's view. `start` it inside the running event loop, with the broker that is to be told."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        self.found = Found()
        self.synced = False
        """Whether everything was read once: before that the broker does not know its servers."""
        self._namespaces: Sequence[str | None] = namespaces or [None]
        self._background = Background()
        self._changes = asyncio.Event()
        self._reader = Reader()

    def start(self, broker: Broker) -> None:
        """Begin to watch; raises `ApiProblem` when nothing says where the API server is."""
        self._broker = broker
        self._api = api = Api()
        self._reporter = Reporter(api)
        self._secrets = SecretReader(api)
        self._options = options = broker.config.broker.cluster
        self.leader = Leader(api, (api.namespace, options.lease), self._reporter.forget)
        changed = self._changes.set
        self._places = [
            _Place(
                Mirror(api, kinds.REGISTRATIONS, namespace, changed),
                Mirror(api, kinds.VIRTUAL_SERVERS, namespace, changed),
                Mirror(api, [kinds.HTTP_ROUTES], namespace, changed),
                Mirror(api, [kinds.SERVICES], namespace, changed, trim=_service),
            )
            for namespace in self._namespaces
        ]
        self._gateway: Mirror | None = None
        if options.gateway:
            namespace, name = options.gateway
            self._gateway = Mirror(api, [kinds.GATEWAYS], namespace, changed, name=name)
        for mirror in self._mirrors():
            self._background.start(mirror.run(), "watch cluster")
        self._background.start(self._follow(), "follow cluster")
        self._background.start(self._report(), "report to cluster")
        self._background.start(self.leader.run(), "lead")

    async def close(self) -> None:
        """Let go of the lease and close the connections."""
        await self._background.close()
        await self.leader.release()
        await self._api.close()

    def merged(self, config: Config) -> Config:
        """The file's configuration with what the cluster adds; of two with the same name the file's is used."""
        names = {server.name for server in config.servers}
        virtual_names = {server.name for server in config.virtual_servers}
        return replace(
            config,
            servers=(*config.servers, *(one for one in self.found.servers if one.name not in names)),
            virtual_servers=(
                *config.virtual_servers,
                *(one for one in self.found.virtual_servers if one.name not in virtual_names),
            ),
        )

    def file_changed(self) -> None:
        """Look again which names are free."""
        self._changes.set()

    def problems(self) -> list[str]:
        """Everything that keeps the broker from reading or writing, as sentences."""
        reading = [*(mirror.problem for mirror in self._mirrors()), *self._secrets.problems()]
        writing = [self.leader.problem, *self._reporter.problems.values()]
        return [problem for problem in dict.fromkeys(reading + writing) if problem]

    def status(self) -> ClusterStatus:
        """Describe it for `/status`."""
        return {
            "synced": self.synced,
            "leader": self.leader.is_leader,
            "leaderIdentity": self.leader.holder,
            "refused": {named(key): why for key, why in self.found.refused.items()},
            "elsewhere": {named(key): why for key, why in self.found.elsewhere.items()},
            "problems": self.problems(),
        }

    def _mirrors(self) -> Iterator[Mirror]:
        yield from chain.from_iterable(place.all() for place in self._places)
        if self._gateway is not None:
            yield self._gateway

    async def _follow(self) -> None:
        """Tell the broker of changes, several at once."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changes.wait(), self._secrets.due if self.synced else None)
                await asyncio.sleep(SETTLE)
            self._changes.clear()
            if all(mirror.answered for mirror in self._mirrors()):
                try:
                    await self._tell()
                except Exception as error:  # a bug; the next change must still be seen
                    logs.failure("cluster.failed", error)

    async def _tell(self) -> None:
        registrations = [obj for place in self._places for obj in place.registrations.objects.values()]
        await self._secrets.read(registrations)
        world = World(
            registrations=registrations,
            virtual_servers=[obj for place in self._places for obj in place.virtual_servers.objects.values()],
            routes={key: obj for place in self._places for key, obj in place.routes.objects.items()},
            services={key: obj for place in self._places for key, obj in place.services.objects.items()},
            gateway=next(iter(self._gateway.objects.values()), None) if self._gateway else None,
            secrets=self._secrets.values,
        )
        file = self._broker.file
        found = self._reader.read(world, self._options, file.servers)
        before, self.found = self.found, found
        if found != before or not self.synced:
            logs.info(
                "cluster.changed",
                servers=len(found.servers),
                virtualServers=len(found.virtual_servers),
                refused=len(found.refused),
            )
            self.synced = True
            await self._broker.apply(self.merged(file))

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            if not (self.synced and self.leader.is_leader):
                continue
            try:
                self._reporter.sweep({obj["metadata"]["uid"] for place in self._places for obj in place.reported()})
                for place in self._places:
                    await self._reporter.write(place.registrations.kind, self._registrations(place))
                    await self._reporter.write(place.virtual_servers.kind, self._virtual_servers(place))
            except ApiProblem as problem:
                logs.warning("cluster.unreported", problem=str(problem))
            except Exception as error:  # a bug; it must not end the reports about other objects
                logs.failure("cluster.failed", error)

    def _registrations(self, place: _Place) -> Iterator[tuple[Object, Report]]:
        for key, obj in list(place.registrations.objects.items()):
            report = registration_report(key, self.found, self._server)
            if report is not None:
                yield obj, report

    def _virtual_servers(self, place: _Place) -> Iterator[tuple[Object, Report]]:
        if any(upstream.state is State.CONNECTING for upstream in self._broker.upstreams.values()):
            return  # what they offer is not known yet
        known = {server.name: server for server in self._broker.config.virtual_servers}
        for key, obj in list(place.virtual_servers.objects.items()):
            server = known.get(named(key))
            if server is not None:
                yield obj, virtual_server_report(virtual_server_status(self._broker, server))

    def _server(self, name: str) -> ServerStatus | None:
        upstream = self._broker.upstreams.get(name)
        return None if upstream is None else server_status(self._broker, upstream)


def _service(service: Object) -> Object:
    """What is of interest of a Service; a cluster has many, and they change for reasons of others."""
    spec: Any = service.get("spec") or {}
    meta = service["metadata"]
    return {
        "metadata": {"namespace": meta["namespace"], "name": meta["name"]},
        "spec": {name: spec[name] for name in ("type", "externalName", "ports") if name in spec},
    }
