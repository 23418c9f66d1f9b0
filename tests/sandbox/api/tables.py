# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Table answers (meta.k8s.io/v1 Table), which kubectl asks for to print lists."""

from __future__ import annotations

from collections.abc import Iterable

from .objects import Object
from .resources import Resource


def table(resource: Resource, items: Iterable[Object], metadata: Object, include: str, columns: bool = True) -> Object:
    """A table of objects; ``include`` is what goes along with each row: None, Metadata or Object."""
    body: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    definitions = [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in resource.columns
    ]
    body["columnDefinitions"] = definitions if columns else None
    body["rows"] = [_row(resource, item, include) for item in items]
    return body


def _row(resource: Resource, obj: Object, include: str) -> Object:
    row: Object = {"cells": [column.cell(obj) for column in resource.columns]}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial(obj)
    return row


def partial(obj: Object) -> Object:
    """Only the metadata of an object (PartialObjectMetadata)."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
