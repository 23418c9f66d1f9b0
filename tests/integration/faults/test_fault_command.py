# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox fault``: list, start, end; what cannot be meant; faults in `status`, `up` and `down`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.product.harness import Sandbox, running
from sandbox.faults import kinds


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox; gone afterwards."""
    with running(tmp_path_factory.mktemp("faults") / "sandbox") as box:
        yield box


def active(sandbox: Sandbox) -> list[str]:
    return [fault["name"] for fault in json.loads(sandbox.command("status", "--json", check=False).stdout)["faults"]]


def test_list_names_every_kind_and_option(sandbox: Sandbox) -> None:
    text = sandbox.command("fault", "list").stdout
    listed = {entry["name"]: entry for entry in json.loads(sandbox.command("fault", "list", "--json").stdout)}

    assert list(listed) == [kind.name for kind in kinds.KINDS]
    for kind in kinds.KINDS:
        assert kind.name in text
        assert set(listed[kind.name]["options"]) == {option.name for option in kind.options}


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS if kind.place != kinds.ONCE], ids=lambda kind: kind.name)
def test_each_is_started_shown_and_ended_by_a_command(sandbox: Sandbox, kind: kinds.Kind) -> None:
    started = sandbox.command("fault", "start", kind.name, "--for", "600").stdout
    shown = sandbox.command("status", check=False).stdout
    now = active(sandbox)
    ended = sandbox.command("fault", "end", kind.name).stdout

    assert started.startswith(f"Started {kind.name}")
    assert now == [kind.name]
    assert "\nFaults\n" in shown and f"  {kind.name} (" in shown
    assert ended == f"Ended {kind.name}.\n"
    assert active(sandbox) == []


def test_a_restart_is_over_at_once_and_keeps_what_there_is(sandbox: Sandbox) -> None:
    before = sandbox.get("v1", "Namespace", "mcp-servers")["metadata"]["uid"]

    said = sandbox.command("fault", "start", "api-restart").stdout

    assert said == "The fault api-restart has happened and is over.\n"
    assert sandbox.get("v1", "Namespace", "mcp-servers")["metadata"]["uid"] == before
    assert active(sandbox) == []


def test_up_ends_them(sandbox: Sandbox) -> None:
    sandbox.command("fault", "start", "api-slow", "--option", "delay=0")
    sandbox.command("fault", "start", "envoy-down")

    said = sandbox.command("up").stdout

    assert "Ended the faults that were active: api-slow, envoy-down." in said
    assert active(sandbox) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("start", "api-eror"), "there is no fault api-eror: choose one of api-throttled"),
        (("start", "api-error", "--option", "cod=500"), "has no option cod: its options are code, verb"),
        (("start", "api-error", "--option", "code=200"), "code=200 of the fault api-error: it must be one of 500"),
        (("start", "api-error", "--option", "code"), "--option code: write it as KEY=VALUE"),
        (("start", "api-error", "--count", "0"), "--count 0: it must be 1 or more"),
        (("start", "api-error", "--for", "-1"), "--for -1: it must be more than 0 seconds"),
        (("start", "api-error", "--for", "nan"), "--for nan: it must be more than 0 seconds"),
        (("start", "api-restart", "--count", "2"), "happens once: leave out --count and --for"),
        (("start", "envoy-down", "--user", "all"), "is not about requests of a user: leave out --user"),
        (("start", "envoy-down", "--option", "a=b"), "has no option a: it has none"),
        (("end",), "fault end needs a name, or --all"),
        (("end", "api-error", "--all"), "fault end needs a name, or --all"),
        (("end", "api-eror"), "there is no fault api-eror"),
    ],
)
def test_what_cannot_be_meant_says_how_to_say_it(sandbox: Sandbox, words: tuple[str, ...], sentence: str) -> None:
    done = sandbox.command("fault", *words, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("sandbox: ") and sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert active(sandbox) == []


def test_what_cannot_be_done_is_told(sandbox: Sandbox) -> None:
    done = sandbox.command("fault", "start", "certificate-missing", "--option", "secret=no/such", check=False)

    assert done.returncode == 1
    assert "cannot be started: there is no Secret no/such; name another with --option secret=" in done.stderr
    assert active(sandbox) == []


def test_without_a_sandbox_there_is_nothing_to_break(tmp_path: Path) -> None:
    done = Sandbox(tmp_path / "none").command("fault", "start", "api-error", check=False)

    assert done.returncode == 1
    assert "there is no sandbox in" in done.stderr and "python -m sandbox up" in done.stderr
    assert not (tmp_path / "none").exists()
