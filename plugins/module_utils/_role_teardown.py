# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What the playbook ``teardown`` has to know before it removes anything: who holds what, and who else needs it."""

from __future__ import annotations

import typing as t

Result = t.Mapping[str, t.Any]

MCP_GROUP = "mcp.kuadrant.io/"
KINDS = ("extensions", "registrations", "virtual_servers")


def held_objects(look: Result) -> list[str]:
    """``namespace/name`` of the operator's objects that a removal, looked at in check mode, would remove.

    They carry the operator's finalizer. ``look`` is a result of module ``apply``.
    """
    found = [
        f"{one['namespace']}/{one['name']}"
        for one in look.get("objects") or []
        if one["action"] == "deleted" and str(one["api_version"]).startswith(MCP_GROUP)
    ]
    return list(dict.fromkeys(found))


def operator_is_gone(here: Result, anywhere: Result) -> bool:
    """Whether no Deployment of the operator has a pod that runs.

    ``here`` and ``anywhere`` are results of ``kubernetes.core.k8s_info``, in the operator's namespace and in all; the
    second may have been skipped, and may have failed for lack of rights, which says nothing.
    """
    deployments = [*(here.get("resources") or []), *(anywhere.get("resources") or [])]
    if any((one.get("status") or {}).get("availableReplicas") for one in deployments):
        return False
    return not anywhere.get("failed")


def objects_of_others(info: Result, ours: t.Sequence[str]) -> list[str]:
    """``namespace/name`` of extensions, registrations and virtual servers that are not ``ours``.

    They need the operator.
    ``info`` is a result of module ``info``.
    """
    found = [f"{one['namespace']}/{one['name']}" for kind in KINDS for one in info.get(kind) or []]
    return [name for name in dict.fromkeys(found) if name not in ours]


def free_namespaces(
    names: t.Sequence[str], *, info: Result, others: t.Sequence[str], operator: str, gateway: str
) -> list[str]:
    """Of ``names``, the namespaces that nobody else needs, each once.

    Needed are those with extensions, registrations, virtual servers or Gateways of ``others`` (any Gateway but
    ``gateway``, ``namespace/name``), and that of the ``operator`` while it stays.
    """
    needed = {name.partition("/")[0] for name in others}
    if others:
        needed.add(operator)
    for one in info.get("gateways") or []:
        if f"{one['namespace']}/{one['name']}" != gateway:
            needed.add(one["namespace"])
    return [name for name in dict.fromkeys(names) if name not in needed]


def teardown_report(info: Result, *, others: t.Sequence[str], managers: t.Sequence[str], check: bool) -> list[str]:
    """What to tell at the end: what is gone, and what stays and why.

    ``info`` is a result of module ``info`` from before the operator's removal, ``managers`` are the Gateway's.
    """
    lines = ["Check mode: nothing was removed." if check else "The MCP gateway is removed, and nothing of it is left."]
    if others:
        shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        lines.append(f"The operator stays, because others need it: {shown}.")
    strangers = [name for name in managers if name != "mcpops.gateway"]
    if strangers:
        lines.append(f"The Gateway stays, because it is managed by {', '.join(strangers)}.")
    unseen = [kind for kind in info.get("not_allowed") or [] if kind.startswith("MCP")]
    if unseen:
        lines.append(f"Whether others have {', '.join(unseen)} could not be seen: listing them is not allowed.")
    return lines
