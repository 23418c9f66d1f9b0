# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, pinned by npm (tests/setup/node), driven by Playwright; `CHROMIUM` names another one."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CACHE = Path(__file__).resolve().parents[2] / ".cache"
NODE_MODULES = CACHE / "node" / "node_modules"
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{folder}/fontconfig</cachedir></fontconfig>
"""
_PATH = "import('@sparticuz/chromium').then(async (it) => console.log(await it.default.executablePath()))"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium until the block ends."""
    program, env = os.environ.get("CHROMIUM"), dict(os.environ)
    if not program:
        folder = _unpacked()
        program = str(folder / "chromium")
        env |= {"LD_LIBRARY_PATH": str(folder / "al2023" / "lib"), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    # One process more or less is no matter here, but root may not have a sandbox, and CI often has a small /dev/shm.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments, env={**env})
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page's accessibility (WCAG 2.2 A and AA, best practices)."""
    page.evaluate(AXE.read_text())  # not a script element: the page's policy forbids those, as it should
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['help']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def _unpacked() -> Path:
    """Return the folder with the program, its libraries and a font, unpacked once; several test processes may do so at
    a time."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("the pinned Chromium is for Linux on x86-64: name another one in CHROMIUM")
    version = json.loads((NODE_MODULES / "@sparticuz" / "chromium" / "package.json").read_text())["version"]
    ready = CACHE / f"chromium-{version}"
    if not ready.exists():
        new = Path(tempfile.mkdtemp(prefix="chromium-", dir=CACHE))
        subprocess.run(
            ["node", "-e", _PATH],
            cwd=CACHE / "node",
            # as on a machine that has nothing: then the libraries are unpacked, too
            env={**os.environ, "TMPDIR": str(new), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (new / "fonts.conf").write_text(_FONTS.format(folder=ready))
        try:
            new.rename(ready)
        except OSError:  # another process was faster
            shutil.rmtree(new)
    return ready
