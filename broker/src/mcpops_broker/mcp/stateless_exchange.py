# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A request without a session, and how its answer is written (MCP 2026-07-28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.access.authentication import authorization_for_upstreams
from mcpops_broker.mcp import input_required, tasks
from mcpops_broker.mcp.exchange import NO_HEADERS, ClientExchange
from mcpops_broker.mcp.introduction import SERVER_META
from mcpops_broker.mcp.request_state import digest_of
from mcpops_broker.mcp.stateless_output import StatelessOutput
from mcpops_broker.protocol import headers as mirrored
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.capabilities import missing, missing_error
from mcpops_broker.protocol.jsonrpc import Id, Message, RefusalError, RpcError
from mcpops_broker.seen.record import Record
from mcpops_broker.upstream.exchange import Client, Reply
from mcpops_broker.web.asgi import Headers

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.catalogue.scope import Scope
    from mcpops_broker.catalogue.source import Item
    from mcpops_broker.mcp.parked_call import ParkedCall
    from mcpops_broker.upstream.upstream import Upstream

STATUS = {
    jsonrpc.PARSE_ERROR: 400,
    jsonrpc.INVALID_REQUEST: 400,
    jsonrpc.INVALID_PARAMS: 400,
    jsonrpc.METHOD_NOT_FOUND: 404,
    jsonrpc.HEADER_MISMATCH: 400,
    jsonrpc.MISSING_CAPABILITY: 400,
    jsonrpc.UNSUPPORTED_VERSION: 400,
}
"""HTTP statuses of errors; others are answered 200. MCP gives them for most of these codes (basic/transports/
streamable-http) and leaves them open for invalid params, where the official SDK has the same."""
_CAN_BE_ASKED = ("elicitation", "roots", "sampling")
_COMPLETE = b'"resultType":"complete"'
_UNCACHED = b',"ttlMs":0,"cacheScope":"private"'


