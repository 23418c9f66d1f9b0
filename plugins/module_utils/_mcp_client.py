# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""A small MCP client for the Streamable HTTP transport with sessions (revisions 2025-03-26 to 2025-11-25)."""

from __future__ import annotations

import contextlib
import json
import ssl
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http import Exchange
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_sse import event_data
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_status import status_failure
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target

PROTOCOL_VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
"""Revisions with an initialize handshake over Streamable HTTP, oldest first."""

BARE_INITIALIZE = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize"}'
"""The body of the install guide's curl command, byte for byte."""

MAX_PAGES = 1000

INTERNAL_ERROR = -32603
"""JSON-RPC: what a broker answers when the server behind it failed."""

Json = dict[str, t.Any]


class McpClient:
    """One MCP session. Every method raises :class:`EndpointError`.

    ``headers`` go out with every request and win over the client's own. ``timeout`` (seconds) bounds each request.
    """

    def __init__(
        self,
        target: Target,
        *,
        tls: ssl.SSLContext | None,
        headers: t.Mapping[str, str],
        timeout: float,
        name: str,
        version: str,
    ) -> None:
        self.target = target
        self.session_id: str | None = None
        self.protocol_version: str | None = None
        self.http_status = 0
        self._tls = tls
        self._headers = headers
        self._timeout = timeout
        self._client_info = {"name": name, "version": version}
        self._last_id = 0

    def bare_initialize(self) -> Json:
        """The install guide's curl command: no params, ``Accept: */*``. Returns the whole JSON-RPC answer."""
        headers = {"Accept": "*/*", "Content-Type": "application/json"}
        return self._post(BARE_INITIALIZE, headers, "initialize without params", 1)

    def initialize(self, protocol_version: str) -> Json:
        """The handshake of the specification, with the initialized notification. Returns the whole JSON-RPC answer."""
        params = {"protocolVersion": protocol_version, "capabilities": {}, "clientInfo": self._client_info}
        answer = self._call("initialize", params)
        result = checked_initialize(self.target, answer)
        self.protocol_version = result["protocolVersion"]
        self._notify("notifications/initialized")
        return answer

    def ping(self) -> None:
        self._call("ping", None)

    def tools(self) -> list[Json]:
        """Every tool, all pages."""
        found: list[Json] = []
        cursor: str | None = None
        for _page in range(MAX_PAGES):
            result = self._call("tools/list", {"cursor": cursor} if cursor else {})["result"]
            page = result.get("tools")
            if not isinstance(page, list) or not all(
                isinstance(x, dict) and isinstance(x.get("name"), str) for x in page
            ):
                raise self._mcp("the answer to tools/list holds no list of named tools")
            found += page
            following = result.get("nextCursor")
            if not following:
                return found
            if following == cursor:
                raise self._mcp(f"tools/list gives the cursor {excerpt(str(following))!r} again and again")
            cursor = following
        raise self._mcp(f"tools/list does not end after {MAX_PAGES} pages")

    def call_tool(self, name: str, arguments: Json) -> Json:
        """The result of tools/call; a result that says ``isError`` is a failure."""
        result: Json = self._call("tools/call", {"name": name, "arguments": arguments})["result"]
        if result.get("isError"):
            texts = [str(x.get("text", "")) for x in result.get("content") or [] if isinstance(x, dict)]
            said = excerpt(" ".join(texts)) or "no text"
            raise EndpointError(
                "assert",
                f"{self.target.url}: the tool {name} answered with an error ({said});"
                " correct call.arguments, or repair the MCP server",
                retry=False,
                call_result=result,
            )
        return result

    def close(self) -> None:
        """End the session: a courtesy. A server may refuse it (405) or be gone; the result stands without it."""
        if self.session_id is None:
            return
        with contextlib.suppress(EndpointError):
            Exchange("DELETE", self.target, self._tls, self._request_headers(), None, timeout=self._timeout).close()
        self.session_id = None

    def _call(self, method: str, params: Json | None) -> Json:
        self._last_id += 1
        message: Json = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        if params is not None:
            message["params"] = params
        return self._post(json.dumps(message).encode(), self._mcp_headers(), method, self._last_id)

    def _notify(self, method: str) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method}).encode()
        with self._exchange(body, self._mcp_headers()) as exchange:
            if not 200 <= exchange.status < 300:
                raise self._status(exchange, method)

    def _post(self, body: bytes, headers: t.Mapping[str, str], method: str, request_id: int) -> Json:
        with self._exchange(body, headers) as exchange:
            self.http_status = exchange.status
            if not 200 <= exchange.status < 300:
                raise self._status(exchange, method)
            answer = self._answer(exchange, method, request_id)
            if method.startswith("initialize"):
                self.session_id = exchange.header("Mcp-Session-Id")
        error = answer.get("error")
        if error is not None:
            raise self._rpc_failure(method, error)
        if not isinstance(answer.get("result"), dict):
            raise self._mcp(f"the answer to {method} has neither result nor error: {excerpt(json.dumps(answer))}")
        return answer

    def _exchange(self, body: bytes, headers: t.Mapping[str, str]) -> Exchange:
        all_headers = {**self._request_headers(), **headers, **self._headers, "Content-Length": str(len(body))}
        return Exchange("POST", self.target, self._tls, all_headers, body, timeout=self._timeout)

    def _request_headers(self) -> dict[str, str]:
        headers = {
            "Host": self.target.host_header,
            "User-Agent": f"{self._client_info['name']}/{self._client_info['version']}",
            "Connection": "close",
        }
        if self.protocol_version:
            headers["MCP-Protocol-Version"] = self.protocol_version
        if self.session_id:
            headers["Mcp-Session-Id"] = self.session_id
        return {**headers, **self._headers}

    @staticmethod
    def _mcp_headers() -> dict[str, str]:
        return {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}

    def _answer(self, exchange: Exchange, method: str, request_id: int) -> Json:
        if exchange.content_type == "text/event-stream":
            for data in event_data(exchange.lines()):
                message = self._parse(data, exchange, method)
                if message.get("id") == request_id and "method" not in message:
                    return message
            raise self._mcp(f"the event stream ended before the answer to {method}", retry=True)
        message = self._parse(exchange.body(), exchange, method)
        if message.get("id") != request_id and message.get("error") is None:
            raise self._mcp(f"the answer to {method} carries the id {message.get('id')!r} instead of {request_id}")
        return message

    def _parse(self, data: bytes | str, exchange: Exchange, method: str) -> Json:
        try:
            message = json.loads(data)
        except ValueError as error:
            kind = exchange.content_type or "no content type"
            said = excerpt(data) or "nothing"
            raise EndpointError(
                "mcp",
                f"{self.target.url}: the answer to {method} is not JSON ({kind}: {said}); this is no MCP endpoint,"
                " check host, port and path of url (usually /mcp)",
                http_status=exchange.status,
            ) from error
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise self._mcp(
                f"the answer to {method} is JSON but not a JSON-RPC 2.0 message ({excerpt(data)});"
                " this is no MCP endpoint, check host, port and path of url"
            )
        return message

    def _status(self, exchange: Exchange, method: str) -> EndpointError:
        body = exchange.body()
        if exchange.status == 404 and self.session_id is not None:
            return EndpointError(
                "mcp",
                f"{self.target.url}: HTTP 404 to {method}: the server does not know the session it has just opened;"
                " with several replicas a shared session store is needed",
                http_status=404,
            )
        failure = status_failure(self.target, exchange.status, exchange.header, body)
        try:
            message = json.loads(body)
        except ValueError:
            return failure
        error = message.get("error") if isinstance(message, dict) else None
        if (
            isinstance(error, dict)
            and message.get("jsonrpc") == "2.0"
            and exchange.status < 500
            and exchange.status not in (401, 403)
        ):
            return self._rpc_failure(method, error, **failure.facts)
        return failure

    def _rpc_failure(self, method: str, error: t.Any, **facts: t.Any) -> EndpointError:
        if not isinstance(error, dict):
            return self._mcp(f"the answer to {method} has an error that is no object: {excerpt(str(error))}")
        data = error.get("data")
        supported = data.get("supported") if isinstance(data, dict) else None
        code, message = error.get("code"), excerpt(str(error.get("message", "")))
        advice = ""
        if isinstance(supported, list):
            spoken = ", ".join(map(str, supported))
            if set(supported) & set(PROTOCOL_VERSIONS):
                advice = f"; it supports the revisions {spoken}, so choose one of them in protocol_version"
            else:
                advice = f"; it supports only {spoken}, without an initialize handshake"
        elif method == "tools/call" and code == INTERNAL_ERROR:
            advice = "; the MCP server behind the tool failed: look at its Deployment, its pods and their logs"
        elif method == "tools/call":
            advice = "; check the name and the arguments in call"
        return EndpointError(
            "mcp",
            f"{self.target.url}: {method} was refused with JSON-RPC error {code} ({message}){advice}",
            retry=code == INTERNAL_ERROR,
            rpc_error=error,
            **{"http_status": self.http_status, **facts},
        )

    def _mcp(self, text: str, *, retry: bool = False) -> EndpointError:
        return EndpointError("mcp", f"{self.target.url}: {text}", retry=retry, http_status=self.http_status)


def checked_initialize(target: Target, answer: Json) -> Json:
    """The result of an initialize answer, after checking what the specification demands of it."""
    result: Json = answer["result"]
    kinds: tuple[tuple[str, type, str], ...] = (
        ("protocolVersion", str, "string"),
        ("serverInfo", dict, "object"),
        ("capabilities", dict, "object"),
    )
    for field, kind, name in kinds:
        if not isinstance(result.get(field), kind):
            raise EndpointError(
                "mcp",
                f"{target.url}: the initialize result has no {field} ({name}), so this is no MCP server:"
                f" {excerpt(json.dumps(result))}",
                retry=False,
            )
    return result
