# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module gateway_info against an API server."""

from __future__ import annotations

from pathlib import Path

from integration.gateways import GATEWAYS, report
from integration.kit import ApiServer, Json, Modules, writes


def gateway(api: ApiServer, ns: str) -> None:
    spec = {
        "gatewayClassName": "istio",
        "listeners": [{"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "*.example.com"}],
    }
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"}}
    api.apply(f"{GATEWAYS.format(ns=ns)}/gw", {**kind, "spec": spec})


def wanted(ns: str, **more: object) -> Json:
    return {"name": "gw", "namespace": ns, "listener": "mcps", **more}


def test_the_endpoint_of_a_listener(run: Modules, api_server: ApiServer, ns: str) -> None:
    gateway(api_server, ns)
    report(api_server, ns, "gw", ["mcps"])

    with api_server.watched() as requests:
        found = run("gateway_info", **wanted(ns))
        own = run("gateway_info", check=True, **wanted(ns, public_host="public.example.com", path="/x"))

    assert found["url"] == "http://mcp.example.com:8080/mcp"
    assert found["connect_to"] == "192.0.2.10:8080"
    assert found["problem"] == "" and found["changed"] is False
    assert own["url"] == "http://public.example.com:8080/x"
    assert writes(requests) == []


def test_what_is_not_there_is_told_and_no_failure(run: Modules, api_server: ApiServer, ns: str) -> None:
    missing = run("gateway_info", **wanted(ns))
    gateway(api_server, ns)
    other = run("gateway_info", **wanted(ns, listener="x"))

    assert f"Gateway {ns}/gw does not exist" in missing["problem"] and missing["url"] == ""
    assert "has no listener x (it has mcps)" in other["problem"]


def test_who_manages_a_gateway(run: Modules, api_server: ApiServer, ns: str) -> None:
    nobody = run("gateway_info", **wanted(ns))
    gateway(api_server, ns)
    theirs = run("gateway_info", **wanted(ns))
    api_server.apply(
        f"{GATEWAYS.format(ns=ns)}/gw",
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "gw"},
            "spec": {"gatewayClassName": "istio"},
        },
        manager="mcpops.gateway",
    )
    both = run("gateway_info", **wanted(ns))

    assert nobody["managers"] == []
    assert theirs["managers"] == ["mcpops-test"]
    assert sorted(both["managers"]) == ["mcpops-test", "mcpops.gateway"]


def test_a_cluster_that_cannot_be_asked_is_one_sentence(run: Modules, tmp_path: Path) -> None:
    said = run.fails("gateway_info", **wanted("ns", kubeconfig=str(tmp_path / "none")))

    assert "does not exist" in said and "kubeconfig" in said
