# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""JSON-RPC messages of MCP: reading them, and telling what an error in them means."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http import Exchange
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import SESSION_REVISIONS
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_status import status_failure
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target

Json = dict[str, t.Any]

METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603
"""JSON-RPC: what a broker answers when the server behind it failed."""
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

STATELESS_STATUS = {HEADER_MISMATCH: 400, MISSING_CAPABILITY: 400, UNSUPPORTED_VERSION: 400, METHOD_NOT_FOUND: 404}
"""HTTP statuses that revision 2026-07-28 demands with an error code."""


def messages_of(target: Target, data: bytes | str, exchange: Exchange, method: str, *, batch: bool) -> list[Json]:
    """The messages in an answer's body or in an event; several only where a ``batch`` is allowed (2025-03-26)."""
    try:
        found = json.loads(data)
    except ValueError as error:
        kind = exchange.content_type or "no content type"
        said = excerpt(data) or "nothing"
        raise EndpointError(
            "mcp",
            f"{target.url}: the answer to {method} is not JSON ({kind}: {said}); this is no MCP endpoint,"
            " check host, port and path of url (usually /mcp)",
            http_status=exchange.status,
        ) from error
    messages = found if batch and isinstance(found, list) and found else [found]
    if not all(isinstance(one, dict) and one.get("jsonrpc") == "2.0" for one in messages):
        raise EndpointError(
            "mcp",
            f"{target.url}: the answer to {method} is JSON but not a JSON-RPC 2.0 message ({excerpt(data)});"
            " this is no MCP endpoint, check host, port and path of url",
            retry=False,
            http_status=exchange.status,
        )
    return messages


def is_answer(message: Json, request_id: int) -> bool:
    """Whether a message answers this request; an error without an id answers whatever was asked (JSON-RPC 2.0, 5)."""
    if "method" in message:
        return False
    return message.get("id") == request_id or (message.get("id") is None and message.get("error") is not None)


def checked_answer(target: Target, answer: Json, method: str, http_status: int, *, stateless: bool = False) -> Json:
    """The answer, when it is a result; raises what its error means otherwise."""
    error = answer.get("error")
    if error is not None:
        raise rpc_failure(target, method, error, stateless=stateless, http_status=http_status)
    if not isinstance(answer.get("result"), dict):
        raise EndpointError(
            "mcp",
            f"{target.url}: the answer to {method} has neither result nor error: {excerpt(json.dumps(answer))}",
            retry=False,
            http_status=http_status,
        )
    return answer


def refusal(target: Target, exchange: Exchange, method: str, *, stateless: bool = False) -> EndpointError:
    """The failure for an answer that is not 2xx: by the JSON-RPC error in it, else by its status."""
    body = exchange.body()
    failure = status_failure(target, exchange.status, exchange.header, body)
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
        return rpc_failure(target, method, error, stateless=stateless, http_status=exchange.status, facts=failure.facts)
    return failure


def rpc_failure(
    target: Target, method: str, error: t.Any, *, stateless: bool, http_status: int, facts: Json | None = None
) -> EndpointError:
    """What a JSON-RPC error means, and what to do. ``stateless``: by the rules of revision 2026-07-28; ``facts`` are
    further result values."""
    if not isinstance(error, dict):
        return EndpointError(
            "mcp",
            f"{target.url}: the answer to {method} has an error that is no object: {excerpt(str(error))}",
            retry=False,
            http_status=http_status,
        )
    code, said = error.get("code"), excerpt(str(error.get("message", "")))
    demanded = STATELESS_STATUS.get(code) if stateless and isinstance(code, int) else None
    status = f"; it came with HTTP {http_status} instead of {demanded}" if demanded not in (None, http_status) else ""
    return EndpointError(
        "mcp",
        f"{target.url}: {method} was refused with JSON-RPC error {code} ({said}){status}{_advice(method, error)}",
        retry=code == INTERNAL_ERROR,
        rpc_error=error,
        **{"http_status": http_status, **(facts or {})},
    )


def _advice(method: str, error: Json) -> str:
    code = error.get("code")
    supported = supported_versions(error)
    if supported:
        spoken = ", ".join(supported)
        if set(supported) & set(SESSION_REVISIONS):
            return f"; it supports the revisions {spoken}, so choose one of them in protocol_version"
        return f"; it supports only {spoken}, without an initialize handshake: set protocol_version to auto"
    if code == HEADER_MISMATCH:
        return "; headers and body differ, so something on the way drops or changes the headers of MCP"
    if code == MISSING_CAPABILITY:
        data = error.get("data")
        wanted = data.get("requiredCapabilities") if isinstance(data, dict) else None
        names = ", ".join(wanted) if isinstance(wanted, dict) and wanted else "that it does not name"
        return f"; it demands client capabilities ({names}) that need a person or a model, so use another client for it"
    if method != "tools/call":
        return ""
    if code == INTERNAL_ERROR:
        return "; the MCP server behind the tool failed: look at its Deployment, its pods and their logs"
    return "; check the name and the arguments in call"


def supported_versions(error: t.Any) -> list[str]:
    """The revisions that an error names as supported, [] when it names none."""
    data = error.get("data") if isinstance(error, dict) else None
    supported = data.get("supported") if isinstance(data, dict) else None
    return [str(one) for one in supported] if isinstance(supported, list) else []
