# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A session at an upstream, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpops_broker.upstream.peer import Era, Peer

if TYPE_CHECKING:
    from mcpops_broker.upstream.session_stream import SessionStream


@dataclass(slots=True, eq=False)
class UpstreamSession:
    """A session at an upstream. Without an id the upstream keeps no state and anybody may share the session."""

    id: str | None
    peer: Peer
    headers: dict[str, str] = field(repr=False)
    """Headers of every request in this session, the credential among them."""
    log_level: str | None = None
    """The level last set by `logging/setLevel`."""
    active: int = 0
    """Requests in flight."""
    used: float = 0.0
    """Monotonic seconds of the last request."""
    borrowed: bool = False
    """Whether another worker has opened it, and ends it."""
    lent: bool = False
    """Whether another worker uses it, too."""
    shared: bool | None = None
    """Whether all replicas know it, so that whoever looks first ends it; None: it is nothing for others."""
    stream: SessionStream | None = None
    """The session's own stream, once a client that can be asked has used the session."""

    @classmethod
    def opened(cls, session_id: str | None, peer: Peer, headers: Mapping[str, str]) -> UpstreamSession:
        """Build a session; `headers` are those of every request to the upstream."""
        own = {**headers, "mcp-protocol-version": peer.version}
        if session_id:
            own["mcp-session-id"] = session_id
        return cls(session_id or None, peer, own)

    def export(self) -> dict[str, Any]:
        """Return what another worker needs to use this session; no credential is in it."""
        return {"id": self.id, "version": self.peer.version, "capabilities": dict(self.peer.capabilities)}

    @classmethod
    def adopted(cls, exported: Mapping[str, Any], headers: Mapping[str, str]) -> UpstreamSession:
        """Build a session that another worker has opened, from its `export`."""
        peer = Peer(Era.SESSION, exported["version"], exported["capabilities"])
        session = cls.opened(exported["id"], peer, headers)
        session.borrowed = True
        session.shared = exported.get("shared")
        return session
