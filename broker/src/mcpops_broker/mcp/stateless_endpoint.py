# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/mcp` for clients without sessions: the rules of MCP basic/transports/streamable-http, revision 2026-07-28."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.access.authentication import authorization_for_upstreams
from mcpops_broker.mcp import stateless_methods
from mcpops_broker.mcp.http import Request, accepted, bad, refuse, refuse_for_now
from mcpops_broker.mcp.stateless_exchange import StatelessExchange
from mcpops_broker.mcp.stateless_output import StatelessOutput
from mcpops_broker.mcp.subscriptions import Filter, ListenRequest, listen
from mcpops_broker.principal import Principal
from mcpops_broker.protocol import headers as mirrored
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import Kind, Message, RpcError
from mcpops_broker.protocol.versions import SESSION_VERSIONS, STATELESS_VERSIONS, is_stateless
from mcpops_broker.seen.record import Outcome
from mcpops_broker.upstream.exchange import Client
from mcpops_broker.web.asgi import Headers, respond

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

ONLY_POST = (b"allow", b"POST")
_VERSION = mirrored.VERSION.encode()


def wants_no_session(headers: Headers, message: object) -> bool:
    """Tell whether a request is for this endpoint: it describes itself, or its header names a revision without
    sessions (basic/versioning: a server of both eras chooses by how the client opens)."""
    version = meta.meta_of(message).get(meta.PROTOCOL_VERSION)
    if version is not None:
        return version not in SESSION_VERSIONS
    header = headers.get(_VERSION)
    return header is not None and is_stateless(header.decode("latin-1"))


class StatelessEndpoint:
    """Serves the clients without sessions of one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def post(self, request: Request, message: Any) -> None:
        """Handle one POSTed message."""
        headers, send, record = request.headers, request.send, request.record
        record.era = "stateless"
        request_id = jsonrpc.id_of(message)
        try:
            kind = jsonrpc.classify(message)
            record.method = "response" if kind is Kind.RESPONSE else message["method"]
            if kind is Kind.RESPONSE:
                raise bad(400, "clients without sessions send no responses: answer in the inputResponses of a retry")
            if kind is Kind.NOTIFICATION:
                _check_version(headers.get(_VERSION, b"").decode("latin-1"))
                await respond(send, 202)  # this revision defines none, so there is nothing to do
                return
            client = self._client(headers, request.principal, message)
            self._broker.rate_limits.request(request.principal, message["method"])
            if message["method"] == "subscriptions/listen":
                await self._listen(request, message)
                return
            scope = self._broker.access.scope(headers, None, request.principal)
        except RpcError as error:
            record.failed(error)
            await refuse(send, error, request_id)
            return
        takes_json, takes_events = accepted(headers)
        output = StatelessOutput(request.receive, send, takes_json=takes_json, takes_events=takes_events)
        exchange = StatelessExchange(
            client, record, message, scope=scope, sent=headers, output=output, broker=self._broker
        )
        response = await output.until_gone(stateless_methods.answer(self._broker, exchange, message["params"]))
        if response is not None:
            await output.finish(response, exchange.status, exchange.answer_headers)
        else:
            record.outcome = Outcome.GONE
            logs.debug("client.gone", method=exchange.method)
            self._broker.background.start(exchange.cancel("the client closed the connection"), "cancel")

    def _client(self, headers: Headers, principal: Principal, message: Message) -> Client:
        """Check what every request must say, in its body and again in its headers, and return who asks."""
        said = meta.read(message)
        header = headers.get(_VERSION)
        if header is None or header.decode("latin-1") != said.version:
            raise RpcError(
                jsonrpc.HEADER_MISMATCH,
                f"Header mismatch: the {mirrored.VERSION} header must repeat {meta.PROTOCOL_VERSION} of params._meta",
                status=400,
            )
        mirrored.check_standard(headers, message["method"], message["params"])
        version = _check_version(said.version)
        authorization = authorization_for_upstreams(headers, principal) or b""
        return self._broker.stateless_clients.find(version, principal, authorization, said.capabilities, said.log_level)

    async def _listen(self, request: Request, message: Message) -> None:
        broker = self._broker
        if not accepted(request.headers)[1]:
            raise bad(406, "the Accept header must allow text/event-stream")
        if len(broker.streams) + len(broker.subscriptions) >= broker.config.broker.limits.streams or broker.draining:
            await refuse_for_now(request, "no more streams now", 5)
            return
        wanted = Filter.read(message["params"])
        scope = broker.access.scope(request.headers, None, request.principal)
        broker.catalogue.view(scope)  # raises for a virtual server that does not exist
        listening = ListenRequest(message["id"], request.principal, scope, wanted)
        output = StatelessOutput(request.receive, request.send, takes_json=False, takes_events=True)
        broker.requests -= 1  # from here on it is one of the streams, which have a limit of their own
        try:
            response = await output.until_gone(listen(listening, broker, output))
        finally:
            broker.requests += 1
        if response is not None:
            await output.finish(response)


def _check_version(version: object) -> str:
    if isinstance(version, str) and version in STATELESS_VERSIONS:
        return version
    requested = jsonrpc.excerpt(version)
    data = {"supported": list(STATELESS_VERSIONS), "requested": requested}
    raise RpcError(jsonrpc.UNSUPPORTED_VERSION, f"Unsupported protocol version: {requested}", data, status=400)
