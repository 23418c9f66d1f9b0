# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module apply that fails in the middle: the result tells what was done before."""

from __future__ import annotations

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
