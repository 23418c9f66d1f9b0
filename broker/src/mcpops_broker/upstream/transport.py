# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One HTTP exchange with an upstream: what is sent, and what its answer means.

Answers may come as JSON or as a stream of events; both look the same to the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.net.client import Answer, HttpClient, HttpError, HttpTimeoutError
from mcpops_broker.net.target import address_of, target_for
from mcpops_broker.protocol import jsonrpc, sse
from mcpops_broker.protocol.jsonrpc import Id, Kind, Message
from mcpops_broker.upstream.errors import StaleSessionError, UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.session import UpstreamSession

DRAIN_TIMEOUT = 2.0
"""Seconds to read the end of a stream whose answer has arrived, so that the connection can be used again."""
RETRY = 1.0
"""Seconds before a broken stream is resumed, unless the upstream names another time."""
_REFUSAL_LIMIT = 1 << 20

Response = tuple[bytes, Message]
"""A response as the upstream wrote it, and parsed."""
OnNotification = Callable[[bytes], Awaitable[None]]
OnRequest = Callable[[UpstreamSession, Message], Coroutine[Any, Any, None]]


class Transport:
    """Streamable HTTP towards one upstream. Every method raises `UpstreamError`.

    `on_request` gets what an upstream asks of its client inside a stream.
    """

    def __init__(
        self,
        server: Server,
        http: HttpClient,
        options: BrokerOptions,
        *,
        background: Background,
        ca_bundle: str | None,
        on_request: OnRequest,
    ) -> None:
        self.name = server.name
        self.headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "accept-encoding": "identity",
            "user-agent": f"mcpops-broker/{__version__}",
        }
        self._secrets: tuple[str, ...] = ()
        if server.credential:
            self.headers["authorization"] = server.credential
            self._secrets = (server.credential, server.credential.rpartition(" ")[2])
        self._http = http
        self._background = background
        self._on_request = on_request
        self._limit = options.limits.response
        self._first_byte = options.timeouts.first_byte
        self._target = target_for(
            server.url,
            connect_timeout=options.timeouts.connect,
            authorities=tuple(pem for pem in (ca_bundle, server.ca_cert) if pem),
        )

    async def post(self, session: UpstreamSession, body: bytes) -> Answer:
        """Send a message; return the answer when its status says that it was accepted."""
        answer = await self._send("POST", session.headers, body)
        if answer.status >= 300:
            try:
                raise await self._refusal(session, answer)
            finally:
                answer.close()
        return answer

    async def delete(self, session: UpstreamSession) -> None:
        """Ask the upstream to end a session; what it answers does not matter (it may be 405)."""
        (await self._send("DELETE", session.headers, None)).close()

    async def listen(self, session: UpstreamSession, last_event: str | None = None) -> Answer | None:
        """Open the stream of the upstream's own messages, or resume one; None when the upstream offers none."""
        headers = {**session.headers, "accept": "text/event-stream"}
        if last_event is not None:
            headers["last-event-id"] = last_event
        answer = await self._send("GET", headers, None)
        if answer.status == 200 and _is_stream(answer):
            return answer
        answer.close()
        return None

    async def response(
        self, session: UpstreamSession, answer: Answer, request_id: Id, notify: OnNotification | None
    ) -> Response:
        """Read the response to a request out of an answer; notifications before it go to `notify` as they are."""
        if _is_stream(answer):
            return await self._from_stream(session, answer, request_id, notify)
        try:
            raw = await answer.read(self._limit)
        except HttpError as error:
            raise self.error("broken", str(error)) from error
        finally:
            answer.close()
        content_type = answer.header("content-type") or ""
        if not content_type.lower().startswith("application/json"):
            raise self.error("invalid", f"answered with content type {content_type!r}")
        for data, message in self._parse(raw):
            if "method" not in message and message.get("id") == request_id:
                return data, message
            if "error" in message and message.get("id") is None:
                self.result(message)
        raise self.error("invalid", "answered without a response to the request")

    async def messages(self, session: UpstreamSession, answer: Answer) -> AsyncIterator[Message]:
        """Iterate over the notifications of a stream; the upstream's requests go to `on_request`."""
        parser = sse.Parser(self._limit)
        try:
            async for chunk in answer.chunks():
                for event in parser.feed(chunk):
                    for _, message in self._parse(event.data):
                        if jsonrpc.classify(message) is Kind.REQUEST:
                            await self._on_request(session, message)
                        else:
                            yield message
        except (HttpError, sse.EventTooLargeError) as error:
            raise self.error("broken", str(error)) from error
        finally:
            answer.close()

    def result(self, response: Message) -> dict[str, Any]:
        """Return the result of a response; raise `UpstreamRpcError` for an error response."""
        if "error" in response:
            error = response["error"] if isinstance(response["error"], dict) else {}
            raise self._rpc_error(error)
        if not isinstance(response["result"], dict):
            raise self.error("invalid", "answered with a result that is not an object")
        return response["result"]

    def error(self, reason: str, problem: str) -> UpstreamError:
        """Build an error of this upstream."""
        return UpstreamError(self.name, reason, problem)

    async def _send(self, method: str, headers: dict[str, str], body: bytes | None) -> Answer:
        try:
            return await self._http.request(method, self._target, headers, body, self._first_byte)
        except HttpTimeoutError as error:
            raise self.error("timeout", str(error)) from error
        except HttpError as error:
            raise self.error("unreachable", str(error)) from error

    async def _from_stream(
        self, session: UpstreamSession, answer: Answer, request_id: Id, notify: OnNotification | None
    ) -> Response:
        """Read a stream up to the response, resuming it when the upstream closes it early and can (MCP 2025-11-25)."""
        last_event: str | None = None
        retry = RETRY
        while True:
            chunks = answer.chunks()
            parser = sse.Parser(self._limit)
            complete = False
            try:
                async for chunk in chunks:
                    for event in parser.feed(chunk):
                        last_event = event.id or last_event
                        retry = event.retry if event.retry is not None else retry
                        for data, message in self._parse(event.data):
                            kind = jsonrpc.classify(message)
                            if kind is Kind.RESPONSE and message.get("id") == request_id:
                                complete = True
                                self._background.start(_drain(answer, chunks), "drain")
                                return data, message
                            if kind is Kind.NOTIFICATION and notify is not None:
                                await notify(data)
                            elif kind is Kind.REQUEST:
                                self._background.start(self._on_request(session, message), "answer")
            except sse.EventTooLargeError as error:
                raise self.error("broken", str(error)) from error
            except HttpError as error:
                if last_event is None:
                    raise self.error("broken", str(error)) from error
            finally:
                if not complete:
                    answer.close()
            if last_event is None:
                raise self.error("broken", "ended its stream without a response")
            await asyncio.sleep(max(retry, 0.05))
            resumed = await self.listen(session, last_event)
            if resumed is None:
                raise self.error("broken", "ended its stream without a response and did not resume it")
            answer = resumed

    def _parse(self, raw: bytes) -> list[Response]:
        """Parse what an upstream sent: nothing (a priming event), a message, or several as 2025-03-26 allows."""
        if not raw:
            return []
        try:
            parsed = jsonrpc.parse(raw)
            messages = [(orjson.dumps(one), one) for one in parsed] if isinstance(parsed, list) else [(raw, parsed)]
            for _, message in messages:
                jsonrpc.classify(message)
        except jsonrpc.RpcError as error:
            raise self.error("invalid", f"sent what is not JSON-RPC ({error.message})") from None
        return messages

    async def _refusal(self, session: UpstreamSession, answer: Answer) -> UpstreamError:
        """Turn an HTTP error into the exception that says what it means."""
        status = answer.status
        if status in (401, 403):
            return self.error("refused", f"refused the configured credential (HTTP {status})")
        if status < 400:
            where = address_of(answer.header("location") or "")
            return self.error(
                "redirect", f"answered with a redirect to {where} (HTTP {status}): configure that address"
            )
        error: Any = None
        with suppress(HttpError, jsonrpc.RpcError):
            parsed = jsonrpc.parse(await answer.read(min(self._limit, _REFUSAL_LIMIT)))
            error = parsed.get("error") if isinstance(parsed, dict) else None
        # 404 is the rule; servers made from the TypeScript SDK's examples answer 400 "No valid session ID provided".
        about_session = isinstance(error, dict) and "session" in str(error.get("message")).lower()
        if session.id is not None and (status == 404 or (status == 400 and about_session)):
            return StaleSessionError(self.name, "session", "no longer knows the session")
        if isinstance(error, dict) and type(error.get("code")) is int:
            return self._rpc_error(error)
        if status == 404:
            return self.error("status", "answered HTTP 404: is the path of its url right?")
        return self.error("status", f"answered HTTP {status}")

    def _rpc_error(self, error: dict[str, Any]) -> UpstreamRpcError:
        """Build the exception for an error object, without our credential should the upstream repeat it."""
        text = str(error.get("message"))
        for secret in self._secrets:
            text = text.replace(secret, "***")
        code = error.get("code")
        code = code if type(code) is int else jsonrpc.INTERNAL_ERROR
        return UpstreamRpcError(self.name, code, jsonrpc.excerpt(text), error.get("data"))


def _is_stream(answer: Answer) -> bool:
    return (answer.header("content-type") or "").lower().startswith("text/event-stream")


async def _drain(answer: Answer, chunks: AsyncIterator[bytes]) -> None:
    """Read a finished stream to its end, so that its connection can be used again."""
    try:
        with suppress(HttpError, TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                async for _ in chunks:
                    pass
    finally:
        answer.close()
