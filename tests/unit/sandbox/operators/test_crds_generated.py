# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our CRDs and the originals treat thousands of generated objects alike: verdict, causes, defaults.

The objects are made from our schemas, and from the original ones where ours have the fields. Left out are those that
reach into a part that ours leaves open on purpose (affinities, traffic tuning: what this product does not write).
Runs when the folder that ``MCPOPS_CRD_DIR`` names is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandbox.api.coercion import coerce
from sandbox.api.objects import copy
from sandbox.api.schema import Schema
from sandbox.catalog.crds import operator_crds
from sandbox.crds import load
from unit.sandbox.api.api_kit import DEFINITIONS, Answer, Api
from unit.sandbox.api.schema_objects import Node, objects

ORIGINALS = Path(os.environ.get("MCPOPS_CRD_DIR", "/nonexistent"))
OBJECTS = 60
"""Objects with one thing wrong from each schema; a third as many are made at random."""


def pairs() -> Iterator[Any]:
    """Our CRDs with the originals of the same name."""
    for release, crds in (
        ("0.9.0", [*load(), *operator_crds("0.9.0")]),
        ("0.6.0", [crd for crd in operator_crds("0.6.0") if crd["spec"]["group"] == "mcp.kuadrant.io"]),
    ):
        files = {path.stem: path for path in ORIGINALS.glob("*/*.yaml")}
        files |= {path.stem: path for path in ORIGINALS.glob(f"mcp-gateway-{release}/*.yaml")}
        for crd in crds:
            name = crd["metadata"]["name"]
            path = files.get(f"{crd['spec']['names']['plural']}.{crd['spec']['group']}")
            if path:
                original = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
                yield pytest.param(crd, original, id=f"{name} {release}")


def is_open(value: Any, node: Node) -> bool:
    """Whether a value has a part of which our schema says nothing."""
    if value is None:
        return False
    properties, extra = node.get("properties") or {}, node.get("additionalProperties")
    if node.get("x-kubernetes-preserve-unknown-fields") and not properties:
        return True
    if isinstance(value, dict):
        other = extra if isinstance(extra, dict) else {}
        return any(is_open(item, properties.get(name, other)) for name, item in value.items())
    return isinstance(value, list) and any(is_open(item, node.get("items") or {}) for item in value)


def candidates(ours: Node, theirs: Node, seed: str) -> Iterator[tuple[str, Any]]:
    schema = Schema(ours)
    found = [*objects(ours, OBJECTS, seed)]
    found += [(what, obj) for what, obj in objects(theirs, OBJECTS, seed) if not coerce(copy(obj), schema)]
    yield from ((what, obj) for what, obj in found if not is_open(obj, ours))


def told(answer: Answer) -> Any:
    if answer.code < 300:
        return {name: value for name, value in answer.body.items() if name != "metadata"}, answer.warnings
    causes = (answer.body.get("details") or {}).get("causes") or [{"message": answer.message}]
    return answer.code, sorted((cause.get("field", ""), cause["message"]) for cause in causes), answer.warnings


@pytest.mark.parametrize(("ours", "original"), [*pairs()] if ORIGINALS.is_dir() else [])
def test_ours_and_the_original_agree(ours: Node, original: Node) -> None:
    apis = (Api(), Api())
    for api, crd in zip(apis, (ours, original), strict=True):
        api.make(DEFINITIONS, crd)
    spec = ours["spec"]
    theirs = {version["name"]: version["schema"]["openAPIV3Schema"] for version in original["spec"]["versions"]}
    space = "namespaces/default/" if spec["scope"] == "Namespaced" else ""
    compared = 0
    for version in spec["versions"]:
        kind = {"apiVersion": f"{spec['group']}/{version['name']}", "kind": spec["names"]["kind"]}
        path = f"/apis/{kind['apiVersion']}/{space}{spec['names']['plural']}?dryRun=All&fieldValidation=Strict"
        schema = version["schema"]["openAPIV3Schema"]
        for what, obj in candidates(schema, theirs[version["name"]], spec["names"]["kind"]):
            answers = [told(api("POST", path, {**obj, **kind, "metadata": {"name": "candidate"}})) for api in apis]
            assert answers[0] == answers[1], f"{version['name']} {what}: {obj}"
            compared += 1
    assert compared > OBJECTS / 4
