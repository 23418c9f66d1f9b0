# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""YAML by PyYAML's C loader where there is one; imported when needed, so that its absence is one sentence."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, McpopsError


class YamlError(McpopsError):
    """The text is not YAML; the message is one line with the position."""


def load_all_yaml(text: str) -> list[t.Any]:
    """Every document of the text. JSON is YAML, too. Raises YamlError."""
    try:
        import yaml  # noqa: PLC0415 - a missing library is told in words
    except ImportError as error:
        raise ConfigError(
            "The Python library PyYAML is missing; install it for the Python that runs this module."
        ) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return list(yaml.load_all(text, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise YamlError(f"{getattr(error, 'problem', None) or 'it cannot be read'}{where}") from error


def load_yaml(text: str) -> t.Any:
    """The first document of the text, or None when it is empty. Raises YamlError."""
    documents = load_all_yaml(text)
    return documents[0] if documents else None
