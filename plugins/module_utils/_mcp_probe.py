# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Everything that is asked of an MCP endpoint, once or until it holds."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_bare import bare_initialize
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_connect import tls_context
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_cors import check_cors
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_hello import Client, Hello
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth import check_oauth
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_open import open_client, speak_each
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_proxy import parse_proxy
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import STATELESS_REVISION
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_servers import check_servers, status_target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_stateless import StatelessClient
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target, parse_target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_timing import Timing
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import (
    Wanted,
    expect_server_name,
    expect_text,
    expect_tools,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two tries: doubled from the first to the longest."""


def probe(wanted: Wanted) -> Json:
    """One try. Returns the module's result values; raises :class:`EndpointError`."""
    started = time.monotonic()
    wanted.check()
    target = parse_target(wanted.url, wanted.connect_to, wanted.connect_to_when)
    timings: list[Timing] = []
    wire = _wire(wanted, target, wanted.headers, timings)
    result: Json = {"url": target.url, "dialed": target.dialed, "warnings": []}
    try:
        if wanted.bare:
            result["bare_initialize"] = bare_initialize(wire)
        if wanted.handshake:
            result.update(_conversation(wire, wanted))
        else:
            result.update(_checks(wire, wanted))
    except EndpointError as failure:
        failure.facts.setdefault("dialed", target.dialed)
        failure.facts.setdefault("timing", timings[-1].result() if timings else {})
        raise
    result["timing"] = timings[0].result()
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


def _wire(wanted: Wanted, target: Target, headers: t.Mapping[str, str], timings: list[Timing]) -> Wire:
    tls = None
    if target.scheme == "https":
        tls = tls_context(wanted.ca_cert, wanted.validate_certs, wanted.client_cert, wanted.client_key)
    if wanted.proxy:
        target = dataclasses.replace(target, proxy=parse_proxy(wanted.proxy, wanted.proxy_headers))
    return Wire(target, tls=tls, headers=headers, timeout=wanted.timeout, timings=timings)


def _conversation(wire: Wire, wanted: Wanted) -> Json:
    """The handshake, the tools, every further check while the session lasts, and at the very end the call."""
    client, hello = open_client(wire, wanted.protocol_version)
    try:
        result = _described(hello)
        for _ping in range(wanted.pings):
            client.ping()
        expect_server_name(wanted, hello.server_info)
        has_tools = "tools" in hello.capabilities
        names = [tool["name"] for tool in client.tools()] if has_tools else []
        expect_tools(wanted, names, has_tools)
        result.update(tools=names, tool_count=len(names))
        if wanted.expect_header_check:
            _check_headers(client, wanted)
        result["protocol_versions"] = [hello.protocol_version]
        if wanted.expect_protocol_versions:
            result["protocol_versions"] = speak_each(wire, wanted.expect_protocol_versions, hello.protocol_version)
        result.update(_checks(wire, wanted))
        if wanted.call_name:
            result["call_result"] = _call_once(client, wanted, names)
            expect_text(wanted, result["call_result"])
    finally:
        client.close()
    return {
        **result,
        "session_restarts": client.restarts,
        "server_requests": client.server_requests,
        "warnings": client.notes,
    }


def _described(hello: Hello) -> Json:
    answer = "discover" if hello.protocol_version == STATELESS_REVISION else "initialize"
    return {
        "http_status": hello.http_status,
        "protocol_version": hello.protocol_version,
        "transport": hello.transport,
        "server_info": hello.server_info,
        "capabilities": hello.capabilities,
        answer: hello.answer,
        "session": hello.session,
    }


def _checks(wire: Wire, wanted: Wanted) -> Json:
    """What is asked beside the conversation."""
    result: Json = {}
    if wanted.cors is not None:
        result["cors"] = check_cors(wire, wanted.cors)
    if wanted.oauth_metadata is not None:
        result["oauth"] = check_oauth(wire, wanted.oauth_metadata, lambda url: _elsewhere(wire, wanted, url))
    if wanted.expect_status_servers:
        status = _wire(wanted, status_target(wire.target), wanted.headers, wire.timings)
        result["servers"] = check_servers(status, wire.target, wanted.expect_status_servers)
    return result


def _elsewhere(wire: Wire, wanted: Wanted, url: str) -> Wire:
    """A wire to another address without the caller's headers; on the endpoint's own host it is dialed alike."""
    target, there = wire.target, parse_target(url)
    if (there.host, there.port) == (target.host, target.port):
        there = dataclasses.replace(there, dial_host=target.dial_host, dial_port=target.dial_port)
    return _wire(wanted, there, {}, wire.timings)


def _check_headers(client: Client, wanted: Wanted) -> None:
    if not isinstance(client, StatelessClient):
        raise EndpointError(
            "assert",
            f"{wanted.url}: expect_header_check holds for revision {STATELESS_REVISION} only, and the server was"
            " spoken to in an older one; set protocol_version to that revision or to auto",
            retry=False,
        )
    client.check_headers()


def _call_once(client: Client, wanted: Wanted, names: t.Sequence[str]) -> Json:
    """Call the tool and never again: it may have done its work although its answer was lost."""
    name = str(wanted.call_name)
    try:
        return client.call_tool(name, wanted.call_arguments)
    except EndpointError as failure:
        failure.retry = False
        if name in names:
            raise
        text = f"{failure}; {name} is not among the {len(names)} listed tools: correct call.name"
        raise EndpointError(failure.layer, text, retry=False, **failure.facts) from failure
