# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What a probe asks of an endpoint, and the comparison of what it found with that."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_cors import Cors
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth import OAuth
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import DialRule
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_tools import text_of

NAMES_SHOWN = 20

NEEDS_HANDSHAKE = (
    "expect_tools",
    "expect_prefixes",
    "min_tools",
    "expect_server_name",
    "expect_protocol_versions",
    "expect_header_check",
    "call_name",
)


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
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    proxy_headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: float = 10.0
    bare: bool = False
    handshake: bool = True
    pings: int = 1
    expect_protocol_versions: t.Sequence[str] = ()
    expect_header_check: bool = False
    expect_server_name: str | None = None
    expect_status_servers: t.Sequence[str] = ()
    expect_tools: t.Sequence[str] = ()
    expect_prefixes: t.Sequence[str] = ()
    min_tools: int | None = None
    cors: Cors | None = None
    oauth_metadata: OAuth | None = None
    call_name: str | None = None
    call_arguments: Json = dataclasses.field(default_factory=dict)
    call_expect_text: str | None = None

    def check(self) -> None:
        """Raise what contradicts itself, as a failure of layer ``input``."""
        if self.pings < 0:
            raise _input(f"pings must not be negative, and is {self.pings}")
        if self.proxy_headers and not self.proxy:
            raise _input("proxy_headers are given without proxy; give the proxy's address, or drop them")
        if self.handshake:
            return
        useless = [name for name in NEEDS_HANDSHAKE if getattr(self, name)]
        if useless:
            names = ", ".join("call" if name == "call_name" else name for name in useless)
            raise _input(f"{names} need the handshake, which handshake: false leaves out; drop one of them")
        if not (self.bare or self.cors or self.oauth_metadata or self.expect_status_servers):
            raise _input("handshake: false leaves nothing to ask; add cors, oauth_metadata or expect_status_servers")


def expect_tools(wanted: Wanted, names: list[str], has_tools: bool) -> None:
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


def expect_text(wanted: Wanted, result: Json) -> None:
    """Look for the expected text in the result of the call."""
    text = text_of(result)
    if wanted.call_expect_text and wanted.call_expect_text not in text:
        raise EndpointError(
            "assert",
            f"{wanted.url}: the tool {wanted.call_name} answered {excerpt(text)!r}, which does not hold"
            f" {wanted.call_expect_text!r}; correct call.arguments or call.expect_text, or repair the MCP server",
            retry=False,
            call_result=result,
        )


def expect_server_name(wanted: Wanted, server_info: Json) -> None:
    """Compare the name in the server's own words with the expected one."""
    name = server_info.get("name")
    if wanted.expect_server_name and name != wanted.expect_server_name:
        raise EndpointError(
            "assert",
            f"{wanted.url}: the server calls itself {name or 'nothing'!r} instead of {wanted.expect_server_name!r}; the"
            " route leads to another server, or expect_server_name is wrong",
            server_info=server_info,
        )


def _input(text: str) -> EndpointError:
    return EndpointError("input", text, retry=False)
