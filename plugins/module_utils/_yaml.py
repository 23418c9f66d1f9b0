# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""YAML by PyYAML's C loader where there is one; imported when needed, so that its absence is one sentence."""

from __future__ import annotations

import functools
import json
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, McpopsError


class YamlError(McpopsError):
    """The text is not YAML; the message is one line with the position."""


def load_all_yaml(text: str) -> list[t.Any]:
    """Every document of the text. JSON is YAML, too, and read many times faster as what it is. Raises YamlError."""
    if text[:1] in {"{", "["}:
        try:
            return [json.loads(text, object_pairs_hook=_json_mapping, parse_constant=_no_json)]
        except ValueError:
            pass  # YAML in flow style, several documents, or a mistake that YAML tells with its place
    try:
        import yaml  # noqa: PLC0415 - a missing library is told in words
    except ImportError as error:
        raise ConfigError(
            "The Python library PyYAML is missing; install it for the Python that runs this module."
        ) from error
    try:
        return list(yaml.load_all(text, Loader=_strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader))))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise YamlError(f"{getattr(error, 'problem', None) or 'it cannot be read'}{where}") from error


@functools.cache
def _strict(loader: t.Any) -> t.Any:
    """The loader, refusing a name that a mapping has twice: YAML forbids it, and PyYAML takes the last one silently."""
    import yaml  # noqa: PLC0415 - the module must load without it

    class Strict(loader):  # type: ignore[misc]  # a base that is chosen at run time
        def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Any:
            own = [key for key, _value in node.value]
            mapping = super().construct_mapping(node, deep=deep)
            if len(mapping) != len(node.value):  # also when a merge key (<<) brings a name that is given here, too
                seen = set()
                for key in own:
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the name {key.value!r} is given twice", key.start_mark
                        )
                    seen.add(key.value)
            return mapping

    return Strict


def _json_mapping(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name is given twice")
    return mapping


def _no_json(word: str) -> t.NoReturn:
    raise ValueError(f"{word} is no JSON")


def load_yaml(text: str) -> t.Any:
    """The first document of the text, or None when it is empty. Raises YamlError."""
    documents = load_all_yaml(text)
    return documents[0] if documents else None
