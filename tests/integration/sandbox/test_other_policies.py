# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RateLimitPolicy, DNSPolicy and TLSPolicy in a running sandbox."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any

import aiohttp
from dataplane_box import APPS, INFRA, Box, Json, conditions, listener, local_port, until
from sandbox import seed
from sandbox.client import Resource
from sandbox.controllers.kuadrant_tls import CLUSTER_ISSUERS, ISSUERS
from sandbox.kinds import DNS_POLICIES, GATEWAYS, KUADRANTS, RATE_LIMIT_POLICIES, SECRETS, TLS_POLICIES

HOST = "weather.mcp.local"
GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}


async def policy(cluster: Box, resource: Resource, words: str, name: str = "policy", **spec: Any) -> Json:
    """A policy on the Gateway, once one of its conditions says these words."""
    await cluster.make(resource, name, INFRA, spec={"targetRef": GATEWAY, **spec})
    return await judged(cluster, resource, words, name)


async def judged(cluster: Box, resource: Resource, words: str, name: str = "policy") -> Json:
    async def check() -> Json | None:
        found = await cluster.client.get(resource, name, INFRA)
        assert found is not None
        status = found.get("status") or {}
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return None
        return status if any(words in entry["message"] for entry in status["conditions"]) else None

    return await until(check)


async def statuses(port: int, count: int, path: str = "/mcp", **headers: str) -> list[int]:
    found = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            async with session.get(f"http://127.0.0.1:{port}{path}", headers={"Host": HOST, **headers}) as answer:
                found.append(answer.status)
    return found


async def test_limits_count_for_each_value_of_their_counters(cluster: Box) -> None:
    await cluster.make(KUADRANTS, "kuadrant", APPS, spec={})
    gateway = await cluster.gateway(listener(hostname="*.mcp.local"))
    await cluster.route("weather", HOST, "weather")
    users = {
        "rates": [{"limit": 3, "window": "1h"}],
        "counters": [{"expression": "request.headers['x-user']"}],
        "when": [{"predicate": "request.headers.exists(h, h == 'x-user')"}],
    }
    await policy(
        cluster, RATE_LIMIT_POLICIES, "RateLimitPolicy has been successfully enforced", limits={"users": users}
    )
    port = local_port(gateway, 80)
    assert [status == 429 for status in await statuses(port, 5, **{"x-user": "alice"})] == [False] * 3 + [True] * 2
    assert [status == 429 for status in await statuses(port, 4, **{"x-user": "bob"})] == [False] * 3 + [True]
    assert 429 not in await statuses(port, 10)


async def test_limit_that_cannot_be_counted_is_named(cluster: Box) -> None:
    await cluster.make(KUADRANTS, "kuadrant", APPS, spec={})
    await cluster.gateway(listener(hostname="*.mcp.local"))
    await cluster.route("weather", HOST, "weather")
    limits = {"all": {"rates": [{"limit": 3, "window": "1m"}], "counters": [{"expression": "source.address"}]}}
    words = "RateLimitPolicy has encountered some issues: spec.limits.all.counters[0].expression"
    await policy(cluster, RATE_LIMIT_POLICIES, words, limits=limits)


async def test_dns_records_need_a_provider(cluster: Box) -> None:
    await cluster.gateway(listener(hostname="*.mcp.local"), listener("bare", 81))
    nothing = (
        "DNSPolicy has been successfully enforced : no DNSRecords created based on policy and gateway configuration"
    )
    status = await policy(cluster, DNS_POLICIES, nothing)
    assert status["totalRecords"] == 0
    await cluster.route("weather", HOST, "weather")
    why = "policy is not enforced on any DNSRecord: not a single DNSRecord is ready"
    status = await judged(cluster, DNS_POLICIES, f"DNSPolicy has encountered some issues: {why}")
    assert status["totalRecords"] == 1
    ready = status["recordConditions"]["*.mcp.local"][0]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "DNSProviderError")
    assert ready["message"] == "No default provider secret labeled kuadrant.io/default-provider was found"
    await cluster.make(SECRETS, "dns", INFRA, type="kuadrant.io/inmemory", stringData={"x": "y"})
    status = await policy(cluster, DNS_POLICIES, "successfully enforced", providerRefs=[{"name": "dns"}])
    assert not status["recordConditions"]
    table = json.loads((cluster.folder / "outside" / "records.json").read_text())
    assert table["*.mcp.local"] == {"record": "gw-http", "type": "A", "targets": ["127.0.0.1"]}


