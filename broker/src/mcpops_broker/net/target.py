# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Deciding the way to an upstream: proxy from the environment, trusted authorities for TLS."""

from __future__ import annotations

import ssl
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mcpops_broker.net.client import Target
from mcpops_broker.net.guard import NO_MORE, Guard


def target_for(
    url: str, *, connect_timeout: float, authorities: tuple[str, ...] = (), guard: Guard = NO_MORE
) -> Target:
    """Build the target for an address; `guard` says which addresses its name may stand for.

    The proxy comes from HTTP_PROXY, HTTPS_PROXY and NO_PROXY (either case), asked once and not for every request.
    `authorities` are PEM texts trusted beside the system's authorities.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = None
    if not proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        proxy = getproxies().get(parts.scheme)
        if proxy and "://" not in proxy:  # as curl takes it
            proxy = f"http://{proxy}"
    tls = tls_context(authorities) if parts.scheme == "https" else None
    return Target(url, proxy, tls, connect_timeout, guard)


@lru_cache(maxsize=64)
def tls_context(authorities: tuple[str, ...]) -> ssl.SSLContext:
    """Build the TLS settings for a set of extra authorities; upstreams with the same set share them."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for pem in authorities:
        context.load_verify_locations(cadata=pem)
    return context


def address_of(url: str) -> str:
    """Return an address fit for logs: no query, which may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
