# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in's rules: the objects it makes, the routes that it accepts."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.catalog.csv import broker_image, cluster_service_version
from sandbox.controllers.operator_attachment import (
    RegistrationError,
    accepted_gateways,
    attaches,
    backend_of,
    endpoint,
    server_entry,
    valid_extensions,
)
from sandbox.controllers.operator_base import read_config, with_condition
from sandbox.controllers.operator_objects import (
    command,
    config_secret,
    deployment,
    environment,
    envoy_filter,
    http_route,
    listener_condition,
    merged_container,
    private_host,
)
from sandbox.controllers.operator_release import Release, covers, release_of

Object = dict[str, Any]

NEW = Release("0.9.0", broker_image("0.9.0"))
OLD = Release("0.6.0", broker_image("0.6.0"), "v1alpha1", "toolPrefix", "JWT_SESSION_SIGNING_KEY", modern=False)


def extension(namespace: str = "mcp-system", **spec: Any) -> Object:
    target = {"name": "gw", "namespace": "infra", "sectionName": "mcps"}
    return {
        "metadata": {"name": "mcp-gateway", "namespace": namespace, "uid": "uid-1", "generation": 1},
        "spec": {"targetRef": target, "backendPingIntervalSeconds": 60, **spec},
    }


def gateway(**labels: str) -> Object:
    listeners = [
        {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com"},
        {"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"},
        {"name": "web", "port": 80, "protocol": "HTTP"},
        {"name": "tls", "port": 443, "protocol": "HTTPS", "hostname": "*.tls.local"},
    ]
    return {
        "metadata": {"name": "gw", "namespace": "infra", "labels": labels},
        "spec": {"gatewayClassName": "openshift-default", "listeners": listeners},
    }


def listener(name: str) -> Object:
    return next(entry for entry in gateway()["spec"]["listeners"] if entry["name"] == name)


# ---- releases


def controller_deployment(version: str, available: int) -> Object:
    csv = cluster_service_version(version, replaces=None, crds=[])
    wanted = csv["spec"]["install"]["spec"]["deployments"][0]
    return {"metadata": {"name": wanted["name"]}, "spec": wanted["spec"], "status": {"availableReplicas": available}}


def test_the_release_is_read_from_the_running_deployment() -> None:
    assert release_of(controller_deployment("0.9.0", 1)) == NEW
    assert release_of(controller_deployment("0.6.0", 1)) == OLD
    assert release_of(controller_deployment("0.9.0", 0)) is None


# ---- objects


def test_the_private_host_follows_the_gateway_class() -> None:
    host = "gw-openshift-default.infra.svc.cluster.local:8080"
    assert private_host(extension(), gateway(), listener("mcps"), NEW) == host
    secure = "https://gw-openshift-default.infra.svc.cluster.local:443"
    assert private_host(extension(), gateway(), listener("tls"), NEW) == secure
    assert private_host(extension(privateHost="x:1"), gateway(), listener("mcps"), NEW) == "x:1"


def test_the_old_release_always_expects_istios_name() -> None:
    assert private_host(extension(), gateway(), listener("tls"), OLD) == "gw-istio.infra.svc.cluster.local:443"


def test_the_brokers_command_line() -> None:
    spec: Object = {"urlElicitation": "Enabled", "logLevel": "debug"}
    assert command(extension(**spec), "mcp.example.com", "private:8080", NEW) == [
        "./mcp_gateway",
        "--mcp-broker-public-address=0.0.0.0:8080",
        "--mcp-gateway-private-host=private:8080",
        "--mcp-gateway-config=/config/config.yaml",
        "--mcp-check-interval=60",
        "--mcp-gateway-public-host=mcp.example.com",
        "--enable-url-elicitation",
        "--log-level=-4",
    ]


def test_the_old_release_hands_over_a_router_key() -> None:
    assert command(extension(), "h", "p", OLD)[-1].startswith("--mcp-router-key=")
    assert len(command(extension(), "h", "p", OLD)[-1].partition("=")[2]) == 32


def test_the_brokers_environment() -> None:
    spec: Object = {
        "trustedHeadersKey": {"secretName": "trust"},
        "sessionStore": {"secretName": "redis"},
        "oauthProtectedResource": {"authorizationServers": ["https://a", "https://b"]},
    }
    entries = environment(extension(**spec), "mcp.example.com", NEW)
    references = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in entries if "valueFrom" in e}
    assert references == {
        "GATEWAY_SIGNING_KEY": {"name": "mcp-gateway-session-signing-key", "key": "key"},
        "TRUSTED_HEADER_PUBLIC_KEY": {"name": "trust", "key": "key"},
        "CACHE_CONNECTION_STRING": {"name": "redis", "key": "CACHE_CONNECTION_STRING"},
    }
    assert {e["name"]: e["value"] for e in entries if "value" in e} == {
        "OAUTH_RESOURCE_NAME": "MCP Server",
        "OAUTH_RESOURCE": "https://mcp.example.com/mcp",
        "OAUTH_AUTHORIZATION_SERVERS": "https://a,https://b",
        "OAUTH_BEARER_METHODS_SUPPORTED": "header",
        "OAUTH_SCOPES_SUPPORTED": "basic",
    }
    assert [e["name"] for e in environment(extension(), "h", OLD)] == ["JWT_SESSION_SIGNING_KEY"]


