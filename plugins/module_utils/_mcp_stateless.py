# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The client of revision 2026-07-28: no handshake, no session; every request says all about itself."""

from __future__ import annotations

import time

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, Layer, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_hello import Hello
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import HEADER_MISMATCH, Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_param_headers import (
    header_value,
    param_headers,
    wrong_keyword,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import STATELESS_REVISION
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_streamable import StreamableChannel
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_tools import checked_call, list_tools
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import CLIENT_INFO, Wire

META = "io.modelcontextprotocol/"

MAX_ROUNDS = 10
ROUND_PAUSE = 0.1
"""A call that is answered with nothing but a state to send again: how often, after how many seconds."""


class StatelessClient:
    """Every method raises :class:`EndpointError`. ``notes`` tells what works but should be better."""

    def __init__(self, wire: Wire) -> None:
        self.restarts = 0
        self.notes: list[str] = []
        self._channel = StreamableChannel(wire, STATELESS_REVISION)
        self._target = wire.target
        self._last_id = 0
        self._schemas: dict[str, Json] = {}

    @property
    def server_requests(self) -> list[str]:
        """Always empty: this revision has no requests of the server."""
        return self._channel.server_requests

    def open(self) -> Hello:
        """server/discover, which every server of this revision answers. Raises when it does not list the revision."""
        answer = self._send("server/discover", {})
        status = self._channel.http_status
        result = answer["result"]
        supported, capabilities = result.get("supportedVersions"), result.get("capabilities")
        if not isinstance(supported, list) or not isinstance(capabilities, dict):
            raise self._wrong(
                "the answer to server/discover has no supportedVersions (list) or no capabilities (object):"
                f" {excerpt(str(result))}"
            )
        if STATELESS_REVISION not in supported:
            raise EndpointError(
                "assert",
                f"{self._target.url}: server/discover lists the revisions {', '.join(map(str, supported)) or 'none'}"
                f" without {STATELESS_REVISION}; ask for one of those, or upgrade the server",
                retry=False,
                http_status=status,
                supported_versions=supported,
            )
        meta = result.get("_meta")
        info = meta.get(META + "serverInfo") if isinstance(meta, dict) else None
        return Hello(
            answer=answer,
            protocol_version=STATELESS_REVISION,
            server_info=info if isinstance(info, dict) else {},
            capabilities=capabilities,
            http_status=status,
            transport=self._channel.transport,
            session=False,
        )

    def ping(self) -> None:
        """There is no ping in this revision; server/discover is the sign of life."""
        self._send("server/discover", {})

    def tools(self) -> list[Json]:
        """Every tool, all pages, without those whose ``x-mcp-header`` is invalid, as the revision asks of clients."""
        good = []
        for tool in list_tools(self._target, lambda params: self._send("tools/list", params)["result"]):
            why = wrong_keyword(tool.get("inputSchema"))
            if why:
                self._note(f"{self._target.url}: the tool {tool['name']} is left out: it has {why}")
                continue
            self._schemas[tool["name"]] = tool.get("inputSchema") or {}
            good.append(tool)
        return good

    def call_tool(self, name: str, arguments: Json) -> Json:
        """The result of tools/call; one that says ``isError``, or that needs a person's input, is a failure."""
        params: Json = {"name": name, "arguments": arguments}
        headers = param_headers(self._schemas.get(name), arguments)
        for _round in range(MAX_ROUNDS):
            result: Json = self._send("tools/call", params, headers)["result"]
            kind = result.get("resultType", "complete")
            if kind == "complete":
                return checked_call(self._target, name, result)
            state = result.get("requestState")
            if kind != "input_required" or result.get("inputRequests") or not isinstance(state, str):
                raise self._unfinished(name, kind, result)
            params = {**params, "requestState": state}
            time.sleep(ROUND_PAUSE)
        raise self._wrong(f"the tool {name} asked {MAX_ROUNDS} times to be called again with its requestState")

    def check_headers(self) -> None:
        """Whether the server compares headers with the body, as it must: a policy may rely on the headers."""
        try:
            self._send("tools/list", {}, {"Mcp-Method": "prompts/list"})
        except EndpointError as failure:
            error = failure.facts.get("rpc_error")
            if isinstance(error, dict) and error.get("code") == HEADER_MISMATCH:
                if failure.facts.get("http_status") == 400:
                    return
            elif failure.layer not in ("http", "mcp") or failure.facts.get("http_status") != 400:
                raise
            said = str(failure)
        else:
            said = f"{self._target.url}: it answered"
        raise EndpointError(
            "assert",
            f"{self._target.url}: a request whose header Mcp-Method differs from its body must be refused with HTTP 400"
            f" and the error {HEADER_MISMATCH}, else a policy on headers can be got round; seen: {said}",
            retry=False,
        )

    def close(self) -> None:
        """Nothing to end. Tells of a session that the server began against the rules."""
        if self._channel.minted_session:
            self._note(f"{self._target.url}: the server sends Mcp-Session-Id, which {STATELESS_REVISION} forbids")

    def _send(self, method: str, params: Json, headers: dict[str, str] | None = None) -> Json:
        self._last_id += 1
        meta = {
            META + "protocolVersion": STATELESS_REVISION,
            META + "clientCapabilities": {},
            META + "clientInfo": CLIENT_INFO,
        }
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": {**params, "_meta": meta}}
        mirrored = {"Mcp-Method": method}
        if method == "tools/call":
            mirrored["Mcp-Name"] = header_value(params["name"])
        answer = self._channel.request(message, {**mirrored, **(headers or {})})
        kind = answer["result"].get("resultType")
        if kind is None:
            self._note(
                f"{self._target.url}: the result of {method} has no resultType, which {STATELESS_REVISION} asks for"
            )
        elif kind != "complete" and method != "tools/call":
            raise self._wrong(f"the result of {method} has the resultType {excerpt(str(kind))!r} instead of 'complete'")
        return answer

    def _unfinished(self, name: str, kind: object, result: Json) -> EndpointError:
        if kind == "input_required":
            asked = result.get("inputRequests")
            each = list(asked.values()) if isinstance(asked, dict) else []
            methods = sorted({str(one.get("method")) for one in each if isinstance(one, dict)}) or ["nothing it names"]
            text = (
                f"the tool {name} needs input before it answers (input_required: {', '.join(methods)}); this module has"
                " no person and no model to ask, so call another tool, or give all arguments in call.arguments"
            )
        elif kind == "task":
            text = f"the tool {name} answers with a task for later (resultType task), which was not asked for"
        else:
            text = f"the result of the tool {name} has the unknown resultType {excerpt(str(kind))!r}"
        layer: Layer = "assert" if kind == "input_required" else "mcp"
        return EndpointError(layer, f"{self._target.url}: {text}", retry=False, call_result=result)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _wrong(self, text: str) -> EndpointError:
        return EndpointError("mcp", f"{self._target.url}: {text}", retry=False, http_status=self._channel.http_status)
