# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection, install the archive offline into an empty place, and use it from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {
    ".github", "CHANGELOG.md", "LICENSE", "README.md", "bindep.txt", "broker", "changelogs", "docs", "galaxy.yml",
    "meta", "playbooks", "plugins", "requirements.txt", "requirements.yml", "roles", "FILES.json", "MANIFEST.json",
}  # fmt: skip


def tool(*command: str, collections: Path) -> str:
    """Run an ansible tool that sees only `collections`; its standard output. Ends the check when it fails."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    done = subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(target: Path) -> Path:
    """Build the archive into `target` and give its path."""
    tool(
        "ansible-galaxy",
        "collection",
        "build",
        "--force",
        "--output-path",
        str(target),
        collections=ROOT / ".collections",
    )
    return next(target.glob("mcpops-gateway-*.tar.gz"))


def broker_installs(collection: Path, target: Path) -> str:
    """Make a wheel of the broker that the installed collection brings, as role broker does; its file name."""
    held = {str(path.relative_to(collection / "broker")) for path in (collection / "broker").rglob("*.*")}
    strange = sorted(
        name
        for name in held
        if not name.endswith((".py", ".toml", ".md", ".typed", ".txt", ".html", ".css", ".js", ".svg"))
    )
    if strange:
        sys.exit(f"broker/ of the archive holds {', '.join(strange)}: add it to build_ignore in galaxy.yml")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(target), str(collection / "broker")]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"the collection's broker cannot be built:\n{done.stdout}{done.stderr}")
    wheel = next(target.glob("mcpops_broker-*.whl"))
    with zipfile.ZipFile(wheel) as inside:
        missing = {name.removeprefix("src/") for name in held if name.startswith("src/")} - set(inside.namelist())
    if missing:
        sys.exit(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    return wheel.name


def main() -> None:
    """Build, look at what is in the archive, install it beside kubernetes.core, list and read it there."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = build(Path(scratch))
        with tarfile.open(archive) as tar:
            strange = {name.split("/")[0] for name in tar.getnames()} - SHIPPED
        if strange:
            sys.exit(f"{archive.name} holds {', '.join(sorted(strange))}: add it to build_ignore in galaxy.yml")
        installed = Path(scratch, "installed")
        core = Path("ansible_collections", "kubernetes", "core")
        shutil.copytree(ROOT / ".collections" / core, installed / core)
        tool(
            "ansible-galaxy",
            "collection",
            "install",
            "--force",  # Python may know the repository itself as an installed collection
            "--offline",
            "-p",
            str(installed),
            str(archive),
            collections=installed,
        )
        listing = json.loads(tool("ansible-doc", "-t", "module", "-l", "-j", "mcpops.gateway", collections=installed))
        modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")} - {"__init__"}
        missing = {f"mcpops.gateway.{name}" for name in modules} - set(listing)
        if missing:
            sys.exit(f"the installed collection does not offer {', '.join(sorted(missing))}")
        wheel = broker_installs(installed / "ansible_collections" / "mcpops" / "gateway", Path(scratch))
        size = archive.stat().st_size / 1024
        print(f"{archive.name}: {size:.0f} KiB, {len(listing)} modules, installs offline, brings {wheel}")


if __name__ == "__main__":
    main()
