# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Everything that is asked of an MCP endpoint, once or until it holds."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_client import (
    PROTOCOL_VERSIONS,
    Json,
    McpClient,
    checked_initialize,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_connect import tls_context
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import DialRule, parse_target

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two tries: doubled from the first to the longest."""

NAMES_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What to ask and what to expect; the fields are the options of the module of the same names."""

    url: str
    connect_to: str | None = None
    connect_to_when: DialRule = "always"
    protocol_version: str | None = None
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    ca_cert: str | None = None
    validate_certs: bool = True
    timeout: float = 10.0
    bare: bool = False
    expect_tools: t.Sequence[str] = ()
    expect_prefixes: t.Sequence[str] = ()
    min_tools: int | None = None
    call_name: str | None = None
    call_arguments: Json = dataclasses.field(default_factory=dict)


def probe(wanted: Wanted) -> Json:
    """One try. Returns the module's result values; raises :class:`EndpointError`."""
    started = time.monotonic()
    target = parse_target(wanted.url, wanted.connect_to, wanted.connect_to_when)
    tls = tls_context(wanted.ca_cert, wanted.validate_certs) if target.scheme == "https" else None

    def client() -> McpClient:
        return McpClient(
            target, tls=tls, headers=wanted.headers, timeout=wanted.timeout, name="mcpops-gateway-endpoint", version="1"
        )

    result: Json = {"url": target.url, "dialed": target.dialed}
    if wanted.bare:
        result["bare_initialize"] = _bare(client())
    session = client()
    try:
        result.update(_session(session, wanted))
    except EndpointError as failure:
        failure.facts.setdefault("dialed", target.dialed)
        raise
    finally:
        session.close()
    result["duration"] = round(time.monotonic() - started, 3)
    return result


def probe_until(
    wanted: Wanted,
    wait_timeout: float,
    pause: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> Json:
    """Try until it works, until waiting cannot help, or until ``wait_timeout`` seconds are over (0: one try).

    The failure that ends it is the last one, with the number of tries in the message and in its ``facts``.
    """
    started = clock()
    rest = FIRST_PAUSE
    attempts = 0
    while True:
        attempts += 1
        try:
            return {**probe(wanted), "attempts": attempts}
        except EndpointError as failure:
            waited = clock() - started
            over = waited >= wait_timeout
            failure.facts.update(attempts=attempts, duration=round(waited, 3))
            if not failure.retry or (over and attempts == 1):
                raise
            if over:
                message = f"{failure} (the last of {attempts} tries in {waited:.0f} s)"
                raise EndpointError(failure.layer, message, **failure.facts) from failure
        pause(min(rest, max(0.0, wait_timeout - waited)))
        rest = min(rest * 2, LONGEST_PAUSE)


def _bare(client: McpClient) -> Json:
    try:
        answer = client.bare_initialize()
        checked_initialize(client.target, answer)
    finally:
        client.close()
    return answer


def _session(client: McpClient, wanted: Wanted) -> Json:
    answer = client.initialize(wanted.protocol_version or PROTOCOL_VERSIONS[-1])
    status = client.http_status
    hello = answer["result"]
    if wanted.protocol_version and client.protocol_version != wanted.protocol_version:
        raise EndpointError(
            "assert",
            f"{wanted.url}: protocol_version {wanted.protocol_version} was asked for but the server speaks"
            f" {client.protocol_version}; ask for that one, or upgrade the server",
            retry=False,
            protocol_version=client.protocol_version,
        )
    client.ping()
    has_tools = "tools" in hello["capabilities"]
    names = [tool["name"] for tool in client.tools()] if has_tools else []
    _expect(wanted, names, has_tools)
    result: Json = {
        "http_status": status,
        "protocol_version": client.protocol_version,
        "server_info": hello["serverInfo"],
        "capabilities": hello["capabilities"],
        "initialize": answer,
        "session": client.session_id is not None,
        "tools": names,
        "tool_count": len(names),
    }
    if wanted.call_name:
        result["call_result"] = _call_once(client, wanted.call_name, wanted.call_arguments)
    return result


def _call_once(client: McpClient, name: str, arguments: Json) -> Json:
    """Call the tool and never again: it may have done its work although its answer was lost."""
    try:
        return client.call_tool(name, arguments)
    except EndpointError as failure:
        failure.retry = False
        raise


def _expect(wanted: Wanted, names: list[str], has_tools: bool) -> None:
    """Compare the listed tools with what the caller expects; everything that is missing goes into one message."""
    wrong = []
    missing = [name for name in wanted.expect_tools if name not in names]
    if missing:
        wrong.append(
            f"the tools {', '.join(missing)} are missing" if len(missing) > 1 else f"the tool {missing[0]} is missing"
        )
    empty = [prefix for prefix in wanted.expect_prefixes if not any(name.startswith(prefix) for name in names)]
    if empty:
        wrong.append(f"no tool begins with {' or with '.join(empty)}")
    if wanted.min_tools is not None and len(names) < wanted.min_tools:
        wrong.append(f"{len(names)} tools are fewer than min_tools {wanted.min_tools}")
    if not wrong:
        return
    if not has_tools:
        listed = "the server offers no tools at all (no capability tools)"
    elif not names:
        listed = "the list of tools is empty"
    else:
        more = len(names) - NAMES_SHOWN
        listed = f"listed are {', '.join(names[:NAMES_SHOWN])}" + (f" and {more} more" if more > 0 else "")
    raise EndpointError(
        "assert",
        f"{wanted.url}: {', '.join(wrong)}; {listed}. Check that the MCP servers are registered, reachable from the"
        " broker and enabled (the broker's /status says what it sees)",
        tools=names,
        tool_count=len(names),
    )
