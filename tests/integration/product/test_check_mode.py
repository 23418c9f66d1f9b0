# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode of site.yml says on an empty cluster, the run then does: the same tasks, objects and actions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Sandbox, running

CALLBACKS = Path(__file__).parent / "callbacks"
Variables = dict[str, Any]


class Recorder:
    """Runs playbooks with an example and keeps what they report as changed."""

    def __init__(self, sandbox: Sandbox, example: str, variables: Variables, folder: Path) -> None:
        self._sandbox, self._example, self._variables, self._folder = sandbox, example, variables, folder

    def run(self, playbook: str, *arguments: str) -> list[dict[str, Any]]:
        """The changes in the order of the run; the run has to succeed, and its recap to agree."""
        file = self._folder / "changes"
        file.write_text("")
        environment = {
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "changes",
            "CHANGES_FILE": str(file),
        }
        play = self._sandbox.play(
            playbook, *arguments, variables=self._variables, example=self._example, environment=environment
        )
        assert play.exit_code == 0, play.output
        changes = [json.loads(line) for line in file.read_text().splitlines()]
        assert play.recap()["changed"] == len({change["task"] for change in changes}), play.output
        return changes


def nothing(_: Sandbox) -> Variables:
    """The example needs nothing that the sandbox has not."""
    return {}


def kuadrant_and_issuer(sandbox: Sandbox) -> Variables:
    """What custom-route-oauth.yml asks to be there beforehand."""
    origin = f"http://mcp.apps.example.com:{sandbox.variables['mcp_gateway_port']}"
    kuadrants = sandbox.client.resources.get(api_version="kuadrant.io/v1beta1", kind="Kuadrant")
    body = {"apiVersion": "kuadrant.io/v1beta1", "kind": "Kuadrant", "metadata": {"name": "kuadrant"}}
    kuadrants.create(namespace="openshift-ingress", body=body)
    claims = {"aud": f"{origin}/mcp", "groups": ["staff"]}
    command = ["-m", "sandbox.servers.beside", "token_issuer", "--dir", str(sandbox.folder)]
    subprocess.run(
        [sys.executable, *command, "--claims", json.dumps(claims)], cwd=ROOT, env=sandbox.environment(), check=True
    )
    issuer = json.loads((sandbox.folder / "outside" / "issuer.json").read_text())
    return {"mcp_origin": origin, "mcp_gateway_auth_issuer": issuer["url"], "mcp_gateway_token": issuer["token"]}


def gateway_of_others(sandbox: Sandbox) -> Variables:
    """The Gateway of existing-gateway.yml."""
    gateways = sandbox.client.resources.get(api_version="gateway.networking.k8s.io/v1", kind="Gateway")
    listener = {"name": "theirs", "port": 8443, "protocol": "HTTP", "hostname": "shop.example.com"}
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "public"},
        "spec": {"gatewayClassName": "openshift-default", "listeners": [listener]},
    }
    gateways.create(namespace="openshift-ingress", body=body)
    return {}


@pytest.mark.parametrize(
    ("example", "prepare"),
    [
        pytest.param("minimal.yml", nothing, id="the least"),
        pytest.param("custom-route-oauth.yml", kuadrant_and_issuer, id="the most"),
        pytest.param("existing-gateway.yml", gateway_of_others, id="a Gateway of others"),
    ],
)
def test_check_mode_says_exactly_what_the_run_then_changes(
    tmp_path: Path, example: str, prepare: Callable[[Sandbox], Variables]
) -> None:
    with running(tmp_path / "sandbox") as sandbox:
        recorder = Recorder(sandbox, example, prepare(sandbox), tmp_path)

        said = recorder.run("site", "--check")
        done = recorder.run("site")
        again = recorder.run("site")
        if prepare is gateway_of_others:
            recorder.run("teardown")
            gateway = sandbox.get("gateway.networking.k8s.io/v1", "Gateway", "public", "openshift-ingress")
            assert [listener["name"] for listener in gateway["spec"]["listeners"]] == ["theirs"]

    assert [one for one in said if one["object"]], said
    assert said == done
    assert again == []