class StatelessExchange(ClientExchange):
    """A request of a client without a session."""

    resolves_input = False
    headers: Mapping[str, str] = NO_HEADERS

    def __init__(
        self,
        client: Client,
        record: Record,
        message: Message,
        *,
        scope: Scope,
        sent: Headers,
        output: StatelessOutput,
        broker: Broker,
    ) -> None:
        self.client = client
        self.record = record
        self.principal = record.principal
        self.request_id: Id = message["id"]
        self.method: str = message["method"]
        self.scope = scope
        self.status = 200
        """HTTP status of the answer; set with the response."""
        self.answer_headers: tuple[tuple[bytes, bytes], ...] = ()
        """More headers of the answer; set with the response."""
        self.call: ParkedCall | None = None
        """The call that this request began, when that may ask the client."""
        self._goes_on = False
        """Whether this request continues a call that another one began."""
        self._token = meta.meta_of(message).get(meta.PROGRESS_TOKEN)
        self._sent = sent
        self._output = output
        self._parked = broker.parked
        self._task_ids = broker.task_ids
        self._lacking: RpcError | None = None

    @property
    def owner(self) -> bytes:
        """Who asks, for comparing requests: a digest of the principal, and of an authorization that is not the broker's
        to read."""
        authorization = authorization_for_upstreams(self._sent, self.principal) or b""
        return digest_of(self.principal.id, authorization.decode("latin-1"))

    def check_call(self, tool: Item, params: Mapping[str, Any]) -> None:
        """Compare the headers that repeat arguments with them, and keep the other ones for the upstream."""
        mirrored.check_params(self._sent, tool.mirrors, params.get("arguments"))
        self.headers = mirrored.unknown_params(self._sent, tool.mirrors)

    async def carry_out(self, upstream: Upstream, method: str, params: dict[str, Any]) -> Reply:
        """Have the upstream carry out the request.

        One without sessions says by its result what it needs of the client, and that is passed on. One with sessions
        asks in the middle of the call, which is parked then; see `parked_call`.
        """
        self.upstream = upstream
        if method not in input_required.METHODS:
            return await upstream.request(self, method, params)
        if not upstream.keeps_session_for(self.client):
            reply = await upstream.request(self, method, params)
            return input_required.in_place_of_error(reply, self.client.capabilities)
        answers, state = params.pop("inputResponses", None), params.pop("requestState", None)
        if state is not None:
            self._goes_on = True
            return await self._parked.resume(self, upstream, method, params, state=state, answers=answers)
        if not any(name in self.client.capabilities for name in _CAN_BE_ASKED):
            return await self._request(upstream, method, params)
        return await self._parked.begin(self, upstream, method, params, self._request)

    async def cancel(self, reason: str) -> None:
        """End the request where it was carried out; a call that may ask is ended by its keeper."""
        if self.call is None:
            await super().cancel(reason)

    async def notify(self, raw: bytes) -> None:
        """Pass on a notification of the call to the request that waits for it now."""
        if self.call is None:
            await self.deliver(raw)
        elif self.call.turn is not None:
            await self.call.turn.deliver(raw)

    async def deliver(self, raw: bytes) -> None:
        """Send a notification with the answer to this request: log messages only as far as the request wants them,
        progress under the request's own token."""
        if self._goes_on and b'"notifications/progress"' in raw:
            message = orjson.loads(raw)
            if self._token is None:
                return
            message["params"][meta.PROGRESS_TOKEN] = self._token
            raw = orjson.dumps(message)
        elif b'"notifications/message"' in raw and not self._wants(raw):
            return
        await self._output.notify(raw)

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the client by the result of its request; raise `RpcError` when it has not declared that it can answer."""
        lacking = missing(self.client.capabilities, method, params)
        if lacking:
            self._lacking = missing_error(method, lacking)
        if lacking or self.call is None:
            raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"The client has not declared that it answers {method}")
        with self.waiting():
            return await self.call.ask(method, params)

    def response(self, reply: Reply) -> bytes:
        """Write an upstream's response as a client without a session expects it.

        What an upstream with sessions leaves out is put in, its bytes stay as they are otherwise.
        """
        message = reply.message
        error = message.get("error")
        if error is not None:
            return self.failed(_rpc_error(error))
        result = message["result"]
        kind = result.get("resultType")
        if kind == "input_required":
            input_required.check_declared(result, self.client.capabilities)
        elif self.upstream is not None and (kind == "task" or self.method in tasks.METHODS):
            reply = tasks.with_wrapped_id(reply, self.upstream, self.principal, self._task_ids)
        if kind is not None:
            return reply.for_request(self.request_id)
        more = _COMPLETE
        if self.method == "resources/read" and "ttlMs" not in result:
            more += _UNCACHED
        if "_meta" not in result:
            more += b"," + SERVER_META
        return jsonrpc.restamp_with(reply.raw, message, self.request_id, more)

    def failed(self, error: RpcError) -> bytes:
        """Write an error, and remember its HTTP status."""
        if isinstance(error, RefusalError):
            self.status, self.answer_headers = error.status, error.headers
        else:
            self.status = STATUS.get(error.code, error.status)
        return jsonrpc.error_bytes(self.request_id, error)

    async def _request(self, upstream: Upstream, method: str, params: dict[str, Any]) -> Reply:
        """Have an upstream with sessions carry out the request. When it failed after it asked what the client has not
        declared, the client is told so."""
        reply = await upstream.request(self, method, params)
        if self._lacking is not None and _has_failed(reply):
            raise self._lacking
        return input_required.in_place_of_error(reply, self.client.capabilities)

    def _wants(self, raw: bytes) -> bool:
        message = orjson.loads(raw)
        if message.get("method") != "notifications/message":
            return True
        return meta.logs_at(self.client.log_level, message.get("params", {}).get("level"))


def _has_failed(reply: Reply) -> bool:
    result = reply.message.get("result")
    return not isinstance(result, dict) or result.get("isError") is True


def _rpc_error(error: dict[str, Any]) -> RpcError:
    code = error.get("code")
    if code == jsonrpc.RESOURCE_NOT_FOUND:
        code = jsonrpc.INVALID_PARAMS
    if type(code) is not int:
        code = jsonrpc.INTERNAL_ERROR
    return RpcError(code, str(error.get("message", "")), error.get("data"))
