# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything the gateway controller reads, and the small questions it asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


CONTROLLERS = ("openshift.io/gateway-controller/v1", "istio.io/gateway-controller")
"""spec.controllerName of the GatewayClasses that the sandbox programs."""

PORTS_ANNOTATION = "sandbox.mcpops.io/ports"
"""On Pods and Gateways: JSON object from the port of the specification to the port on 127.0.0.1."""

OWNED = {"app.kubernetes.io/managed-by": "mcpops-sandbox"}
"""Label of everything that ``python -m sandbox up`` creates."""


def is_owned(obj: Json) -> bool:
    """Whether ``python -m sandbox up`` created the object."""
    return OWNED.items() <= (obj["metadata"].get("labels") or {}).items()


@dataclass(frozen=True, slots=True)
class World:
    """A consistent view of the cluster; objects are read-only."""

    classes: Mapping[str, Json] = field(default_factory=dict)
    gateways: Sequence[Json] = ()
    routes: Sequence[Json] = ()
    grants: Sequence[Json] = ()
    services: Mapping[Key, Json] = field(default_factory=dict)
    pods: Sequence[Json] = ()
    secrets: Mapping[Key, Json] = field(default_factory=dict)
    namespaces: Mapping[str, Json] = field(default_factory=dict)
    service_entries: Sequence[Json] = ()
    destination_rules: Sequence[Json] = ()

    def knows_host(self, host: str, namespace: str) -> bool:
        """Whether a namespace may use a host: a Service by its full name, or one of a ServiceEntry."""
        name, _, rest = host.partition(".")
        if rest.endswith(".svc.cluster.local") and (rest.split(".")[0], name) in self.services:
            return True
        return any(
            host in (entry["spec"].get("hosts") or []) and _is_exported(entry, namespace)
            for entry in self.service_entries
        )

    def controller_of(self, gateway: Json) -> str | None:
        """The controllerName of the Gateway's class when the sandbox is that controller."""
        gateway_class = self.classes.get(gateway["spec"].get("gatewayClassName", ""))
        name = gateway_class["spec"]["controllerName"] if gateway_class else None
        return name if name in CONTROLLERS else None

    def permits(self, source: Json, target_kind: str, target: Key, *, target_group: str = "") -> bool:
        """Whether ``source`` may refer to the target: same namespace, or a ReferenceGrant beside the target."""
        group = source["apiVersion"].partition("/")[0]
        namespace = source["metadata"]["namespace"]
        if namespace == target[0]:
            return True
        return any(
            _allows(grant["spec"].get("from") or [], group=group, kind=source["kind"], namespace=namespace)
            and _allows(grant["spec"].get("to") or [], group=target_group, kind=target_kind, name=target[1])
            for grant in self.grants
            if grant["metadata"]["namespace"] == target[0]
        )

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The namespace's labels, with the name label that every cluster sets."""
        labels = (self.namespaces.get(name) or {"metadata": {}})["metadata"].get("labels") or {}
        return {"kubernetes.io/metadata.name": name, **labels}


def _is_exported(obj: Json, namespace: str) -> bool:
    """Istio's exportTo: every namespace unless it says otherwise; ``.`` is the object's own."""
    exported = obj["spec"].get("exportTo") or ["*"]
    own = obj["metadata"]["namespace"]
    return any(entry in ("*", namespace) or (entry == "." and namespace == own) for entry in exported)


def _allows(entries: Iterable[Json], **wanted: str) -> bool:
    """ReferenceGrant: an entry fits when every field that it states is the wanted one (a name may be absent)."""
    for entry in entries:
        if all(
            (name == "name" and not entry.get(name)) or entry.get(name, "") == value for name, value in wanted.items()
        ):
            return True
    return False


def selector_matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """A metav1.LabelSelector; an absent one matches nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_term_matches(term, labels.get(term["key"])) for term in selector.get("matchExpressions") or [])


def _term_matches(term: Json, value: str | None) -> bool:
    """One of matchExpressions; the API server admits no other operator."""
    values = term.get("values") or []
    match term["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None
