# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of field paths and their form in managedFields, FieldsV1 (sigs.k8s.io/structured-merge-diff/fieldpath).

A path is a tuple of elements: ``f:name`` for a field, ``k:{"name":"a"}`` for an item of a list with keys,
``v:"x"`` for an item of a set. A set of paths is a plain set of such tuples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Path = tuple[str, ...]
FieldSet = set[Path]
_MEMBER = "."
_KINDS = ("f", "k", "v", "i")


def from_fields_v1(fields: dict[str, Any], above: Path = ()) -> FieldSet:
    """The set that a FieldsV1 object describes. Raises ValueError for what is no path element."""
    found: FieldSet = set()
    for element, below in fields.items():
        if element == _MEMBER:
            found.add(above)
        elif element.partition(":")[0] not in _KINDS:
            raise ValueError(f"missing colon in {element!r}, which is no path element")
        elif below:
            found |= from_fields_v1(below, (*above, element))
        else:
            found.add((*above, element))
    return found


def to_fields_v1(fields: FieldSet) -> dict[str, Any]:
    """The FieldsV1 object of a set, keys in order: a member with nothing below is ``{}``, others have a ``.``."""
    written: dict[str, Any] = {}
    for path in sorted(fields):
        place = written
        for element in path[:-1]:
            if not place.get(element) and element in place:
                place[element] = {_MEMBER: {}}
            place = place.setdefault(element, {})
        place[path[-1]] = {}
    return written


def without(fields: FieldSet, others: FieldSet) -> FieldSet:
    """Members that are neither members of ``others`` nor below one."""
    if not others:
        return fields
    return {path for path in fields if not any(path[:end] in others for end in range(1, len(path) + 1))}


def in_order(fields: Iterable[Path]) -> list[Path]:
    """Paths as conflicts list them: at each level those that end there, then those that go on."""
    return sorted(fields, key=lambda path: [*((1, element) for element in path[:-1]), (0, path[-1])])


def describe(path: Path) -> str:
    """A path as conflicts show it: ``.spec.listeners[name="c"].hostname``."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in json.loads(rest).items())
            text += f"[{','.join(keys)}]"
        else:
            text += f"[={rest}]" if kind == "v" else f"[{rest}]"
    return text
