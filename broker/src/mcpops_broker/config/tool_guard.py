# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The key `broker.toolGuard`: what is done with tools whose definitions have changed, or look like an attack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from mcpops_broker.config.fields import Fields
from mcpops_broker.config.secrets import text_file

Pins = Mapping[str, Mapping[str, str]]
"""By server, then by the tool's name there: the digest of its definition."""
NO_PINS: Pins = MappingProxyType({})
LARGEST_FILE = 16 << 20
"""Bytes of a file with pins."""
_KEYS = frozenset({"changed", "suspicious", "pins", "pinsFile", "texts"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Mode(StrEnum):
    """What is done with a tool that breaks a rule."""

    OFF = "off"
    """Nothing."""
    WARN = "warn"
    """Log and `/status` name it."""
    BLOCK = "block"
    """It is not offered, either."""


@dataclass(frozen=True, slots=True)
class ToolGuardOptions:
    """The rules for definitions of tools."""

    changed: Mode = Mode.BLOCK
    """For tools of a server with pins that differ from their pin, or have none."""
    suspicious: Mode = Mode.WARN
    """For definitions that hold what people do not see, or texts that they should not."""
    pins: Pins = field(default_factory=lambda: NO_PINS, repr=False)
    texts: tuple[str, ...] = ()
    """More texts that no definition may hold, in any case of letters."""


def parse_tool_guard(fields: Fields) -> ToolGuardOptions | None:
    """Read the mapping `broker`; None: the guard is off."""
    if not fields.has("toolGuard"):
        return None
    guard = fields.inside("toolGuard")
    guard.refuse_unknown(_KEYS)
    default = ToolGuardOptions()
    return ToolGuardOptions(
        changed=_mode(guard, "changed", default.changed),
        suspicious=_mode(guard, "suspicious", default.suspicious),
        pins=_pins(guard),
        texts=guard.texts("texts"),
    )


def _mode(fields: Fields, key: str, default: Mode) -> Mode:
    value = fields.raw(key)
    if value is None:
        return default
    if value is False:  # what YAML makes of `off`
        return Mode.OFF
    try:
        return Mode(value)
    except ValueError:
        fields.problem(key, value, "it must be off, warn or block")
        return default


def _pins(fields: Fields) -> Pins:
    if not fields.has("pinsFile"):
        return _checked(fields, "pins", fields.raw("pins"))
    if fields.has("pins"):
        fields.problem("pinsFile", fields.raw("pinsFile"), "'pins' is given, too; give one of the two")
        return NO_PINS
    path = fields.text("pinsFile")
    text = text_file(fields, "pinsFile", Path(path), LARGEST_FILE) if path else None
    if text is None:
        return NO_PINS
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        fields.problem("pinsFile", path, "the file must hold the JSON object that 'mcpops-broker pin' writes")
        return NO_PINS
    return _checked(fields, "pinsFile", content)


def _checked(fields: Fields, key: str, found: Any) -> Pins:
    if found is None:
        return NO_PINS
    if not isinstance(found, dict) or not all(isinstance(pins, dict) for pins in found.values()):
        fields.problem(key, found, "it must name servers, each with a mapping of tools to digests")
        return NO_PINS
    for server, pins in found.items():
        for tool, digest in pins.items():
            if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
                fields.problem(key, digest, f"the pin of {server} {tool} must be sha256: and 64 hex digits")
                return NO_PINS
    return {str(server): {str(tool): digest for tool, digest in pins.items()} for server, pins in found.items()}
