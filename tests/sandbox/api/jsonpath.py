# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of JSONPath that kubectl and definitions of custom resources use.

Fields, indexes, slices, wildcards, recursive descent and filters with one comparison; what is not there yields
nothing, as with AllowMissingKeys in k8s.io/client-go/util/jsonpath.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

Reader = Callable[[Any], list[Any]]
_STEP = re.compile(
    r"""\.\.(?P<deep>(?:\\.|[\w-])+)
      | \.?(?P<any>\*) | \[(?P<all>\*)\]
      | \.(?P<field>(?:\\.|[^.\[\]\\])+)
      | \[(?P<quote>['"])(?P<quoted>(?:\\.|.)*?)(?P=quote)\]
      | \[(?P<index>-?\d+)\]
      | \[(?P<slice>-?\d*(?::-?\d*){1,2})\]
      | \[\?\((?P<filter>.*?)\)\]""",
    re.VERBOSE,
)
_FILTER = re.compile(r"\s*@(?P<path>.*?)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>.*?))?\s*")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


def compile_path(path: str) -> Reader:
    """A function that finds the values at a path."""
    steps = [_step(match) for match in _STEP.finditer(path)]

    def read(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = [item for parent in found for item in step(parent)]
        return found

    return read


def _step(match: re.Match[str]) -> Callable[[Any], list[Any]]:
    part = match.groupdict()
    if part["deep"]:
        return lambda value: list(_descend(value, _plain(part["deep"])))
    if part["any"] or part["all"]:
        return lambda value: list(value.values()) if isinstance(value, dict) else value if _is_list(value) else []
    if part["index"]:
        index = int(part["index"])
        return lambda value: value[index:][:1] if _is_list(value) else []
    if part["slice"]:
        cut = slice(*(int(number) if number else None for number in part["slice"].split(":")))
        return lambda value: value[cut] if _is_list(value) else []
    if part["filter"] is not None:
        keep = _filter(part["filter"])
        return lambda value: [item for item in value if keep(item)] if _is_list(value) else []
    name = _plain(part["field"] or part["quoted"])
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _descend(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]
    children = value.values() if isinstance(value, dict) else value if _is_list(value) else ()
    for child in children:
        yield from _descend(child, name)


def _filter(text: str) -> Callable[[Any], bool]:
    match = _FILTER.fullmatch(text)
    if match is None:
        return lambda _: False
    read = compile_path(match["path"])
    if not match["operator"]:
        return lambda item: bool(read(item))
    compare, wanted = _COMPARISONS[match["operator"]], _literal(match["value"])

    def keep(item: Any) -> bool:
        try:
            return any(compare(value, wanted) for value in read(item))
        except TypeError:
            return False

    return keep


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text
