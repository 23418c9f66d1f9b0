# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address at which a listener serves MCP, and the report on what was found there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import (
    dns_report_of,
    endpoint_of,
    report_of,
    reports_together,
    targets_of,
)


def gateway(*addresses: str, **listener: Any) -> dict[str, Any]:
    settings = {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com", **listener}
    return {
        "metadata": {"name": "gw", "namespace": "ns"},
        "spec": {"listeners": [settings]},
        "status": {"addresses": [{"value": address} for address in addresses]},
    }


def found(live: dict[str, Any] | None, listener: str = "mcps", host: str = "") -> dict[str, str]:
    wanted = {"name": "gw", "namespace": "ns", "listener": listener, "public_host": host, "path": "/mcp"}
    return endpoint_of(live, wanted)


@pytest.mark.parametrize(
    ("listener", "url"),
    [
        ({}, "http://mcp.example.com:8080/mcp"),
        ({"port": 80}, "http://mcp.example.com/mcp"),
        ({"protocol": "HTTPS", "port": 443}, "https://mcp.example.com/mcp"),
        ({"protocol": "HTTPS", "port": 8443}, "https://mcp.example.com:8443/mcp"),
        ({"hostname": "*.example.com"}, "http://mcp.example.com:8080/mcp"),
    ],
)
def test_the_url_follows_the_listener(listener: dict[str, Any], url: str) -> None:
    assert found(gateway(**listener)) == {"url": url, "connect_to": "", "problem": ""}


def test_the_extensions_own_public_host_wins() -> None:
    assert found(gateway(), host="public.example.com")["url"] == "http://public.example.com:8080/mcp"


@pytest.mark.parametrize(
    ("address", "connect_to"), [("192.0.2.1", "192.0.2.1:8080"), ("2001:db8::1", "[2001:db8::1]:8080")]
)
def test_the_gateways_address_is_where_to_connect_to(address: str, connect_to: str) -> None:
    assert found(gateway(address, "other"))["connect_to"] == connect_to


@pytest.mark.parametrize(
    ("live", "listener", "problem"),
    [
        (None, "mcps", "Gateway ns/gw does not exist; run the playbook"),
        (gateway(), "x", "Gateway ns/gw has no listener x (it has mcps)"),
        (gateway(protocol="TCP"), "mcps", "has protocol TCP, which MCP does not use"),
        (gateway(hostname=None), "mcps", "no hostname available; give it a hostname"),
    ],
)
def test_why_there_is_no_address(live: dict[str, Any] | None, listener: str, problem: str) -> None:
    answer = found(live, listener)

    assert answer["url"] == ""
    assert problem in answer["problem"]


ANSWER: dict[str, Any] = {
    "url": "http://mcp.example.com:8080/mcp",
    "dialed": "127.0.0.1:8080",
    "http_status": 200,
    "protocol_version": "2025-11-25",
    "server_info": {"name": "Broker", "version": "1.2"},
    "initialize": {"id": 1},
    "tools": ["a_x", "b_y"],
    "tool_count": 2,
    "duration": 1,
}


def test_the_report_says_what_a_person_wants_to_know() -> None:
    call = {"content": [{"type": "text", "text": "12:00\nUTC"}, {"type": "image"}]}

    report = report_of({**ANSWER, "bare_initialize": {"id": 2}, "call_result": call})

    text = "\n".join(report["text"])
    for said in ("http://mcp.example.com:8080/mcp (connected to 127.0.0.1:8080)", "HTTP 200", "2025-11-25"):
        assert said in text
    for said in ("Broker 1.2", "2 (a_x, b_y)", "12:00 UTC", "Streamable HTTP: http://mcp.example.com:8080/mcp"):
        assert said in text
    assert report["initialize"] == {"id": 2}
    assert report["works"] is True
    assert '"' not in text


def test_the_full_handshakes_answer_serves_without_a_bare_one() -> None:
    assert report_of(ANSWER)["initialize"] == {"id": 1}


def test_a_server_without_a_handshake_is_reported_by_its_discover_answer() -> None:
    stateless = {name: value for name, value in ANSWER.items() if name != "initialize"}

    report = report_of({**stateless, "server_info": {}, "discover": {"id": 3}})

    assert report["initialize"] == {"id": 3}
    assert "serverInfo:  not told" in report["text"]


@pytest.mark.parametrize(
    ("answer", "problem", "said"),
    [({"skipped": True}, "no Gateway", "no Gateway"), ({"msg": "refused"}, "", "refused")],
)
def test_check_mode_may_find_nothing(answer: dict[str, Any], problem: str, said: str) -> None:
    report = report_of(answer, problem)

    assert report["works"] is False
    assert said in report["text"][1]


def test_a_failure_after_the_handshake_is_no_working_gateway() -> None:
    report = report_of({**ANSWER, "layer": "mcp", "msg": "the tool weather_list_cities is missing"})

    assert report["works"] is False
    assert report["problem"] == "the tool weather_list_cities is missing"


RECORD = {"name": "mcp.example.com", "type": "A", "value": "192.0.2.1"}


def test_the_record_to_create_is_named_with_type_and_value() -> None:
    by_hand = dns_report_of([RECORD, {**RECORD, "name": "localhost"}], published=False, total=0)
    made = dns_report_of([RECORD], published=True, total=3)

    assert "create these DNS records" in by_hand["text"][0]
    assert by_hand["text"][1:] == ["mcp.example.com  A  192.0.2.1"]
    assert by_hand["records"] == [RECORD]
    assert "keeps 3 records" in made["text"][0]


def test_names_of_this_machine_and_gateways_without_address_need_no_record() -> None:
    local = dns_report_of([{**RECORD, "name": "mcp.localhost"}], published=False, total=0)

    assert local["text"] == ["No DNS record is needed."]
    assert "the Gateway has no address" in dns_report_of([], published=False, total=0)["text"][0]


PLACE = {"gateway": "gw", "gateway_namespace": "infra", "listener": "mcps", "public_host": ""}


def test_every_extension_has_an_endpoint_that_lists_its_own_servers() -> None:
    servers = [{"name": "weather"}, {"name": "time"}]
    several = "[{namespace: a, listener: x, servers: [time]}, {namespace: b}, {namespace: c, state: absent}]"

    found = targets_of(several, servers, PLACE)

    assert [one["listener"] for one in found] == ["x", "mcps"]
    assert [one["servers"] for one in found] == [[servers[1]], []]
    assert targets_of([], servers, PLACE) == [{**PLACE, "servers": servers}]
    assert targets_of([{"namespace": "a"}], servers, PLACE) == [{**PLACE, "servers": servers}]


def test_what_is_looped_over_has_no_credential() -> None:
    servers = [{"name": "weather", "prefix": "w_", "credential": "Bearer secret", "ca_cert": "x", "port": 1}]

    assert targets_of([], servers, PLACE)[0]["servers"] == [{"name": "weather", "prefix": "w_"}]
    assert targets_of([{"servers": ["weather"]}], servers, PLACE)[0]["servers"] == [{"name": "weather", "prefix": "w_"}]


def test_one_broken_endpoint_is_the_problem_of_all() -> None:
    good, bad = report_of(ANSWER), report_of({"msg": "refused"})

    together = reports_together([good, bad])

    assert (together["works"], together["problem"], together["url"]) == (False, "refused", ANSWER["url"])
    assert together["text"] == [*good["text"], *bad["text"]]
    assert together["endpoints"] == [good, bad]
    assert reports_together([good])["works"] is True
