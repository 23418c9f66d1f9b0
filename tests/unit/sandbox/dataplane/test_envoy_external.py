# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ServiceEntries and DestinationRules as Envoy clusters."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from dataplane_builders import pod, service, world
from sandbox.controllers.envoy_clusters import service_clusters
from sandbox.controllers.envoy_external import add_tls, external_clusters
from sandbox.controllers.gateway_world import Json, World
from sandbox.controllers.outside import Outside

HOST = "api.example.com"
NAME = f"outbound|443||{HOST}"
WEB = "outbound|80||web.apps.svc.cluster.local"


def entry(**more: Any) -> Json:
    ports = [{"number": 443, "name": "https", "protocol": "HTTPS"}]
    spec = {"hosts": [HOST], "location": "MESH_EXTERNAL", "resolution": "DNS", "ports": ports, **more}
    return {"metadata": {"name": "api", "namespace": "apps"}, "spec": spec}


def rule(host: str = HOST, name: str = "api", created: int = 0, **policy: Any) -> Json:
    stamp = f"2026-01-01T00:00:{created:02}Z"
    meta = {"name": name, "namespace": "apps", "creationTimestamp": stamp}
    return {"metadata": meta, "spec": {"host": host, "trafficPolicy": policy}}


def clusters(seen: World, folder: Path) -> dict[str, Json]:
    outside = Outside(folder)
    found = service_clusters(seen) | external_clusters(seen, outside)
    add_tls(found, seen, outside)
    return found


def addresses(found: Json) -> list[tuple[str, int]]:
    places = [
        entry["endpoint"]["address"]["socket_address"]
        for group in found["load_assignment"]["endpoints"]
        for entry in group["lb_endpoints"]
    ]
    return [(place["address"], place["port_value"]) for place in places]


def tls_of(found: Json) -> Json | None:
    return found["transport_socket"]["typed_config"] if "transport_socket" in found else None


def test_name_of_the_hosts_table_leads_to_this_machine(tmp_path: Path) -> None:
    (tmp_path / "hosts.json").write_text(json.dumps({f"{HOST.upper()}:443": "127.0.0.1:45123"}))
    found = clusters(world(service_entries=[entry()]), tmp_path)[NAME]
    assert (found["type"], addresses(found)) == ("STATIC", [("127.0.0.1", 45123)])


def test_other_names_are_resolved_by_envoy(tmp_path: Path) -> None:
    found = clusters(world(service_entries=[entry()]), tmp_path)[NAME]
    assert (found["type"], addresses(found)) == ("STRICT_DNS", [(HOST, 443)])


@pytest.mark.parametrize("content", ["{", "[]", '{"api.example.com:443": "nonsense"}'])
def test_broken_hosts_table_is_no_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "hosts.json").write_text(content)
    assert Outside(tmp_path).address(HOST, 443) is None


def test_endpoints_of_their_own(tmp_path: Path) -> None:
    places = [{"address": "10.0.0.1"}, {"address": "10.0.0.2", "ports": {"https": 8443}}]
    found = clusters(world(service_entries=[entry(resolution="STATIC", endpoints=places)]), tmp_path)[NAME]
    assert (found["type"], addresses(found)) == ("STATIC", [("10.0.0.1", 443), ("10.0.0.2", 8443)])


def test_tls_with_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("an authority")
    rules = [rule(tls={"mode": "SIMPLE", "sni": "sni.example.com"})]
    tls = tls_of(clusters(world(service_entries=[entry()], destination_rules=rules), tmp_path)[NAME])
    assert tls is not None
    assert tls["sni"] == "sni.example.com"
    assert tls["common_tls_context"]["validation_context"] == {"trusted_ca": {"inline_string": "an authority"}}


def test_tls_without_a_name_takes_that_of_the_request(tmp_path: Path) -> None:
    rules = [rule(tls={"mode": "SIMPLE"})]
    found = clusters(world(service_entries=[entry()], destination_rules=rules), tmp_path)[NAME]
    options = next(iter(found["typed_extension_protocol_options"].values()))
    assert options["upstream_http_protocol_options"] == {"auto_sni": True, "auto_san_validation": True}


def test_oldest_rule_for_a_host_counts_and_a_port_may_differ(tmp_path: Path) -> None:
    by_port = {"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": "SIMPLE", "sni": "old"}}]}
    rules = [rule(name="new", created=9, tls={"mode": "SIMPLE", "sni": "new"}), rule(name="old", **by_port)]
    tls = tls_of(clusters(world(service_entries=[entry()], destination_rules=rules), tmp_path)[NAME])
    assert tls is not None
    assert tls["sni"] == "old"


@pytest.mark.parametrize("host", ["web", "web.apps.svc.cluster.local", "*.apps.svc.cluster.local"])
def test_services_of_the_cluster_have_rules_too(tmp_path: Path, host: str) -> None:
    seen = world(service(), pod(45000), destination_rules=[rule(host, tls={"mode": "SIMPLE"})])
    assert tls_of(clusters(seen, tmp_path)[WEB])


def test_rule_that_switches_tls_off(tmp_path: Path) -> None:
    rules = [rule(name="new", created=9, tls={"mode": "SIMPLE"}), rule(name="old", tls={"mode": "DISABLE"})]
    assert tls_of(clusters(world(service_entries=[entry()], destination_rules=rules), tmp_path)[NAME]) is None


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"mode": "MUTUAL"}, "mode MUTUAL"),
        ({"mode": "SIMPLE", "credentialName": "secret"}, "field credentialName"),
        ({"mode": "SIMPLE", "caCertificates": "/etc/ca.pem"}, "caCertificates /etc/ca.pem"),
    ],
)
def test_what_is_not_supported_is_logged_and_not_reached(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tls: Json, words: str
) -> None:
    with caplog.at_level(logging.WARNING):
        found = clusters(world(service_entries=[entry()], destination_rules=[rule(tls=tls)]), tmp_path)[NAME]
    assert addresses(found) == []
    assert f"DestinationRule apps/api: tls.{words} is not supported" in caplog.text
