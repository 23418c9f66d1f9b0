# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the endpoint adds to an exchange: how much of the catalogue its client sees, and how its answer is written."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mcpops_broker.upstream.exchange import Exchange, Reply

if TYPE_CHECKING:
    from mcpops_broker.catalogue.scope import Scope
    from mcpops_broker.catalogue.source import Item
    from mcpops_broker.seen.record import Record
    from mcpops_broker.upstream.upstream import Upstream

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ClientExchange(Exchange):
    """A client's request at the endpoint. One kind for each era: `SessionExchange`, and one for requests without
    sessions."""

    record: Record
    """What metrics, audit log and traces are made of."""
    scope: Scope
    """What of the catalogue the client may see and use."""
    upstream: Upstream | None = None
    """Where the request went; None: it has not gone to any."""
    _questions: int = 0
    """What the client is asked at the moment."""

    def check_call(self, tool: Item, params: Mapping[str, Any]) -> None:
        """Check what the client's revision demands of a call of a tool; raise `RpcError`. `params` are the client's."""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let the request wait for its client without counting for the limit of its upstream. May be nested: an
        upstream may ask several things at once."""
        upstream = self.upstream
        self._questions += 1
        if upstream is not None and self._questions == 1:
            upstream.waiting += 1
            upstream.breaker.answered()  # who asks is there, however long the answer takes
        try:
            yield
        finally:
            self._questions -= 1
            if upstream is not None and self._questions == 0:
                upstream.waiting -= 1

    async def carry_out(self, upstream: Upstream, method: str, params: dict[str, Any]) -> Reply:
        """Have the upstream carry out the request."""
        self.upstream = upstream
        return await upstream.request(self, method, params)

    async def cancel(self, reason: str) -> None:
        """End the request where it was carried out."""
        if self.upstream is not None:
            await self.upstream.cancel(self, reason)

    def authorize(self, authorization: bytes | None) -> None:
        """Add the client's Authorization header, for upstreams that offer each user something else."""
        if authorization:
            self.client = replace(self.client, authorization=authorization.decode("latin-1"))

    @abstractmethod
    def response(self, reply: Reply) -> bytes:
        """Write an upstream's response as the client's revision has it, with the id of the client's request."""
