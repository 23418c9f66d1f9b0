# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own broker in the operator's place: a story, told in order, by an account with just the rights."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest
import yaml
from accounts import credentials
from harness import Play, Sandbox

BROKER = {"mcp_gateway_provider": "broker", "mcp_gateway_broker_image": "registry.example.com/mcpops-broker:0.1.0"}
NAMESPACE = "mcp-system"
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")
TOKEN = {"name": "tickets-token", "key": "header"}
SERVERS = [{"name": "weather", "port": 9090, "credential_secret": TOKEN}, {"name": "time", "port": 9090}]
VALUE = "Bearer never-to-be-shown"
WITH_PAGE = {"mcp_gateway_broker_settings": "userTokens: {url: 'https://mcp.example.com'}"}
SERVICE_MONITORS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "names": {"kind": "ServiceMonitor", "plural": "servicemonitors", "singular": "servicemonitor"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}  # fmt: skip
"""Of the Prometheus operator, without its schema."""


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> dict[str, Any]:
    """Variables of the broker's provider, to be run by the account that the playbook for permissions makes."""
    made = sandbox.play("permissions", variables=BROKER)
    assert made.exit_code == 0, made.output
    return {**BROKER, **credentials(sandbox), "mcp_gateway_servers": SERVERS, "mcp_gateway_broker_replicas": 2}


@pytest.fixture(scope="module")
def predicted(sandbox: Sandbox, account: dict[str, Any], secret: None) -> Play:
    return sandbox.play("site", "--check", variables=account)


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, account: dict[str, Any], predicted: Play) -> Play:
    return sandbox.play("site", "-vvv", "--diff", variables=account)


@pytest.fixture(scope="module")
def secret(sandbox: Sandbox, account: dict[str, Any], refused_before: Play) -> None:
    """The Secret that a server refers to."""
    data = {TOKEN["key"]: base64.b64encode(VALUE.encode()).decode()}
    secrets = sandbox.client.resources.get(api_version="v1", kind="Secret")
    secrets.create(body={"metadata": {"name": TOKEN["name"]}, "data": data}, namespace="mcp-servers")


@pytest.fixture(scope="module")
def refused_before(sandbox: Sandbox, account: dict[str, Any]) -> Play:
    """A run without that Secret, and with other wrong input."""
    return sandbox.play("site", variables=account)


def changed_tasks(play: Play) -> list[str]:
    """Names of the tasks that changed something."""
    found, task = [], ""
    for line in play.output.splitlines():
        if line.startswith("TASK ["):
            task = line[6 : line.rindex("]")]
        elif line.startswith("changed:"):
            found.append(task)
    return found


def pods(sandbox: Sandbox) -> list[str]:
    found = sandbox.client.resources.get(api_version="v1", kind="Pod").get(namespace=NAMESPACE)
    return sorted(pod.metadata.name for pod in found.items if not pod.metadata.deletionTimestamp)


def config(sandbox: Sandbox) -> dict[str, Any]:
    data = sandbox.get("v1", "Secret", "mcp-broker-config", NAMESPACE)["data"]["config.yaml"]
    loaded = yaml.safe_load(base64.b64decode(data))
    assert isinstance(loaded, dict)
    return loaded


def test_a_missing_secret_is_named_before_anything_is_written(sandbox: Sandbox, refused_before: Play) -> None:
    assert refused_before.exit_code != 0
    assert (
        "servers_list (weather): Secret mcp-servers/tickets-token does not exist; create it" in refused_before.message
    )
    with pytest.raises(kubernetes.client.ApiException, match="Not Found"):
        sandbox.get("apps/v1", "Deployment", "mcp-broker", NAMESPACE)


def test_all_wrong_input_comes_in_one_message(sandbox: Sandbox) -> None:
    wrong = {
        "mcp_gateway_broker_image": "",
        "mcp_gateway_broker_replicas": "0",
        "mcp_gateway_broker_settings": "{pagesize: 1}",
    }

    play = sandbox.play("site", variables={**BROKER, **wrong})

    assert play.exit_code != 0
    for said in ("broker_image is missing", "broker_replicas 0 is not between", "'pagesize' is not known here"):
        assert said in play.message


