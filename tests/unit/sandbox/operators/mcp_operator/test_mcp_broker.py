# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in: which release runs, and the broker's Deployment that it makes and repairs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from sandbox.catalog.csv import cluster_service_version
from sandbox.controllers.operator_broker import command, deployment, environment, merged_deployment, private_host
from sandbox.controllers.operator_release import Release, release_of
from sandbox.controllers.operator_start import WATCHED, start_problem
from unit.sandbox.operators.mcp_operator.operator_objects_kit import NEW, OLD, Object, extension, gateway, listener


def controller_deployment(version: str, available: int) -> Object:
    csv = cluster_service_version(version, replaces=None, crds=[])
    wanted = csv["spec"]["install"]["spec"]["deployments"][0]
    return {"metadata": {"name": wanted["name"]}, "spec": wanted["spec"], "status": {"availableReplicas": available}}


def test_the_release_is_read_from_the_running_deployment() -> None:
    assert release_of(controller_deployment("0.9.0", 1)) == NEW
    assert release_of(controller_deployment("0.6.0", 1)) == OLD
    assert release_of(controller_deployment("0.9.0", 0)) is None


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


def test_the_operators_own_setting_is_the_brokers_log_level_unless_the_extension_says_otherwise() -> None:
    loud = Release("0.9.0", "image", log_level="-4")
    assert command(extension(), "h", "p", loud)[-1] == "--log-level=-4"
    assert command(extension(logLevel="error"), "h", "p", loud)[-1] == "--log-level=8"
    assert not command(extension(), "h", "p", NEW)[-1].startswith("--log-level")


# ---- what is repaired


def broker(release: Release = NEW, **spec: Any) -> Object:
    return deployment(extension(**spec), "mcp.example.com", "private:8080", release)


def container(found: Object) -> Object:
    inner: Object = found["spec"]["template"]["spec"]["containers"][0]
    return inner


def changed(found: Object, **fields: Any) -> Object:
    """The Deployment with other fields in its first container."""
    result = deepcopy(found)
    container(result).update(fields)
    return result


@pytest.mark.parametrize("release", [NEW, OLD], ids=["0.9.0", "0.6.0"])
def test_what_users_set_on_the_broker_stays(release: Release) -> None:
    wanted = broker(release)
    old = container(wanted)
    mine = changed(
        wanted,
        command=[*old["command"], "--discovery-tool-threshold=50"],
        env=[{"name": "MINE", "value": "1"}, *old["env"]],
        resources={"limits": {"memory": "1Gi"}},
    )
    mine["spec"]["replicas"] = 3
    assert merged_deployment(mine, wanted, release) is mine


def test_volumes_of_users_stay_since_the_later_version() -> None:
    mine = changed(broker(), volumeMounts=[*container(broker())["volumeMounts"], {"name": "ca", "mountPath": "/ca"}])
    mine["spec"]["template"]["spec"]["volumes"].append({"name": "ca", "emptyDir": {}})
    assert merged_deployment(mine, broker(), NEW) is mine
    assert (
        merged_deployment(mine, broker(OLD), OLD)["spec"]["template"]["spec"]["volumes"]
        == (broker(OLD)["spec"]["template"]["spec"]["volumes"])
    )


def test_what_the_operator_manages_is_reset() -> None:
    wanted = broker(logLevel="debug")
    old = container(wanted)
    stale = changed(
        wanted,
        image="old",
        command=[*old["command"][:-1], "--log-level=8", "--enable-a2a", "stray"],
        env=[*old["env"], {"name": "OAUTH_RESOURCE", "value": "by hand"}, {"name": "MINE", "value": "1"}],
        ports=[],
        readinessProbe=None,
    )
    merged = container(merged_deployment(stale, wanted, NEW))
    assert merged == {
        **old,
        "command": [*old["command"], "--enable-a2a"],
        "env": [*old["env"], {"name": "MINE", "value": "1"}],
    }


def test_an_upgraded_broker_gets_its_probe_and_loses_the_router_key() -> None:
    """The signing key's old variable stays beside the new one: the later version does not know it as its own."""
    merged = container(merged_deployment(broker(OLD), broker(NEW), NEW))
    assert merged["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert [entry["name"] for entry in merged["env"]] == ["GATEWAY_SIGNING_KEY", "JWT_SESSION_SIGNING_KEY"]
    assert not [flag for flag in merged["command"] if flag.startswith("--mcp-router-key")]


# ---- whether the operator starts


def crds(*without: str) -> list[Object]:
    return [
        {
            "metadata": {"name": resource.crd_name},
            "spec": {"versions": [{"name": resource.version, "served": resource.kind not in without}]},
        }
        for resource in WATCHED
    ]


@pytest.mark.parametrize(
    ("without", "api_version"),
    [("EnvoyFilter", "networking.istio.io/v1alpha3"), ("ReferenceGrant", "gateway.networking.k8s.io/v1beta1")],
)
def test_without_a_kind_that_it_watches_the_operator_ends(without: str, api_version: str) -> None:
    found = controller_deployment("0.9.0", 1)
    assert start_problem(found, crds()) is None
    assert start_problem(found, crds(without)) == f'no matches for kind "{without}" in version "{api_version}"'
    assert start_problem({**found, "metadata": {"name": "another"}}, []) is None


@pytest.mark.parametrize(("level", "starts"), [("", True), ("-4", True), ("debug", False)])
def test_the_brokers_log_level_must_be_a_number(level: str, starts: bool) -> None:
    found = controller_deployment("0.9.0", 1)
    container(found)["env"].append({"name": "BROKER_ROUTER_LOG_LEVEL", "value": level})
    said = start_problem(found, crds())
    assert said == (None if starts else 'invalid BROKER_ROUTER_LOG_LEVEL "debug" : must be an integer')
