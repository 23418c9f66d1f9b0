# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox fault``: list the kinds, start one, end some."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sandbox.faults import kinds
from sandbox.faults.book import EVERYBODY, PRODUCT
from sandbox.faults.kinds import UsageError
from sandbox.state import Folder, SandboxError

Json = dict[str, Any]


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Adds the command to the command line's parser (``commands``: what ``add_subparsers`` returns)."""
    parser = commands.add_parser("fault", help="break something on purpose, and mend it again")
    actions = parser.add_subparsers(required=True, metavar="list | start | end")
    listing = actions.add_parser("list", parents=[shared], help="the kinds of faults and their options")
    listing.set_defaults(command=_list)
    start = actions.add_parser("start", parents=[shared], help="start a fault")
    start.add_argument("name", help="as 'fault list' shows it")
    start.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="may be repeated")
    start.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end it by itself after so long")
    start.add_argument("--count", type=int, metavar="N", help="end it by itself after it struck so often")
    start.add_argument(
        "--user",
        default=PRODUCT,
        choices=(EVERYBODY, PRODUCT),
        help="whom API faults hit: everybody, or all but the sandbox's own controllers (default %(default)s)",
    )
    start.set_defaults(command=_start)
    end = actions.add_parser("end", parents=[shared], help="end a fault, or all")
    end.add_argument("name", nargs="?", help="name of a fault, or the id that 'status --json' shows")
    end.add_argument("--all", action="store_true", help="every one that is active")
    end.set_defaults(command=_end)


def _list(options: argparse.Namespace) -> int:
    if options.json:
        shown = [
            {
                "name": kind.name,
                "help": kind.help,
                "options": {option.name: {"default": option.default, "help": option.help} for option in kind.options},
            }
            for kind in kinds.KINDS
        ]
        print(json.dumps(shown, indent=1))
        return 0
    for kind in kinds.KINDS:
        print(f"{kind.name:<24}{kind.help}")
        _show(option for option in kind.options if option not in kinds.MATCH)
    print("\nOptions of every fault api-…, but for api-restart: which requests it hits")
    _show(kinds.MATCH)
    return 0


def _show(options: Iterable[kinds.Option]) -> None:
    for option in options:
        default = f" (default {option.default})" if option.default != "" else ""
        print(f"    {option.name:<20}{option.help}{default}")


def _start(options: argparse.Namespace) -> int:
    from sandbox.faults import control  # noqa: PLC0415  (`list` needs none of it)

    given: dict[str, str] = {}
    for text in options.option:
        name, separator, value = text.partition("=")
        if not separator:
            raise UsageError(f"--option {text}: write it as KEY=VALUE")
        given[name] = value
    kinds.find(options.name).values(given)  # what is wrong with the command comes before what is wrong with the sandbox
    folder = _running(options)
    started = control.start(
        folder, options.name, given, user=options.user, count=options.count, seconds=options.seconds
    )
    if options.json:
        print(json.dumps(asdict(started) if started else {"name": options.name}))
    elif started:
        print(f"Started {describe(asdict(started))}.\nEnd it with 'python -m sandbox fault end {options.name}'.")
    else:
        print(f"The fault {options.name} has happened and is over.")
    return 0


def _end(options: argparse.Namespace) -> int:
    from sandbox.faults import control  # noqa: PLC0415  (`list` needs none of it)

    if bool(options.name) == options.all:
        raise UsageError("fault end needs a name, or --all")
    folder = _running(options)
    known = {kind.name for kind in kinds.KINDS} | {fault.id for fault, _ in control.active(folder)}
    if options.name and options.name not in known:
        kinds.find(options.name)
    ended = control.end(folder, None if options.all else [options.name])
    if options.json:
        print(json.dumps([asdict(fault) for fault in ended]))
    else:
        print(f"Ended {', '.join(fault.name for fault in ended)}." if ended else "No such fault is active.")
    return 0


def _running(options: argparse.Namespace) -> Folder:
    folder = Folder(options.dir)
    if folder.state() is None:
        raise SandboxError(f"there is no sandbox in {folder.path}: start one with 'python -m sandbox up'")
    return folder


def describe(fault: Mapping[str, Any]) -> str:
    """One active fault in a line: its name, the options that differ from nothing, how it ends, its strikes."""
    shown = [f"{name}={value}" for name, value in fault["options"].items() if value != ""]
    if fault["user"] == EVERYBODY:
        shown.append("for everybody")
    if fault["until"] is not None:
        shown.append(f"{max(0.0, fault['until'] - time.time()):.0f} s left")
    strikes = fault.get("strikes", 0)
    if fault["count"] is not None:
        shown.append(f"{strikes} of {fault['count']} strikes")
    elif strikes:
        shown.append(f"{strikes} strikes")
    return f"{fault['name']}" + (f" ({', '.join(shown)})" if shown else "")
