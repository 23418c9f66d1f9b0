# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Which revision to speak: the one that was asked for, or the newest that both sides know."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_hello import Client, Hello
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http_sse import HttpSseChannel, WrongStreamError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import supported_versions
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import (
    AUTO,
    SESSION_REVISIONS,
    STATELESS_REVISION,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_session import SessionClient
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_stateless import StatelessClient
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_streamable import StreamableChannel
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

Opened = tuple[Client, Hello]

_NOT_STREAMABLE = frozenset({400, 404, 405})
"""Statuses to a POST of initialize after which a client tries HTTP+SSE (2025-03-26, backwards compatibility)."""

_NO_VERDICT = frozenset({401, 403, 421, 429})
"""Statuses that say nothing about the revision: another request would be refused alike."""


def open_client(wire: Wire, asked: str | None) -> Opened:
    """Begin to speak: a revision, :data:`AUTO`, or None, which asks for the newest session and takes any.

    The caller closes the client. Raises :class:`EndpointError`.
    """
    if asked == AUTO:
        return _auto(wire)
    if asked == STATELESS_REVISION:
        return _only_stateless(wire)
    client, hello = _session(wire, asked or SESSION_REVISIONS[-1], old_transport=asked == SESSION_REVISIONS[0])
    if asked and hello.protocol_version != asked:
        client.close()
        raise EndpointError(
            "assert",
            f"{wire.target.url}: protocol_version {asked} was asked for but the server speaks"
            f" {hello.protocol_version}; ask for that one, or upgrade the server",
            retry=False,
            protocol_version=hello.protocol_version,
        )
    return client, hello


def speak_each(wire: Wire, versions: t.Sequence[str], spoken: str) -> list[str]:
    """Begin and end a conversation in each revision but ``spoken``, which was proven before.

    Returns the revisions that work, which are all; those that do not are named in one failure.
    """
    works: list[str] = []
    wrong: list[EndpointError] = []
    for version in versions:
        if version != spoken:
            try:
                client, _hello = open_client(wire, version)
                try:
                    client.ping()
                finally:
                    client.close()
            except EndpointError as failure:
                if failure.layer not in ("http", "mcp", "assert"):
                    raise
                wrong.append(failure)
                failure.facts["revision"] = version
                continue
        works.append(version)
    if not wrong:
        return works
    each = "; ".join(
        f"{failure.facts['revision']} ({str(failure).removeprefix(wire.target.url + ': ')})" for failure in wrong
    )
    raise EndpointError(
        "assert",
        f"{wire.target.url}: expected revisions do not work: {each}. Working: {', '.join(works) or 'none of them'}",
        retry=any(failure.retry for failure in wrong),
        protocol_versions=works,
    )


def _auto(wire: Wire) -> Opened:
    """The newest revision first; whatever is no sign of it leads to the handshake (2026-07-28, versioning)."""
    newest = SESSION_REVISIONS[-1]
    try:
        return _stateless(wire)
    except EndpointError as failure:
        if not _is_verdict(failure):
            raise
        named = failure.facts.get("supported_versions") or supported_versions(failure.facts.get("rpc_error"))
        if named:
            common = [version for version in SESSION_REVISIONS if version in named]
            if not common:
                raise EndpointError(
                    "mcp",
                    f"{wire.target.url}: the server speaks only {', '.join(map(str, named))}, and this module"
                    f" {', '.join((*SESSION_REVISIONS, STATELESS_REVISION))}; there is no common revision",
                    retry=False,
                    supported_versions=named,
                ) from failure
            newest = common[-1]
    return _session(wire, newest, old_transport=True)


def _is_verdict(failure: EndpointError) -> bool:
    """Whether a failed server/discover shows an older server rather than a broken way to it."""
    status = failure.facts.get("http_status", 0)
    return failure.layer in ("http", "mcp", "assert") and 0 < status < 500 and status not in _NO_VERDICT


def _only_stateless(wire: Wire) -> Opened:
    try:
        return _stateless(wire)
    except EndpointError as failure:
        refused = "rpc_error" in failure.facts and "supported_versions" not in failure.facts
        if not (refused and _is_verdict(failure)):
            raise
        text = f"{failure}; a server that does not know {STATELESS_REVISION} answers so: set protocol_version to auto"
        raise EndpointError(failure.layer, text, retry=failure.retry, **failure.facts) from failure


def _stateless(wire: Wire) -> Opened:
    client = StatelessClient(wire)
    return client, client.open()


def _session(wire: Wire, version: str, *, old_transport: bool) -> Opened:
    """A handshake over Streamable HTTP; with ``old_transport`` over HTTP+SSE where the server knows only that."""
    client = SessionClient(StreamableChannel(wire))
    try:
        return client, client.open(version)
    except EndpointError as failure:
        client.close()
        facts = failure.facts
        if not old_transport or facts.get("http_status") not in _NOT_STREAMABLE or "rpc_error" in facts:
            raise
        first = failure
    try:
        older = SessionClient(HttpSseChannel(wire))
    except WrongStreamError:
        raise
    except EndpointError:
        raise first from None  # no HTTP+SSE either: what the first transport met is the better message
    try:
        return older, older.open(SESSION_REVISIONS[0])
    except EndpointError:
        older.close()
        raise