def container(release: Release = NEW, **spec: Any) -> Object:
    flags = command(extension(**spec), "mcp.example.com", "private:8080", release)
    wanted = deployment(extension(**spec), flags, environment(extension(**spec), "mcp.example.com", release), release)
    found: Object = wanted["spec"]["template"]["spec"]["containers"][0]
    return found


def test_what_users_set_on_the_broker_stays() -> None:
    wanted = container()
    extra = {"name": "MINE", "value": "1"}
    mine = {**wanted, "command": [*wanted["command"], "--discovery-tool-threshold=50"], "env": [extra, *wanted["env"]]}
    assert merged_container(mine, wanted, NEW) == mine


def test_what_the_operator_manages_is_reset() -> None:
    wanted = container(logLevel="debug")
    stale = {
        **wanted,
        "image": "old",
        "command": [*wanted["command"][:-1], "--log-level=8", "--gateway-ca-cert=/x", "--enable-a2a"],
        "env": [*wanted["env"], {"name": "OAUTH_RESOURCE", "value": "by hand"}, {"name": "MINE", "value": "1"}],
    }
    merged = merged_container(stale, wanted, NEW)
    assert merged["image"] == wanted["image"]
    assert merged["command"] == [*wanted["command"], "--enable-a2a"]
    assert merged["env"] == [*wanted["env"], {"name": "MINE", "value": "1"}]


