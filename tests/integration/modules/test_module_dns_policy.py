# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module dns_policy: what Kuadrant would refuse is told before writing, and an empty success is not believed."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _dns_policy_job
from integration.gateways import ALL, GATEWAYS, conditions
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes

POLICIES = "/apis/kuadrant.io/v1/namespaces/{ns}/dnspolicies"
LISTENERS = [
    {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com", "allowedRoutes": ALL},
    {"name": "web", "port": 80, "protocol": "HTTP", "hostname": "www.example.com", "allowedRoutes": ALL},
]
ADDRESSES = [{"type": "IPAddress", "value": "192.0.2.10"}, {"type": "Hostname", "value": "lb.example.net"}]


@pytest.fixture
def place(api_server: ApiServer, ns: str) -> str:
    """A namespace with a Gateway that has addresses, and a provider's Secret."""
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
    spec = {"gatewayClassName": "istio", "listeners": LISTENERS}
    path = f"{GATEWAYS.format(ns=ns)}/gw"
    api_server.apply(path, {**kind, "metadata": {"name": "gw"}, "spec": spec})
    api_server.status(path, {"addresses": ADDRESSES})
    secret(api_server, ns, "aws", "kuadrant.io/aws")
    return ns


def secret(api: ApiServer, ns: str, name: str, kind: str, *keys: str, **labels: str) -> None:
    names = keys or ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    data = {key: base64.b64encode(b"x").decode() for key in names}
    metadata = {
        "name": name,
        "labels": {f"kuadrant.io/{label.replace('_', '-')}": value for label, value in labels.items()},
    }
    body = {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "data": data}
    api.apply(f"/api/v1/namespaces/{ns}/secrets/{name}", body)


def options(ns: str, **more: Any) -> Json:
    return {"name": "dns", "namespace": ns, "gateway": "gw", "provider_secrets": ["aws"], **more}


def says(api: ApiServer, ns: str, records: int, **reasons: str) -> None:
    """Kuadrant's word on the policy."""
    path = f"{POLICIES.format(ns=ns)}/dns"
    until(lambda: api.get(path) is not None, lambda: "the policy was never written")
    good = {"Accepted": "Accepted", "Enforced": "Enforced", **reasons}
    api.status(path, {"conditions": conditions(1, **good), "totalRecords": records})


def test_its_life(run: Modules, api_server: ApiServer, place: str) -> None:
    full = options(
        place,
        listener="mcps",
        load_balancing={"geo": "EU", "default_geo": True},
        health_check={"path": "/healthz", "port": 8080, "protocol": "HTTP"},
        exclude_addresses=["10.0.0.0/8"],
    )
    planned = run("dns_policy", check=True, diff=True, **full)
    with meanwhile(lambda: says(api_server, place, 1)):
        made = run("dns_policy", diff=True, **full)
    with api_server.watched() as requests:
        again = run("dns_policy", **full)
    live = api_server.get(f"{POLICIES.format(ns=place)}/dns")
    gone = run("dns_policy", name="dns", namespace=place, state="absent")
    gone_again = run("dns_policy", name="dns", namespace=place, state="absent")

    actions = [one["objects"][0]["action"] for one in (planned, made, again, gone, gone_again)]
    assert actions == ["created", "created", "unchanged", "deleted", "absent"]
    assert planned["diff"] == made["diff"] and writes(requests) == []
    assert made["total_records"] == 1 and warnings_of(made) == []
    assert made["records"] == [
        {"name": "mcp.example.com", "type": "A", "value": "192.0.2.10"},
        {"name": "mcp.example.com", "type": "CNAME", "value": "lb.example.net"},
    ]
    assert live is not None
    assert live["spec"]["loadBalancing"] == {"geo": "EU", "weight": 120, "defaultGeo": True}
    assert live["spec"]["targetRef"]["sectionName"] == "mcps" and live["spec"]["providerRefs"] == [{"name": "aws"}]


def test_enforced_without_records_is_told(run: Modules, api_server: ApiServer, place: str) -> None:
    with meanwhile(lambda: says(api_server, place, 0)):
        made = run("dns_policy", **options(place))

    assert "publishes no record" in warnings_of(made)[0]


def test_a_gateway_without_an_address(run: Modules, api_server: ApiServer, place: str) -> None:
    api_server.status(f"{GATEWAYS.format(ns=place)}/gw", {"addresses": []})

    made = run("dns_policy", wait=False, **options(place))

    assert "no address yet" in warnings_of(made)[0] and made["records"] == []


def test_records_that_are_not_ready(run: Modules, api_server: ApiServer, place: str) -> None:
    with meanwhile(lambda: says(api_server, place, 1, Enforced="!Unknown")):
        message = run.fails("dns_policy", **options(place, wait_timeout=1))

    assert "Waited 1 s" in message and "DNSRecord" in message


def test_a_policy_that_kuadrant_does_not_accept(run: Modules, api_server: ApiServer, place: str) -> None:
    with meanwhile(lambda: says(api_server, place, 0, Accepted="!MissingDependency")):
        message = run.fails("dns_policy", **options(place, wait_timeout=60))

    assert "MissingDependency" in message and "cannot" in message


def test_an_older_policy_for_the_same_target(run: Modules, api_server: ApiServer, place: str) -> None:
    run("dns_policy", wait=False, **options(place))

    with api_server.watched() as requests:
        message = run.fails("dns_policy", **options(place, name="second"))
    other = run("dns_policy", wait=False, **options(place, name="second", listener="web"))

    assert f"{place}/dns has the same target" in message and writes(requests) == []
    assert other["changed"]


def test_drift_and_another_owner(run: Modules, api_server: ApiServer, place: str) -> None:
    run("dns_policy", wait=False, **options(place, listener="mcps"))
    path = f"{POLICIES.format(ns=place)}/dns"
    api_server.merge(path, {"spec": {"targetRef": {"sectionName": "web"}}}, "kubectl-edit")

    planned = run("dns_policy", check=True, diff=True, **options(place, listener="mcps"))
    mended = run("dns_policy", wait=False, diff=True, **options(place, listener="mcps"))
    api_server.merge(path, {"spec": {"targetRef": {"sectionName": "web"}}}, "argocd")
    said = run.fails("dns_policy", **options(place, listener="mcps"))

    assert planned["diff"] == mended["diff"] and "kubectl-edit" in warnings_of(mended)[0]
    assert mended["objects"][0]["fields"] == ["spec.targetRef.sectionName"] and "argocd" in said


class TestDefaultProvider:
    def test_none(self, run: Modules, api_server: ApiServer, place: str) -> None:
        with api_server.watched() as requests:
            message = run.fails("dns_policy", **options(place, provider_secrets=[]))
        planned = run("dns_policy", check=True, **options(place, provider_secrets=[]))

        assert "kuadrant.io/default-provider" in message and writes(requests) == []
        assert planned["changed"] and "default-provider" in warnings_of(planned)[0]

    def test_one(self, run: Modules, api_server: ApiServer, place: str) -> None:
        secret(api_server, place, "default", "kuadrant.io/aws", default_provider="true")

        assert run("dns_policy", wait=False, **options(place, provider_secrets=[]))["changed"]

    def test_two(self, run: Modules, api_server: ApiServer, place: str) -> None:
        for name in ("one", "two"):
            secret(api_server, place, name, "kuadrant.io/aws", default_provider="true")

        assert "Secrets one, two" in run.fails("dns_policy", **options(place, provider_secrets=[]))

    def test_delegation_needs_none(self, run: Modules, place: str) -> None:
        made = run("dns_policy", wait=False, **options(place, provider_secrets=[], delegate=True))
        said = run.fails("dns_policy", **options(place, provider_secrets=[], delegate=False))

        assert made["changed"] and "cannot change delegate from true to false" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gateway": None}, "gateway"),
        ({"provider_secrets": ["aws", "gcp"]}, "Kuadrant takes one"),
        ({"delegate": True}, "exclude each other"),
        ({"load_balancing": {}}, "geo"),
        ({"load_balancing": {"geo": "E"}}, "'E' is no code"),
        ({"load_balancing": {"geo": "EU", "weight": -1}}, "weight -1"),
        ({"load_balancing": {"geo": "EU", "weight": "heavy"}}, "weight"),
        ({"health_check": {"port": 22}}, "port 22"),
        ({"health_check": {"protocol": "TCP"}}, "HTTP, HTTPS"),
        ({"health_check": {"path": "healthz"}}, "path 'healthz'"),
        ({"health_check": {"interval": "soon"}}, "interval 'soon'"),
        ({"health_check": {"failure_threshold": 0}}, "failure_threshold 0"),
        ({"exclude_addresses": [f"10.0.0.{n}" for n in range(21)]}, "21 entries"),
    ],
)
def test_options(run: Modules, api_server: ApiServer, place: str, change: Json, said: str) -> None:
    wanted = {key: value for key, value in options(place, **change).items() if value is not None}
    with api_server.watched() as requests:
        result = run.run("dns_policy", **wanted)

    assert result.get("failed") and said in result["msg"] and requests == []


def test_a_cluster_without_kuadrant(run: Modules, ns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind is looked up as any other; here under a group that nobody serves."""
    monkeypatch.setattr(_dns_policy_job, "API_VERSION", "none.kuadrant.io/v1")

    said = run.fails("dns_policy", **options(ns))

    assert "does not serve the kind DNSPolicy" in said and "Kuadrant" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"provider_secrets": ["keyless"]}, "no data entry AWS_SECRET_ACCESS_KEY"),
        ({"gateway": "other"}, "does not exist"),
        ({"listener": "other"}, "there are: mcps, web"),
        ({"provider_secrets": ["none"]}, "none of provider_secrets does not exist"),
        ({"provider_secrets": ["opaque"]}, "has the type Opaque"),
    ],
)
def test_what_it_refers_to(run: Modules, api_server: ApiServer, place: str, change: Json, said: str) -> None:
    secret(api_server, place, "opaque", "Opaque")
    secret(api_server, place, "keyless", "kuadrant.io/aws", "AWS_ACCESS_KEY_ID")

    with api_server.watched() as requests:
        message = run.fails("dns_policy", **{**options(place), **change})

    assert said in message and writes(requests) == []
