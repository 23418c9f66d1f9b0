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
Path = tuple[str, ...]


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


def leaves(tree: Tree, above: Path = ()) -> set[Path]:
    """The tree as a set of paths, one to every leaf."""
    found: set[Path] = set()
    for segment, below in tree.items():
        path = (*above, segment)
        found |= leaves(below, path) if isinstance(below, dict) and below else {path}
    return found


def held_together(live: t.Mapping[str, t.Any], manager: str, others: t.Collection[str]) -> set[Path]:
    """Leaves that the manager applied and one of ``others`` holds, too, without server-side apply (Update)."""
    own = applied_by(live, manager)
    theirs = [_leaves_of(entry) for entry in _entries(live) if _wrote(entry, others)] if own else []
    return leaves(own) & set[Path]().union(*theirs) if own and theirs else set()


def released(live: t.Mapping[str, t.Any], paths: t.Collection[Path], others: t.Collection[str]) -> list[Tree]:
    """``managedFields`` in which ``others`` no longer hold the paths; entries that hold nothing any more are left out.

    A map or list item of which they hold only the node itself (``.``) goes with what was in it.
    """
    kept = []
    for entry in _entries(live):
        if not _wrote(entry, others) or not _leaves_of(entry) & set(paths):
            kept.append(entry)
            continue
        rest = _leaves_of(entry) - set(paths)
        rest -= {path for path in rest if path[-1] == "." and not _below(path[:-1], rest - {path})}
        if rest:
            kept.append({**entry, "fieldsV1": _tree(rest)})
    return kept


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


def _wrote(entry: Tree, managers: t.Collection[str]) -> bool:
    """Whether one of the managers wrote it as people and older tools do: an update of the whole object."""
    return entry.get("manager") in managers and entry.get("operation") == "Update" and not entry.get("subresource")


def _leaves_of(entry: Tree) -> set[Path]:
    return leaves(entry.get("fieldsV1") or {})


def _below(node: Path, paths: set[Path]) -> bool:
    return any(path[: len(node)] == node for path in paths)


def _tree(paths: t.Iterable[Path]) -> Tree:
    root: Tree = {}
    for path in sorted(paths):
        node = root
        for segment in path:
            node = node.setdefault(segment, {})
    return root


def _entries(live: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    metadata = live.get("metadata") or {}
    return list(metadata.get("managedFields") or [])
