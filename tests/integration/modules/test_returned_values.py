# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for Gateways, routes, grants and policies return is what their documentation shows."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from integration.gateways import ALL, GATEWAYS, GRANTS, conditions, gateway_class, listener, report
from integration.kit import ApiServer, Json, Modules

FRAME = {"changed", "invocation", "warnings", "deprecations", "failed"}
"""What Ansible itself adds to a result."""
CORS = {"allow_origins": ["https://chat.example.com"]}


def returned(module: str) -> dict[str, Any]:
    found = importlib.import_module(f"ansible_collections.mcpops.gateway.plugins.modules.{module}").RETURN
    return dict(yaml.safe_load(found))


def differences(sample: Any, real: Any, path: str) -> Iterator[str]:
    """Where the keys of a sample and of a real value differ, or their types."""
    if isinstance(sample, dict) and isinstance(real, dict):
        for key in sorted(set(sample) ^ set(real)):
            yield f"{path}.{key} is only in the {'sample' if key in sample else 'result'}"
        for key in set(sample) & set(real):
            yield from differences(sample[key], real[key], f"{path}.{key}")
    elif isinstance(sample, list) and isinstance(real, list):
        for one in real[:1]:
            for shown in sample[:1]:
                yield from differences(shown, one, f"{path}[]")
    elif sample is not None and real is not None and type(sample) is not type(real):
        yield f"{path} is {type(sample).__name__} in the sample and {type(real).__name__} in the result"


@pytest.fixture
def place(api_server: ApiServer, ns: str) -> str:
    """A namespace with a Gateway, an extension, a registration, a grant and a policy, reported on by controllers."""
    gateway_class(api_server)
    gateway_api, mcp = {"apiVersion": "gateway.networking.k8s.io/v1"}, {"apiVersion": "mcp.kuadrant.io/v1"}
    one = {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com", "allowedRoutes": ALL}
    spec: Json = {"gatewayClassName": "istio", "listeners": [one]}
    path = f"{GATEWAYS.format(ns=ns)}/gw"
    api_server.apply(path, {**gateway_api, "kind": "Gateway", "metadata": {"name": "gw"}, "spec": spec})
    report(api_server, ns, "gw", ["mcps"])
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": ns}
    path = f"/apis/mcp.kuadrant.io/v1/namespaces/{ns}"
    objects: list[tuple[str, str, Json]] = [
        ("mcpgatewayextensions", "MCPGatewayExtension", {"targetRef": {**parent, "sectionName": "mcps"}}),
        ("mcpserverregistrations", "MCPServerRegistration", {"targetRef": {"name": "r"}, "prefix": "r_"}),
        ("mcpvirtualservers", "MCPVirtualServer", {"tools": ["r_x"]}),
    ]
    for plural, kind, content in objects:
        api_server.apply(f"{path}/{plural}/x", {**mcp, "kind": kind, "metadata": {"name": "x"}, "spec": content})
        if kind != "MCPVirtualServer":
            api_server.status(f"{path}/{plural}/x", {"conditions": conditions(1, Ready="Ready")})
    spec = {"from": [{"group": "a", "kind": "B", "namespace": "c"}], "to": [{"group": "", "kind": "Secret"}]}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": {"name": "x"}}
    api_server.apply(f"{GRANTS.format(ns=ns)}/x", {**kind, "spec": spec})
    policy = {"apiVersion": "kuadrant.io/v1", "kind": "DNSPolicy", "metadata": {"name": "x"}}
    target = {name: parent[name] for name in ("group", "kind", "name")}
    path = f"/apis/kuadrant.io/v1/namespaces/{ns}/dnspolicies/x"
    api_server.apply(path, {**policy, "spec": {"targetRef": target, "delegate": True}}, "mcpops.gateway")
    api_server.status(path, {"conditions": conditions(1, Accepted="Accepted", Enforced="Enforced"), "totalRecords": 1})
    route = {**gateway_api, "kind": "HTTPRoute", "metadata": {"name": "x"}}
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes/x"
    api_server.apply(path, {**route, "spec": {"parentRefs": [{**parent, "sectionName": "mcps"}]}}, "mcpops.gateway")
    entry = {"parentRef": {**parent, "sectionName": "mcps"}, "controllerName": "istio.io/gateway-controller"}
    good = conditions(1, Accepted="Accepted", ResolvedRefs="ResolvedRefs")
    api_server.status(path, {"parents": [{**entry, "conditions": good}]})
    return ns


CALLS: dict[str, Json] = {
    "gateway": {"name": "gw", "gateway_class_name": "istio", "listeners": [listener()], "labels": {"a": "b"}},
    "gateway_listener": {"gateway": "gw", **listener()},
    "reference_grant": {"name": "grant", "from": [{"namespace": "team-a"}], "to": [{"name": "gw"}]},
    "http_route": {"name": "x", "gateway": "gw", "listener": "mcps", "cors": CORS, "wait": False},
    "dns_policy": {"name": "x", "gateway": "gw", "delegate": True},
    "info": {},
    "gateway_info": {"name": "gw"},
}


@pytest.mark.parametrize("module", list(CALLS))
def test_the_documentation_shows_what_is_returned(run: Modules, place: str, module: str) -> None:
    result = {key: value for key, value in run(module, namespace=place, **CALLS[module]).items() if key not in FRAME}
    documented = returned(module)

    assert set(result) == set(documented)
    samples = {name: entry["sample"] for name, entry in documented.items()}
    assert list(differences(samples, result, module)) == []


@pytest.mark.parametrize("module", list(CALLS))
def test_samples_show_no_more_than_their_description(module: str) -> None:
    for name, entry in returned(module).items():
        assert entry["description"] and entry["type"] and entry["returned"], name
        if "contains" in entry:
            shown = entry["sample"][0] if entry["type"] == "list" else entry["sample"]
            assert set(shown) == set(entry["contains"]), name