def test_the_first_run_does_what_check_mode_said(predicted: Play, first: Play) -> None:
    assert (predicted.exit_code, first.exit_code) == (0, 0), predicted.output + first.output
    assert changed_tasks(predicted) == changed_tasks(first) != []
    assert "tools:       5 (" in first.output


def test_the_credential_arrives_and_is_never_shown(sandbox: Sandbox, first: Play) -> None:
    entry = next(server for server in config(sandbox)["servers"] if server["name"] == "mcp-servers/weather")

    assert entry["credential"] == VALUE
    assert VALUE not in first.output and base64.b64encode(VALUE.encode()).decode() not in first.output


def test_the_second_run_changes_nothing(sandbox: Sandbox, account: dict[str, Any], first: Play) -> None:
    before, requests = sandbox.snapshot(), len(sandbox.audit())

    play = sandbox.play("site", variables=account)

    assert play.exit_code == 0 and play.recap()["changed"] == 0, play.output
    assert sandbox.snapshot() == before and sandbox.writes(requests) == []


@pytest.mark.usefixtures("first")
def test_settings_that_do_not_work_are_told_and_what_served_goes_on(
    sandbox: Sandbox, account: dict[str, Any], role: str
) -> None:
    before, settings = pods(sandbox), config(sandbox)
    wrong = {"policy": {"rules": [{"name": "staff", "allow": "principal.groups =="}]}}

    play = sandbox.play(role, variables={**account, "mcp_gateway_broker_settings": wrong})
    serving = {*pods(sandbox)}
    restored = config(sandbox)
    again = sandbox.play(role, variables=account)

    assert play.exit_code != 0
    said = " ".join(play.output.split())
    for words in (
        "Deployment mcp-system/mcp-broker cannot be rolled out", "its program ended with exit code 2 and said: ",
        "broker.policy.rules[0] (staff): key 'allow' has the value 'principal.groups =='",
        "The configuration of before is back.",
    ):  # fmt: skip
        assert words in said, play.output
    assert serving >= {*before} and restored == settings
    assert again.exit_code == 0 and again.recap()["changed"] == 0, again.output
    assert pods(sandbox) == before


@pytest.mark.usefixtures("first")
def test_other_servers_need_no_new_pod(sandbox: Sandbox, account: dict[str, Any]) -> None:
    before = pods(sandbox)
    servers = [{**SERVERS[0], "prefix": "w_"}, {**SERVERS[1], "state": "disabled"}]

    play = sandbox.play("site", variables={**account, "mcp_gateway_servers": servers, "mcp_gateway_verify_call": {}})

    assert play.exit_code == 0, play.output
    assert changed_tasks(play) == ["mcpops.gateway.broker : present | Run the broker"]
    assert pods(sandbox) == before
    assert [server["prefix"] for server in config(sandbox)["servers"]] == ["w_", "time_"]


@pytest.mark.usefixtures("first")
def test_other_settings_are_rolled_out_once_and_the_route_leads_to_the_page_for_tokens_when_there_is_one(
    sandbox: Sandbox, account: dict[str, Any]
) -> None:
    before = pods(sandbox)
    asked = {**account, **WITH_PAGE}

    first = sandbox.play("site", variables=asked)
    between = pods(sandbox)
    second = sandbox.play("site", variables=asked)

    assert first.exit_code == 0, first.output
    assert "mcpops.gateway.broker : present | Lead the Gateway's listener to the broker" in changed_tasks(first)
    routes = sandbox.client.resources.get(api_version="gateway.networking.k8s.io/v1", kind="HTTPRoute")
    rules = routes.get(name="mcp-broker", namespace=NAMESPACE).spec.rules
    assert "/tokens" in [match.path.value for rule in rules for match in rule.matches]
    assert second.exit_code == 0 and second.recap()["changed"] == 0, second.output
    assert not {*between} & {*before} and pods(sandbox) == between


@pytest.fixture(scope="module")
def role(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A play with the role alone."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "module_defaults": {
            f"group/{group}": {"kubeconfig": "{{ mcp_gateway_kubeconfig }}"}
            for group in ("mcpops.gateway.all", "kubernetes.core.k8s")
        },
        "roles": ["mcpops.gateway.broker"],
    }
    path = tmp_path_factory.mktemp("play") / "role.yml"
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    return str(path)


def replicas(sandbox: Sandbox) -> int:
    return int(sandbox.get("apps/v1", "Deployment", "mcp-broker", NAMESPACE)["spec"]["replicas"])


