# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container image, as far as it can be judged without building it: what it pins, copies, and runs as."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
BROKER = ROOT / "broker"
STEPS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)", (BROKER / "Containerfile").read_text(), re.MULTILINE)


def pins(path: Path) -> dict[str, str]:
    """Version by package of a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", path.read_text(), re.MULTILINE))


def test_the_image_holds_the_versions_that_are_tested() -> None:
    pinned, tested = pins(BROKER / "requirements.txt"), pins(ROOT / "tests" / "setup" / "run.lock")
    project = tomllib.loads((BROKER / "pyproject.toml").read_text())["project"]

    for text in project["dependencies"]:
        needed = Requirement(text)
        name = needed.name.lower()
        assert name in pinned and pinned[name] in needed.specifier, f"{text}: run `make lock`"
    assert pinned == {name: tested[name] for name in pinned}, "run `make lock`"


def test_every_pin_has_its_hashes() -> None:
    entries = re.split(r"\n(?=\S)", (BROKER / "requirements.txt").read_text().strip())

    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)


def test_what_is_copied_is_there() -> None:
    copied = [word for step, rest in STEPS if step == "COPY" and "--from" not in rest for word in rest.split()[:-1]]

    assert {"requirements.txt", "src"} <= set(copied)
    assert all((BROKER / name).exists() for name in copied)


def test_the_last_stage_is_not_root_and_has_no_pip() -> None:
    stages = [index for index, (step, _) in enumerate(STEPS) if step == "FROM"]
    last = STEPS[stages[-1] :]

    assert len(stages) == 2
    user = next(rest for step, rest in last if step == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes judges runAsNonRoot by a number"
    assert not [rest for step, rest in last if step == "RUN"]
    assert any("pip uninstall --yes pip" in rest for step, rest in STEPS if step == "RUN")
