# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Speaking MCP to one upstream: sessions, requests, notifications, over Streamable HTTP.

The link has no state of its own; sessions are values that callers keep. Answers may come as JSON or as a stream
of events; both look the same to the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.net.client import Answer, HttpClient, HttpError, HttpTimeoutError
from mcpops_broker.net.target import address_of, target_for
from mcpops_broker.protocol import jsonrpc, sse
from mcpops_broker.protocol.versions import LATEST_SESSION_VERSION, SESSION_VERSIONS
from mcpops_broker.upstream.errors import StaleSessionError, UpstreamError, UpstreamRpcError

CONTROL_TIMEOUT = 30.0
"""Seconds for the broker's own requests (initialize, lists), unless the configured total is shorter."""
DRAIN_TIMEOUT = 2.0
"""Seconds to read the end of a stream whose answer has arrived, so that the connection can be used again."""
RETRY = 1.0
"""Seconds before a broken stream is resumed, unless the upstream names another time."""

OnNotification = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True, eq=False)
class UpstreamSession:
    """A session at an upstream. Without an id the upstream keeps no state and anybody may share the session."""

    id: str | None
    version: str
    capabilities: dict[str, Any]
    headers: dict[str, str] = field(repr=False)
    """Headers of every request in this session, the credential among them."""


