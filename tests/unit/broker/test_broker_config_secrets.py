# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of the configuration as they are, in files, and in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from mcpops_broker.config.fields import Fields
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.config.secrets import LARGEST, secret, spellings
from mcpops_broker.config.watch import signature


def read(values: dict[str, Any]) -> tuple[str | None, list[str]]:
    problems: list[str] = []
    return secret(Fields("here", values, problems), "token"), problems


def test_a_secret_may_be_given_in_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("  from a file\n")
    monkeypatch.setenv("A_TOKEN", "from a variable\n")

    assert read({"token": "as it is "}) == ("as it is", [])
    assert read({"tokenFile": str(file)}) == ("from a file", [])
    assert read({"tokenEnv": "A_TOKEN"}) == ("from a variable", [])
    assert read({}) == (None, [])
    assert spellings("token") == ("token", "tokenFile", "tokenEnv")


def test_only_one_way_at_a_time() -> None:
    value, problems = read({"token": "hush", "tokenEnv": "A_TOKEN"})

    assert value is None
    assert problems == [
        "here: key 'tokenEnv' has a secret value (not shown): 'token' is given, too; "
        "give one of token, tokenFile, tokenEnv"
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\xff\xfe", "the file does not hold UTF-8 text"),
        (b"x" * (LARGEST + 1), "the file has more than 1048576 bytes"),
        (None, "the file cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    assert read({"tokenFile": str(file)}) == (None, [f"here: key 'tokenFile' has the value '{file}': {why}"])


def test_a_file_is_no_pipe_and_its_path_is_absolute(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    assert "must be the path of a file" in read({"tokenFile": str(pipe)})[1][0]
    assert "must be an absolute path" in read({"tokenFile": "token"})[1][0]


def test_a_variable_that_is_not_set_is_named() -> None:
    assert read({"tokenEnv": "NO_SUCH_TOKEN"}) == (
        None,
        [
            "here: key 'tokenEnv' has the value 'NO_SUCH_TOKEN': "
            "the environment variable of this name is not set, or empty"
        ],
    )


def test_no_problem_repeats_a_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("{servers: [{name: a, url: 'http://h', credential: [hush]}], broker: {signingKey: hush, tokn: hush}}")

    assert "hush" not in str(caught.value)
    assert len(caught.value.problems) == 3


def test_the_configuration_tells_which_files_it_names(tmp_path: Path) -> None:
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.write_text("Bearer abc")
    text = "servers: [{{name: a, url: 'http://h', credentialFile: '{}'}}]"

    config = parse(text.format(there))
    with pytest.raises(ConfigError) as caught:
        parse(text.format(missing))

    assert config.servers[0].credential == "Bearer abc"
    assert config.files == {there: signature(there)}
    assert caught.value.files == {missing: None}
