# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One HTTP exchange with an upstream, alike in both eras: what is sent, and what a status or a body means."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.credentials.token_endpoint import CredentialError
from mcpops_broker.net.client import Answer, HttpClient, HttpError, HttpTimeoutError
from mcpops_broker.net.target import address_of, target_for
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import Id, Message
from mcpops_broker.upstream.credentials import AUTHORIZATION, Credentials
from mcpops_broker.upstream.errors import StaleSessionError, UnauthorizedError, UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Client, Reply

_OWN = "(the broker's own)"
"""Stands in headers for a credential that is only known when they are sent."""
_REFUSAL_LIMIT = 1 << 20
"""Bytes of an error's body that are read."""

Response = tuple[bytes, Message]
"""A message as the upstream wrote it, and parsed."""


class Transport:
    """Streamable HTTP towards one upstream. Every method raises `UpstreamError`."""

    def __init__(
        self,
        server: Server,
        credentials: Credentials,
        http: HttpClient,
        options: BrokerOptions,
        ca_bundle: str | None,
    ) -> None:
        self.name = server.name
        self.headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "accept-encoding": "identity",
            "user-agent": f"mcpops-broker/{__version__}",
            **credentials.headers,
        }
        """Headers of the broker's own requests, the credential among them."""
        if credentials.changing:
            self.headers[AUTHORIZATION] = _OWN
        self._credentials = credentials
        self.personal = credentials.personal
        """Whether clients' requests carry their own authorization instead of the broker's credential."""
        self._http = http
        self.limit = options.limits.response
        """Bytes of one answer, or of one event of a stream."""
        self._first_byte = options.timeouts.first_byte
        self._idle = options.timeouts.idle
        self.target = target_for(
            server.url,
            connect_timeout=options.timeouts.connect,
            authorities=tuple(pem for pem in (ca_bundle, server.ca_cert) if pem),
            guard=options.upstream_addresses.for_foreign() if server.foreign else options.upstream_addresses,
        )
        """Where it is, and which addresses its name may stand for."""

    def authorized(self, headers: dict[str, str], client: Client) -> dict[str, str]:
        """Return the headers of a client's request: for a personal upstream with the client's own authorization.

        A client without one goes without: the broker's credential is not for users.
        """
        if not self.personal:
            return headers
        own = {name: value for name, value in headers.items() if name not in self._credentials.headers}
        own.pop(AUTHORIZATION, None)
        if client.authorization is not None:
            own[AUTHORIZATION] = client.authorization
        return own

    async def post(
        self, headers: dict[str, str], body: bytes, *, in_session: bool = False, endless: bool = False
    ) -> Answer:
        """Send a message; return the answer when its status says that it was accepted.

        `in_session`: the headers name a session, so a 404 means that it has ended. `endless`: the answer is a stream
        that may be silent for any time.
        """
        answer = await self._send("POST", headers, body, None if endless else self._idle)
        if answer.status >= 300:
            try:
                raise await self._refusal(answer, in_session, headers)
            finally:
                answer.close()
        return answer

    async def delete(self, headers: dict[str, str]) -> None:
        """Ask the upstream to end a session; what it answers does not matter (it may be 405)."""
        (await self._send("DELETE", headers, None, self._idle)).close()

    async def listen(self, headers: dict[str, str], last_event: str | None = None) -> Answer | None:
        """Open the stream of the upstream's own messages, or resume one; None when the upstream offers none."""
        headers = {**headers, "accept": "text/event-stream"}
        if last_event is not None:
            headers["last-event-id"] = last_event
        answer = await self._send("GET", headers, None, None)
        if answer.status == 200 and is_stream(answer):
            return answer
        answer.close()
        if answer.status == 404 and "mcp-session-id" in headers:
            raise StaleSessionError(self.name, "session", "no longer knows the session")
        if answer.status in (409, 429) or answer.status >= 500:  # 409: another one of the session is open still
            raise self.error("server", f"answered HTTP {answer.status}")
        return None

    async def read_json(self, answer: Answer, request_id: Id) -> Response:
        """Read the response to a request out of a JSON answer."""
        try:
            raw = await answer.read(self.limit)
        except HttpTimeoutError as error:
            raise self.error("timeout", str(error)) from error
        except HttpError as error:
            raise self.error("broken", str(error)) from error
        finally:
            answer.close()
        content_type = answer.header("content-type") or ""
        if not content_type.lower().startswith("application/json"):
            raise self.error("invalid", f"answered with content type {content_type!r}")
        for data, message in self.parse(raw):
            if self.answers(message, request_id):
                return data, message
        raise self.error("invalid", "answered without a response to the request")

    def answers(self, message: Message, request_id: Id) -> bool:
        """Tell whether a message is the response to a request.

        An error without an id can only be about this request: raises it as `UpstreamRpcError`.
        """
        if "method" in message:
            return False
        if message.get("id") == request_id:
            return True
        if "error" in message and message.get("id") is None:
            self.result(message)
        return False

    def parse(self, raw: bytes) -> list[Response]:
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

    def result(self, response: Message) -> dict[str, Any]:
        """Return the result of a response; raise `UpstreamRpcError` for an error response."""
        if "error" in response:
            raise self._rpc_error(response["error"])
        result: dict[str, Any] = response["result"]
        return result

    def error(self, reason: str, problem: str) -> UpstreamError:
        """Build an error of this upstream."""
        return UpstreamError(self.name, reason, problem)

    async def _send(self, method: str, headers: dict[str, str], body: bytes | None, idle: float | None) -> Answer:
        if headers.get(AUTHORIZATION) != _OWN:
            return await self._request(method, headers, body, idle)
        credentials = self._credentials
        for again in (True, False):
            try:
                own = await credentials.own()
            except CredentialError as error:
                raise self.error("credential", f"was not asked, since {error}") from error
            answer = await self._request(method, {**headers, AUTHORIZATION: own}, body, idle)
            if not again or answer.status != 401 or not credentials.own_refused(own):
                break
            answer.close()
        return answer

    async def _request(self, method: str, headers: dict[str, str], body: bytes | None, idle: float | None) -> Answer:
        try:
            return await self._http.request(method, self.target, headers, body, first_byte=self._first_byte, idle=idle)
        except HttpTimeoutError as error:
            raise self.error("timeout", str(error)) from error
        except HttpError as error:
            raise self.error("unreachable", str(error)) from error

    async def _refusal(self, answer: Answer, in_session: bool, sent: Mapping[str, str]) -> UpstreamError:
        """Turn an HTTP error into the exception that says what it means."""
        status = answer.status
        if status in (401, 403):
            what = "authorization of the client" if self.personal else "configured credential"
            problem = f"refused the {what} (HTTP {status})"
            return (UnauthorizedError if status == 401 else UpstreamError)(self.name, "refused", problem)
        if status < 400:
            where = address_of(answer.header("location") or "")
            return self.error(
                "redirect", f"answered with a redirect to {where} (HTTP {status}): configure that address"
            )
        error: Any = None
        with suppress(HttpError, jsonrpc.RpcError):
            parsed = jsonrpc.parse(await answer.read(min(self.limit, _REFUSAL_LIMIT)))
            error = parsed.get("error") if isinstance(parsed, dict) else None
        # 404 is the rule; servers made from the TypeScript SDK's examples answer 400 "No valid session ID provided".
        about_session = isinstance(error, dict) and "session" in str(error.get("message")).lower()
        if in_session and (status == 404 or (status == 400 and about_session)):
            return StaleSessionError(self.name, "session", "no longer knows the session")
        if isinstance(error, dict) and type(error.get("code")) is int:
            return self._rpc_error(error, sent.get(AUTHORIZATION, ""))
        if status == 404:
            return self.error("status", "answered HTTP 404: is the path of its url right?")
        if status == 405:
            return self.error(
                "status", "answered HTTP 405: no MCP server that takes POST (Streamable HTTP) is at its url"
            )
        return self.error("server" if status >= 500 else "status", f"answered HTTP {status}")

    def _rpc_error(self, error: dict[str, Any], sent: str = "") -> UpstreamRpcError:
        """Build the exception for an error object, without our credential or the one that was sent, should the upstream
        repeat it."""
        text = str(error.get("message"))
        for secret in (*self._credentials.secrets, sent, sent.rpartition(" ")[2]):
            if secret:
                text = text.replace(secret, "***")
        code = error.get("code")
        code = code if type(code) is int else jsonrpc.INTERNAL_ERROR
        return UpstreamRpcError(self.name, code, jsonrpc.excerpt(text), error.get("data"))


def is_stream(answer: Answer) -> bool:
    """Tell whether an answer is a stream of events."""
    return (answer.header("content-type") or "").lower().startswith("text/event-stream")


def error_reply(request_id: Id, error: UpstreamRpcError) -> Reply:
    """Build the response that carries an upstream's JSON-RPC error, which it gave beside an HTTP error."""
    raw = jsonrpc.error_bytes(request_id, jsonrpc.RpcError(error.code, error.message, error.data))
    return Reply(raw, orjson.loads(raw))


def failed_call(request_id: Id, text: str) -> Reply:
    """Build the result of a tool's call that failed, for the model to read."""
    result = {"content": [{"type": "text", "text": text}], "isError": True}
    message: Message = {"jsonrpc": "2.0", "id": request_id, "result": result}
    return Reply(orjson.dumps(message), message)
