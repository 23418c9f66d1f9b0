# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox.api --dir DIR``: serve a Kubernetes API on loopback until a signal ends it.

``DIR/tokens.csv`` names its users, one a line: token,user,uid,"group1,group2".
"""

from __future__ import annotations

import argparse
import importlib
import logging
from collections.abc import Callable
from pathlib import Path

import uvloop

from . import lean  # noqa: F401  (first of all)
from .http import Middleware
from .server import Settings, serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.api", description=__doc__)
    parser.add_argument("--dir", required=True, type=Path, help="where kubeconfigs, certificates and logs are written")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 is any free one")
    parser.add_argument("--state", type=Path, help="file in which objects outlive the process; without it none do")
    parser.add_argument("--history", type=int, default=5000, help="changes that watches can look back on")
    parser.add_argument("--no-audit", action="store_true", help="write no audit.jsonl")
    parser.add_argument(
        "--middleware",
        metavar="MODULE:FUNCTION",
        help="what sees each request first: a function that makes it from the directory",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    middleware = _load(options.middleware)(options.dir) if options.middleware else None
    settings = Settings(options.dir, options.port, options.state, options.history, not options.no_audit, middleware)
    uvloop.run(serve(settings))


def _load(reference: str) -> Callable[[Path], Middleware]:
    module, _, function = reference.partition(":")
    made: Callable[[Path], Middleware] = getattr(importlib.import_module(module), function)
    return made


if __name__ == "__main__":
    main()
