# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity or the documentation checks on the collection as it ships: `sanity.py ansible-test|docs`.

ansible-test wants a path that ends in ansible_collections/mcpops/gateway, and by default fetches pip from a site that a
closed network does not reach; here it gets a copy of the built archive under .cache and pip from the package index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path

from package import ROOT, build

CACHE = ROOT / ".cache" / "sanity"
COLLECTION = CACHE / "ansible_collections" / "mcpops" / "gateway"

GET_PIP = """\
import glob, os, runpy, sys
wheel = glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-{version}-*.whl"))[0]
sys.path.insert(0, wheel)
sys.argv = ["pip", "install", "--quiet", "--no-index", "--no-deps", wheel]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def unpack() -> None:
    """Put the built collection, kubernetes.core and the sanity ignore files under .cache/sanity."""
    shutil.rmtree(COLLECTION, ignore_errors=True)
    COLLECTION.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(build(Path(scratch))) as tar:
        tar.extractall(COLLECTION, filter="data")
    shutil.copy(ROOT / "galaxy.yml", COLLECTION)
    for generated in ("MANIFEST.json", "FILES.json"):
        (COLLECTION / generated).unlink()
    ignores = ROOT / "tests" / "sanity"
    if ignores.is_dir():
        shutil.copytree(ignores, COLLECTION / "tests" / "sanity")
    # ansible-test asks git which files there are, and this repository ignores .cache
    subprocess.run(["git", "init", "-q", str(COLLECTION)], check=True)
    core = CACHE / "ansible_collections" / "kubernetes" / "core"
    if not core.is_dir():
        shutil.copytree(ROOT / ".collections" / "ansible_collections" / "kubernetes" / "core", core)


def offer_pip(home: Path) -> None:
    """Give ansible-test the pip that it would download; the version is read from ansible-test itself."""
    spec = find_spec("ansible_test")
    assert spec is not None and spec.submodule_search_locations, "ansible-test is part of ansible-core"
    source = Path(next(iter(spec.submodule_search_locations)), "_internal", "python_requirements.py").read_text()
    found = re.search(r"pip='([0-9.]+)'|'pip': '([0-9.]+)'|pip=([0-9.]+)|default_pip_version = '([0-9.]+)'", source)
    if not found:
        sys.exit(
            "ansible-test names its pip in a way that tests/setup/sanity.py does not know: see python_requirements.py"
        )
    version = next(group for group in found.groups() if group)
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    if not list(cache.glob(f"pip-{version}-*.whl")):
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"pip=={version}", "-d", str(cache)],
            check=True,
        )
    (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP.format(version=version))


def environment(home: Path) -> dict[str, str]:
    """The caller's environment with a home of our own, pip's usual cache, and no version manager's shims on PATH."""
    pip_cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=False
    ).stdout.strip()
    path = [str(Path(sys.executable).parent)] + [p for p in os.environ["PATH"].split(os.pathsep) if "shims" not in p]
    return {
        **os.environ,
        "HOME": str(home),
        "PATH": os.pathsep.join(path),
        "PIP_CACHE_DIR": pip_cache,
        "ANSIBLE_COLLECTIONS_PATH": str(CACHE),
        "LC_ALL": "C.UTF-8",
    }


def main(kind: str) -> int:
    """Run the check of this kind; its exit status."""
    unpack()
    home = CACHE / "home"
    home.mkdir(exist_ok=True)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if kind == "docs":
        command = [
            "antsibull-docs",
            "lint-collection-docs",
            "--plugin-docs",
            "--validate-collection-refs=all",
            "--skip-rstcheck",
            ".",
        ]
    else:
        offer_pip(home)
        # The broker is a program of its own, with rules of its own (ruff, mypy); Ansible never imports it.
        command = ["ansible-test", "sanity", "--local", "--python", version, "--color", "no", "--exclude", "broker/"]
    return subprocess.run(command, cwd=COLLECTION, env=environment(home), check=False).returncode


if __name__ == "__main__":
    if sys.argv[1:] not in (["ansible-test"], ["docs"]):
        sys.exit("usage: sanity.py ansible-test|docs")
    sys.exit(main(sys.argv[1]))
