# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way out of pods: Services, Gateways and the outside through Envoy as a forward proxy."""

from __future__ import annotations

import ssl

import aiohttp
import pytest
from dataplane_builders import gateway, key_pair, listener, route, tls_secret
from envoy_bench import Bench


async def test_pods_reach_services_by_name_through_the_mesh(bench: Bench) -> None:
    await bench.serve(gateway(listener(hostname="x.org")), route())
    asked = {
        "http://web.apps.svc.cluster.local/": "web",
        "http://other.apps.svc:80/": "other",
        "http://web.apps:80/": "web",
        "http://web.apps:81/": "502",
        "http://nothing.apps/": "502",
    }
    found = {}
    async with aiohttp.ClientSession() as session:
        for url in asked:
            async with session.get(url, proxy=f"http://127.0.0.1:{bench.mesh_port}") as answer:
                found[url] = answer.headers.get("X-From", str(answer.status))
        gateway_url = "http://gw-openshift-default.infra.svc.cluster.local:8080/"
        async with session.get(gateway_url, proxy=f"http://127.0.0.1:{bench.mesh_port}") as answer:
            assert answer.status == 404  # it is the Gateway that answers; no route has this host
            assert answer.headers["server"] == "istio-envoy"
    assert found == asked


async def through_tunnel(bench: Bench, url: str) -> int:
    """The status that a pod gets for an https URL."""
    trusting = ssl.create_default_context(cadata=key_pair()[0].decode())
    proxy = f"http://127.0.0.1:{bench.mesh_port}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            url, proxy=proxy, ssl=trusting, server_hostname="mcp.example.com", headers={"Host": "mcp.example.com"}
        ) as answer,
    ):
        return answer.status


async def test_pods_reach_tls_listeners_and_the_outside_through_tunnels(bench: Bench) -> None:
    secure = listener("tls", 443, "HTTPS", hostname="mcp.example.com", tls={"certificateRefs": [{"name": "cert"}]})
    await bench.serve(gateway(secure), tls_secret(), route())
    local = bench.ports[443]
    bench.table = {"api.example.com:443": ("127.0.0.1", local)}
    await bench.serve(gateway(secure), tls_secret(), route())
    statuses = {
        url: await through_tunnel(bench, url)
        for url in (
            "https://gw-openshift-default.infra.svc.cluster.local/",
            "https://api.example.com/",
            f"https://localhost:{local}/",  # neither a Service nor in the table: a real name
        )
    }
    assert set(statuses.values()) == {200}, statuses
    with pytest.raises(aiohttp.ClientHttpProxyError) as refused:
        await through_tunnel(bench, "https://nothing.invalid/")
    assert refused.value.status == 503
