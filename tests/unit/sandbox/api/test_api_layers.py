# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers that the package's docstring describes are those of its imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import sandbox.api

ROOT = Path(sandbox.api.__file__).parent


def layers() -> dict[str, int]:
    """The rank of each module that the docstring lists."""
    bullets = (sandbox.api.__doc__ or "").split("\n* ")[1:]
    return {name: rank for rank, text in enumerate(bullets) for name in re.findall(r"``(\w+)``", text)}


def imported(path: Path) -> set[str]:
    """The modules and packages of the API that a file imports, by the first part of their names."""
    package = path.relative_to(ROOT).parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {".".join((*base, name)).partition(".")[0] for name in names}
    return found


def test_modules_import_only_from_their_own_layer_and_lower_ones() -> None:
    rank = layers()
    wrong = []
    for path in ROOT.rglob("*.py"):
        module = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if module.startswith("__"):
            continue
        wrong += [f"{path.name} -> {name}" for name in imported(path) if rank[name] > rank[module]]
    assert not wrong
