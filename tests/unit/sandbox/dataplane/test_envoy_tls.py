# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS at a Gateway's listeners, ended by a real Envoy."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest
from dataplane_builders import (
    gateway,
    key_pair,
    listener,
    route,
    tls_secret,
)
from envoy_bench import Bench


async def test_tls_with_http2_and_a_certificate_by_server_name(bench: Bench) -> None:
    first = listener("a", 443, "HTTPS", hostname="mcp.example.com", tls={"certificateRefs": [{"name": "cert"}]})
    second = listener("b", 443, "HTTPS", hostname="*.apps.org", tls={"certificateRefs": [{"name": "apps"}]})
    await bench.serve(gateway(first, second), tls_secret(), tls_secret("apps", pair=key_pair("*.apps.org")), route())
    found = {}
    for name in ("mcp.example.com", "x.apps.org"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", bench.ports[443], ssl=context, server_hostname=name)
        tls = writer.get_extra_info("ssl_object")
        found[name] = (tls.selected_alpn_protocol(), ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)))
        writer.close()
    assert found["mcp.example.com"] == ("h2", key_pair()[0].decode())
    assert found["x.apps.org"] == ("h2", key_pair("*.apps.org")[0].decode())
    trusting = ssl.create_default_context(cadata=key_pair()[0].decode())
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"https://127.0.0.1:{bench.ports[443]}/",
            headers={"Host": "mcp.example.com"},
            ssl=trusting,
            server_hostname="mcp.example.com",
        ) as answer,
    ):
        assert answer.status == 200
        seen = await answer.json()
    assert seen["headers"]["x-forwarded-proto"] == "https"
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession() as session:
            await session.get(f"https://127.0.0.1:{bench.ports[443]}/", ssl=trusting, server_hostname="unknown.org")