@pytest.mark.usefixtures("first")
def test_the_number_of_pods_goes_to_an_autoscaler_and_back(
    sandbox: Sandbox, account: dict[str, Any], role: str
) -> None:
    before = pods(sandbox)
    scaling = {**account, **WITH_PAGE, "mcp_gateway_broker_autoscaling": "{min_replicas: 2, max_replicas: 4}"}

    given = sandbox.play(role, variables=scaling)
    assert given.exit_code == 0, given.output
    assert (pods(sandbox), replicas(sandbox)) == (before, 2)
    assert sandbox.get("autoscaling/v2", "HorizontalPodAutoscaler", "mcp-broker", NAMESPACE)["spec"]["maxReplicas"] == 4

    scale_as_the_autoscaler(sandbox, 3)
    again = sandbox.play(role, "--check", variables=scaling)
    assert (again.exit_code, again.recap()["changed"], replicas(sandbox)) == (0, 0, 3), again.output

    taken = sandbox.play(role, variables=account)
    assert (taken.exit_code, replicas(sandbox)) == (0, 2), taken.output
    with pytest.raises(kubernetes.client.ApiException, match="Not Found"):
        sandbox.get("autoscaling/v2", "HorizontalPodAutoscaler", "mcp-broker", NAMESPACE)


def scale_as_the_autoscaler(sandbox: Sandbox, number: int) -> None:
    """Write to /scale with the field manager of the controller for HorizontalPodAutoscalers."""
    client = sandbox.client
    scale = client.resources.get(api_version="apps/v1", kind="Deployment").subresources["scale"]
    client.patch(
        scale, body={"spec": {"replicas": number}}, name="mcp-broker", namespace=NAMESPACE,
        content_type="application/merge-patch+json", field_manager="kube-controller-manager",
    )  # fmt: skip


