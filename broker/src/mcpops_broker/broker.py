# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The broker as a whole: configuration, upstreams, catalogue, sessions and streams, and how they change together."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpops_broker import logs
from mcpops_broker.access import discovery
from mcpops_broker.access.access import Access
from mcpops_broker.access.authentication import Authentication
from mcpops_broker.access.counters import Counters
from mcpops_broker.access.kept_quotas import KeptQuotas
from mcpops_broker.access.limits import RateLimits
from mcpops_broker.background import Background
from mcpops_broker.bus import Bus
from mcpops_broker.catalogue.build import Builder
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.guard import ToolGuard
from mcpops_broker.config.credentials import UserToken
from mcpops_broker.config.file import load
from mcpops_broker.config.model import BrokerOptions, Config
from mcpops_broker.config.parse import ConfigError
from mcpops_broker.config.watch import NO_FILES, Files, watch
from mcpops_broker.credentials.tickets import Tickets
from mcpops_broker.credentials.user_tokens import UserTokens
from mcpops_broker.homes import Homes
from mcpops_broker.mcp.announcements import Announcements
from mcpops_broker.mcp.asks import Asks
from mcpops_broker.mcp.calls import Calls
from mcpops_broker.mcp.event_log import EventLogs
from mcpops_broker.mcp.introduction import SERVER_META
from mcpops_broker.mcp.parked import ParkedCalls
from mcpops_broker.mcp.resume import Resumption
from mcpops_broker.mcp.stateless_clients import StatelessClients
from mcpops_broker.mcp.streams import Streams
from mcpops_broker.mcp.subscriptions import Subscriptions
from mcpops_broker.mcp.task_ids import TaskIds
from mcpops_broker.mcp.watched_resources import WatchedResources
from mcpops_broker.net.client import HttpClient
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.protocol.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, RpcError
from mcpops_broker.seen.observers import Observers
from mcpops_broker.seen.telemetry import Telemetry
from mcpops_broker.sessions.seal import Sealer
from mcpops_broker.sessions.store import Session, SessionStore
from mcpops_broker.settings import Options
from mcpops_broker.store.memory import MemoryStore
from mcpops_broker.store.store import Store
from mcpops_broker.ui.workers import AllWorkers
from mcpops_broker.upstream.upstream import State, Upstream
from mcpops_broker.upstream.user_credentials import Shared, token_of_user
from mcpops_broker.web.hosts import HostPolicy
from mcpops_broker.web.origin import OriginPolicy

if TYPE_CHECKING:
    from mcpops_broker.cluster.source import Cluster
    from mcpops_broker.replicas import Replicas

REBUILD_AFTER = 0.02
"""Seconds to wait for more changes before the catalogue is built again: at the start many upstreams come at once."""
SWEEP = 30.0
"""Seconds between two looks for idle sessions."""
DRAIN_SHARE = 0.9
"""Part of the time to drain after which calls that still run are answered with an error, while that can be sent."""
CLOSE_GRACE = 2.0
"""Seconds that upstreams get to hear of the end of their sessions when the broker stops."""


@dataclass(slots=True)
class ConfigState:
    """How the configuration file fares, for `/status`."""

    loaded: float
    """Seconds since 1970 of the last successful reading."""
    problems: tuple[str, ...] = ()
    """Why the file as it is now is not used; empty when it is."""
    files: Files = field(default_factory=lambda: NO_FILES)
    """The files with secrets that it names, also when it is not used: one of them may be why."""


