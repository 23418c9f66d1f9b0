# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A request without a session, and how its answer is written (MCP 2026-07-28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.mcp.exchange import NO_HEADERS, ClientExchange
from mcpops_broker.mcp.introduction import SERVER_META
from mcpops_broker.mcp.stateless_output import StatelessOutput
from mcpops_broker.protocol import headers as mirrored
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import Id, Message, RpcError
from mcpops_broker.upstream.exchange import Client, Reply
from mcpops_broker.web.asgi import Headers

if TYPE_CHECKING:
    from mcpops_broker.catalogue.scope import Scope
    from mcpops_broker.catalogue.source import Item

RESOURCE_NOT_FOUND = -32002
"""Of revisions with sessions; those without say -32602."""
STATUS = {
    jsonrpc.PARSE_ERROR: 400,
    jsonrpc.INVALID_REQUEST: 400,
    jsonrpc.METHOD_NOT_FOUND: 404,
    jsonrpc.HEADER_MISMATCH: 400,
    jsonrpc.MISSING_CAPABILITY: 400,
    jsonrpc.UNSUPPORTED_VERSION: 400,
}
"""HTTP statuses of errors (basic/transports/streamable-http); others are answered 200."""
_COMPLETE = b'"resultType":"complete"'
_UNCACHED = b',"ttlMs":0,"cacheScope":"private"'


class StatelessExchange(ClientExchange):
    """A request of a client without a session."""

    resolves_input = False
    headers: Mapping[str, str] = NO_HEADERS

    def __init__(self, client: Client, message: Message, scope: Scope, sent: Headers, output: StatelessOutput) -> None:
        self.client = client
        self.request_id: Id = message["id"]
        self.method: str = message["method"]
        self.scope = scope
        self._sent = sent
        self.status = 200
        """HTTP status of the answer; set with the response."""
        self._output = output

    def check_call(self, tool: Item, params: Mapping[str, Any]) -> None:
        """Compare the headers that repeat arguments with them, and keep the other ones for the upstream."""
        mirrored.check_params(self._sent, tool.mirrors, params.get("arguments"))
        self.headers = mirrored.unknown_params(self._sent, tool.mirrors)

    async def notify(self, raw: bytes) -> None:
        """Pass on a notification that belongs to the request: log messages only as far as the request wants them."""
        if b'"notifications/message"' in raw and not self._wants(raw):
            return
        await self._output.notify(raw)

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse: nobody waits for a question here."""
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method {jsonrpc.excerpt(method)} is not supported by this client")

    def response(self, reply: Reply) -> bytes:
        """Write an upstream's response as a client without a session expects it.

        What an upstream with sessions leaves out is put in, its bytes stay as they are otherwise.
        """
        message = reply.message
        error = message.get("error")
        if error is not None:
            return self.failed(_rpc_error(error))
        result = message["result"]
        if not isinstance(result, dict):
            raise RpcError(jsonrpc.INTERNAL_ERROR, "The upstream answered with a result that is no object")
        if "resultType" in result:
            return reply.for_request(self.request_id)
        more = _COMPLETE
        if self.method == "resources/read" and "ttlMs" not in result:
            more += _UNCACHED
        if "_meta" not in result:
            more += b"," + SERVER_META
        return jsonrpc.restamp_with(reply.raw, message, self.request_id, more)

    def failed(self, error: RpcError) -> bytes:
        """Write an error, and remember its HTTP status."""
        self.status = STATUS.get(error.code, error.status)
        return jsonrpc.error_bytes(self.request_id, error)

    def _wants(self, raw: bytes) -> bool:
        message = orjson.loads(raw)
        if message.get("method") != "notifications/message":
            return True
        return meta.logs_at(self.client.log_level, message.get("params", {}).get("level"))


def _rpc_error(error: dict[str, Any]) -> RpcError:
    code = error.get("code")
    if code == RESOURCE_NOT_FOUND:
        code = jsonrpc.INVALID_PARAMS
    if type(code) is not int:
        code = jsonrpc.INTERNAL_ERROR
    return RpcError(code, str(error.get("message", "")), error.get("data"))
