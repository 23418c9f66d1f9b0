# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One case of the tests of our CRDs."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.client import Object, Resource


@dataclass(frozen=True)
class Case:
    """An object (its spec) and, when it is to be refused, a part of the message."""

    resource: Resource
    spec: Object
    refused: str = ""
