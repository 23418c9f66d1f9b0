# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What a kind is called in the API and where its objects live."""

from __future__ import annotations

import typing as t
import urllib.parse
from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """A kind as the API server serves it. ``group`` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """As written in manifests: ``v1`` or ``group/version``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As RBAC and kubectl write it: ``gateways.gateway.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The address of a collection or of one object."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", urllib.parse.quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(urllib.parse.quote(name, safe=""))
        return "/".join(parts)


def names_group_only(api_version: str) -> bool:
    """Whether an apiVersion leaves the version to the cluster. Groups hold a dot, versions of the core group do not."""
    return "/" not in api_version and "." in api_version


def split_api_version(api_version: str) -> tuple[str, str]:
    """``group/version`` to (group, version); the core group is empty, and so is a version left to the cluster."""
    if names_group_only(api_version):
        return api_version, ""
    group, _slash, version = api_version.rpartition("/")
    return group, version


def is_built_in(api_version: str) -> bool:
    """Whether Kubernetes itself defines the kinds of this version; the others come from a CRD or another API server."""
    group, _version = split_api_version(api_version)
    return "." not in group or group in _BUILT_IN_GROUPS


def label(kind: str, namespace: str | None, name: str | None) -> str:
    """An object as messages name it: ``Gateway openshift-ingress/mcp-gateway``."""
    where = f"{namespace}/" if namespace else ""
    return f"{kind} {where}{name}" if name else f"{kind} objects{f' of namespace {namespace}' if namespace else ''}"


def label_of(manifest: t.Mapping[str, t.Any]) -> str:
    """The same for a manifest or a live object."""
    metadata = manifest.get("metadata") or {}
    return label(str(manifest.get("kind")), metadata.get("namespace"), metadata.get("name"))


_BUILT_IN = """
v1 namespaces Namespace -
v1 nodes Node -
v1 persistentvolumes PersistentVolume -
v1 configmaps ConfigMap n
v1 secrets Secret n
v1 services Service n
v1 serviceaccounts ServiceAccount n
v1 pods Pod n
v1 events Event n
v1 endpoints Endpoints n
v1 limitranges LimitRange n
v1 resourcequotas ResourceQuota n
v1 persistentvolumeclaims PersistentVolumeClaim n
apps/v1 deployments Deployment n
apps/v1 statefulsets StatefulSet n
apps/v1 daemonsets DaemonSet n
apps/v1 replicasets ReplicaSet n
batch/v1 jobs Job n
batch/v1 cronjobs CronJob n
rbac.authorization.k8s.io/v1 roles Role n
rbac.authorization.k8s.io/v1 rolebindings RoleBinding n
rbac.authorization.k8s.io/v1 clusterroles ClusterRole -
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding -
networking.k8s.io/v1 networkpolicies NetworkPolicy n
networking.k8s.io/v1 ingresses Ingress n
policy/v1 poddisruptionbudgets PodDisruptionBudget n
autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler n
coordination.k8s.io/v1 leases Lease n
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition -
storage.k8s.io/v1 storageclasses StorageClass -
"""


def _built_in() -> dict[tuple[str, str], Resource]:
    table = {}
    for line in _BUILT_IN.split("\n"):
        if line:
            api_version, plural, kind, scope = line.split(" ")
            table[api_version, kind] = Resource(*split_api_version(api_version), plural, kind, scope == "n")
    return table


_BUILT_IN_GROUPS = frozenset(split_api_version(line.split(" ")[0])[0] for line in _BUILT_IN.split("\n") if line)
BUILT_IN = _built_in()
"""Kinds that every supported cluster serves under the same name: no discovery is needed for them."""

NAMESPACE = BUILT_IN["v1", "Namespace"]
SECRET = BUILT_IN["v1", "Secret"]
CRD = BUILT_IN["apiextensions.k8s.io/v1", "CustomResourceDefinition"]
