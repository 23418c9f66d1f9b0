# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Looking after the definitions of tools: a model reads them, so a server can steer it by what it writes there.

Two rules, both off by default. A tool has changed when its definition is not the one that somebody has looked at and
pinned: a server may become another one later (a "rug pull"). A definition is suspicious that holds characters which
people do not see, or texts that speak to the model behind its user's back; that is a net with wide meshes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from mcpops_broker.catalogue.source import Definition
from mcpops_broker.config.tool_guard import Mode, ToolGuardOptions
from mcpops_broker.protocol.kinds import Kind

TEXTS = (
    "<important>",
    "<system>",
    "<|im_start|>",
    "[inst]",
    "ignore previous instructions",
    "ignore all previous",
    "ignore your instructions",
    "disregard previous",
    "do not tell the user",
    "don't tell the user",
    "do not mention this",
    "do not inform the user",
    "without telling the user",
)
"""What published attacks have in descriptions."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""MCP server/tools, "Tool Names"."""
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs"})
"""Categories of characters that are not seen: controls, directions, zero widths, tags, private use."""
_LINES = frozenset("\n\r\t")
_JOINED = re.compile("(?<=[^\x00-\u02ff])[\u200c\u200d](?=[^\x00-\u02ff])")
"""Joiners where scripts and emoji need them."""
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}|[\U000e0100-\U000e01ef]")
"""Variation selectors that select no variation: each can hide a byte."""
_CONTROL = re.compile(r"(?<!\\)(?:\\\\)*\\u00[01]")
"""How JSON writes a control character."""

MOST_INSTRUCTIONS = 1000
"""Texts of which it is remembered what was found in them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A definition, or what a server says of its use, that breaks a rule."""

    kind: str
    """`tool`, `prompt`, ... or `instructions`."""
    name: str
    """At the server; empty for instructions."""
    problem: str
    blocked: bool


def digest_of(definition: Definition) -> str:
    """Return the pin of a definition: equal for equal content, whatever the order of keys."""
    return "sha256:" + hashlib.sha256(orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)).hexdigest()


class ToolGuard:
    """Applies the rules of one configuration; without options there are none."""

    def __init__(self, options: ToolGuardOptions | None) -> None:
        self.options = options or ToolGuardOptions(Mode.OFF, Mode.OFF)
        self._instructions: dict[str, list[Finding]] = {}
        self._texts = [_folded(orjson.dumps(text)[1:-1].decode()) for text in (*TEXTS, *self.options.texts)]

    def sort_out(
        self, server: str, kind: Kind, definitions: Iterable[Definition]
    ) -> tuple[list[Definition], list[Finding]]:
        """Return the definitions of a server that may be offered, and what was found in them and in the others."""
        if self.options.changed is self.options.suspicious is Mode.OFF:
            return list(definitions), []
        kept: list[Definition] = []
        findings: list[Finding] = []
        for definition in definitions:
            found = list(self._look_at(server, kind, definition))
            findings += found
            if not any(finding.blocked for finding in found):
                kept.append(definition)
        return kept, findings

    def instructions(self, text: str | None) -> list[Finding]:
        """Return what is found in what a server says of its use: models read that, too."""
        if not text or self.options.suspicious is Mode.OFF:
            return []
        if text not in self._instructions:
            if len(self._instructions) >= MOST_INSTRUCTIONS:
                self._instructions.clear()
            blocked = self.options.suspicious is Mode.BLOCK
            found = self._suspicions(orjson.dumps(text).decode())
            self._instructions[text] = [Finding("instructions", "", problem, blocked) for problem in found]
        return self._instructions[text]

    def _look_at(self, server: str, kind: Kind, definition: Definition) -> Iterator[Finding]:
        name = definition[kind.identity]
        changed, suspicious = self.options.changed, self.options.suspicious
        if changed is not Mode.OFF and kind is Kind.TOOLS and (problem := self._difference(server, name, definition)):
            yield Finding(kind.noun, name, problem, changed is Mode.BLOCK)
        if suspicious is not Mode.OFF:
            if kind is Kind.TOOLS and not _NAME.fullmatch(name):
                problem = "its name has characters that names of tools should not have, or too many"
                yield Finding(kind.noun, name, problem, suspicious is Mode.BLOCK)
            for problem in self._suspicions(orjson.dumps(definition).decode()):
                yield Finding(kind.noun, name, problem, suspicious is Mode.BLOCK)

    def _difference(self, server: str, name: str, definition: Definition) -> str:
        pins = self.options.pins.get(server)
        if pins is None:
            return ""
        pin = pins.get(name)
        if pin is None:
            return "it has no pin: it is new since the server's tools were pinned"
        return "" if pin == digest_of(definition) else "its definition is not the one that was pinned"

    def _suspicions(self, text: str) -> Iterator[str]:
        """Look through a text of JSON."""
        if unseen := _unseen(text):
            yield f"it holds what people do not see: {unseen}"
        folded = _folded(text)
        for wanted in self._texts:
            if wanted in folded:
                yield f"it holds the text {wanted}"


def _folded(text: str) -> str:
    """Return a text of JSON in small letters, its blanks and line ends all alike."""
    return " ".join(re.sub(r"\\[nrt]", " ", text.casefold()).split())


def _unseen(text: str) -> str:
    """Return the name of a character in a text of JSON that is not seen; empty when there is none."""
    if _CONTROL.search(text):
        return "a control character"
    if text.isascii() and "\x7f" not in text:
        return ""
    if _SELECTORS.search(text):
        return "variation selectors in a row"
    for character in sorted(set(_JOINED.sub("", text)) - _LINES):
        if unicodedata.category(character) in _UNSEEN:
            return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
    return ""
