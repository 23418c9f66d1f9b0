# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state directory: what it refuses, and that it goes completely."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox.state import Folder, SandboxError, State


def test_new_directory_is_private_and_removed_completely(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "box")
    folder.make()
    folder.save(State("embedded", "openshift"))
    assert oct(folder.path.stat().st_mode)[-3:] == "700"
    assert oct((folder.path / "state.json").stat().st_mode)[-3:] == "600"
    assert folder.state() == State("embedded", "openshift")
    folder.remove()
    assert not folder.path.exists()
    folder.remove()


def test_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(SandboxError, match=r"holds other files \(thesis.tex\): choose an empty or new --dir"):
        Folder(tmp_path).make()


def test_file_in_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(SandboxError, match="choose another --dir"), Folder(path).lock():
        pass


def test_kept_logs_do_not_stop_the_next_start(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "box")
    folder.make()
    (folder.logs / "api.log").write_text("x")
    folder.save(State("embedded", "openshift"))
    folder.remove(keep_logs=True)
    assert [entry.name for entry in folder.path.iterdir()] == ["logs"]
    assert folder.state() is None
    folder.make()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "what": 2}'])
def test_state_of_another_version_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(SandboxError, match="was not written by this version"):
        Folder(tmp_path).state()


def test_only_one_command_at_a_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "box")
    with (
        folder.lock(),
        pytest.raises(SandboxError, match="another 'python -m sandbox' is working on"),
        Folder(tmp_path / "box").lock(),
    ):
        pass
    assert not folder.path.exists()
    with folder.lock():
        folder.make()
    assert json.dumps(sorted(entry.name for entry in folder.path.iterdir()))
