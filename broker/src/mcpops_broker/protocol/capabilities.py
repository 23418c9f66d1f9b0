# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which of its capabilities a client needs to answer what a server asks (sampling, elicitation, roots)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcpops_broker.protocol.jsonrpc import MISSING_CAPABILITY, RpcError, excerpt

ASKED = frozenset({"elicitation/create", "roots/list", "sampling/createMessage"})
"""What a server may ask of a client, apart from `ping`."""
_OF_SESSIONS = ("elicitation", "sampling", "roots", "experimental")


def of_sessions(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a client's capabilities that both eras know; the others (extensions, tasks) say something that
    only a server of the client's own era may count on."""
    return {name: capabilities[name] for name in _OF_SESSIONS if name in capabilities}


def missing(capabilities: Mapping[str, Any], method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the capabilities, as MCP's ClientCapabilities, that a client lacks for a question; empty when none.

    `elicitation: {}` means forms only (MCP client/elicitation); tools in sampling need `sampling.tools`.
    """
    if method == "elicitation/create":
        mode = params.get("mode", "form")
        mode = mode if mode == "url" else "form"
        declared = capabilities.get("elicitation")
        if isinstance(declared, dict) and (mode in declared or (mode == "form" and "url" not in declared)):
            return {}
        return {"elicitation": {mode: {}}}
    if method == "sampling/createMessage":
        wanted: dict[str, Any] = {"tools": {}} if "tools" in params or "toolChoice" in params else {}
        declared = capabilities.get("sampling")
        if isinstance(declared, dict) and all(part in declared for part in wanted):
            return {}
        return {"sampling": wanted}
    if method == "roots/list":
        return {} if isinstance(capabilities.get("roots"), dict) else {"roots": {}}
    return {}


def missing_error(method: str, lacking: Mapping[str, Any]) -> RpcError:
    """Say that a request needs something of its client that the client has not declared (MCP 2026-07-28: -32021)."""
    names = ", ".join(".".join((name, *parts)) for name, parts in lacking.items())
    text = f"This request needs an answer to {excerpt(method)}, but the client has not declared the capability {names}"
    return RpcError(MISSING_CAPABILITY, text, {"requiredCapabilities": dict(lacking)}, status=400)
