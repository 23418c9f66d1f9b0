# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Where a Gateway's listener serves MCP, and what was found there, in words."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import (
    PublicHostError,
    listener_named,
    public_host,
)

Object = t.Mapping[str, t.Any]

_SCHEMES = {"HTTP": ("http", 80), "HTTPS": ("https", 443)}


def endpoint_of(gateway: Object, listener: str, host: str = "", path: str = "/mcp") -> dict[str, str]:
    """``url``, ``connect_to`` and ``problem`` of a listener of a Gateway object.

    ``host`` is the extension's public host, when it has one of its own. ``connect_to`` is the Gateway's first address
    with the listener's port, empty while it has none. ``problem`` is empty, or a sentence that says why there is no
    ``url``.
    """
    metadata = gateway["metadata"]
    where = f"Gateway {metadata.get('namespace')}/{metadata['name']}"
    found = listener_named(gateway, listener)
    if found is None:
        names = ", ".join(str(x.get("name")) for x in gateway.get("spec", {}).get("listeners") or []) or "none"
        return _no_url(f"{where} has no listener {listener} (it has {names}); set mcp_gateway_listener to one of them")
    if found.get("protocol") not in _SCHEMES:
        return _no_url(
            f"The listener {listener} of {where} has protocol {found.get('protocol')}, which MCP does not use"
        )
    try:
        name = public_host(found.get("hostname"), host or None)
    except PublicHostError as error:
        return _no_url(
            f"The listener {listener} of {where}: {error}; give it a hostname, or set mcp_gateway_public_host"
        )
    scheme, usual_port = _SCHEMES[found["protocol"]]
    port = found["port"]
    authority = name if port == usual_port else f"{name}:{port}"
    addresses = (gateway.get("status") or {}).get("addresses") or []
    address = str(addresses[0]["value"]) if addresses else ""
    if ":" in address:
        address = f"[{address}]"
    return {"url": f"{scheme}://{authority}{path}", "connect_to": f"{address}:{port}" if address else "", "problem": ""}


def _no_url(problem: str) -> dict[str, str]:
    return {"url": "", "connect_to": "", "problem": problem}


def report_lines(report: Object) -> list[str]:
    """The report of role verify for a person to read, from the result of module ``endpoint``."""
    url, server = report["url"], report["server_info"]
    answer = report.get("bare_initialize") or report["initialize"]
    names = ", ".join(report["tools"]) or "none"
    dialed = "" if report["dialed"] in url else f" (through {report['dialed']})"
    body = '{"jsonrpc": "2.0", "id": 1, "method": "initialize"}'
    lines = [
        "The MCP gateway works.",
        f"endpoint:   {url}{dialed}",
        f"initialize: HTTP {report['http_status']}, protocol version {report['protocol_version']},"
        f" serverInfo {json.dumps(server, ensure_ascii=False)}",
        f"answer:     {json.dumps(answer, ensure_ascii=False)}",
        f"tools:      {report['tool_count']} ({names})",
    ]
    if report.get("call_result"):
        lines.append(f"tool call:  {_call_text(report['call_result'])}")
    lines += [
        f"try it:     curl -X POST {url} -H 'Content-Type: application/json' -d '{body}'",
        f"connect:    give any MCP client (transport: Streamable HTTP) the address {url}",
    ]
    return lines


def _call_text(result: Object, limit: int = 200) -> str:
    texts = [str(part["text"]) for part in result.get("content") or [] if isinstance(part, dict) and part.get("text")]
    text = " ".join(" ".join(texts).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
