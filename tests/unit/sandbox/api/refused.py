# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions that have to be refused, from refused_definitions.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonpatch
import yaml

Object = dict[str, Any]
FIELDS = yaml.safe_load("""
a: {type: string}
i: {type: integer}
n: {type: number}
l: {type: array, maxItems: 5, items: {type: object, properties: {k: {type: string, maxLength: 10}}}}
m: {type: object, additionalProperties: {type: string, maxLength: 10}, maxProperties: 5}
ios: {x-kubernetes-int-or-string: true}
""")
DEFINITION = yaml.safe_load("""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.d.example.com}
spec:
  group: d.example.com
  scope: Namespaced
  names: {plural: things, kind: Thing}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                a: {type: string}
                i: {type: integer}
                l: {type: array, items: {type: string}}
""")
PATH = "spec.validation.openAPIV3Schema.properties[spec].properties[x]"
CASES: list[Object] = yaml.safe_load((Path(__file__).parent / "refused_definitions.yaml").read_text(encoding="utf-8"))


def definition(case: Object) -> Object:
    """The definition of a case."""
    if "patch" in case:
        patched: Object = jsonpatch.apply_patch(DEFINITION, case["patch"])
        return patched
    node = case.get("schema")
    if node is None:
        rules = [{"rule": rule} if isinstance(rule, str) else rule for rule in case["rules"]]
        node = {"type": "object", "properties": FIELDS, "x-kubernetes-validations": rules}
    place = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    made: Object = jsonpatch.apply_patch(DEFINITION, [{"op": "replace", "path": place, "value": {"x": node}}])
    return made


def causes(status: Object) -> list[str]:
    """What a server says against a definition, as the cases write it."""
    found = []
    for cause in status["details"]["causes"]:
        text = f"{cause['field']}: {cause['message']}".replace(PATH, "@")
        text = re.sub(
            r'Invalid value: \{"Rule":.*?"OptionalOldSelf":(?:null|true)\}: ', "Invalid value: {rule}: ", text
        )
        found.append(re.sub(r" expecting \{[^}]*?'\{'.*?IDENTIFIER\}", " expecting …", text))
    return sorted(found)
