# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module reference_grant against an API server."""

from __future__ import annotations

import pytest
from integration.gateways import GRANTS
from integration.kit import ApiServer, Json, Modules, warnings_of, writes


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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"to": []}, "option to has 0 entries"),
        ({"from": []}, "option from has 0 entries"),
        ({"from": [{"namespace": f"n{number}"} for number in range(17)]}, "option from has 17 entries"),
        ({"from": [{}]}, "namespace"),
        ({"from": [{"namespace": "*"}]}, "'*', which is no name"),
        ({"from": [{"namespace": "Team"}]}, "'Team', which is no name"),
        ({"to": [{"kind": "Gate way"}]}, "kind 'Gate way'"),
        ({"from": None}, "from"),
        ({"to": None}, "to"),
        ({"to": "all"}, "dictionary requested"),
        ({"namespace": None}, "namespace"),
    ],
)
def test_options(run: Modules, api_server: ApiServer, ns: str, change: Json, said: str) -> None:
    wanted = {key: value for key, value in options(ns, **change).items() if value is not None}
    with api_server.watched() as requests:
        result = run.run("reference_grant", **wanted)

    assert result.get("failed") and said in result["msg"] and writes(requests) == []


def test_a_grant_for_its_own_namespace(run: Modules, ns: str) -> None:
    assert "no grant is needed" in run.fails("reference_grant", **options(ns, **{"from": [{"namespace": ns}]}))


def test_one_made_with_kubectl_apply(run: Modules, api_server: ApiServer, ns: str) -> None:
    """Taken over, what others say of its metadata stays, and then there is nothing left to do."""
    spec = {"from": [{"group": "x", "kind": "Y", "namespace": "z"}], "to": [{"group": "", "kind": "Secret"}]}
    body = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "spec": spec,
            "metadata": {"name": "grant", "labels": {"team": "a"}}}  # fmt: skip
    api_server.request("POST", f"{GRANTS.format(ns=ns)}?fieldManager=kubectl-client-side-apply", body)

    planned = run("reference_grant", check=True, diff=True, **options(ns))
    result = run("reference_grant", diff=True, **options(ns))
    again = run("reference_grant", **options(ns))

    live = api_server.get(f"{GRANTS.format(ns=ns)}/grant")
    assert live is not None and live["metadata"]["labels"] == {"team": "a"} and not again["changed"]
    assert planned["diff"] == result["diff"] and "kubectl-client-side-apply" in warnings_of(result)[0]


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
