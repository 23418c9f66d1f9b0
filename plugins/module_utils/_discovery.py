# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Which kinds the cluster serves, asked with as few requests as the job needs and remembered for the run."""

from __future__ import annotations

import difflib
import threading

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery_cache import DiscoveryCache
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import KindNotServed
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import BUILT_IN, Resource, split_api_version

INSTALLED_BY = {
    "gateway.networking.k8s.io": (
        "the Gateway API CRDs (part of OpenShift 4.19 and later, or of a Gateway API implementation such as Istio)"
    ),
    "mcp.kuadrant.io": "the MCP gateway operator (module mcpops.gateway.olm_subscription or role operator)",
    "operators.coreos.com": "the Operator Lifecycle Manager (part of OpenShift; on Kubernetes install OLM)",
    "packages.operators.coreos.com": "the Operator Lifecycle Manager's package server",
    "networking.istio.io": "Istio (on OpenShift, Red Hat OpenShift Service Mesh or the Gateway API ingress)",
    "kuadrant.io": "the Kuadrant operator (Red Hat Connectivity Link)",
    "monitoring.coreos.com": "the Prometheus operator (part of OpenShift), or leave its objects out,",
}


class Discovery:
    """Looks kinds up in the API server's own list, one small request for a group and version.

    With a cache, what an earlier task found is believed; that a kind is not served never is.
    """

    def __init__(self, client: ApiClient, cache: DiscoveryCache | None = None) -> None:
        self._client = client
        self._cache = cache
        self._versions: dict[str, dict[str, Resource] | None] = {}
        self._groups: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def find(self, api_version: str, kind: str) -> Resource | None:
        """The resource for a kind, or None when the cluster does not serve it."""
        known = BUILT_IN.get((api_version, kind))
        if known is not None:
            return known
        with self._lock:
            if api_version not in self._versions:
                remembered = self._remembered(api_version, kind)
                if remembered is not None:
                    return remembered
                self._versions[api_version] = self._read_version(api_version)
            return (self._versions[api_version] or {}).get(kind)

    def _remembered(self, api_version: str, kind: str) -> Resource | None:
        kinds = self._cache.get(api_version) if self._cache else None
        found = (kinds or {}).get(kind)
        if found is not None:
            self._client.remembered.add(found)
        return found

    def need(self, api_version: str, kind: str) -> Resource:
        """The same, raising KindNotServed with what to install."""
        found = self.find(api_version, kind)
        if found is None:
            raise KindNotServed(self.why_not(api_version, kind))
        return found

    def why_not(self, api_version: str, kind: str) -> str:
        """The sentence for a kind that is not served: another version, another spelling, or who installs it."""
        group, version = split_api_version(api_version)
        served = [f"{group}/{one}" for one in self.versions(group)] if group else ["v1"]
        having = [one for one in served if self.find(one, kind) is not None]
        if having and version:
            write = f"; write {having[0]}" + (f", or {group} to leave the version to the cluster" if group else "")
            return f"The cluster serves the kind {kind} in {' and '.join(having)}, not in {api_version}{write}."
        names = {name.lower(): name for one in served for name in self._kinds(one)}
        near = difflib.get_close_matches(kind.lower(), names, 1, 0.8)
        if near:
            return (
                f"The cluster does not serve the kind {kind} of {api_version}, but it has {names[near[0]]}; correct "
                "the spelling."
            )
        if served and not group:
            return (
                f"The cluster does not serve the kind {kind} of {api_version}; check its spelling and its apiVersion."
            )
        return not_served(api_version, kind)

    def _kinds(self, api_version: str) -> list[str]:
        with self._lock:
            return list(self._versions.get(api_version) or {})

    def versions(self, group: str) -> list[str]:
        """The served versions of a group, the preferred one first; empty when the group is not there."""
        with self._lock:
            if group not in self._groups:
                answer = self._client.read_path(f"/apis/{group}") or {}
                served = [str(entry["version"]) for entry in answer.get("versions") or []]
                preferred = str((answer.get("preferredVersion") or {}).get("version") or "")
                self._groups[group] = sorted(served, key=lambda version: version != preferred)
                if self._cache and served:
                    self._cache.put_versions(group, self._groups[group])
            return self._groups[group]

    def find_in_group(self, group: str, kind: str) -> Resource | None:
        """The kind in the best version of the group that serves it.

        Versions that an earlier task found are believed when they serve the kind.
        """
        for version in (self._cache.versions(group) if self._cache else None) or ():
            known = self.find(f"{group}/{version}", kind)
            if known is not None:
                self._client.remembered.add(known)
                return known
        for version in self.versions(group):
            found = self.find(f"{group}/{version}", kind)
            if found is not None:
                return found
        return None

    def forget(self) -> None:
        """Ask again: kinds were added or removed meanwhile."""
        if self._cache:
            self._cache.clear()
        self._client.remembered.clear()
        with self._lock:
            self._versions.clear()
            self._groups.clear()

    def _read_version(self, api_version: str) -> dict[str, Resource] | None:
        group, version = split_api_version(api_version)
        answer = self._client.read_path(f"/apis/{group}/{version}" if group else f"/api/{version}")
        if answer is None:
            return None
        found: dict[str, Resource] = {}
        for entry in answer.get("resources") or []:
            if "/" not in entry["name"]:
                found[entry["kind"]] = Resource(
                    group, version, entry["name"], entry["kind"], bool(entry.get("namespaced"))
                )
        if self._cache and found:
            self._cache.put(api_version, found)
        return found


def not_served(api_version: str, kind: str) -> str:
    """The sentence for a kind that is not there, naming who installs it."""
    group, _version = split_api_version(api_version)
    installer = INSTALLED_BY.get(group) or next(
        (who for known, who in INSTALLED_BY.items() if group.endswith("." + known)), "its CustomResourceDefinition"
    )
    return f"The cluster does not serve the kind {kind} of {api_version}; install {installer} first."