def test_an_upgraded_broker_gets_its_probe_and_its_keys_new_name() -> None:
    merged = merged_container(container(OLD), container(NEW), NEW)
    assert merged["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert [entry["name"] for entry in merged["env"]] == ["GATEWAY_SIGNING_KEY"]
    assert not [flag for flag in merged["command"] if flag.startswith("--mcp-router-key")]


def test_the_automatic_route() -> None:
    spec = http_route(extension(), "mcp.example.com", NEW)["spec"]
    assert spec["hostnames"] == ["mcp.example.com"]
    assert spec["parentRefs"][0]["sectionName"] == "mcps"
    paths = [(rule["name"], rule["matches"][0]["path"]["value"]) for rule in spec["rules"]]
    assert paths == [("mcp", "/mcp"), ("well-known", "/.well-known/oauth-protected-resource"), ("status", "/status")]
    removed = spec["rules"][0]["filters"][0]["requestHeaderModifier"]["remove"]
    assert removed == ["mcp-init-host", "router-key"]


def test_the_old_releases_route_has_one_plain_rule() -> None:
    rules = http_route(extension(), "mcp.example.com", OLD)["spec"]["rules"]
    assert [set(rule) for rule in rules] == [{"matches", "backendRefs"}]


def test_the_envoy_filter_lives_with_the_gateway() -> None:
    found = envoy_filter(extension(), gateway(), listener("mcps"))
    assert found["metadata"]["name"] == "mcp-ext-proc-mcp-system-gateway"
    assert found["metadata"]["namespace"] == "infra"
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mcp-gateway-controller"
    assert found["metadata"]["labels"]["istio.io/rev"] == "default"
    assert found["spec"]["configPatches"][0]["match"]["listener"]["portNumber"] == 8080
    revised = envoy_filter(extension(), gateway(**{"istio.io/rev": "canary"}), listener("mcps"))
    assert revised["metadata"]["labels"]["istio.io/rev"] == "canary"


def test_the_listeners_condition_names_both_sides() -> None:
    assert listener_condition(extension(), "infra")["message"] == (
        "listener in use by MCP Gateway: mcp-system/mcp-gateway EnvoyFilter: infra/mcp-ext-proc-mcp-system-gateway"
    )


def test_covers_ignores_what_the_api_server_added() -> None:
    assert covers({"a": 1, "b": [{"c": 2, "d": 3}]}, {"b": [{"c": 2}]})
    assert not covers({"b": [{"c": 2}, {}]}, {"b": [{"c": 2}]})
    assert not covers({"b": 1}, {"a": 1})


def test_a_conditions_time_moves_only_with_its_status() -> None:
    old = {"type": "Ready", "status": "False", "reason": "A", "message": "", "lastTransitionTime": "then"}
    same = with_condition([old], {"type": "Ready", "status": "False", "reason": "B", "message": ""})
    assert (same[0]["reason"], same[0]["lastTransitionTime"]) == ("B", "then")
    turned = with_condition([old], {"type": "Ready", "status": "True", "reason": "C", "message": ""})
    assert turned[0]["lastTransitionTime"] != "then"
    assert [entry["type"] for entry in with_condition([old], {"type": "Other", "status": "True"})] == ["Ready", "Other"]


def test_an_unreadable_configuration_counts_as_empty() -> None:
    assert read_config(config_secret("n", "{")) == {"servers": [], "virtualServers": []}
    assert read_config(config_secret("n", "servers:\ngatewayCACertPEM: x\n")) == {
        "servers": [],
        "virtualServers": [],
        "gatewayCACertPEM": "x",
    }


# ---- registrations


def route(section: str | None = "servers", hostname: str = "a.mcp.local", **more: Any) -> Object:
    parent = {"name": "gw", "namespace": "infra", **({"sectionName": section} if section else {})}
    accepted = {"type": "Accepted", "status": more.pop("accepted", "True")}
    backends = more.pop("backends", [{"kind": "Service", "group": "", "name": "svc", "port": 9090}])
    return {
        "metadata": {"name": "r", "namespace": "servers", "generation": 1},
        "spec": {"parentRefs": [parent], "hostnames": [hostname], "rules": [{"backendRefs": backends}], **more},
        "status": {"parents": [{"parentRef": parent, "conditions": [accepted]}]},
    }


def test_only_gateways_that_accepted_the_route_count() -> None:
    assert accepted_gateways(route()) == [("infra", "gw")]
    assert accepted_gateways(route(accepted="False")) == []
    assert accepted_gateways({"metadata": {"namespace": "servers"}}) == []


GRANT = {
    "metadata": {"namespace": "infra"},
    "spec": {
        "from": [{"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": "mcp-system"}],
        "to": [{"group": "gateway.networking.k8s.io", "kind": "Gateway"}],
    },
}


def test_extensions_of_other_namespaces_need_a_grant_and_must_be_ready() -> None:
    ready = extension() | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert valid_extensions(gateway(), [ready], [GRANT]) == [ready]
    assert valid_extensions(gateway(), [ready], []) == []
    assert valid_extensions(gateway(), [extension()], [GRANT]) == []
    own = extension("infra")
    assert valid_extensions(gateway(), [own], []) == [own]


@pytest.mark.parametrize(
    ("section", "hostname", "attached"),
    [
        ("servers", "a.mcp.local", True),
        ("mcps", "a.mcp.local", True),
        ("web", "a.mcp.local", False),
        ("nope", "a.mcp.local", False),
        (None, "a.mcp.local", True),
        (None, "mcp.example.com", True),
        (None, "a.b.mcp.local", False),
        (None, "elsewhere.example.com", False),
        (None, "a.tls.local", False),
    ],
)
def test_a_route_belongs_to_extensions_on_its_port(section: str | None, hostname: str, attached: bool) -> None:
    assert attaches(route(section, hostname), gateway(), extension()) is attached


SHAPES = {
    "two rules": (route(rules=[{}, {}]), "httproute servers/r has > 1 rule, which is unsupported"),
    "no backend": (route(backends=[]), "httproute servers/r has no backend references"),
    "two backends": (
        route(backends=[{"name": "a"}, {"name": "b"}]),
        "httproute servers/r has > 1 backend reference, which is unsupported",
    ),
    "no hostname": (route(hostnames=[]), "httproute servers/r must have at least one hostname"),
}


@pytest.mark.parametrize(("found", "message"), SHAPES.values(), ids=SHAPES.keys())
def test_routes_of_another_shape_are_refused(found: Object, message: str) -> None:
    with pytest.raises(RegistrationError) as caught:
        backend_of(found)
    assert str(caught.value) == message


def service(**port: Any) -> Object:
    return {"spec": {"type": "ClusterIP", "ports": [{"name": "http", "port": 9090, **port}]}}


@pytest.mark.parametrize(
    ("found", "force", "url"),
    [
        (service(), False, "http://svc.servers.svc.cluster.local:9090/mcp"),
        (service(), True, "https://svc.servers.svc.cluster.local:9090/mcp"),
        (service(name="HTTPS"), False, "https://svc.servers.svc.cluster.local:9090/mcp"),
        (service(appProtocol="https"), False, "https://svc.servers.svc.cluster.local:9090/mcp"),
    ],
)
def test_where_a_server_is(found: Object, force: bool, url: str) -> None:
    backend = backend_of(route())
    assert endpoint(route(), backend, found, "/mcp", force_tls=force) == (url, "a.mcp.local")


def test_an_external_name_is_its_own_host() -> None:
    external = {"spec": {"type": "ExternalName", "externalName": "api.example.com"}}
    found = endpoint(route(), backend_of(route()), external, "/mcp", force_tls=True)
    assert found == ("https://api.example.com:9090/mcp", "api.example.com")


def test_an_istio_host_is_reached_by_tls() -> None:
    outside = route(backends=[{"kind": "Hostname", "group": "networking.istio.io", "name": "api.example.com"}])
    found = endpoint(outside, backend_of(outside), None, "/v1", force_tls=False)
    assert found == ("https://api.example.com:443/v1", "a.mcp.local")


def test_backends_that_are_not_there_are_told() -> None:
    with pytest.raises(RegistrationError, match='failed to get service servers/svc: services "svc" not found'):
        endpoint(route(), backend_of(route()), None, "/mcp", force_tls=False)
    strange = route(backends=[{"kind": "Bucket", "group": "x", "name": "b"}])
    with pytest.raises(RegistrationError, match="unsupported backend reference kind: Bucket"):
        endpoint(strange, backend_of(strange), None, "/mcp", force_tls=False)


def test_the_configuration_of_a_server_by_version() -> None:
    registration = {
        "metadata": {"name": "weather", "namespace": "servers"},
        "spec": {"prefix": "w_", "toolPrefix": "w_", "state": "Enabled", "userSpecificList": "Enabled", "hint": "h"},
    }
    common = {"name": "servers/weather", "url": "u", "hostname": "h"}
    assert server_entry(registration, "u", "h", modern=True, credential="Bearer x", ca="PEM") == {
        **common,
        "prefix": "w_",
        "state": "Enabled",
        "credential": "Bearer x",
        "caCert": "PEM",
        "userSpecificList": True,
        "hint": "h",
    }
    assert server_entry(registration, "u", "h", modern=False, credential=None, ca=None) == {
        **common,
        "toolPrefix": "w_",
        "enabled": True,
    }
