# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module apply that fails in the middle: the result tells what was done before."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.modules import apply
from integration.kit import ApiServer, Json, Modules


def config_map(ns: str, name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": ns}, "data": data}


def secret(ns: str, **metadata: object) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ns, **metadata}}


def told(result: Json) -> tuple[bool, list[tuple[str, str]]]:
    assert result["failed"], result
    return result["changed"], [(one["name"], one["action"]) for one in result["objects"]]


def test_before_anything_is_written_nothing_has_changed(run: Modules, ns: str) -> None:
    assert told(run.run("apply", definition={"apiVersion": "v1", "kind": "ConfigMap"})) == (False, [])
    assert told(run.run("apply", definition=config_map("nowhere", "a"))) == (False, [])


def test_what_was_written_before_a_refusal(run: Modules, ns: str) -> None:
    refused = {**config_map(ns, "UPPER"), "data": {}}

    assert told(run.run("apply", definition=[refused, secret(ns)])) == (True, [("s", "created")])
    assert told(run.run("apply", definition=[refused, secret(ns)])) == (False, [("s", "unchanged")])
    assert told(run.run("apply", check=True, definition=[refused, secret(ns, labels={"a": "b"})])) == (
        False,
        [("s", "updated")],
    )


def test_what_was_written_before_a_wait_ended(run: Modules, ns: str) -> None:
    result = run.run("apply", definition=config_map(ns, "a"), wait_for=[{"condition": "Ready"}], wait_timeout=1)

    assert told(result) == (True, [("a", "created")])


def test_what_was_removed_before_a_finalizer_held_the_rest(run: Modules, api_server: ApiServer, ns: str) -> None:
    held = secret(ns, finalizers=["example.com/held"])
    run("apply", definition=[config_map(ns, "a"), held])

    result = run.run("apply", state="absent", definition=[config_map(ns, "a"), held], wait_timeout=1)

    assert told(result) == (True, [("a", "deleted"), ("s", "deleted")])
    api_server.merge(f"/api/v1/namespaces/{ns}/secrets/s", {"metadata": {"finalizers": None}})


def test_what_a_set_applied_before_a_leftover_could_not_go(run: Modules, api_server: ApiServer, ns: str) -> None:
    held = secret(ns, finalizers=["example.com/held"])
    options: Json = {"prune": {"name": "set"}, "namespace": ns, "wait_timeout": 1}
    run("apply", definition=[held], **options)

    result = run.run("apply", definition=[config_map(ns, "a")], **options)

    assert told(result) == (True, [("a", "created"), ("s", "deleted")])
    api_server.merge(f"/api/v1/namespaces/{ns}/secrets/s", {"metadata": {"finalizers": None}})


def test_removal_looks_only_at_what_names_an_object(run: Modules, ns: str) -> None:
    """A manifest that a newer cluster took still removes its object from an older one."""
    run("apply", definition=secret(ns))
    unusable = {**secret(ns), "data": {"a": "not base64!"}, "unknown": 1}

    assert run("apply", state="absent", definition=unusable)["objects"][0]["action"] == "deleted"


COMMON = {"changed", "diff", "failed", "invocation", "msg", "warnings"}
"""What Ansible itself documents."""


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({"definition": {"kind": "ConfigMap"}}, set()),
        ({"definition": {"data": {"a": 1}}}, {"refused"}),
        ({"definition": {"data": {"a": "theirs"}}}, set()),
        ({"definition": {"data": {"a": "mine"}}}, {"conflicts"}),
        ({"definition": {"data": {}}, "wait_for": [{"condition": "Ready"}]}, {"waited_for", "last_seen"}),
        ({"definition": {}, "state": "absent"}, set()),
    ],
)
def test_every_result_has_the_documented_shape(
    run: Modules, api_server: ApiServer, ns: str, options: dict[str, Any], keys: set[str]
) -> None:
    api_server.apply(f"/api/v1/namespaces/{ns}/configmaps/a", config_map(ns, "a", a="theirs"), manager="argocd")
    documented = yaml.safe_load(apply.RETURN)
    definition = {**config_map(ns, "a"), **options["definition"]}

    for check in (True, False):
        result = run.run("apply", check=check, diff=True, wait_timeout=0, **{**options, "definition": definition})

        extra = keys - {"waited_for", "last_seen"} if check else keys
        assert set(result) - COMMON == {"objects", "requests", *extra} and extra <= set(documented)
        for one in result["objects"]:
            assert set(one) == set(documented["objects"]["contains"])
        assert set(result["requests"]) == set(documented["requests"]["contains"])


def test_a_right_that_is_missing_is_named(run: Modules, api_server: ApiServer, ns: str) -> None:
    config = yaml.safe_load(api_server.folder.kubeconfig.read_text())
    config["users"][0]["user"]["as"] = "nobody"

    result = run.run("apply", kubeconfig=config, definition=config_map(ns, "a"))

    assert result["failed"] and (result["verb"], result["resource"], result["namespace"]) == ("get", "configmaps", ns)
