# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles make of their input."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils._role_values import certificate_grants, listeners


def guide(given: Any = "", servers: Any = ()) -> list[dict[str, Any]]:
    return listeners(
        given,
        hostname="mcp.example.com",
        port=8080,
        https_hostname="apps.example.com",
        certificate="cert",
        servers_hostname="*.mcp.local",
        servers=list(servers),
    )


def test_without_listeners_the_guides_three_are_made() -> None:
    made = guide()

    assert [(x["name"], x.get("hostname"), x["port"], x["protocol"]) for x in made] == [
        ("http", None, 80, "HTTP"),
        ("mcps", "mcp.example.com", 8080, "HTTP"),
        ("https", "apps.example.com", 443, "HTTPS"),
    ]
    assert all(x["allowed_routes"] == {"namespaces": {"from": "All"}} for x in made)
    assert made[2]["tls"]["certificate_refs"][0]["name"] == "cert"


def test_servers_bring_a_listener_for_their_routes_on_the_same_port() -> None:
    added = guide(servers=[{"name": "w"}])[3]

    assert (added["name"], added["hostname"], added["port"]) == ("mcp-servers", "*.mcp.local", 8080)


def test_given_listeners_stay_as_they_are_apart_from_defaults() -> None:
    same = {"namespaces": {"from": "Same"}}

    made = guide("- {name: a, port: 1}\n- {name: b, port: 2, allowed_routes: {namespaces: {from: Same}}}")

    assert made[0] == {"name": "a", "port": 1, "protocol": "HTTP", "allowed_routes": {"namespaces": {"from": "All"}}}
    assert made[1]["allowed_routes"] == same


def test_without_a_certificate_there_is_no_https_listener() -> None:
    made = listeners(
        [], hostname="h", port=1, https_hostname="h", certificate="", servers_hostname="*.mcp.local", servers=[{"a": 1}]
    )

    assert [one["name"] for one in made] == ["http", "mcps", "mcp-servers"]


def test_certificates_of_other_namespaces_are_granted_one_by_one() -> None:
    def https(name: str, *references: dict[str, str]) -> dict[str, Any]:
        return {"name": name, "tls": {"certificate_refs": list(references)}}

    wanted = [
        https("a", {"name": "x", "namespace": "certs"}, {"name": "own"}),
        https("b", {"name": "x", "namespace": "certs"}, {"name": "y", "namespace": "certs", "kind": "Secret"}),
        https("c", {"name": "z", "namespace": "gw"}, {"name": "other", "namespace": "certs", "kind": "ConfigMap"}),
        {"name": "plain"},
    ]

    (grant,) = certificate_grants(wanted, gateway="public", namespace="gw")

    assert grant["metadata"] == {"name": "gw-public-certificates", "namespace": "certs"}
    assert grant["spec"]["from"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "gw"}]
    assert [one["name"] for one in grant["spec"]["to"]] == ["x", "y"]
