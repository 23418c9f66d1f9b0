# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What the collection's own broker may do when it serves registrations, as Roles and RoleBindings. Pure functions.

A test takes away one rule after the other and looks whether the broker notices.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_labels import labels

Object = dict[str, t.Any]
Rule = dict[str, list[str]]

RBAC = "rbac.authorization.k8s.io"


def watching_rules() -> list[Rule]:
    """In every namespace whose registrations it serves. Secrets are read by their names, never listed."""
    read = ["list", "watch"]
    kinds = ["mcpserverregistrations", "mcpvirtualservers"]
    return [
        {"apiGroups": ["mcp.kuadrant.io"], "resources": kinds, "verbs": read},
        {"apiGroups": ["mcp.kuadrant.io"], "resources": [f"{kind}/status" for kind in kinds], "verbs": ["patch"]},
        {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": read},
        {"apiGroups": [""], "resources": ["services"], "verbs": read},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ]


def gateway_rules(gateway: str) -> list[Rule]:
    """In the Gateway's namespace: that Gateway only."""
    group = "gateway.networking.k8s.io"
    return [{"apiGroups": [group], "resources": ["gateways"], "resourceNames": [gateway], "verbs": ["list", "watch"]}]


def lease_rules(lease: str) -> list[Rule]:
    """In its own namespace. Kubernetes cannot bind the right to create to a name."""
    group = ["coordination.k8s.io"]
    return [
        {"apiGroups": group, "resources": ["leases"], "verbs": ["create"]},
        {"apiGroups": group, "resources": ["leases"], "resourceNames": [lease], "verbs": ["get", "update"]},
    ]


def rights(
    namespaces: t.Sequence[str], *, name: str, namespace: str, gateway_namespace: str, gateway: str
) -> list[Object]:
    """The Roles of a broker, and their bindings, for the namespaces that it watches.

    Their names hold its own namespace: brokers of several namespaces may watch the same ones.
    """
    wanted = {(place, f"{name}.{namespace}"): watching_rules() for place in namespaces}
    wanted[gateway_namespace, f"{name}.{namespace}.gateway"] = gateway_rules(gateway)
    wanted[namespace, f"{name}.lease"] = lease_rules(name)
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    made: list[Object] = []
    for (place, role), rules in wanted.items():
        metadata = {"name": role, "namespace": place, "labels": labels(name)}
        api = {"apiVersion": f"{RBAC}/v1"}
        made.append({**api, "kind": "Role", "metadata": dict(metadata), "rules": rules})
        reference = {"apiGroup": RBAC, "kind": "Role", "name": role}
        made.append(
            {**api, "kind": "RoleBinding", "metadata": dict(metadata), "roleRef": reference, "subjects": [account]}
        )
    return made
