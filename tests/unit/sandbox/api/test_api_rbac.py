# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of roles: what they allow, and what one set of them lacks of another."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.authentication import User
from sandbox.api.rbac import Attributes, allows, missing, rule_text

ANN = User("ann")


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split(), **more}


@pytest.mark.parametrize(
    ("given", "verb", "resource", "allowed"),
    [
        (rule("get list", "pods"), "get", "pods", True),
        (rule("get list", "pods"), "watch", "pods", False),
        (rule("*", "pods"), "deletecollection", "pods", True),
        (rule("get", "*"), "get", "pods/status", True),
        (rule("get", "pods"), "get", "pods/status", False),
        (rule("get", "pods/status"), "get", "pods", False),
        (rule("get", "*/status"), "get", "pods/status", True),
        (rule("get", "*/status"), "get", "pods/log", False),
        (rule("get", "pods", "apps"), "get", "pods", False),
        (rule("get", "pods", "*"), "get", "pods", True),
        (rule("get", "pods", resourceNames=["a"]), "get", "pods", True),
        (rule("get", "pods", resourceNames=["b"]), "get", "pods", False),
        ({"verbs": ["*"], "nonResourceURLs": ["*"]}, "get", "pods", False),
    ],
)
def test_resources(given: dict[str, Any], verb: str, resource: str, allowed: bool) -> None:
    name, _, part = resource.partition("/")
    assert allows(given, Attributes(ANN, verb, "", name, part, "default", "a")) is allowed


@pytest.mark.parametrize(
    ("urls", "path", "allowed"),
    [
        (["/healthz"], "/healthz", True),
        (["/healthz"], "/healthz/etcd", False),
        (["/healthz/*"], "/healthz/etcd", True),
        (["*"], "/anything", True),
        (["/api"], "/apis", False),
    ],
)
def test_paths(urls: list[str], path: str, allowed: bool) -> None:
    assert allows({"verbs": ["get"], "nonResourceURLs": urls}, Attributes(ANN, "get", path=path)) is allowed
    assert not allows(rule("*", "*", "*"), Attributes(ANN, "get", path=path))


def test_what_is_missing_is_told_by_resource_and_in_order() -> None:
    held = [rule("get list", "pods"), rule("*", "secrets", resourceNames=["mine"])]
    wanted = [rule("get watch", "pods configmaps"), rule("get", "secrets", resourceNames=["mine", "yours"])]
    assert [rule_text(part) for part in missing(wanted, held)] == [
        '{APIGroups:[""], Resources:["configmaps"], Verbs:["get" "watch"]}',
        '{APIGroups:[""], Resources:["pods"], Verbs:["watch"]}',
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["yours"], Verbs:["get"]}',
    ]


def test_nothing_is_missing_of_what_a_star_covers() -> None:
    everything = [rule("*", "*", "*"), {"verbs": ["*"], "nonResourceURLs": ["*"]}]
    wanted = [rule("get", "pods pods/log", "x"), {"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]
    assert missing(wanted, everything) == []
    assert missing(everything, wanted) == [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
