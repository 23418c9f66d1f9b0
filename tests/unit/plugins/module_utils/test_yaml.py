# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading YAML, and JSON the short way."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils._yaml import YamlError, load_all_yaml

OBJECT = {
    "kind": "List",
    "items": [{"metadata": {"name": "ä", "uid": None}, "n": 1.5, "on": True, "day": "2026-01-02"}],
}


@pytest.mark.parametrize("text", [json.dumps(OBJECT), json.dumps(OBJECT, indent=2) + "\n", json.dumps([OBJECT, 1])])
def test_json_reads_as_yaml_does(text: str) -> None:
    assert load_all_yaml(text) == list(yaml.safe_load_all(text))


def test_json_is_not_left_to_the_slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "load_all")

    assert load_all_yaml(json.dumps(OBJECT)) == [OBJECT]


@pytest.mark.parametrize(
    "text", ["{a: 1}", "[a, b]", '{"a": 1}\n---\n{"b": 2}\n', '{"a": NaN}', '{"a": 1} # so', "a: 1"]
)
def test_what_only_looks_like_json_is_yaml(text: str) -> None:
    assert load_all_yaml(text) == list(yaml.safe_load_all(text))


def test_a_name_that_is_given_twice_is_told_in_json_too() -> None:
    with pytest.raises(YamlError, match="'b' is given twice at line 1"):
        load_all_yaml('{"a": [{"b": 1, "b": 2}]}')


def test_what_is_neither_is_told_with_its_place() -> None:
    with pytest.raises(YamlError, match="line 2"):
        load_all_yaml('{"a": 1,\n"b": "x" "y"}')