class Broker:
    """Everything that the endpoints use. Make it inside a running event loop, then `start` it."""

    def __init__(
        self,
        options: Options,
        config: Config,
        bus: Bus,
        cluster: Cluster | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        self.options = options
        self.file = config
        """The configuration of the file, without what the cluster adds."""
        self.config = config
        self.cluster = cluster
        self.replicas = replicas
        """The way to other replicas; its bus is the one given."""
        self.config_state = ConfigState(time.time(), files=config.files)
        self.bus = bus
        self.background = Background()
        self.http: HttpClient = Http1Client()
        self.upstreams: dict[str, Upstream] = {}
        self._builder = Builder(SERVER_META + b",")
        self.tool_guard = ToolGuard(config.broker.tool_guard)
        self._catalogue = Catalogue()
        self.event_logs = EventLogs(bus.here)
        self.streams = Streams(bus, self.event_logs)
        self.resumption = Resumption(self)
        self.watched_resources = WatchedResources(self)
        self.subscriptions = Subscriptions()
        self.announcements = Announcements(bus, self._announce)
        self.calls = Calls()
        self.observers = Observers()
        secrets = options.secrets(config.broker)
        self.parked = ParkedCalls(secrets, bus, self.background)
        self.task_ids = TaskIds(secrets)
        self.asks = Asks(bus.here)
        self.store: Store = MemoryStore(bus) if replicas is None else replicas.store
        self.user_tokens = Shared(UserTokens(secrets, self.store), Tickets(secrets))
        self.knows_users = False
        """Whether there is an upstream that each user is known to."""
        elsewhere = None if replicas is None else replicas.sessions(self)
        self.homes = Homes(bus, self.background, lambda: self.upstreams, elsewhere)
        self.requests = 0
        """POST requests in flight."""
        self.draining = False
        settings = config.broker
        self.sessions = SessionStore(
            Sealer(secrets, settings.session_length),
            capacity=settings.limits.sessions,
            idle=settings.session_idle,
            dropped=self._session_dropped,
            returned=lambda session: bus.send("returned", session.id),
        )
        self.stateless_clients = StatelessClients(
            capacity=settings.limits.sessions, idle=settings.session_idle, dropped=self._leave_upstream_sessions
        )
        self.origins = self._origins(settings)
        self.hosts = self._hosts(settings)
        self.access = Access(options.trusted_key, config)
        self.authentication = Authentication(settings.auth, self.http, self.background)
        self.rate_limits = RateLimits(Counters(bus), settings.rate_limits)
        self.all_workers = AllWorkers(self)
        self.telemetry = Telemetry(self.observers, self.background, settings)
        self._rebuild: asyncio.TimerHandle | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue as the upstreams are now, so that an upstream that is ready is also listed."""
        if self._rebuild is not None:
            self._rebuild_now()
        return self._catalogue

    async def start(self) -> None:
        """Begin to connect to the upstreams and to watch the configuration."""
        before = self.options.seen
        await self.apply(self.config)
        if self.cluster is not None:
            self.cluster.start(self)
        work = watch(lambda: {self.options.config: before, **self.config_state.files}, self.reload)
        self.background.start(work, "watch config")
        self.background.start(self._sweep(), "sweep sessions")
        if self.replicas is not None:
            self.background.start(KeptQuotas(self.rate_limits.counters, self.store).run(), "keep quotas")

    async def close(self) -> None:
        """Stop everything."""
        self.begin_drain()
        if self.cluster is not None:
            await self.cluster.close()
        if self._rebuild is not None:
            self._rebuild.cancel()
        self.announcements.close()
        await asyncio.gather(*(upstream.close(CLOSE_GRACE) for upstream in self.upstreams.values()))
        await self.authentication.close()
        await self.background.close()
        if self.replicas is not None:
            await self.replicas.close()
        await self.http.close()
        await self.telemetry.close()  # last: nobody else waits for a slow collector, and everything is in the audit log

    def begin_drain(self) -> None:
        """Stop taking new streams and end the open ones; requests in flight go on."""
        if not self.draining:
            self.draining = True
            logs.info("drain", requests=self.requests, streams=len(self.streams) + len(self.subscriptions))
            self.streams.close()
            self.subscriptions.close()
            self.parked.drain()
            # The listening socket is closed now, so no client can answer any more.
            stopping = RpcError(INTERNAL_ERROR, "The broker is stopping: send the request again")
            self.asks.close(stopping)
            last_call = self.config.broker.drain * DRAIN_SHARE
            asyncio.get_running_loop().call_later(last_call, self.calls.stop_all, stopping)

    def ready(self) -> bool:
        """Tell whether clients can be served: an upstream is ready, or none is configured (the operator's rule)."""
        if self.cluster is not None and not self.cluster.synced:
            return False
        enabled = [upstream for upstream in self.upstreams.values() if upstream.server.enabled]
        return not self.draining and (not enabled or any(upstream.state is State.READY for upstream in enabled))

    async def reload(self) -> None:
        """Read the configuration file again. A bad one changes nothing; log and `/status` say why."""
        try:
            config = await asyncio.to_thread(load, self.options.config, again=True)
            self.options.check(config)
        except ConfigError as error:
            self.config_state.problems = tuple(error.problems)
            self.config_state.files = {**self.config_state.files, **error.files}
            for problem in error.problems:
                logs.error("config.rejected", file=self.options.config, problem=problem)
            return
        except Exception as error:  # a bug; the next file must be read all the same
            self.config_state.problems = (f"{type(error).__name__} in the broker, see its log",)
            logs.failure("config.bug", error)
            return
        self.config_state = ConfigState(time.time(), files=config.files)
        self.file = config
        if self.cluster is not None:
            config = self.cluster.merged(config)
            self.cluster.file_changed()
        await self.apply(config)
        logs.info("config.loaded", file=self.options.config, servers=len(config.servers))

    def _origins(self, settings: BrokerOptions) -> OriginPolicy:
        allowed = (*settings.allowed_origins, *self.options.allowed_origins)
        return OriginPolicy(allowed, self.options.public_host)

    def _hosts(self, settings: BrokerOptions) -> HostPolicy:
        allowed = (*settings.allowed_hosts, *self.options.allowed_hosts)
        return HostPolicy(allowed, self.options.public_host, loopback=self.options.loopback)

    async def apply(self, config: Config) -> None:
        """Make a configuration the current one. Upstreams that did not change keep running untouched."""
        old = self.config
        for warning in config.warnings:
            logs.warning("config.warning", problem=warning)
        if old.broker != config.broker:
            settings = config.broker
            secrets = self.options.secrets(settings)
            if secrets != self.options.secrets(old.broker):
                users = self.user_tokens
                for keeper in (self.sessions, self.parked.sealer, self.task_ids, users.tokens, users.tickets):
                    keeper.use(secrets)
                if self.replicas is not None:
                    self.replicas.keys.use(secrets)
            self.authentication.configure(settings.auth)
            for clients in (self.sessions, self.stateless_clients):
                clients.capacity, clients.idle = settings.limits.sessions, settings.session_idle
            self.sessions.sealer.max_age = settings.session_length
            self.origins = self._origins(settings)
            self.hosts = self._hosts(settings)
            self.rate_limits.configure(settings.rate_limits)
            self.telemetry.configure(settings)
        self.access.configure(config)
        if old.broker.tool_guard != config.broker.tool_guard:
            self.tool_guard = ToolGuard(config.broker.tool_guard)
        if old.broker.store != config.broker.store:
            logs.warning("config.warning", problem="broker.store is used from the next start on")
        if old.broker.cluster != config.broker.cluster:
            logs.warning("config.warning", problem="broker.cluster is used from the next start on")
        stopped = self._replace_upstreams(old, config)
        self.config = config
        self.telemetry.keep_servers(self.upstreams)
        self._rebuild_now()
        for upstream in stopped:
            self.background.start(upstream.retire(CLOSE_GRACE), "retire upstream")

    def end_session(self, session_id: str) -> None:
        """End a client session here and in the other workers."""
        identity = self.session_ended(session_id)
        self.bus.send("ended", [session_id])
        if identity is not None and self.homes.elsewhere is not None:
            self.homes.elsewhere.ended(identity)

    def session_ended(self, session_id: str) -> str | None:
        """End a client session in this worker, with everything that is under way in it; return its identity."""
        identity = self.sessions.end(session_id)
        if identity is not None:
            self._end_upstream_sessions(identity)
            self.calls.stop_session(identity, RpcError(INVALID_REQUEST, "The session was ended"))
            self.event_logs.end_session(identity)
        return identity

    def select_tools(self, identity: str, tools: frozenset[str] | None) -> None:
        """Let a session see these tools only, in all workers; None: all."""
        self.tools_selected(identity, tools)
        self.bus.send("selected", [(identity, None if tools is None else sorted(tools))])

    def tools_selected(self, identity: str, tools: frozenset[str] | None) -> None:
        """Let a session see these tools only, in this worker."""
        self.access.selections.set(identity, tools)
        self.streams.tools_selected(identity, tools)

    def _replace_upstreams(self, old: Config, new: Config) -> list[Upstream]:
        """Start upstreams that are new or changed; return those that must be stopped."""
        same = (
            old.ca_bundle == new.ca_bundle
            and old.broker.timeouts == new.broker.timeouts
            and old.broker.limits == new.broker.limits
            and old.broker.check_interval == new.broker.check_interval
            and old.broker.upstream_addresses == new.broker.upstream_addresses
        )
        before, self.upstreams = self.upstreams, {}
        for server in new.servers:
            kept = before.get(server.name)
            page_stays = old.broker.user_tokens == new.broker.user_tokens or not isinstance(server.auth, UserToken)
            if kept is not None and same and page_stays and kept.server == server:
                self.upstreams[server.name] = before.pop(server.name)
                kept.server = server  # it may be described in other words
            else:
                upstream = Upstream(
                    server,
                    self.http,
                    new.broker,
                    new.ca_bundle,
                    changed=self._rebuild_soon,
                    updated=self._resource_updated,
                    credentials=token_of_user(server, self.user_tokens, self.http, new.broker, new.ca_bundle),
                )
                if kept is not None:
                    upstream.take_over(kept)  # its tools stay listed while it connects with the new settings
                else:
                    upstream.expect(self.watched_resources.of(server.name) + self.subscriptions.of(server.name))
                self.homes.serve(upstream)
                upstream.start()
                self.upstreams[server.name] = upstream
        self.knows_users = any(upstream.credentials.personal for upstream in self.upstreams.values())
        return list(before.values())

    def _rebuild_soon(self) -> None:
        if self._rebuild is None:
            self._rebuild = asyncio.get_running_loop().call_later(REBUILD_AFTER, self._rebuild_now)

    def _rebuild_now(self) -> None:
        if self._rebuild is not None:
            self._rebuild.cancel()
            self._rebuild = None
        own = discovery.definitions(self.config.servers) if self.config.broker.discovery_tools else []
        self._catalogue = self._builder.build(self.upstreams.values(), own, self.config, self.tool_guard)
        self.announcements.changed(self._catalogue)

    def _announce(self, old: Catalogue, new: Catalogue) -> None:
        self.streams.catalogue_changed(old, new, self.access.renewed)
        self.subscriptions.catalogue_changed(old, new, self.access.renewed)

    def _resource_updated(self, upstream: Upstream, uri: str) -> None:
        """Take note that a resource which clients subscribed to has changed."""
        logs.debug("resource.updated", upstream=upstream.server.name, uri=uri)
        self.watched_resources.updated(upstream.server.name, uri)
        self.subscriptions.resource_updated(self.catalogue, upstream.server.name, uri)

    def _session_dropped(self, session: Session) -> None:
        identity = session.key.identity
        self.streams.end(identity)
        self.watched_resources.drop(session)
        self._leave_upstream_sessions(identity)

    def _leave_upstream_sessions(self, identity: str) -> None:
        for upstream in self.upstreams.values():
            upstream.leave_session(identity)

    def _end_upstream_sessions(self, identity: str) -> None:
        for upstream in self.upstreams.values():
            upstream.end_session(identity)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.sessions.sweep()
            self.event_logs.sweep()
            self.streams.sweep()
            self.stateless_clients.sweep()
            self.homes.sweep()
            self.store.sweep()
            self.rate_limits.counters.sweep()
            for upstream in self.upstreams.values():
                upstream.sweep()
