# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery: which groups, versions and resources are served, in the legacy and the aggregated form."""

from __future__ import annotations

import base64
import hashlib

from .objects import Object
from .resources import Catalog, Resource

AGGREGATED = "apidiscovery.k8s.io"
_CHANGE = ["get", "patch", "update"]
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
        found: list[Object] = []
        for resource in self._catalog.of_version(group, version):
            found.append(_legacy(resource))
            found += [_legacy_subresource(resource, name) for name in resource.subresources]
        for review in _REVIEWS:
            if review[:2] == (group, version):
                found.append(_legacy_review(*review[2:]))
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
                {"version": version, "resources": self._aggregated_version(group, version), "freshness": "Current"}
                for version in versions
            ]
            items.append({"metadata": {"name": group, "creationTimestamp": None}, "versions": shown})
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"{AGGREGATED}/v2",
            "metadata": {},
            "items": items,
        }

    def _aggregated_version(self, group: str, version: str) -> list[Object]:
        found = [_aggregated(resource) for resource in self._catalog.of_version(group, version)]
        for review in _REVIEWS:
            if review[:2] == (group, version):
                _, _, plural, kind, namespaced = review
                found.append(
                    {
                        "resource": plural,
                        "responseKind": {"group": group, "version": version, "kind": kind},
                        "scope": "Namespaced" if namespaced else "Cluster",
                        "singularResource": kind.lower(),
                        "verbs": ["create"],
                    }
                )
        return found


def _group(name: str, versions: list[str]) -> Object:
    shown = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def _optional(**fields: object) -> Object:
    return {name: value for name, value in fields.items() if value}


def _legacy(resource: Resource) -> Object:
    return {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
        **_optional(shortNames=list(resource.short_names), categories=list(resource.categories)),
        "storageVersionHash": _storage_hash(resource),
    }


def _storage_hash(resource: Resource) -> str:
    """A hash of group, stored version and kind."""
    version = resource.storage_version.rpartition("/")[2]
    digest = hashlib.sha256(f"{resource.group}/{version}/{resource.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _legacy_subresource(resource: Resource, name: str) -> Object:
    shown: Object = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    if name == "scale":
        shown |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    else:
        shown["kind"] = resource.kind
    return shown | {"verbs": _subresource_verbs(name)}


def _legacy_review(plural: str, kind: str, namespaced: bool) -> Object:
    return {"name": plural, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": ["create"]}


def _subresource_verbs(name: str) -> list[str]:
    return {"finalize": ["update"], "log": ["get"]}.get(name, _CHANGE)


def _aggregated(resource: Resource) -> Object:
    own = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    subresources = [
        {
            "subresource": name,
            "responseKind": scale if name == "scale" else own,
            "verbs": _subresource_verbs(name),
        }
        for name in resource.subresources
    ]
    return {
        "resource": resource.plural,
        "responseKind": own,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        **_optional(
            shortNames=list(resource.short_names),
            categories=list(resource.categories),
            subresources=subresources,
        ),
    }
