# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML that would end, hang or fill the process that reads it, or show a secret in what is said about it."""

from __future__ import annotations

import pytest
import yaml
from mcpops_broker.config.load_yaml import MAX_DEPTH, TooLargeError, load_yaml
from mcpops_broker.config.parse import MOST_PROBLEMS, ConfigError, parse
from yaml.constructor import ConstructorError

BLOCKS = "".join(" " * level + "a:\n" for level in range(MAX_DEPTH + 1)) + " " * (MAX_DEPTH + 1) + "a: b"
LAUGHS = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 8)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "a: {" * 3000, "- " * 5000 + "a", "? " * 5000 + "a", BLOCKS, BLOCKS.replace("\n", "\r\n")]
)
def test_a_text_too_deep_is_refused(text: str) -> None:
    for one in (text, text.encode()):
        with pytest.raises(TooLargeError, match=f"more than {MAX_DEPTH} lists"):
            load_yaml(one)


def test_a_text_that_aliases_make_too_large_is_refused() -> None:
    with pytest.raises(TooLargeError, match="more than 10000000 values"):
        load_yaml(LAUGHS)


@pytest.mark.parametrize("text", ["&a [*a]", "x: &b {y: [*b]}"])
def test_what_contains_itself_is_refused(text: str) -> None:
    with pytest.raises(TooLargeError, match="has an alias inside of what it stands for"):
        load_yaml(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_is_neither_is_read(encoding: str) -> None:
    text = "a: &a {b: [1, 2]}\nc: [*a, *a, '*']\nd: &d x\ne: *d\n"

    assert load_yaml(text.encode(encoding)) == {
        "a": {"b": [1, 2]},
        "c": [{"b": [1, 2]}] * 2 + ["*"],
        "d": "x",
        "e": "x",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: 2020-13-45",
        "a: " + "9" * 5000,
        "a: !!int s3cr3t",
        "a: !!timestamp s3cr3t",
        "a: !s3cr3t b",
        "a: *s3cr3t",
        "? [b]",
    ],
)
def test_a_value_that_cannot_be_read_is_a_problem_of_the_file(text: str) -> None:
    with pytest.raises(ConfigError, match="the file is not valid YAML: ") as caught:
        parse(text)

    assert "s3cr3t" not in str(caught.value)


def test_no_object_is_made() -> None:
    with pytest.raises(ConstructorError):
        load_yaml("!!python/object/apply:os.getpid []")


def test_of_very_many_problems_some_are_told() -> None:
    servers = [{"name": "same", "url": "http://host/mcp"}] * 200

    with pytest.raises(ConfigError) as caught:
        parse(yaml.safe_dump({"servers": servers}))

    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert caught.value.problems[-1] == "and 149 more problems"
