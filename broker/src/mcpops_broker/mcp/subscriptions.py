# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`subscriptions/listen`: streams of notifications for clients without sessions (MCP 2026-07-28
basic/patterns/subscriptions).

A stream is the broker's own: upstreams are watched once, whatever the number of clients, and every message carries
the id of the client's own request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker import logs
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.changes import Changes
from mcpops_broker.catalogue.scope import Scope
from mcpops_broker.mcp.introduction import SERVER_INFO
from mcpops_broker.mcp.methods import readable
from mcpops_broker.mcp.outbox import Outbox
from mcpops_broker.mcp.stateless_output import KEEP_ALIVE, StatelessOutput
from mcpops_broker.mcp.streams import Renewed
from mcpops_broker.principal import Principal
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, Id, RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

MAX_URIS = 1000
"""Resources that one stream, or one session, may subscribe to."""
MAX_URI = 2000
"""Characters of the URI of a resource that can be subscribed to, and of one that changes are told of."""
MAX_PARENTS = 50
"""Resources that a changed one is looked for as a part of, the nearest first."""
WATCH_WITHIN = 5.0
"""Seconds that upstreams get to confirm subscriptions: one that is slow must not keep a client from the others."""
_LISTS = {
    "toolsListChanged": (Kind.TOOLS,),
    "promptsListChanged": (Kind.PROMPTS,),
    "resourcesListChanged": (Kind.RESOURCES, Kind.TEMPLATES),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """The notifications that a client wants, or gets."""

    lists: frozenset[str] = frozenset()
    """Members of `notifications` that are true."""
    uris: tuple[str, ...] = ()

    @classmethod
    def read(cls, params: dict[str, Any]) -> Filter:
        """Read a request's params; raise `RpcError` -32602 when they do not fit the schema."""
        wanted = params.get("notifications")
        if not isinstance(wanted, dict):
            raise _invalid('"notifications" must be an object')
        for name in _LISTS:
            if not isinstance(wanted.get(name, False), bool):
                raise _invalid(f'"notifications.{name}" must be true or false')
        uris = wanted.get("resourceSubscriptions", [])
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            raise _invalid('"notifications.resourceSubscriptions" must be a list of URIs')
        if len(uris) > MAX_URIS:
            raise _invalid(f'"notifications.resourceSubscriptions" may hold {MAX_URIS} URIs, not {len(uris)}')
        longest = max(map(len, uris), default=0)
        if longest > MAX_URI:
            raise _invalid(
                f'a URI of "notifications.resourceSubscriptions" may have {MAX_URI} characters, not {longest}'
            )
        return cls(frozenset(name for name in _LISTS if wanted.get(name)), tuple(dict.fromkeys(uris)))

    def write(self) -> dict[str, Any]:
        """Return the filter as the protocol writes it."""
        written: dict[str, Any] = dict.fromkeys(sorted(self.lists), True)
        if self.uris:
            written["resourceSubscriptions"] = list(self.uris)
        return written


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """A request for a stream."""

    id: Id
    principal: Principal
    scope: Scope
    wanted: Filter


@dataclass(slots=True, eq=False)
class Subscription:
    """One open `subscriptions/listen` request."""

    request_id: Id
    scope: Scope
    principal: Principal
    granted: Filter
    outbox: Outbox
    watched: dict[str, str]
    """The upstream where each resource is watched, by its URI."""

    def put(self, method: str, **params: Any) -> None:
        """Queue a notification."""
        self.outbox.put(_notification(self.request_id, method, params))


class Subscriptions:
    """All open subscriptions of this worker."""

    def __init__(self) -> None:
        self._open: set[Subscription] = set()
        self._watchers: dict[tuple[str, str], set[Subscription]] = {}
        """By upstream and URI."""

    def __len__(self) -> int:
        return len(self._open)

    def add(self, subscription: Subscription) -> None:
        """Send a subscription what it asked for from now on."""
        self._open.add(subscription)
        for uri, upstream in subscription.watched.items():
            self._watchers.setdefault((upstream, uri), set()).add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._open.discard(subscription)
        for uri, upstream in subscription.watched.items():
            watchers = self._watchers.get((upstream, uri), set())
            watchers.discard(subscription)
            if not watchers:
                self._watchers.pop((upstream, uri), None)

    def of(self, upstream: str) -> list[str]:
        """Return the URIs that streams are subscribed to at an upstream, as often as they are."""
        return [uri for (name, uri), watchers in self._watchers.items() if name == upstream for _ in watchers]

    def resource_updated(self, catalogue: Catalogue, upstream: str, uri: str) -> None:
        """Tell every client that subscribed to a resource of an upstream, or to one that it is a part of, and may still
        read it."""
        told: set[Subscription] = set()
        for part in with_parents(uri):
            told |= self._watchers.get((upstream, part), set())
        for subscription in told:
            if may_read(catalogue, subscription.scope, upstream, uri):
                subscription.put("notifications/resources/updated", uri=uri)

    def close(self) -> None:
        """End all streams, with the result that says so."""
        for subscription in self._open:
            subscription.outbox.close()

    def catalogue_changed(self, old: Catalogue, new: Catalogue, renewed: Renewed) -> None:
        """Tell every client whose lists differ."""
        changes = Changes(old, new, stateless=True)
        for subscription in self._open:
            before, subscription.scope = subscription.scope, renewed(subscription.scope, subscription.principal)
            differ = changes.kinds(before, subscription.scope)
            for name in subscription.granted.lists:
                kinds = _LISTS[name]
                if not differ.isdisjoint(kinds):
                    subscription.put(kinds[0].changed)


async def listen(request: ListenRequest, broker: Broker, output: StatelessOutput) -> bytes:
    """Send a client the notifications it wants until its stream is closed here, or it is not recognized any more;
    return the response that ends it."""
    request_id, wanted = request.id, request.wanted
    watched = await _watch(broker, request.scope, wanted.uris)
    granted = Filter(wanted.lists, tuple(watched))
    subscription = Subscription(request_id, request.scope, request.principal, granted, Outbox(), watched)
    broker.subscriptions.add(subscription)
    try:
        acknowledged = {"notifications": granted.write()}
        await output.notify(_notification(request_id, "notifications/subscriptions/acknowledged", acknowledged))
        if broker.draining:
            subscription.outbox.close()
        with broker.authentication.while_valid(request.principal, subscription.outbox.close):
            while not subscription.outbox.closed:
                for message in await subscription.outbox.take(KEEP_ALIVE):
                    await output.notify(message)
    finally:
        broker.subscriptions.remove(subscription)
        broker.background.start(_unwatch(broker, watched), "unsubscribe")
    ids = {meta.SUBSCRIPTION_ID: request_id, meta.SERVER_INFO: SERVER_INFO}
    return jsonrpc.result_bytes(request_id, orjson.dumps({"resultType": "complete", "_meta": ids}))


async def _watch(broker: Broker, scope: Scope, uris: tuple[str, ...]) -> dict[str, str]:
    """Have upstreams report changes of these resources; return where each one is watched. Those that no upstream
    watches are left out: the client learns from the acknowledgement that it will not hear of them."""
    watched: dict[str, str] = {}

    async def begin(uri: str) -> None:
        for upstream in readable(broker, scope, uri)[0]:
            try:
                await upstream.subscribe(uri)
            except UpstreamError as error:
                logs.debug("subscribe.failed", upstream=error.upstream, problem=str(error))
            else:
                watched[uri] = upstream.server.name
                return

    try:
        async with asyncio.timeout(WATCH_WITHIN):
            await asyncio.gather(*(begin(uri) for uri in uris))
    except TimeoutError:
        logs.warning("subscribe.slow", resources=len(uris), watched=len(watched))
    except asyncio.CancelledError:
        broker.background.start(_unwatch(broker, watched), "unsubscribe")
        raise
    return {uri: watched[uri] for uri in uris if uri in watched}


async def _unwatch(broker: Broker, watched: dict[str, str]) -> None:
    for uri, name in watched.items():
        upstream = broker.upstreams.get(name)
        if upstream is None:
            continue  # it has left the configuration
        try:
            await upstream.unsubscribe(uri)
        except UpstreamError as error:
            logs.debug("unsubscribe.failed", upstream=error.upstream, problem=str(error))


def may_read(catalogue: Catalogue, scope: Scope, upstream: str, uri: str) -> bool:
    """Tell whether a resource of an upstream may be read: who may not is told nothing of it, either."""
    try:
        return catalogue.view(scope).decide_resource(uri, upstream).allowed
    except RpcError:
        return False  # the virtual server does not exist any more


def _notification(request_id: Id, method: str, params: dict[str, Any]) -> bytes:
    return orjson.dumps(jsonrpc.notification(method, {"_meta": {meta.SUBSCRIPTION_ID: request_id}, **params}))


def with_parents(uri: str) -> Iterator[str]:
    """Return a URI and those that it may be a sub-resource of: servers may report a change of a part (MCP
    `notifications/resources/updated`). Of what is longer than anybody may subscribe to nobody is told: to look for its
    parents would take a server's word for how long this worker is busy."""
    if len(uri) > MAX_URI:
        return
    yield uri
    head = uri
    for _ in range(MAX_PARENTS):
        head, slash, _ = head.rpartition("/")
        if not slash:
            return
        yield head + "/"
        yield head


def _invalid(why: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {why}", status=400)
