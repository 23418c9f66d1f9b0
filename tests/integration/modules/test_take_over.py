# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that were made by hand or by client-side apply are taken over without a fight; those of others are not."""

from __future__ import annotations

import json
import subprocess

import pytest
from integration.gateways import GATEWAYS, gateway_class, listener
from integration.kit import ApiServer, Json, Modules, warnings_of, writes

SETTINGS = "/api/v1/namespaces/{ns}/configmaps/settings"


def config_map(ns: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": ns}, "data": data}


def kubectl(api: ApiServer, *arguments: str, given: Json | None = None) -> None:
    text = json.dumps(given) if given else None
    command = ["kubectl", "--kubeconfig", api.kubeconfig, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_what_kubectl_applied_before(run: Modules, api_server: ApiServer, ns: str) -> None:
    kubectl(api_server, "apply", "-f", "-", given=config_map(ns, greeting="hi", other="kept"))
    wanted = config_map(ns, greeting="hello")

    planned = run("apply", check=True, diff=True, definition=wanted)
    made = run("apply", diff=True, definition=wanted)
    with api_server.watched() as requests:
        again = run("apply", definition=wanted)

    live = api_server.get(SETTINGS.format(ns=ns))
    assert live is not None and live["data"] == {"greeting": "hello", "other": "kept"}
    assert planned["diff"] == made["diff"] and made["objects"][0]["fields"] == ["data.greeting"]
    assert warnings_of(made) == [f"ConfigMap {ns}/settings: took over data.greeting from kubectl-client-side-apply."]
    assert not again["changed"] and warnings_of(again) == [] and writes(requests) == []


def test_what_was_taken_over_goes_when_it_is_no_longer_stated(run: Modules, api_server: ApiServer, ns: str) -> None:
    kubectl(api_server, "apply", "-f", "-", given=config_map(ns, a="1", b="2", other="kept"))

    planned = run("apply", check=True, definition=config_map(ns, a="1", b="2"))
    adopted = run("apply", definition=config_map(ns, a="1", b="2"))
    again = run("apply", definition=config_map(ns, a="1", b="2"))
    dropped = run("apply", definition=config_map(ns, a="1"))

    assert planned["objects"][0]["fields"] == adopted["objects"][0]["fields"] == ["data.a", "data.b"]
    assert planned["changed"] and adopted["changed"] and not again["changed"]
    assert dropped["objects"][0]["fields"] == ["data.b"]
    live = api_server.get(SETTINGS.format(ns=ns))
    assert live is not None and live["data"] == {"a": "1", "other": "kept"}


def test_list_items_of_an_object_that_was_created_by_hand(run: Modules, api_server: ApiServer, ns: str) -> None:
    """Also those that hold values which the API server filled in, and which so belong to the tool that created it."""
    labels = {"app": "web"}
    containers: list[Json] = [
        {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}, {"containerPort": 81}]},
        {"name": "side", "image": "side:1"},
    ]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": ns}, "spec": spec}
    kubectl(api_server, "create", "-f", "-", given=wanted)
    run("apply", definition=wanted, wait=False)

    containers.pop()
    containers[0]["ports"].pop()
    run("apply", definition=wanted, wait=False)

    live = api_server.get(f"/apis/apps/v1/namespaces/{ns}/deployments/web") or {}
    left = live["spec"]["template"]["spec"]["containers"]
    assert [(one["name"], [port["containerPort"] for port in one["ports"]]) for one in left] == [("web", [80])]


def test_a_gateway_that_was_edited_by_hand(run: Modules, api_server: ApiServer, ns: str) -> None:
    gateway_class(api_server)
    options = {"name": "gw", "namespace": ns, "gateway_class_name": "istio", "wait": False}
    run("gateway", listeners=[listener()], **options)
    path = f"{GATEWAYS.format(ns=ns)}/gw"
    edited = [{**(api_server.get(path) or {})["spec"]["listeners"][0], "port": 9999}]
    api_server.merge(path, {"spec": {"listeners": edited}}, manager="kubectl-edit")

    made = run("gateway", listeners=[listener()], **options)

    live = api_server.get(path)
    assert live is not None and live["spec"]["listeners"][0]["port"] == 8080
    assert "kubectl-edit" in warnings_of(made)[0]


@pytest.mark.parametrize("manager", ["argocd", "kubectl"])
def test_what_somebody_else_declares_stays_theirs(run: Modules, api_server: ApiServer, ns: str, manager: str) -> None:
    api_server.apply(SETTINGS.format(ns=ns), config_map(ns, greeting="hi"), manager=manager)

    message = run.fails("apply", definition=config_map(ns, greeting="hello"), take_over=[manager, "kubectl-edit"])

    assert manager in message and "force_conflicts" in message


def test_a_controller_is_no_person(run: Modules, api_server: ApiServer, ns: str) -> None:
    api_server.apply(SETTINGS.format(ns=ns), config_map(ns), manager="argocd")
    api_server.merge(SETTINGS.format(ns=ns), {"data": {"greeting": "hi"}}, manager="some-controller")

    assert "some-controller" in run.fails("apply", definition=config_map(ns, greeting="hello"))


def test_nothing_is_taken_over_when_told_so(run: Modules, api_server: ApiServer, ns: str) -> None:
    kubectl(api_server, "apply", "-f", "-", given=config_map(ns, greeting="hi"))

    message = run.fails("apply", definition=config_map(ns, greeting="hello"), take_over=[])

    assert "kubectl-client-side-apply" in message
