# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""HTTP requests to one address, with what all of them have in common."""

from __future__ import annotations

import ssl
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http import Exchange
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_timing import Timing

CLIENT_INFO = {"name": "mcpops-gateway-endpoint", "version": "1"}


class Wire:
    """Sends requests, each on a connection of its own.

    ``headers`` are the caller's: they go out with every request and win over all others. ``timeout`` (seconds) bounds
    each request. ``timings`` gets the timing of each request; wires can share it.
    """

    def __init__(
        self,
        target: Target,
        *,
        tls: ssl.SSLContext | None,
        headers: t.Mapping[str, str],
        timeout: float,
        timings: list[Timing] | None = None,
    ) -> None:
        self.target = target
        self.timeout = timeout
        self.timings = [] if timings is None else timings
        self._tls = tls
        self._headers = headers

    def send(
        self,
        method: str,
        headers: t.Mapping[str, str],
        body: bytes | None = None,
        *,
        timeout: float | None = None,
        target: Target | None = None,
        anonymous: bool = False,
    ) -> Exchange:
        """Send one request; the answer is read from what is returned.

        ``target`` is another path of the same server. ``anonymous`` leaves the caller's headers out, which may hold
        credentials.
        """
        target = target or self.target
        own = {
            "Host": target.host_header,
            "User-Agent": f"{CLIENT_INFO['name']}/{CLIENT_INFO['version']}",
            "Connection": "close",
        }
        length = {} if body is None else {"Content-Length": str(len(body))}
        for_proxy = target.proxy.headers if target.proxy is not None and not target.tunnelled else {}
        all_headers = _merged(own, headers, {} if anonymous else self._headers, for_proxy, length)
        timing = Timing()
        self.timings.append(timing)
        try:
            return Exchange(
                method, target, self._tls, all_headers, body, timeout=timeout or self.timeout, timing=timing
            )
        except EndpointError as failure:
            failure.facts.setdefault("timing", timing.result())
            raise


def _merged(*parts: t.Mapping[str, str]) -> dict[str, str]:
    """Headers by their name without regard to case; later ones win."""
    merged: dict[str, tuple[str, str]] = {}
    for part in parts:
        merged.update({name.lower(): (name, value) for name, value in part.items()})
    return dict(merged.values())
