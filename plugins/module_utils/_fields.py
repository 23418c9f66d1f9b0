# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Reading ``metadata.managedFields``: which fields a manager applied (FieldsV1 trees).

A tree maps ``f:NAME`` (a field), ``k:{...}`` (a list item by its keys) and ``v:...`` (a set member) to subtrees;
an empty tree is a leaf, and ``.`` marks the node itself.
"""

from __future__ import annotations

import json
import typing as t

Tree = dict[str, t.Any]


def applied_by(live: t.Mapping[str, t.Any], manager: str) -> Tree | None:
    """What the manager applied (server-side apply, main resource), or None when it never did."""
    for entry in _entries(live):
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return dict(entry.get("fieldsV1") or {})
    return None


def owned_by_others(live: t.Mapping[str, t.Any], manager: str) -> list[Tree]:
    """The trees of everybody else, and of the same name when it did not use server-side apply."""
    return [
        entry.get("fieldsV1") or {}
        for entry in _entries(live)
        if entry.get("manager") != manager or entry.get("operation") != "Apply" or entry.get("subresource")
    ]


def managers_of(live: t.Mapping[str, t.Any], path: t.Sequence[str]) -> list[str]:
    """Names of the managers whose tree holds the path (segments as in the tree), in the order of the object."""
    found = []
    for entry in _entries(live):
        node: t.Any = entry.get("fieldsV1") or {}
        for segment in path:
            node = node.get(segment) if isinstance(node, dict) else None
        if node is not None:
            found.append(str(entry.get("manager") or "unknown"))
    return found


def item_key(segment: str) -> dict[str, t.Any]:
    """``k:{"name":"mcps"}`` as a mapping."""
    parsed = json.loads(segment[2:])
    return parsed if isinstance(parsed, dict) else {}


def child(tree: Tree | None, segment: str) -> Tree | None:
    """The subtree, or None when the tree does not hold it."""
    found = tree.get(segment) if tree is not None else None
    return found if isinstance(found, dict) else None


def children(trees: t.Sequence[Tree], segment: str) -> list[Tree]:
    """The subtrees of those trees that hold the segment."""
    return [found for found in (child(tree, segment) for tree in trees) if found is not None]


def _entries(live: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    metadata = live.get("metadata") or {}
    return list(metadata.get("managedFields") or [])