async def test_second_dns_policy_for_a_gateway_is_in_conflict(cluster: Box) -> None:
    await cluster.gateway(listener(hostname="*.mcp.local"))
    first = await cluster.make(DNS_POLICIES, "first", INFRA, spec={"targetRef": GATEWAY})

    async def later() -> bool:
        """Ages are whole seconds: waits for the next one."""
        probe = await cluster.make(SECRETS, "clock", INFRA, stringData={})
        await cluster.client.delete(SECRETS, "clock", INFRA)
        return bool(probe["metadata"]["creationTimestamp"] > first["metadata"]["creationTimestamp"])

    await until(later)
    await policy(cluster, DNS_POLICIES, f"DNSPolicy is conflicted by {INFRA}/first: conflicting policy", "second")


async def test_tls_policy_issues_the_listeners_certificate(cluster: Box) -> None:
    chain, key = seed.self_signed("sandbox CA")
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    host = "mcp.tls.example"
    tls = {"certificateRefs": [{"name": "mcp-tls"}]}
    gateway = await cluster.gateway(listener("https", 443, protocol="HTTPS", hostname=host, tls=tls))
    reference = {"name": "authority", "kind": "Issuer", "group": "cert-manager.io"}
    await policy(cluster, TLS_POLICIES, "TLSPolicy target is invalid: unable to find issuer", issuerRef=reference)
    await cluster.make(ISSUERS, "authority", INFRA, spec={"ca": {"secretName": "authority"}})
    await judged(cluster, TLS_POLICIES, "TLSPolicy has encountered some issues: Issuer not ready")
    issuer = await cluster.client.get(ISSUERS, "authority", INFRA)
    assert issuer is not None
    assert conditions(issuer["status"])["Ready"]["reason"] == "ErrGetKeyPair"
    await cluster.make(SECRETS, "authority", INFRA, type="kubernetes.io/tls", data=data)
    await judged(cluster, TLS_POLICIES, "TLSPolicy has been successfully enforced")

    async def programmed() -> Json | None:
        found = await cluster.client.get(GATEWAYS, "gw", INFRA)
        assert found is not None
        state = conditions(found["status"]["listeners"][0])["Programmed"]["status"]
        return found if state == "True" else None

    gateway = await until(programmed)
    url = f"https://127.0.0.1:{local_port(gateway, 443)}/"
    trusting = ssl.create_default_context(cadata=chain.decode())
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the authority of this test has no extensions but the needed ones
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Host": host}, ssl=trusting, server_hostname=host) as answer,
    ):
        assert answer.status == 404  # no route is there; the certificate was taken
    await cluster.client.delete(SECRETS, "mcp-tls", INFRA)


async def test_tls_policy_with_a_cluster_issuer_that_signs_itself(cluster: Box) -> None:
    tls = {"certificateRefs": [{"name": "self-tls"}]}
    await cluster.gateway(listener("https", 443, protocol="HTTPS", hostname="a.tls.example", tls=tls))
    await cluster.make(CLUSTER_ISSUERS, "own", None, spec={"selfSigned": {}})
    reference = {"name": "own", "kind": "ClusterIssuer"}
    await policy(cluster, TLS_POLICIES, "TLSPolicy has been successfully enforced", issuerRef=reference)
    secret = await cluster.client.get(SECRETS, "self-tls", INFRA)
    assert secret is not None
    assert sorted(secret["data"]) == ["ca.crt", "tls.crt", "tls.key"]
    await cluster.client.delete(SECRETS, "self-tls", INFRA)
