# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new cluster has: namespaces, roles for its users and their bindings."""

from __future__ import annotations

import tomllib
from pathlib import Path

from .objects import Object
from .options import WriteOptions
from .rbac import GROUP
from .registry import Registry, Target

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_METADATA = {
    "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
    "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
}
_VERBS = {"read": ["get", "list", "watch"], "write": ["create", "delete", "deletecollection", "patch", "update"]}


def furnish(registry: Registry) -> None:
    """Create what is not there yet."""
    for name in _NAMESPACES:
        _ensure(registry, "", "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    table = tomllib.loads(Path(__file__).with_name("policy.toml").read_text(encoding="utf-8"))
    for name in (*table["roles"], *table["aggregated"]):
        role = _object("ClusterRole", name, rules=_rules(table["roles"].get(name, "")))
        label = table["labels"].get(name)
        if label:
            role["metadata"]["labels"] = {**role["metadata"]["labels"], label: "true"}
        label = table["aggregated"].get(name)
        if label:
            role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
        _ensure(registry, GROUP, "clusterroles", role)
    for name, groups in table["bindings"].items():
        subjects = [{"apiGroup": GROUP, "kind": "Group", "name": group} for group in groups]
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        binding = _object("ClusterRoleBinding", name, roleRef=reference, subjects=subjects)
        _ensure(registry, GROUP, "clusterrolebindings", binding)


def _ensure(registry: Registry, group: str, plural: str, obj: Object) -> None:
    resource = registry.catalog.find(group, "v1", plural)
    if resource and registry.find(Target(resource, "", obj["metadata"]["name"])) is None:
        registry.create(Target(resource, ""), obj, WriteOptions("kube-apiserver"))


def _object(kind: str, name: str, **fields: object) -> Object:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name, **_METADATA}, **fields}


def _rules(text: str) -> list[Object]:
    rules = []
    for line in text.splitlines():
        verbs, groups, *names = line.split()
        stated = sorted(verb for word in verbs.split(",") for verb in _VERBS.get(word, [word]))
        if groups == "paths":
            rules.append({"verbs": stated, "nonResourceURLs": names})
        else:
            named = ["" if group == "core" else group for group in groups.split(",")]
            rules.append({"verbs": stated, "apiGroups": named, "resources": names})
    return rules
