# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role broker makes of its input: judged by the broker's own reader and by the schemas of Kubernetes."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_config import (
    broker_config,
    credentials,
    secret_references,
    watched_namespaces,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_environment import environment_file
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_objects import broker_objects, owns_replicas_alone
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_rights import rights
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_start import settings_digest
from mcpops_broker.config import auth, parse, secrets
from mcpops_broker.config.credentials import ClientCredentials, OAuthClient, StaticHeader
from sandbox.seed import self_signed

ROOT = Path(__file__).resolve().parents[4]
SPEC = yaml.safe_load((ROOT / "roles/broker/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
PEM = self_signed("weather.mcp-servers.svc")[0].decode()
SETTINGS: dict[str, Any] = {
    "name": "mcp-broker", "namespace": "mcp-system", "image": "registry.example.com/mcpops-broker:0.1.0",
    "image_pull_policy": "IfNotPresent", "image_pull_secrets": [], "replicas": "1", "workers": "2", "port": "8080",
    "public_host": "mcp.example.com", "url": "http://mcp.example.com:8080/mcp", "log_level": "warn",
    "resources": {"limits": {"memory": "512Mi"}}, "node_selector": {}, "tolerations": [],
    "env": [], "oauth_protected_resource": {}, "drain": "", "network_policy": False,
    "gateway_namespace": "gateway-system", "autoscaling": {}, "network_policy_namespaces": [],
    "service_monitor": False, "service_monitor_labels": {}, "service_monitor_interval": "30s",
    "session_key": "k", "session_key_version": "", "anonymous": False, "watched_namespaces": [], "secrets": [],
}  # fmt: skip


def config(servers: Any, virtual: Any = (), **change: Any) -> parse.Config:
    """The configuration as the broker itself reads it."""
    given = {"settings": {}, "allowed_origins": [], "ca_cert": "", "values": {}, **change}
    made = broker_config(
        servers,
        list(virtual),
        namespace="mcp-servers",
        virtual_namespace="mcp-system",
        cluster_domain="cluster.local",
        **given,
    )
    return parse.parse(yaml.safe_dump(made))


def objects(**change: Any) -> dict[str, dict[str, Any]]:
    made = broker_objects("servers: []\n", {**SETTINGS, **change})
    return {found["kind"]: found for found in made}


def container(**change: Any) -> dict[str, Any]:
    found = objects(**change)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert isinstance(found, dict)
    return found


class TestConfiguration:
    def test_a_server_is_reached_at_its_service(self) -> None:
        found = config("- {name: weather, port: '9090'}")

        assert [(x.name, x.url, x.prefix, x.enabled) for x in found.servers] == [
            ("mcp-servers/weather", "http://weather.mcp-servers.svc.cluster.local:9090/mcp", "weather_", True)
        ]

    def test_a_server_outside_is_reached_at_its_address(self) -> None:
        found = config([{"name": "x", "url": "https://mcp.example.com/v1", "ca_cert": PEM}])

        assert [(x.url, x.ca_cert) for x in found.servers] == [("https://mcp.example.com/v1", PEM)]

    def test_everything_that_a_server_can_say(self) -> None:
        server = {
            "name": "w", "namespace": "team-a", "service": "svc", "port": 8443, "path": "/tools", "prefix": "",
            "state": "disabled", "credential_secret": {"name": "tok"}, "ca_cert_secret": {"name": "ca"},
            "category": "a, b", "tags": ["c"], "hint": "h",
        }  # fmt: skip
        values = {"team-a/tok/token": "Bearer x\n", "team-a/ca/ca.crt": PEM}

        found = config([server], values=values).servers[0]

        assert (found.name, found.url) == ("team-a/w", "https://svc.team-a.svc.cluster.local:8443/tools")
        assert (found.prefix, found.enabled, found.credential, found.ca_cert) == ("", False, "Bearer x", PEM)
        assert (found.categories, found.tags, found.hint, found.user_specific) == (("a", "b"), ("c",), "h", False)

    def test_a_server_may_offer_each_user_something_else(self) -> None:
        server = config([{"name": "a", "port": 1, "user_specific_list": "true"}]).servers[0]

        assert (server.prefix, server.user_specific) == ("a_", True)

    def test_absent_ones_are_left_out(self) -> None:
        found = config(
            [{"name": "a", "port": 1, "state": "absent"}, {"name": "b", "port": 1}],
            [{"name": "v", "state": "absent"}, {"name": "w", "tools": "b_x, b_y", "prompts": ["b_p"]}],
        )

        assert [x.name for x in found.servers] == ["mcp-servers/b"]
        assert [(x.name, sorted(x.tools), sorted(x.prompts)) for x in found.virtual_servers] == [
            ("mcp-system/w", ["b_x", "b_y"], ["b_p"])
        ]

    def test_settings_and_authorities(self) -> None:
        found = config([], settings="{pageSize: 5, limits: {body: 2048}, timeouts: {connect: 1.5}}", ca_cert=PEM)

        assert (found.broker.page_size, found.broker.limits.body, found.broker.timeouts.connect) == (5, 2048, 1.5)
        assert found.ca_bundle == PEM and found.warnings == ()

    def test_origins_that_the_route_allows_are_allowed(self) -> None:
        one, two = "https://a.example.com", "https://b.example.com"

        found = config([], settings={"allowedOrigins": [one]}, allowed_origins=f"{one}, {two}")

        assert found.broker.allowed_origins == (one, two)

    def test_what_is_public_is_the_settings_business_when_they_say_so(self) -> None:
        token = "t" * 20

        silent = config([], settings={"admin": {"token": token}}, public=["status", "metrics"]).broker.admin
        loud = config([], settings={"admin": {"public": ["ui"]}}, public=["status", "metrics"]).broker.admin

        assert (silent.token, silent.public) == (token, {"status", "metrics"})
        assert loud.public == {"ui"}
        assert config([]).broker.admin.public is None

    def test_the_role_knows_the_settings_that_the_broker_knows(self) -> None:
        options = SPEC["broker_settings"]["options"]

        made_by_the_role = {*secrets.spellings("signingKey"), "cluster"}
        assert set(options) == parse._BROKER_KEYS - made_by_the_role
        assert set(options["timeouts"]["options"]) == parse._TIMEOUT_KEYS
        assert set(options["limits"]["options"]) == parse._LIMIT_KEYS
        access = options["auth"]["options"]
        assert set(access) == auth._KEYS
        assert set(access["issuers"]["options"]) == auth._ISSUER_KEYS
        assert set(access["apiKeys"]["options"]) == auth._API_KEY_KEYS
        assert set(access["certificates"]["options"]) == auth._CERTIFICATE_KEYS

    def test_with_what_a_server_is_asked(self) -> None:
        grant = {"type": "clientCredentials", "tokenUrl": "https://as.test/t", "clientId": "me"}
        servers = [
            {"name": "a", "auth": grant, "auth_secret": {"name": "tok"}},
            {"name": "b", "auth": "{type: header, name: X-Key}", "auth_secret": {"name": "tok", "key": "k"}},
        ]

        found = config(servers, values={"mcp-servers/tok/token": "hush\n", "mcp-servers/tok/k": "value"})

        oauth = OAuthClient("https://as.test/t", "me", "hush", "basic")
        assert [server.auth for server in found.servers] == [ClientCredentials(oauth), StaticHeader("x-key", "value")]


class TestSecrets:
    SERVERS = [
        {"name": "a", "credential_secret": {"name": "tok"}, "ca_cert_secret": {"name": "tok", "key": "ca"}},
        {"name": "b", "namespace": "team-b", "credential_secret": {"name": "tok", "key": "t"}},
        {"name": "c", "credential_secret": {"name": "tok"}},
        {"name": "d", "state": "absent", "credential_secret": {"name": "gone"}},
    ]

    def test_each_key_is_read_once(self) -> None:
        found = secret_references(self.SERVERS, namespace="ns")

        assert [f"{x['namespace']}/{x['name']}/{x['key']}" for x in found] == [
            "ns/tok/token", "ns/tok/ca", "team-b/tok/t",
        ]  # fmt: skip

    def test_values_and_problems(self) -> None:
        references = secret_references(self.SERVERS, namespace="ns")
        encoded = base64.b64encode(b"Bearer x").decode()
        answers: list[dict[str, Any]] = [
            {"ansible_loop_var": "ref", "ref": references[0], "resources": [{"data": {"token": encoded}}]},
            {"item": references[1], "resources": [{"data": {"token": encoded, "b": ""}}]},
            {"item": references[2], "failed": True, "msg": "not allowed"},
            {"item": references[2], "resources": []},
            {"item": references[2], "resources": [{"data": {"t": base64.b64encode(b"\xff").decode()}}]},
        ]

        values, problems = credentials(answers)

        assert values == {"ns/tok/token": "Bearer x"}
        assert problems == [
            "servers_list (a): Secret ns/tok has no key ca (its keys: b, token); correct the key",
            "servers_list (b): Secret team-b/tok cannot be read: not allowed",
            "servers_list (b): Secret team-b/tok does not exist; create it, or correct the name",
            "servers_list (b): Secret team-b/tok: the value of key t is no text",
        ]


class TestObjects:
    @pytest.mark.parametrize("replicas", [1, 3])
    @pytest.mark.parametrize("policy", [True, False])
    def test_they_are_what_kubernetes_knows(self, replicas: int, policy: bool) -> None:
        made = broker_objects(
            "servers: []\n",
            {
                **SETTINGS, "replicas": replicas, "network_policy": policy, "image_pull_secrets": "pull",
                "node_selector": "{disk: ssd}", "tolerations": [{"key": "a", "operator": "Exists"}],
            },
        )  # fmt: skip

        for found in made:
            kubernetes_validate.validate(found, "1.36", strict=True)
            assert found["metadata"]["namespace"] == "mcp-system"
        kinds = {found["kind"] for found in made}
        assert ("PodDisruptionBudget" in kinds) is (replicas > 1)
        assert ("NetworkPolicy" in kinds) is policy

    def test_an_autoscaler_owns_the_number_of_pods(self) -> None:
        made = objects(autoscaling="{min_replicas: 2, max_replicas: '6', memory_percent: 70}")
        spec = made["HorizontalPodAutoscaler"]["spec"]

        for found in made.values():
            kubernetes_validate.validate(found, "1.36", strict=True)
        assert "replicas" not in made["Deployment"]["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"], spec["scaleTargetRef"]["name"]) == (2, 6, "mcp-broker")
        assert [metric["resource"]["name"] for metric in spec["metrics"]] == ["memory"]
        assert "PodDisruptionBudget" in made
        assert "PodDisruptionBudget" not in objects(autoscaling={"max_replicas": 6})

    def test_the_number_is_handed_over_by_its_only_holder(self) -> None:
        ours = {"manager": "mcpops.gateway", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        scaler = {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        other = {"manager": "mcpops.gateway", "fieldsV1": {"f:spec": {"f:template": {}}}}

        assert owns_replicas_alone({"metadata": {"managedFields": [ours]}})
        for entries in ([], [other], [ours, scaler], [other, scaler]):
            assert not owns_replicas_alone({"metadata": {"managedFields": entries}})
        assert not owns_replicas_alone(None)

    def test_prometheus_finds_the_service_and_may_ask_it(self) -> None:
        made = objects(
            service_monitor=True, service_monitor_labels="{release: prometheus}", service_monitor_interval="1m",
            network_policy=True, network_policy_namespaces="monitoring, gateway-system",
        )  # fmt: skip
        monitor = made["ServiceMonitor"]

        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        assert monitor["spec"]["selector"]["matchLabels"].items() <= made["Service"]["metadata"]["labels"].items()
        assert monitor["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "1m"}]
        assert [port["name"] for port in made["Service"]["spec"]["ports"]] == ["http"]
        places = made["NetworkPolicy"]["spec"]["ingress"][0]["from"]
        assert [place["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for place in places] == [
            "gateway-system", "monitoring",
        ]  # fmt: skip

    def test_with_registrations_it_has_an_account_with_rights_in_each_namespace(self) -> None:
        pod = objects(watched_namespaces="[team-a, mcp-system]")["Deployment"]["spec"]["template"]["spec"]
        watched = watched_namespaces([{"name": "a"}], namespace="team-a", own="mcp-system", more="[team-b, team-a]")
        places = {"namespace": "mcp-system", "gateway_namespace": "gateway-system", "gateway": "front"}
        made = rights(watched, name="mcp-broker", **places)
        found = {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one for one in made}

        assert pod["automountServiceAccountToken"] is True
        assert "--cluster --namespace team-a --namespace mcp-system" in " ".join(pod["containers"][0]["args"])
        assert watched == ["team-a", "mcp-system", "team-b"]
        assert {key[1:] for key in found if key[0] == "Role"} == {
            *((place, "mcp-broker.mcp-system") for place in watched),
            ("gateway-system", "mcp-broker.mcp-system.gateway"), ("mcp-system", "mcp-broker.lease"),
        }  # fmt: skip
        for (kind, place, name), binding in found.items():
            if kind == "RoleBinding":
                assert binding["roleRef"]["name"] == name and ("Role", place, name) in found
                account = {"kind": "ServiceAccount", "name": "mcp-broker", "namespace": "mcp-system"}
                assert binding["subjects"] == [account]

    def test_secrets_are_files_that_follow_their_changes(self) -> None:
        pod = objects(secrets="[{name: oauth}, {name: redis.tls}]")["Deployment"]["spec"]["template"]["spec"]

        sources = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        places = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
        for name in ("oauth", "redis.tls"):
            mount = places[f"/secrets/{name}"]
            assert sources[mount["name"]] == name
            assert mount["readOnly"] and "subPath" not in mount

    def test_another_session_key_rolls_out(self) -> None:
        templates = [objects(session_key_version=version)["Deployment"]["spec"]["template"] for version in ("1", "2")]

        assert templates[0] != templates[1]

    def test_the_pod_fits_the_restricted_profile(self) -> None:
        pod = objects()["Deployment"]["spec"]["template"]["spec"]
        inside = pod["containers"][0]["securityContext"]

        assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert inside["allowPrivilegeEscalation"] is False and inside["capabilities"] == {"drop": ["ALL"]}
        assert inside["readOnlyRootFilesystem"] is True
        assert pod["automountServiceAccountToken"] is False
        assert [set(volume) - {"name"} for volume in pod["volumes"]] == [{"secret"}]

    def test_selectors_find_the_pods(self) -> None:
        made = objects(replicas=2, network_policy=True)
        labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"].items()

        for selector in (
            made["Deployment"]["spec"]["selector"]["matchLabels"],
            made["Service"]["spec"]["selector"],
            made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
            made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        ):
            assert selector.items() <= labels

    @pytest.mark.parametrize(
        ("other", "key"),
        [
            ("servers: []\nbroker: {store: {url: 'redis://:other@store'}}\n", "k"),
            ("servers: []\nbroker: {cluster: {lease: a}}\n", "k"),
            ("gatewayCACertPEM: a\nbroker: {store: {url: 'redis://:hush@store'}}\n", "k"),
            ("servers: []\nbroker: {store: {url: 'redis://:hush@store'}}\n", "another"),
            ("not: [yaml", "k"),
        ],
    )
    def test_other_settings_roll_out(self, other: str, key: str) -> None:
        text = "servers: []\nbroker: {store: {url: 'redis://:hush@store'}}\n"
        same = "virtualServers: []\nbroker:\n  store: {'url': 'redis://:hush@store'}\nservers: [{name: a}]\n"

        templates = [
            next(one for one in made if one["kind"] == "Deployment")["spec"]["template"]["metadata"]
            for made in (
                broker_objects(text, SETTINGS),
                broker_objects(same, SETTINGS),
                broker_objects(other, {**SETTINGS, "session_key": key}),
            )
        ]

        assert templates[0] == templates[1] != templates[2]
        assert len(templates[0]["annotations"]["mcpops.gateway/settings-digest"]) == 32

    def test_the_digest_is_the_same_of_every_kind_of_text(self) -> None:
        class Text(str):
            """As ansible-core 2.16 has it: its bytes are of a kind of their own, too."""

            def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
                raise AssertionError(encoding + errors)

        assert settings_digest(Text("broker: {drain: 5}"), "k") == settings_digest("broker: {drain: 5}", "k")
        assert settings_digest("broker: {drain: 5}", "k") != settings_digest("broker: {drain: 6}", "k")

    def test_why_it_ended_is_in_the_status_of_the_pod(self) -> None:
        assert container()["terminationMessagePolicy"] == "FallbackToLogsOnError"

    def test_the_configuration_is_in_no_argument_and_other_servers_roll_nothing_out(self) -> None:
        first, second = (broker_objects(text, SETTINGS) for text in ("servers: []\n", "servers: [{name: a}]\n"))

        changed = [one["kind"] for one, other in zip(first, second, strict=True) if one != other]
        assert changed == ["Secret"]

    def test_arguments(self) -> None:
        assert container()["args"] == [
            "serve", "--config", "/config/config.yaml", "--host", "0.0.0.0", "--port", "8080", "--workers", "2",
            "--log-format", "json", "--log-level", "warning", "--public-host", "mcp.example.com",
        ]  # fmt: skip
        assert "--public-host" not in container(public_host="")["args"]
        assert "--anonymous" in container(anonymous=True)["args"]

    def test_the_end_of_a_pod_leaves_time_for_calls_in_flight(self) -> None:
        seconds = [
            objects(drain=drain)["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            for drain in ("", "60.5")
        ]

        assert seconds == [30, 70]

    def test_oauth_metadata_comes_by_the_environment(self) -> None:
        protected = {"authorization_servers": "https://a.example.com, https://b.example.com", "scopes_supported": ["x"]}
        environment = {
            entry["name"]: entry.get("value") for entry in container(oauth_protected_resource=protected)["env"]
        }

        assert environment == {
            "GATEWAY_SIGNING_KEY": None,
            "OAUTH_RESOURCE_NAME": "MCP Server",
            "OAUTH_RESOURCE": "http://mcp.example.com:8080/mcp",
            "OAUTH_AUTHORIZATION_SERVERS": "https://a.example.com,https://b.example.com",
            "OAUTH_BEARER_METHODS_SUPPORTED": "header",
            "OAUTH_SCOPES_SUPPORTED": "x",
        }


class TestEnvironment:
    GIVEN = [{"name": "A", "value": "it's $1"}, {"name": "N", "value": 5}, {"name": "B", "value": True}]

    def test_of_a_container(self) -> None:
        secret = {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}

        found = container(env=[*self.GIVEN, secret])["env"][1:]

        assert [(entry["name"], entry.get("value")) for entry in found[:3]] == [
            ("A", "it's $1"), ("N", "5"), ("B", "true"),
        ]  # fmt: skip
        assert found[3] == secret

    def test_of_a_service_is_what_the_shell_reads(self) -> None:
        lines = environment_file(self.GIVEN, {"authorization_servers": ["https://sso"]}, "http://x:1/mcp")

        done = subprocess.run(
            ["/bin/sh", "-c", 'eval "$0"; printf %s "$A|$N|$B|$OAUTH_RESOURCE"', lines],
            capture_output=True, text=True, check=True, env={},
        )  # fmt: skip

        assert done.stdout == "it's $1|5|true|http://x:1/mcp"
