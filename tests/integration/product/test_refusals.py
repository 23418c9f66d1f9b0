# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in practice: one clear sentence, a non-zero exit, and a cluster as it was."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Sandbox

TRACES = ("Traceback", '"kind": "Status"', "HTTPError", "urllib3")


def refused(sandbox: Sandbox, playbook: str, *said: str, **variables: Any) -> None:
    """Run the playbook on a cluster in some state and check that it stops, says `said` and changes nothing."""
    objects, requests = sandbox.snapshot(), len(sandbox.audit())

    play = sandbox.play(playbook, variables=variables)

    assert play.exit_code != 0, play.output
    for words in said:
        assert words in play.output.replace("\n", " "), play.output
    assert not [trace for trace in TRACES if trace in play.output], play.output
    assert sandbox.writes(requests) == []
    assert set(sandbox.snapshot()) == set(objects)


def listeners(**change: Any) -> list[dict[str, Any]]:
    """The demo's listeners without the TLS one, and with one more if it is given."""
    more = [change] if change else []
    return [
        {"name": "http", "port": 80, "protocol": "HTTP"},
        {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com"},
        {"name": "mcp-servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"},
        *more,
    ]


def test_unknown_channel_names_the_channels_there_are(sandbox: Sandbox) -> None:
    refused(sandbox, "site", "stable-9", "preview", mcp_gateway_channel="stable-9")


def test_unknown_catalog_is_named(sandbox: Sandbox) -> None:
    refused(sandbox, "site", "no-such-catalog", mcp_gateway_source="no-such-catalog")


def test_invalid_hostname(sandbox: Sandbox) -> None:
    bad = listeners(name="bad", port=8090, protocol="HTTP", hostname="https://mcp.example.com/")
    refused(sandbox, "site", "https://mcp.example.com/", "hostname", mcp_gateway_listeners=bad)


def test_two_listeners_that_clash_on_port_protocol_and_hostname(sandbox: Sandbox) -> None:
    clash = listeners(name="again", port=8080, protocol="HTTP", hostname="mcp.example.com")
    refused(sandbox, "site", "mcps", "again", "8080", mcp_gateway_listeners=clash)


def test_two_listeners_of_one_name(sandbox: Sandbox) -> None:
    clash = listeners(name="mcps", port=8081, protocol="HTTP", hostname="other.example.com")
    refused(sandbox, "site", "mcps", mcp_gateway_listeners=clash)


def test_missing_certificate_secret_is_named(sandbox: Sandbox) -> None:
    tls = {"mode": "Terminate", "certificate_refs": [{"name": "no-such-cert"}]}
    https = listeners(name="https", port=443, protocol="HTTPS", hostname="mcp.example.com", tls=tls)
    refused(sandbox, "site", "no-such-cert", "openshift-ingress", mcp_gateway_listeners=https)


def test_missing_namespace_of_a_server_is_named(sandbox: Sandbox) -> None:
    away = [{"name": "time", "namespace": "no-such-namespace", "port": 8000}]
    refused(sandbox, "site", "do not exist: no-such-namespace", mcp_gateway_servers=away)


def test_wrong_token(sandbox: Sandbox, tmp_path: Path) -> None:
    config = yaml.safe_load((sandbox.folder / "kubeconfig").read_text())
    config["users"][0]["user"] = {"token": "not-the-token"}
    wrong = tmp_path / "kubeconfig"
    wrong.write_text(yaml.safe_dump(config))
    refused(sandbox, "site", "token", mcp_gateway_kubeconfig=str(wrong))


def test_unreachable_cluster(sandbox: Sandbox, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    config = yaml.safe_load((sandbox.folder / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    away = tmp_path / "kubeconfig"
    away.write_text(yaml.safe_dump(config))
    refused(sandbox, "site", f"127.0.0.1:{port}", mcp_gateway_kubeconfig=str(away))


def test_terminating_namespace(sandbox: Sandbox) -> None:
    core = sandbox.client
    namespaces = core.resources.get(api_version="v1", kind="Namespace")
    maps = core.resources.get(api_version="v1", kind="ConfigMap")
    namespaces.create(body={"metadata": {"name": "going"}})
    held = {"metadata": {"name": "held", "namespace": "going", "finalizers": ["example.com/held"]}}
    maps.create(body=held, namespace="going")
    namespaces.delete(name="going")

    refused(sandbox, "site", "going", "erminating", mcp_gateway_namespace="going")

    release = {"metadata": {"finalizers": None}}
    maps.patch(name="held", namespace="going", body=release, content_type="application/merge-patch+json")


class TestOnAConvergedCluster:
    """Refusals that need a gateway to be there."""

    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def converged(sandbox: Sandbox) -> None:
        """The demo's gateway."""
        play = sandbox.play("site")
        assert play.exit_code == 0, play.output

    def test_second_extension_in_the_namespace_names_the_first(self, sandbox: Sandbox) -> None:
        refused(sandbox, "site", "another", "mcp-gateway", "one per namespace", mcp_gateway_name="another")

    def test_extension_without_a_grant(self, sandbox: Sandbox) -> None:
        refused(
            sandbox, "site", "ReferenceGrant", "team-a", mcp_gateway_namespace="team-a", mcp_gateway_listener="http",
            mcp_gateway_reference_grant=False, mcp_gateway_public_host="team-a.example.com",
        )  # fmt: skip

    def test_an_endpoint_that_does_not_answer(self, sandbox: Sandbox) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            away = f"http://localhost:{unused.getsockname()[1]}/mcp"

            refused(
                sandbox, "verify", f"[ERROR]: Task failed: Action failed: {away}", "refused",
                mcp_gateway_url=away, mcp_gateway_wait_timeout=1,
            )  # fmt: skip

    def test_a_wait_that_times_out_says_what_it_last_saw(self, sandbox: Sandbox) -> None:
        classes = sandbox.client.resources.get(api_version="gateway.networking.k8s.io/v1", kind="GatewayClass")
        nobodys = {"metadata": {"name": "nobodys"}, "spec": {"controllerName": "example.com/nobody"}}
        classes.create(body={"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", **nobodys})

        play = sandbox.play(
            "site", variables={
                "mcp_gateway_gateway": "waiting", "mcp_gateway_gateway_class": "nobodys", "mcp_gateway_wait_timeout": 2,
                "mcp_gateway_name": "mcp-gateway", "mcp_gateway_listeners": listeners(),
            },
        )  # fmt: skip

        assert play.exit_code != 0, play.output
        for words in ("Waited 2 s", "Gateway openshift-ingress/waiting", "last seen", "Waiting for controller"):
            assert words in play.output.replace("\n", " "), play.output
        assert not [trace for trace in TRACES if trace in play.output], play.output
