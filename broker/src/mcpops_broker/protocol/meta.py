# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`_meta` of revisions without sessions: what every request says of its client, and what results say of their server.

Rules: MCP 2026-07-28 basic/index, "`_meta`".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError, excerpt

PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
"""Required in a request; makes it one without a session."""
CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
"""Required in a request."""
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
"""The least severe log messages wanted for a request; without it none may be sent."""
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
"""In a result: who made it."""
SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
"""In all messages of a `subscriptions/listen` stream: the id of that request, as its client wrote it."""
PROGRESS_TOKEN = "progressToken"  # noqa: S105 - a name, no secret

LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Least severe first (RFC 5424)."""

_ENVELOPE = (PROTOCOL_VERSION, CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL)


@dataclass(frozen=True, slots=True)
class RequestMeta:
    """What a request without a session says of its client."""

    version: object
    """The revision as it was sent: text when the client keeps to the rules."""
    capabilities: dict[str, Any]
    log_level: str | None


def meta_of(message: object) -> dict[str, Any]:
    """Return `params._meta` of a request or notification; empty when there is none."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def read(message: object) -> RequestMeta:
    """Read what a request must say of its client; raise `RpcError` -32602 (HTTP 400) when it does not."""
    meta = meta_of(message)
    missing = [key for key in (PROTOCOL_VERSION, CLIENT_CAPABILITIES) if key not in meta]
    if missing:
        raise _invalid(f"params._meta must have {' and '.join(missing)}")
    capabilities = meta[CLIENT_CAPABILITIES]
    if not isinstance(capabilities, dict):
        raise _invalid(f"params._meta: {CLIENT_CAPABILITIES} must be an object")
    level = meta.get(LOG_LEVEL)
    if level is not None and level not in LOG_LEVELS:
        raise _invalid(f"params._meta: {LOG_LEVEL} must be one of {', '.join(LOG_LEVELS)}, not {excerpt(level)}")
    return RequestMeta(meta[PROTOCOL_VERSION], capabilities, level)


def with_envelope(
    params: Mapping[str, Any],
    *,
    version: str,
    capabilities: Mapping[str, Any],
    client_info: Mapping[str, Any],
    log_level: str | None = None,
) -> dict[str, Any]:
    """Return a request's params with what a server without sessions must know of its client (here: of the broker, which
    passes on its client's capabilities). Other keys of `_meta` stay, the caller's params are not changed."""
    meta = _without(params.get("_meta"))
    meta[PROTOCOL_VERSION] = version
    meta[CLIENT_CAPABILITIES] = capabilities
    meta[CLIENT_INFO] = client_info
    if log_level is not None:
        meta[LOG_LEVEL] = log_level
    return {**params, "_meta": meta}


def without_envelope(params: dict[str, Any]) -> dict[str, Any]:
    """Return params for a server with sessions: such a server, if it speaks both eras, would take the envelope for a
    request without a session. Other keys of `_meta` stay."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or not any(key in meta for key in _ENVELOPE):
        return params
    rest = {key: value for key, value in params.items() if key != "_meta"}
    if kept := _without(meta):
        rest["_meta"] = kept
    return rest


def logs_at(wanted: str | None, level: object) -> bool:
    """Tell whether a log message of this level is for a client that wants `wanted` and more severe ones (None: none).

    A level that MCP does not know passes, so that it is the client who decides.
    """
    if wanted is None:
        return False
    return level not in LOG_LEVELS or LOG_LEVELS.index(level) >= LOG_LEVELS.index(wanted)


def _without(meta: object) -> dict[str, Any]:
    if not isinstance(meta, dict):
        return {}
    return {key: value for key, value in meta.items() if key not in _ENVELOPE}


def _invalid(why: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {why}", status=400)
