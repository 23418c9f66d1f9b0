# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module apply: removing only what is one's own, and a set that is recorded now and pruned later."""

from __future__ import annotations

from typing import Any

from integration.kit import ApiServer, Modules, warnings_of


def config_map(name: str, ns: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": ns}, "data": {"a": "1"}}


def there(api: ApiServer, ns: str, name: str) -> bool:
    return api.get(f"/api/v1/namespaces/{ns}/configmaps/{name}") is not None


def test_only_own_objects_are_removed_and_others_are_named(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("apply", definition=[config_map("mine", ns)])
    api_server.apply(f"/api/v1/namespaces/{ns}/configmaps/theirs", config_map("theirs", ns))
    both = [config_map("mine", ns), config_map("theirs", ns)]

    result = run("apply", definition=both, state="absent", only_own=True)

    actions = {one["name"]: one["action"] for one in result["objects"]}
    assert actions == {"mine": "deleted", "theirs": "unchanged"}
    assert warnings_of(result) == [f"ConfigMap {ns}/theirs stays: it was not made by mcpops.gateway."]
    assert there(api_server, ns, "theirs")
    assert not run("apply", definition=both, state="absent", only_own=True)["changed"]


def test_a_set_that_was_only_recorded_can_be_pruned_later(run: Modules, api_server: ApiServer, ns: str) -> None:
    keep, prune = {"name": "set", "namespace": ns, "remove": False}, {"name": "set", "namespace": ns}
    run("apply", definition=[config_map("a", ns), config_map("b", ns)], prune=keep)

    kept = run("apply", definition=[config_map("a", ns)], prune=keep)
    still = there(api_server, ns, "b")
    pruned = run("apply", definition=[config_map("a", ns)], prune=prune)

    assert not kept["changed"]
    assert still
    assert [(one["name"], one["action"]) for one in pruned["objects"] if one["action"] == "deleted"] == [
        ("b", "deleted")
    ]
    assert not there(api_server, ns, "b")


def test_a_set_without_members_leaves_no_record(run: Modules, api_server: ApiServer, ns: str) -> None:
    result = run("apply", definition=[], prune={"name": "set", "namespace": ns})

    assert not result["changed"]
    assert api_server.get(f"/api/v1/namespaces/{ns}/secrets/set") is None


FINALIZER = "example.com/held"


def held(api: ApiServer, ns: str, name: str, *finalizers: str) -> dict[str, Any]:
    """A ConfigMap that nobody's controller will let go of."""
    manifest = config_map(name, ns)
    manifest["metadata"]["finalizers"] = list(finalizers)
    api.apply(f"/api/v1/namespaces/{ns}/configmaps/{name}", manifest)
    return config_map(name, ns)


def test_finalizers_are_taken_off_only_when_asked_and_only_those(run: Modules, api_server: ApiServer, ns: str) -> None:
    both = [held(api_server, ns, "a", FINALIZER), held(api_server, ns, "b", FINALIZER, "example.com/other")]
    strip = {"names": [FINALIZER], "after": 0}

    refused = run.run("apply", definition=both, state="absent", wait_timeout=1)
    predicted = run("apply", definition=both[:1], state="absent", strip_finalizers=strip, check=True)
    still = there(api_server, ns, "a")
    stripped = run("apply", definition=both[:1], state="absent", strip_finalizers=strip, wait_timeout=10)
    other = run.fails("apply", definition=both[1:], state="absent", strip_finalizers=strip, wait_timeout=1)

    assert f"held by the finalizer {FINALIZER};" in refused["msg"]
    assert refused["failed"] and refused["finalizers"] == [FINALIZER, "example.com/other"]
    assert predicted["changed"]
    assert still
    assert stripped["changed"]
    assert f"The finalizer {FINALIZER} was taken off ConfigMap {ns}/a" in warnings_of(stripped)[0]
    assert not there(api_server, ns, "a")
    assert "example.com/other" in other and FINALIZER not in other
    api_server.merge(f"/api/v1/namespaces/{ns}/configmaps/b", {"metadata": {"finalizers": None}})
    assert not run("apply", definition=both, state="absent", strip_finalizers=strip)["changed"]
