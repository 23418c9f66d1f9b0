# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of field paths, in the shape of FieldsV1 (sigs.k8s.io/structured-merge-diff/fieldpath).

A set is a tree of dictionaries: a key is one path element (``f:name``, ``k:{"name":"a"}`` or ``v:"x"``), its
value is the set of paths below it, and the key ``.`` says that the path which ends here is itself a member.
FieldsV1 writes a member without anything below as ``{}``; `from_fields_v1` and `to_fields_v1` convert.
Sets are never changed once made, except by `insert` while one is being built.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

FieldSet = dict[str, Any]
Path = tuple[str, ...]
MEMBER = "."


def from_fields_v1(fields: dict[str, Any]) -> FieldSet:
    """The set that a FieldsV1 object describes."""
    found: FieldSet = {}
    for element, below in fields.items():
        if element == MEMBER:
            found[MEMBER] = True
        elif below:
            found[element] = from_fields_v1(below)
        else:
            found[element] = {MEMBER: True}
    return found


def to_fields_v1(fields: FieldSet) -> dict[str, Any]:
    """The FieldsV1 object of a set, keys in order."""
    written: dict[str, Any] = {}
    for element in sorted(fields):
        below = fields[element]
        if element == MEMBER:
            written[MEMBER] = {}
        elif len(below) == 1 and MEMBER in below:
            written[element] = {}
        else:
            written[element] = to_fields_v1(below)
    return written


def insert(fields: FieldSet, path: Sequence[str]) -> None:
    """Make the path a member; the one function that changes a set."""
    for element in path:
        fields = fields.setdefault(element, {})
    fields[MEMBER] = True


def of(paths: Iterable[Sequence[str]]) -> FieldSet:
    """The set with these members."""
    fields: FieldSet = {}
    for path in paths:
        insert(fields, path)
    return fields


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left:
        return right
    if not right:
        return left
    joined = dict(left)
    for element, below in right.items():
        if element == MEMBER:
            joined[MEMBER] = True
        elif element in joined:
            joined[element] = union(joined[element], below)
        else:
            joined[element] = below
    return joined


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    common: FieldSet = {}
    for element, below in left.items():
        if element not in right:
            continue
        if element == MEMBER:
            common[MEMBER] = True
        else:
            shared = intersection(below, right[element])
            if shared:
                common[element] = shared
    return common


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of ``left`` that are not members of ``right``."""
    if not right:
        return left
    rest: FieldSet = {}
    for element, below in left.items():
        if element not in right:
            rest[element] = below
        elif element != MEMBER:
            kept = difference(below, right[element])
            if kept:
                rest[element] = kept
    return rest


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of ``left`` that are neither members of ``right`` nor below one (RecursiveDifference)."""
    if not right:
        return left
    rest: FieldSet = {}
    for element, below in left.items():
        if element not in right:
            rest[element] = below
        elif element != MEMBER and MEMBER not in right[element]:
            kept = without(below, right[element])
            if kept:
                rest[element] = kept
    return rest


def paths(fields: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """All members: at each level first the members themselves, then what is below."""
    elements = sorted(element for element in fields if element != MEMBER)
    for element in elements:
        if MEMBER in fields[element]:
            yield (*prefix, element)
    for element in elements:
        yield from paths(fields[element], (*prefix, element))


def describe(path: Path) -> str:
    """A path as conflicts show it: ``.spec.listeners[name="c"].hostname``."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            text += "[" + ",".join(f"{name}={value}" for name, value in _key_fields(rest)) + "]"
        else:
            text += f"[={rest}]" if kind == "v" else f"[{rest}]"
    return text


def _key_fields(key: str) -> list[tuple[str, str]]:
    return [(name, json.dumps(value, ensure_ascii=False)) for name, value in json.loads(key).items()]