@pytest.mark.usefixtures("first")
def test_a_service_monitor_needs_the_prometheus_operator(sandbox: Sandbox, account: dict[str, Any], role: str) -> None:
    monitored = {**account, "mcp_gateway_broker_service_monitor": True}
    requests = len(sandbox.audit())

    refused = sandbox.play(role, variables=monitored)
    assert refused.exit_code != 0 and sandbox.writes(requests) == []
    assert (
        "does not serve the kind ServiceMonitor of monitoring.coreos.com/v1; install the Prometheus" in refused.message
    )

    sandbox.client.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition").create(
        body=SERVICE_MONITORS
    )
    made = sandbox.play(role, variables=monitored)
    assert made.exit_code == 0, made.output
    found = sandbox.get("monitoring.coreos.com/v1", "ServiceMonitor", "mcp-broker", NAMESPACE)
    assert found["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "30s"}]


@pytest.mark.usefixtures("first")
def test_an_upgrade_that_cannot_be_pulled_goes_back_to_the_image_of_before(
    sandbox: Sandbox, account: dict[str, Any]
) -> None:
    wrong = {**account, "mcp_gateway_broker_image": "registry.example.com/mcpops-brokr:0.2.0"}

    play = sandbox.play("upgrade", variables=wrong)
    proven = sandbox.play("verify", variables=account)

    assert play.exit_code != 0
    for said in (
        "Deployment mcp-system/mcp-broker", "container broker: ImagePullBackOff", "mcpops-brokr:0.2.0",
        f"The image of before is back. As things are now: {BROKER['mcp_gateway_broker_image']} (2 of 2 Pods ready).",
    ):  # fmt: skip
        assert said in " ".join(play.output.split())
    assert proven.exit_code == 0, proven.output
    assert len(pods(sandbox)) == 2


@pytest.mark.usefixtures("first")
def test_an_upgrade_tells_what_has_changed(sandbox: Sandbox, account: dict[str, Any]) -> None:
    newer = {**account, "mcp_gateway_broker_image": "registry.example.com/mcpops-broker:0.2.0"}

    play = sandbox.play("upgrade", variables=newer)

    assert play.exit_code == 0, play.output
    before, after = BROKER["mcp_gateway_broker_image"], newer["mcp_gateway_broker_image"]
    assert f"broker: {before} (2 of 2 Pods ready) -> {after} (2 of 2 Pods ready)" in play.output
    assert "tools: 5" in play.output


@pytest.mark.usefixtures("first")
def test_the_operator_is_refused_on_the_brokers_listener(sandbox: Sandbox) -> None:
    requests = len(sandbox.audit())

    play = sandbox.play("site")

    assert play.exit_code != 0
    assert (
        "HTTPRoute mcp-system/mcp-broker leads listener mcps of Gateway openshift-ingress/mcp-gateway" in play.message
    )
    assert "mcpops.gateway.teardown --skip-tags gateway -e mcp_gateway_provider=broker" in play.message
    assert sandbox.writes(requests) == []


@pytest.mark.usefixtures("first")
def test_a_custom_route_leads_to_the_brokers_port_and_to_its_page_for_tokens(
    sandbox: Sandbox, account: dict[str, Any]
) -> None:
    custom = {
        "mcp_gateway_route": "custom",
        "mcp_gateway_broker_port": 9000,
        **WITH_PAGE,
    }

    play = sandbox.play("site", "--tags", "broker,route", variables={**account, **custom})

    assert play.exit_code == 0, play.output
    rules = sandbox.get(*ROUTE, "mcp-gateway-custom", NAMESPACE)["spec"]["rules"]
    assert {rule["matches"][0]["path"]["value"] for rule in rules} >= {"/mcp", "/tokens"}
    assert {(end["name"], end["port"]) for rule in rules for end in rule["backendRefs"]} == {("mcp-broker", 9000)}
    with pytest.raises(kubernetes.client.ApiException, match="Not Found"):
        sandbox.get(*ROUTE, "mcp-broker", NAMESPACE)


@pytest.fixture
def of_the_user(sandbox: Sandbox) -> Iterator[set[str]]:
    """A route and a key with the names that the broker's have, made by somebody else."""
    resources = sandbox.client.resources
    routes, secrets = resources.get(api_version=ROUTE[0], kind=ROUTE[1]), resources.get(api_version="v1", kind="Secret")
    parent = {"name": "mcp-gateway", "namespace": "openshift-ingress", "sectionName": "another"}
    route = {"apiVersion": ROUTE[0], "kind": ROUTE[1], "metadata": {"name": "mcp-broker"}}
    routes.create(body={**route, "spec": {"parentRefs": [parent]}}, namespace=NAMESPACE)
    secrets.delete(name="mcp-broker-session-key", namespace=NAMESPACE)
    key = {"metadata": {"name": "mcp-broker-session-key"}, "stringData": {"key": "k" * 48}}
    secrets.create(body=key, namespace=NAMESPACE)
    yield {f"{ROUTE[0]} {ROUTE[1]} {NAMESPACE}/mcp-broker", f"v1 Secret {NAMESPACE}/mcp-broker-session-key"}
    routes.delete(name="mcp-broker", namespace=NAMESPACE)
    secrets.delete(name="mcp-broker-session-key", namespace=NAMESPACE)


@pytest.mark.usefixtures("first")
def test_its_end_leaves_nothing_but_the_gateway_when_that_is_asked_and_what_is_the_users(
    sandbox: Sandbox, account: dict[str, Any], of_the_user: set[str]
) -> None:
    before = sandbox.snapshot()

    gone = sandbox.play("teardown", "--skip-tags", "gateway", variables=account)
    again = sandbox.play("teardown", "--skip-tags", "gateway", variables=account)

    assert (gone.exit_code, again.exit_code) == (0, 0), gone.output + again.output
    assert gone.recap()["changed"] > 0 and again.recap()["changed"] == 0
    left = set(sandbox.snapshot())
    assert {key for key in left if "mcp-broker" in key} == of_the_user
    assert {key for key in before if " Gateway " in key} <= left


@pytest.mark.usefixtures("first")
def test_then_the_operator_may_and_the_broker_may_not(sandbox: Sandbox, account: dict[str, Any]) -> None:
    installed = sandbox.play("site")
    requests = len(sandbox.audit())

    play = sandbox.play("site", variables={**BROKER, "mcp_gateway_servers": json.dumps(SERVERS[1:])})

    assert installed.exit_code == 0, installed.output
    assert play.exit_code != 0
    assert "MCPGatewayExtension mcp-system/mcp-gateway serves listener mcps" in play.message
    assert sandbox.writes(requests) == []
