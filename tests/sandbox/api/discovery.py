# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery: which groups, versions and resources are served, in the aggregated form and the one before it."""

from __future__ import annotations

import base64
import hashlib

from .objects import Object
from .resources import Catalog, Resource

AGGREGATED = "apidiscovery.k8s.io"
_REVIEWS = (
    ("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False),
    ("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", False),
    ("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", True),
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False),
    ("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False),
)
"""Resources that only answer questions: group, version, plural, kind, namespaced."""


class Discovery:
    """Answers to /api, /apis and below."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def groups(self) -> dict[str, list[str]]:
        """Versions by group."""
        groups = self._catalog.groups()
        for group, version, *_ in _REVIEWS:
            groups.setdefault(group, [version])
        return groups

    def core_versions(self, address: str) -> Object:
        """/api; ``address`` is where the server was reached."""
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}

    def group_list(self) -> Object:
        """/apis."""
        groups = [_group(name, versions) for name, versions in self.groups().items() if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def group(self, name: str) -> Object | None:
        """/apis/GROUP."""
        versions = self.groups().get(name)
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if name and versions else None

    def resource_list(self, group: str, version: str) -> Object | None:
        """/api/v1 and /apis/GROUP/VERSION."""
        hashes = {resource.plural: _storage_hash(resource) for resource in self._catalog.of_version(group, version)}
        found: list[Object] = []
        for item in self._resources(group, version):
            found.append(_older(item, hashes.get(item["resource"], "")))
            found += [_older_subresource(item, part) for part in item.get("subresources") or ()]
        if not found:
            return None
        name = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}

    def aggregated(self, core: bool) -> Object:
        """/api or /apis in one document (apidiscovery.k8s.io/v2)."""
        items: list[Object] = []
        for group, versions in self.groups().items():
            if (group == "") != core:
                continue
            shown = [
                {"version": version, "resources": self._resources(group, version), "freshness": "Current"}
                for version in versions
            ]
            items.append({"metadata": {"name": group, "creationTimestamp": None}, "versions": shown})
        return {"kind": "APIGroupDiscoveryList", "apiVersion": f"{AGGREGATED}/v2", "metadata": {}, "items": items}

    def _resources(self, group: str, version: str) -> list[Object]:
        """What a version of a group serves, as aggregated discovery describes it."""
        found = [_resource(resource) for resource in self._catalog.of_version(group, version)]
        for *review, plural, kind, namespaced in _REVIEWS:
            if review == [group, version]:
                own = {"group": group, "version": version, "kind": kind}
                found.append(_described(plural, own, namespaced, kind.lower(), ("create",)))
        return found


def _group(name: str, versions: list[str]) -> Object:
    shown = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def _described(plural: str, kind: Object, namespaced: bool, singular: str, verbs: tuple[str, ...]) -> Object:
    return {
        "resource": plural,
        "responseKind": kind,
        "scope": "Namespaced" if namespaced else "Cluster",
        "singularResource": singular,
        "verbs": list(verbs),
    }


def _resource(resource: Resource) -> Object:
    own = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    kinds = {
        "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "token": {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"},
    }
    verbs = {"finalize": ["update"], "log": ["get"], "token": ["create"]}
    parts = [
        {
            "subresource": name,
            "responseKind": kinds.get(name, own),
            "verbs": verbs.get(name, ["get", "patch", "update"]),
        }
        for name in resource.subresources
    ]
    shown = _described(resource.plural, own, resource.namespaced, resource.singular, resource.verbs)
    more = {"shortNames": list(resource.short_names), "categories": list(resource.categories), "subresources": parts}
    return shown | {name: value for name, value in more.items() if value}


def _older(item: Object, storage_hash: str) -> Object:
    shown = {
        "name": item["resource"],
        "singularName": item["singularResource"],
        "namespaced": item["scope"] == "Namespaced",
        "kind": item["responseKind"]["kind"],
        "verbs": item["verbs"],
    }
    shown |= {name: item[name] for name in ("shortNames", "categories") if name in item}
    return {**shown, "storageVersionHash": storage_hash} if storage_hash else shown


def _older_subresource(item: Object, part: Object) -> Object:
    kind = part["responseKind"]
    shown = {
        "name": f"{item['resource']}/{part['subresource']}",
        "singularName": "",
        "namespaced": item["scope"] == "Namespaced",
        "kind": kind["kind"],
        "verbs": part["verbs"],
    }
    return shown if kind == item["responseKind"] else {**shown, "group": kind["group"], "version": kind["version"]}


def _storage_hash(resource: Resource) -> str:
    """A hash of group, stored version and kind."""
    version = resource.storage_version.rpartition("/")[2]
    digest = hashlib.sha256(f"{resource.group}/{version}/{resource.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()
