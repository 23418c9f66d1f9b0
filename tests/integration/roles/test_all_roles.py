# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything at once on an empty cluster: what check mode says, what is done, what is shown. Told in order."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import kubernetes
import pytest
from asking import ask
from harness import ROOT, Play, Sandbox

CALLBACKS = ROOT / "tests" / "integration" / "product" / "callbacks"
GATEWAY = "openshift-ingress"
HUSH = "hush-this-word"
ORIGIN = "https://chat.example.com"
EXTENSIONS = f"""
- namespace: team-a
  listener: a
  servers: weather, time
  session_store:
    secret_name: store
    connection_string: redis://:{HUSH}@127.0.0.1:6379
- namespace: team-b
  listener: b
  log_level: debug
"""
VARIABLES: dict[str, Any] = {
    "mcp_gateway_extensions": EXTENSIONS,
    "mcp_gateway_namespace": "team-a",
    "mcp_gateway_listener": "a",
    "mcp_gateway_route": "custom",
    "mcp_gateway_cors": {"allow_origins": [ORIGIN]},
    "mcp_gateway_verify_cors_origin": ORIGIN,
    "mcp_gateway_tls_issuer": "local",
    "mcp_gateway_tls_listener": "https",
    "mcp_gateway_dns_policy": "true",
    "mcp_gateway_dns_provider_secrets": "dns",
    "mcp_gateway_dns_listener": "https",
    "mcp_gateway_rate_limits": "- {name: all, limit: 100000, window: 1m}",
}


@pytest.fixture(scope="module")
def variables(sandbox: Sandbox, second_port: int) -> dict[str, Any]:
    """Variables for a cluster that has Kuadrant, an issuer of certificates, and Secrets of DNS and TLS."""

    def make(api_version: str, kind: str, name: str, namespace: str | None = None, **content: Any) -> None:
        body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **content}
        sandbox.client.resources.get(api_version=api_version, kind=kind).create(namespace=namespace, body=body)

    make("kuadrant.io/v1beta1", "Kuadrant", "kuadrant", GATEWAY)
    make("cert-manager.io/v1", "ClusterIssuer", "local", spec={"selfSigned": {}})
    make("v1", "Namespace", "certs")
    shared = sandbox.get("v1", "Secret", "default-ingress-cert", GATEWAY)
    make("v1", "Secret", "shared", "certs", type=shared["type"], data=shared["data"])
    make("v1", "Secret", "dns", GATEWAY, type="kuadrant.io/inmemory", stringData={"x": "y"})
    port = sandbox.variables["mcp_gateway_port"]
    listeners = [
        {"name": "a", "hostname": "a.localhost", "port": port},
        {"name": "b", "hostname": "b.localhost", "port": second_port},
        {"name": "mcp-servers", "hostname": "*.mcp.local", "port": port},
        https("https", "mcp.example.com", name="issued"),
        https("other", "apps.sandbox.localhost", name="shared", namespace="certs"),
    ]
    return {**VARIABLES, "mcp_gateway_listeners": listeners}


def https(listener: str, hostname: str, **reference: str) -> dict[str, Any]:
    tls = {"certificate_refs": [reference]}
    return {"name": listener, "hostname": hostname, "port": 443, "protocol": "HTTPS", "tls": tls}


@pytest.fixture(scope="module")
def second_port() -> int:
    """A free port for the listener of the second team."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture(scope="module")
def runs(sandbox: Sandbox, variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Play]:
    """Check mode on the empty cluster, the first run and the second one, with all that ansible can tell."""
    folder = tmp_path_factory.mktemp("changes")

    def run(name: str, *words: str) -> Play:
        environment = {
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "changes",
            "CHANGES_FILE": str(folder / name),
        }
        (folder / name).touch()
        play = sandbox.play("site", "-vvv", "--diff", *words, variables=variables, environment=environment)
        assert play.exit_code == 0, play.output
        return play

    return {
        "folder": Play(0, str(folder)),
        "said": run("said", "--check"),
        "done": run("done"),
        "again": run("again"),
    }


def changes(runs: dict[str, Play], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(runs["folder"].output) / name).read_text().splitlines()]


def test_check_mode_says_exactly_what_the_run_changes_and_the_next_one_nothing(runs: dict[str, Play]) -> None:
    kinds = {change["object"].partition(" ")[0] for change in changes(runs, "done")}

    assert {"Gateway", "ReferenceGrant", "TLSPolicy", "DNSPolicy", "RateLimitPolicy", "HTTPRoute", "Secret"} <= kinds
    assert changes(runs, "said") == changes(runs, "done")
    assert changes(runs, "again") == []
    assert runs["again"].recap()["changed"] == 0


def test_the_contents_of_secrets_are_never_shown(runs: dict[str, Play], variables: dict[str, Any]) -> None:
    given = json.dumps(variables)

    for name in ("said", "done", "again"):
        assert HUSH not in runs[name].output.replace(given, "").replace(given.replace('"', '\\"'), "")


def test_secrets_of_the_extension_have_their_label_and_content(sandbox: Sandbox, runs: dict[str, Play]) -> None:
    del runs
    secret = sandbox.get("v1", "Secret", "store", "team-a")

    assert secret["metadata"]["labels"]["mcp.kuadrant.io/secret"] == "true"
    assert set(secret["data"]) == {"CACHE_CONNECTION_STRING"}


def test_each_team_has_its_endpoint_and_the_report_names_both(
    sandbox: Sandbox, runs: dict[str, Play], second_port: int
) -> None:
    port = int(sandbox.variables["mcp_gateway_port"])

    for place in (f"http://a.localhost:{port}/mcp", f"http://b.localhost:{second_port}/mcp"):
        assert f"endpoint:    {place}" in runs["done"].output
    answer = ask(port, host="a.localhost", Origin=ORIGIN)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)


def test_certificates_are_issued_or_granted_and_names_published(sandbox: Sandbox, runs: dict[str, Play]) -> None:
    issued = sandbox.get("v1", "Secret", "issued", GATEWAY)
    grant = sandbox.get(
        "gateway.networking.k8s.io/v1beta1", "ReferenceGrant", f"{GATEWAY}-mcp-gateway-certificates", "certs"
    )

    assert issued["type"] == "kubernetes.io/tls"
    assert [one["name"] for one in grant["spec"]["to"]] == ["shared"]
    assert "The DNSPolicy is enforced and keeps" in runs["done"].output
    assert "mcp.example.com  A  127.0.0.1" in runs["done"].output


def test_one_of_two_extensions_can_go(sandbox: Sandbox, runs: dict[str, Play], variables: dict[str, Any]) -> None:
    del runs
    less = {**variables, "mcp_gateway_extensions": EXTENSIONS + "  state: absent\n"}

    play = sandbox.play("site", "--tags", "extension", variables=less)
    again = sandbox.play("site", "--tags", "extension", variables=less)

    assert (play.exit_code, again.exit_code) == (0, 0), play.output
    assert again.recap()["changed"] == 0, again.output
    with pytest.raises(kubernetes.client.ApiException):
        sandbox.get("mcp.kuadrant.io/v1", "MCPGatewayExtension", "mcp-gateway", "team-b")
    assert sandbox.get("mcp.kuadrant.io/v1", "MCPGatewayExtension", "mcp-gateway", "team-a")
