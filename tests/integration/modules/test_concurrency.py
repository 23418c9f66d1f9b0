# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several at once, and one that is killed in the middle: nothing is lost, and the next run completes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from integration.gateways import GATEWAYS, gateway_class, listener
from integration.kit import ApiServer, Json, Modules, until

MAPS = "/api/v1/namespaces/{ns}/configmaps"
MANY = 500
ROOT = Path(__file__).resolve().parents[3]


def start(module: str, api: ApiServer, **options: Any) -> subprocess.Popen[str]:
    """A module in a process of its own, as Ansible starts it on a host."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"kubeconfig": api.kubeconfig, **options}})
    return subprocess.Popen(
        [sys.executable, "-m", f"ansible_collections.mcpops.gateway.plugins.modules.{module}", arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def results(processes: list[subprocess.Popen[str]]) -> list[Json]:
    """What they print; each has to succeed."""
    found = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        found.append(dict(json.loads(out)))
    return found


def test_ten_modules_add_ten_listeners_at_once(run: Modules, api_server: ApiServer, ns: str) -> None:
    gateway_class(api_server)
    base = {"name": "gw", "namespace": ns, "gateway_class_name": "istio", "wait": False}
    run("gateway", listeners=[listener("base", 9000, "base.example.com")], **base)
    numbers = range(10)
    wanted = [{"name": f"l{n}", "port": 9001 + n, "protocol": "HTTP", "hostname": f"l{n}.example.com"} for n in numbers]

    made = results(
        [start("gateway_listener", api_server, gateway="gw", namespace=ns, wait=False, **one) for one in wanted]
    )
    again = [run("gateway_listener", gateway="gw", namespace=ns, wait=False, **one)["changed"] for one in wanted]

    live = api_server.get(f"{GATEWAYS.format(ns=ns)}/gw")
    assert live is not None and all(one["changed"] for one in made) and not any(again)
    found = {one["name"]: one["port"] for one in live["spec"]["listeners"]}
    assert found == {"base": 9000, **{f"l{n}": 9001 + n for n in numbers}}


def test_two_owners_of_one_gateway_at_once(run: Modules, api_server: ApiServer, ns: str) -> None:
    gateway_class(api_server)
    base = {"name": "gw", "namespace": ns, "gateway_class_name": "istio", "wait": False}
    run("gateway", listeners=[listener("base", 9000, "base.example.com")], **base)
    more = [listener("base", 9000, "base.example.com"), listener("second", 9001, "second.example.com")]
    other = {"name": "theirs", "port": 9002, "protocol": "HTTP", "hostname": "theirs.example.com"}

    results(
        [
            start("gateway", api_server, listeners=more, **base),
            start("gateway_listener", api_server, gateway="gw", namespace=ns, wait=False, **other),
        ]
    )

    live = api_server.get(f"{GATEWAYS.format(ns=ns)}/gw")
    assert live is not None
    assert {one["name"] for one in live["spec"]["listeners"]} == {"base", "second", "theirs"}


def test_two_playbooks_at_once_on_one_gateway(run: Modules, api_server: ApiServer, ns: str, tmp_path: Path) -> None:
    gateway_class(api_server)
    base = {"name": "gw", "namespace": ns, "gateway_class_name": "istio", "wait": False}
    run("gateway", listeners=[listener("base", 9000, "base.example.com")], **base)
    books = []
    for team in ("a", "b"):
        one = {"gateway": "gw", "namespace": ns, "wait": False, "protocol": "HTTP", "kubeconfig": api_server.kubeconfig}
        tasks = [
            {
                "mcpops.gateway.gateway_listener": {
                    **one,
                    "name": f"{team}{n}",
                    "port": port,
                    "hostname": f"{team}.example.com",
                }
            }
            for n, port in enumerate(range(9100, 9105) if team == "a" else range(9200, 9205))
        ]
        book = tmp_path / f"{team}.yml"
        book.write_text(
            json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}])
        )
        books.append(book)
    command = str(Path(sys.executable).parent / "ansible-playbook")
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"}

    plays = [
        subprocess.Popen(
            [command, str(book)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for book in books
    ]
    said = [play.communicate(timeout=120)[0] for play in plays]

    assert [play.returncode for play in plays] == [0, 0], said
    live = api_server.get(f"{GATEWAYS.format(ns=ns)}/gw")
    assert live is not None
    wanted = {f"{team}{n}" for team in "ab" for n in range(5)}
    assert {one["name"] for one in live["spec"]["listeners"]} == wanted | {"base"}


def test_killed_in_the_middle_and_run_again(run: Modules, api_server: ApiServer, ns: str, tmp_path: Path) -> None:
    wanted = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"m{n:03}", "namespace": ns},
            "data": {"n": str(n)},
        }
        for n in range(MANY)
    ]
    source = tmp_path / "all.json"
    source.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": wanted}))

    def count() -> int:
        return len((api_server.get(MAPS.format(ns=ns)) or {})["items"])

    before = count()
    process = start("apply", api_server, src=[str(source)], prune={"name": "all", "namespace": ns})
    until(lambda: count() > before + 5, lambda: "nothing was written")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    part = count() - before

    rest = run("apply", src=[str(source)], prune={"name": "all", "namespace": ns})
    again = run("apply", src=[str(source)], prune={"name": "all", "namespace": ns})

    assert 0 < part < MANY, part
    names = {one["metadata"]["name"] for one in (api_server.get(MAPS.format(ns=ns)) or {})["items"]}
    assert {one["metadata"]["name"] for one in wanted} <= names
    done = [one["action"] for one in rest["objects"] if one["name"].startswith("m")]
    assert done.count("created") == MANY - part and done.count("unchanged") == part
    assert not again["changed"]
