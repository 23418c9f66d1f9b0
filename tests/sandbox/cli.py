# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's command line: ``up``, ``status``, ``fault``, ``down``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from sandbox.faults import command as fault_command
from sandbox.faults.kinds import UsageError
from sandbox.state import APIS, PROFILES, Folder, SandboxError, State

DEFAULT_DIR = ".sandbox"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 (status) not healthy."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))  # an ended `up` clears up too
    try:
        code = int(options.command(options))
        sys.stdout.flush()
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        warnings.simplefilter("ignore", RuntimeWarning)  # a coroutine that was about to start never will
        said = "nothing was left running" if options.command is _up else "run the command again to finish it"
        print(f"sandbox: interrupted; {said}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"sandbox: {where}{error.strerror or error}: choose another --dir, or put that right", file=sys.stderr)
        return 1
    else:
        return code


def _drop_output() -> None:
    """The reader of our output has gone: what else is said goes nowhere, and the work goes on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A Kubernetes-like cluster on this machine, for the MCP gateway playbooks and their tests.",
    )
    commands = parser.add_subparsers(required=True, metavar="up | status | fault | down")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--dir", type=Path, default=Path(DEFAULT_DIR), help="state directory (default %(default)s)")
    shared.add_argument("--json", action="store_true", help="print JSON for scripts")
    up = commands.add_parser("up", parents=[shared], help="start it; does nothing when it is up")
    up.add_argument("--api", choices=APIS, help="API server (default embedded)")
    up.add_argument("--profile", choices=PROFILES, help="kind of cluster (default openshift)")
    up.set_defaults(command=_up)
    status = commands.add_parser("status", parents=[shared], help="show what runs, and where")
    status.set_defaults(command=_status)
    fault_command.add(commands, shared)
    down = commands.add_parser("down", parents=[shared], help="end it and remove its files")
    down.add_argument("--keep-logs", action="store_true", help="leave the folder logs behind")
    down.set_defaults(command=_down)
    return parser


def _up(options: argparse.Namespace) -> int:
    folder = Folder(options.dir)
    folder.state()  # one that cannot be read is told before anything is touched
    with folder.lock():
        begun = time.monotonic()
        state = _already(folder, options)
        fresh = state is None
        if state is None:
            state = _start(folder, options, begun)
    if options.json:
        paths = {"kubeconfig": str(folder.kubeconfig), "dir": str(folder.path), "vars": str(folder.variables)}
        _print(
            json.dumps({"changed": fresh, "api": state.api, "profile": state.profile, "server": state.server, **paths})
        )
    else:
        _say_next(folder, options.dir)
    return 0


def _already(folder: Folder, options: argparse.Namespace) -> State | None:
    """The state of the sandbox that is up, or None when one has to be started (remains are cleared away)."""
    from sandbox import down, up  # noqa: PLC0415
    from sandbox.faults import control  # noqa: PLC0415

    state = folder.state()
    if state is None:
        return None
    ended = control.end(folder)
    if ended:
        _tell(options, f"Ended the faults that were active: {', '.join(fault.name for fault in ended)}.")
    services = folder.running()
    if state.ready and any(services.values()):
        _check_options(folder, options, state)
    if state.ready and all(services.values()) and (services or not state.controllers):
        _tell(options, f"The sandbox in {folder.path} is already up.")
        return state
    dead = ", ".join(name for name, alive in services.items() if not alive)
    if state.ready and dead == "controllers" and state.controllers:
        _tell(options, f"The controllers of the sandbox in {folder.path} ended; starting them again.")
        up.resume(folder, state, _teller(options))
        return state
    reason = f"{dead} ended" if dead and state.ready else "an earlier start was interrupted"
    _tell(options, f"Clearing away what is left in {folder.path} ({reason}).")
    down.down(folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    return None


def _check_options(folder: Folder, options: argparse.Namespace, state: State) -> None:
    for name in ("api", "profile"):
        wanted, has = getattr(options, name), getattr(state, name)
        if wanted not in (None, has):
            raise SandboxError(
                f"the sandbox in {folder.path} is up with --{name} {has}: run 'python -m sandbox down"
                f"{_dir_option(options.dir)}' first, or give --dir for a second one"
            )


def _start(folder: Folder, options: argparse.Namespace, begun: float) -> State:
    from sandbox import seed, up  # noqa: PLC0415  (only needed to start one)

    api, profile = options.api or "embedded", options.profile or "openshift"
    _tell(options, f"Starting a sandbox in {folder.path} ({seed.PROFILES[profile].title})")

    state = up.up(folder, api, profile, _teller(options))
    _tell(options, f"Up in {time.monotonic() - begun:.1f} s.")
    return state


def _say_next(folder: Folder, given: Path) -> None:
    option = _dir_option(given)
    _print(f"""
  export KUBECONFIG={shlex.quote(str(folder.kubeconfig))}
  kubectl get gatewayclasses,catalogsources,deployments -A

Next: ansible-playbook mcpops.gateway.site -e @playbooks/vars/demo.yml -e {shlex.quote(f"@{folder.variables}")}
      python -m sandbox status{option}
      python -m sandbox down{option}""")


def _status(options: argparse.Namespace) -> int:
    from sandbox import status  # noqa: PLC0415

    folder = Folder(options.dir)
    state = folder.state()
    if state is None:
        if options.json:
            print(json.dumps({"healthy": False, "problem": "there is no sandbox"}))
        else:
            start = f"python -m sandbox up{_dir_option(options.dir)}"
            print(f"There is no sandbox in {folder.path}: start one with '{start}'.")
        return 3
    found = status.collect(folder, state)
    if options.json:
        print(json.dumps(found.as_json(), indent=1))
    else:
        _show(folder, found)
    return 0 if found.healthy else 3


def _show(folder: Folder, found: object) -> None:
    from sandbox.status import Status  # noqa: PLC0415

    assert isinstance(found, Status)
    print(f"Sandbox in {folder.path}: {found.state.profile} on {found.state.api}, {found.state.server}")
    if found.problem:
        print(f"  {found.problem}; 'python -m sandbox up' starts it again")
    print("\nProcesses                                             pid     PSS MB  RSS MB")
    for entry in found.processes:
        if entry["running"]:
            print(f"  {entry['name']:<50}{entry['pid']:>7}{_megabytes(entry['pss']):>9}{_megabytes(entry['rss']):>8}")
        else:
            print(f"  {entry['name']:<50}{entry['pid']:>7}    ended; its log is {entry['log']}")
    print(f"  {'together':<57}{_megabytes(found.total('pss')):>9}{_megabytes(found.total('rss')):>8}")
    if found.deployments:
        print("\nDeployments")
    for entry in found.deployments:
        print(f"  {entry['namespace'] + '/' + entry['name']:<44}{entry['ready']}/{entry['wanted']}  {entry['image']}")
    if found.gateways:
        print("\nGateways")
    for entry in found.gateways:
        state = "Programmed" if entry["programmed"] else "not programmed"
        print(f"  {entry['namespace']}/{entry['name']}  {state}, {', '.join(entry['addresses']) or 'no address'}")
        for listener in entry["listeners"]:
            where = f"127.0.0.1:{listener['local_port']}" if listener["local_port"] else "not served"
            protocol, host = listener["protocol"], listener["hostname"] or "*"
            print(f"    {listener['name']:<14}{protocol:<6}{listener['port']:>5} -> {where:<16}{host}")
    if found.faults:
        print("\nFaults")
    for entry in found.faults:
        print(f"  {fault_command.describe(entry)}")
    if found.urls:
        print("\nMCP endpoint")
    for url in found.urls:
        print(f"  {url}")
    if found.pages:
        print("\nThe broker's page")
    for page in found.pages:
        print(f"  {page}")


def _megabytes(size: int | None) -> str:
    return f"{size / 1e6:.0f}" if size else "-"


def _down(options: argparse.Namespace) -> int:
    from sandbox import down  # noqa: PLC0415

    folder = Folder(options.dir)
    if not folder.path.is_dir() or (folder.state() is None and not folder.records()):
        _tell(options, f"There is no sandbox in {folder.path}: nothing to do.")
        if options.json:
            print(json.dumps({"stopped": [], "left": []}))
        return 0
    with folder.lock():
        stopped, left = down.down(folder, keep_logs=options.keep_logs)
    _tell(options, f"The sandbox in {folder.path} is down ({len(stopped)} processes ended, files removed).")
    for entry in left:
        print(f"sandbox: left in the cluster: {entry}", file=sys.stderr)
    if left:
        print("sandbox: remove these by hand; next time run playbooks/teardown.yml before 'down'", file=sys.stderr)
    if options.json:
        print(json.dumps({"stopped": stopped, "left": left}))
    return 1 if left else 0


def _teller(options: argparse.Namespace) -> Callable[[str, str, float], None]:
    def say(name: str, result: str, seconds: float) -> None:
        _tell(options, f"  {name:<12}{seconds:5.1f} s  {result}")

    return say


def _tell(options: argparse.Namespace, text: str) -> None:
    if not options.json:
        _print(text)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _drop_output()


def _dir_option(given: Path) -> str:
    return "" if given == Path(DEFAULT_DIR) else f" --dir {shlex.quote(str(given))}"
