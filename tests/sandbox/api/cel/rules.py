# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""x-kubernetes-validations: the rules of a schema, checked against an object."""

from __future__ import annotations

from ..fields import FieldError
from ..objects import Object
from ..schema import Schema


class RuleChecker:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def check(self, obj: Object, old: Object | None) -> list[FieldError]:
        return []
