# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module reference_grant against an API server."""

from __future__ import annotations

from integration.gateways import GRANTS
from integration.kit import ApiServer, Json, Modules, writes


def options(ns: str, **more: object) -> Json:
    return {"name": "grant", "namespace": ns, "from": [{"namespace": "team-a"}], "to": [{"name": "gw"}], **more}


def test_its_life(run: Modules, api_server: ApiServer, ns: str) -> None:
    planned = run("reference_grant", check=True, **options(ns))
    made = run("reference_grant", **options(ns))
    with api_server.watched() as requests:
        again = run("reference_grant", **options(ns))
    live = api_server.get(f"{GRANTS.format(ns=ns)}/grant")
    gone = run("reference_grant", name="grant", namespace=ns, state="absent")
    gone_again = run("reference_grant", name="grant", namespace=ns, state="absent")

    actions = [one["objects"][0]["action"] for one in (planned, made, again, gone, gone_again)]
    assert actions == ["created", "created", "unchanged", "deleted", "absent"]
    assert writes(requests) == [] and len(requests) == 1
    assert live is not None and live["spec"] == {
        "from": [{"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": "team-a"}],
        "to": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}],
    }


def test_a_name_taken_out_of_a_list_that_is_one_value(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("reference_grant", **options(ns))

    planned = run("reference_grant", check=True, diff=True, **options(ns, to=[{}]))
    result = run("reference_grant", diff=True, **options(ns, to=[{}]))

    assert planned["changed"] and result["changed"] and planned["diff"] == result["diff"]
    assert result["diff"][0]["before"]["spec"]["to"][0]["name"] == "gw"
    live = api_server.get(f"{GRANTS.format(ns=ns)}/grant")
    assert live is not None and "name" not in live["spec"]["to"][0]


def test_a_list_without_entries(run: Modules, ns: str) -> None:
    assert "option to" in run.fails("reference_grant", **options(ns, to=[]))


def test_an_owner_with_another_value(run: Modules, api_server: ApiServer, ns: str) -> None:
    spec = {
        "from": [{"group": "x", "kind": "Y", "namespace": "z"}],
        "to": [{"group": "", "kind": "Secret"}],
    }
    kind = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant"}
    api_server.apply(
        f"{GRANTS.format(ns=ns)}/grant", {**kind, "metadata": {"name": "grant"}, "spec": spec}, manager="argocd"
    )

    said = run.fails("reference_grant", **options(ns))

    assert "spec.from" in said and "argocd" in said