class UpstreamLink:
    """The way to one upstream."""

    def __init__(
        self, server: Server, http: HttpClient, options: BrokerOptions, background: Background, ca_bundle: str | None
    ) -> None:
        self.name = server.name
        self.address = address_of(server.url)
        self._http = http
        self._background = background
        self._limit = options.limits.response
        self._times = options.timeouts
        self._control = min(CONTROL_TIMEOUT, options.timeouts.total)
        self._target = target_for(
            server.url,
            connect_timeout=options.timeouts.connect,
            authorities=tuple(pem for pem in (ca_bundle, server.ca_cert) if pem),
        )
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "accept-encoding": "identity",
            "user-agent": f"mcpops-broker/{__version__}",
        }
        self._secrets: tuple[str, ...] = ()
        if server.credential:
            self._headers["authorization"] = server.credential
            self._secrets = (server.credential, server.credential.rpartition(" ")[2])

    async def open_session(self) -> UpstreamSession:
        """Initialize a session; raise `UpstreamError`."""
        bare = UpstreamSession(None, LATEST_SESSION_VERSION, {}, self._headers)
        params = {
            "protocolVersion": LATEST_SESSION_VERSION,
            "capabilities": {},
            "clientInfo": {"name": "mcpops-broker", "version": __version__},
        }
        body = orjson.dumps(jsonrpc.request("initialize", "initialize", params))
        async with self._deadline(self._control):
            answer = await self._post(bare, body)
            session_id = answer.header("mcp-session-id")
            result = self._result((await self._read(bare, answer, "initialize", None))[1])
            version = result.get("protocolVersion")
            if version not in SESSION_VERSIONS:
                raise self._error("version", f"speaks MCP {version!r}, which this broker does not")
            capabilities = result.get("capabilities")
            headers = {**self._headers, "mcp-protocol-version": version}
            if session_id:
                headers["mcp-session-id"] = session_id
            session = UpstreamSession(
                session_id or None, version, capabilities if isinstance(capabilities, dict) else {}, headers
            )
            await self.notify(session, jsonrpc.notification("notifications/initialized"))
        return session

    async def request(self, session: UpstreamSession, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send one of the broker's own requests and return its result; raise `UpstreamError`."""
        body = orjson.dumps(jsonrpc.request(f"broker:{method}", method, params))
        async with self._deadline(self._control):
            answer = await self._post(session, body)
            _, response = await self._read(session, answer, f"broker:{method}", None)
        return self._result(response)

    async def relay(
        self, session: UpstreamSession, body: bytes, request_id: jsonrpc.Id, notify: OnNotification | None
    ) -> bytes:
        """Send a client's request and return the response as the upstream wrote it.

        Notifications that come before it go to `notify` as they are. Raises `UpstreamError`;
        `StaleSessionError` when nothing was carried out and a new session would help.
        """
        async with self._deadline(self._times.total):
            answer = await self._post(session, body)
            return (await self._read(session, answer, request_id, notify))[0]

    async def notify(self, session: UpstreamSession, message: jsonrpc.Message) -> None:
        """Send a notification or a response; raise `UpstreamError` when it is not accepted."""
        async with self._deadline(self._control):
            answer = await self._post(session, orjson.dumps(message))
            answer.close()

    async def listen(self, session: UpstreamSession, last_event: str | None) -> AsyncIterator[jsonrpc.Message] | None:
        """Open the stream of an upstream's own notifications; None when it offers none.

        The iterator ends when the stream does; requests of the upstream are answered on the way.
        """
        answer = await self._get(session, last_event)
        if answer.status != 200 or not _is_stream(answer):
            answer.close()
            return None
        return self._messages(session, answer)

    async def close_session(self, session: UpstreamSession) -> None:
        """End a session. Whether the upstream can (it may answer 405) or is still there does not matter."""
        if session.id is not None:
            with suppress(HttpError):
                answer = await self._http.request("DELETE", self._target, session.headers, None, self._control)
                answer.close()

    async def _post(self, session: UpstreamSession, body: bytes) -> Answer:
        try:
            answer = await self._http.request("POST", self._target, session.headers, body, self._times.first_byte)
        except HttpTimeoutError as error:
            raise self._error("timeout", str(error)) from error
        except HttpError as error:
            raise self._error("unreachable", str(error)) from error
        if answer.status >= 300:
            try:
                raise await self._refusal(session, answer)
            finally:
                answer.close()
        return answer

    async def _get(self, session: UpstreamSession, last_event: str | None) -> Answer:
        headers = {**session.headers, "accept": "text/event-stream"}
        if last_event is not None:
            headers["last-event-id"] = last_event
        try:
            return await self._http.request("GET", self._target, headers, None, self._times.first_byte)
        except HttpError as error:
            raise self._error("unreachable", str(error)) from error

    async def _read(
        self, session: UpstreamSession, answer: Answer, request_id: jsonrpc.Id, notify: OnNotification | None
    ) -> tuple[bytes, jsonrpc.Message]:
        """Read the response to a request from an answer, whole or streamed."""
        if _is_stream(answer):
            return await self._read_stream(session, answer, request_id, notify)
        try:
            raw = await answer.read(self._limit)
        except HttpError as error:
            raise self._error("broken", str(error)) from error
        finally:
            answer.close()
        if not (answer.header("content-type") or "").lower().startswith("application/json"):
            raise self._error("invalid", f"answered with content type {answer.header('content-type')!r}")
        for data, message in self._parse(raw):
            if jsonrpc.classify(message) is jsonrpc.Kind.RESPONSE and message.get("id") == request_id:
                return data, message
            if "error" in message and message.get("id") is None:
                self._result(message)
        raise self._error("invalid", "answered without a response to the request")

    async def _read_stream(
        self, session: UpstreamSession, answer: Answer, request_id: jsonrpc.Id, notify: OnNotification | None
    ) -> tuple[bytes, jsonrpc.Message]:
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
                        for data, message in self._parse(event.data) if event.data else ():
                            kind = jsonrpc.classify(message)
                            if kind is jsonrpc.Kind.RESPONSE and message.get("id") == request_id:
                                complete = True
                                self._background.start(_drain(answer, chunks), "drain")
                                return data, message
                            if kind is jsonrpc.Kind.NOTIFICATION and notify is not None:
                                await notify(data)
                            elif kind is jsonrpc.Kind.REQUEST:
                                self._background.start(self._answer(session, message), "answer")
            except (HttpError, sse.EventTooLargeError) as error:
                if last_event is None or isinstance(error, sse.EventTooLargeError):
                    raise self._error("broken", str(error)) from error
            finally:
                if not complete:
                    answer.close()
            if last_event is None:
                raise self._error("broken", "ended its stream without a response")
            await asyncio.sleep(max(retry, 0.05))
            answer = await self._get(session, last_event)
            if answer.status != 200 or not _is_stream(answer):
                answer.close()
                raise self._error("broken", f"ended its stream and did not resume it (HTTP {answer.status})")

    async def _messages(self, session: UpstreamSession, answer: Answer) -> AsyncIterator[jsonrpc.Message]:
        parser = sse.Parser(self._limit)
        try:
            async for chunk in answer.chunks():
                for event in parser.feed(chunk):
                    for _, message in self._parse(event.data) if event.data else ():
                        if jsonrpc.classify(message) is jsonrpc.Kind.REQUEST:
                            await self._answer(session, message)
                        else:
                            yield message
        except (HttpError, sse.EventTooLargeError) as error:
            raise self._error("broken", str(error)) from error
        finally:
            answer.close()

    def _parse(self, raw: bytes) -> list[tuple[bytes, jsonrpc.Message]]:
        """Parse what an upstream sent: one message, or several as 2025-03-26 allows."""
        try:
            parsed = jsonrpc.parse(raw)
            if isinstance(parsed, list):
                messages = [(orjson.dumps(message), message) for message in parsed]
            else:
                messages = [(raw, parsed)]
            for _, message in messages:
                jsonrpc.classify(message)
        except jsonrpc.RpcError as error:
            raise self._error("invalid", f"sent what is not JSON-RPC ({error.message})") from None
        return messages

    async def _answer(self, session: UpstreamSession, message: jsonrpc.Message) -> None:
        """Answer a request of the upstream: `ping`; we declared no capability, so anything else is unknown to us."""
        response: jsonrpc.Message = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "ping":
            response["result"] = {}
        else:
            text = f"Method {message['method']} is not supported by this client"
            response["error"] = {"code": jsonrpc.METHOD_NOT_FOUND, "message": text}
        with suppress(UpstreamError):  # the upstream is gone, and so is its question
            await self.notify(session, response)

    async def _refusal(self, session: UpstreamSession, answer: Answer) -> UpstreamError:
        """Turn an HTTP error into the exception that says what it means."""
        status = answer.status
        if status in (401, 403):
            return self._error("refused", f"refused the configured credential (HTTP {status})")
        if status < 400:
            where = address_of(answer.header("location") or "")
            return self._error(
                "redirect", f"answered with a redirect to {where} (HTTP {status}): configure that address"
            )
        error: Any = None
        with suppress(HttpError, jsonrpc.RpcError):
            parsed = jsonrpc.parse(await answer.read(min(self._limit, 1 << 20)))
            error = parsed.get("error") if isinstance(parsed, dict) else None
        text = self._text(error.get("message", "")) if isinstance(error, dict) else ""
        # 404 is the rule; servers made from the TypeScript SDK's examples answer 400 "No valid session ID provided".
        if session.id is not None and (status == 404 or (status == 400 and "session" in text.lower())):
            return StaleSessionError(self.name, "session", "no longer knows the session")
        if isinstance(error, dict) and type(error.get("code")) is int:
            return UpstreamRpcError(self.name, error["code"], text, error.get("data"))
        return self._error("status", f"answered HTTP {status}")

    def _text(self, value: object) -> str:
        """Return text of the upstream for errors and logs, without our credential should the upstream repeat it."""
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return jsonrpc.excerpt(text)

    def _result(self, response: jsonrpc.Message) -> dict[str, Any]:
        if "error" in response:
            error = response["error"] if isinstance(response["error"], dict) else {}
            code = error.get("code")
            code = code if type(code) is int else jsonrpc.INTERNAL_ERROR
            raise UpstreamRpcError(self.name, code, self._text(error.get("message")), error.get("data"))
        if not isinstance(response["result"], dict):
            raise self._error("invalid", "answered with a result that is not an object")
        return response["result"]

    def _error(self, reason: str, problem: str) -> UpstreamError:
        return UpstreamError(self.name, reason, problem)

    def _deadline(self, seconds: float) -> _Deadline:
        return _Deadline(self.name, seconds)


class _Deadline:
    """`asyncio.timeout` that raises an `UpstreamError` naming the upstream and the time."""

    def __init__(self, upstream: str, seconds: float) -> None:
        self._upstream = upstream
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise UpstreamError(self._upstream, "timeout", f"no complete answer within {self._seconds:g} s") from None


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
