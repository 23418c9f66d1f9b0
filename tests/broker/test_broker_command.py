# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, and what the process costs."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import run_broker, server, wait_until, write_config


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mcpops_broker", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_check_accepts_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    write_config(file, {"servers": [server("a", "http://h:1/mcp")], "globalGuardrails": {"url": "x"}})

    done = command("check", "--config", str(file))

    assert done.returncode == 0
    assert done.stdout == f"{file}: valid, 1 servers, 0 virtual servers\n"
    assert done.stderr == f"{file}: warning: key 'globalGuardrails' has no effect here: no guardrail is enforced\n"


def test_as_many_files_may_be_open_as_the_system_allows(broker: StartBroker) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        running = broker({"servers": []})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)


@pytest.mark.parametrize("name", ["check", "serve"])
def test_a_bad_file_is_refused_with_every_problem(tmp_path: Path, name: str) -> None:
    file = tmp_path / "config.yaml"
    write_config(file, {"servers": [{"name": "a", "url": "x"}], "broker": {"pageSize": 0, "page_size": 5}})

    done = command(name, "--config", str(file))

    assert done.returncode == 2
    unknown, size, url = done.stderr.splitlines()
    assert url == (
        f"{file}: servers[0] (a): key 'url' has the value 'x': it must be an http:// or https:// address with a host, "
        "such as http://host:9090/mcp"
    )
    assert unknown.startswith(f"{file}: broker: key 'page_size' is not known; known are ")
    assert "pageSize" in unknown
    assert size == f"{file}: broker: key 'pageSize' has the value 0: it must be a whole number from 1 to 100000"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = command("serve", "--config", str(tmp_path / "none.yaml"))

    assert (done.returncode, done.stderr) == (
        2,
        f"{tmp_path}/none.yaml: the file cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("GATEWAY_SIGNING_KEY", "short", "must be at least 32 bytes long"),
        ("TRUSTED_HEADER_PUBLIC_KEY", "no key", "cannot be used: it must be a public key in PEM form"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(tmp_path: Path, name: str, value: str, problem: str) -> None:
    write_config(tmp_path / "c.yaml", {"servers": []})

    done = command("serve", "--config", str(tmp_path / "c.yaml"), **{name: value})

    assert done.returncode == 2
    assert done.stderr.endswith(f"the environment variable {name} {problem}\n")


def test_a_port_in_use_is_named(tmp_path: Path, broker: StartBroker) -> None:
    running = broker({"servers": []})
    port = running.url.rpartition(":")[2]

    done = command("serve", "--config", str(running.config_file), "--port", port)

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "70000"], "'70000' is no port"),
        (["--workers", "0"], "'0' is no number of workers"),
        (["--log-level", "loud"], "'loud' is no log level"),
    ],
)
def test_bad_options_are_refused(arguments: list[str], problem: str) -> None:
    done = command("serve", "--config", "x", *arguments)

    assert done.returncode == 2
    assert problem in done.stderr


@pytest.mark.parametrize("level", ["debug", "INFO", "0", "-4"])
def test_log_levels_of_the_operator_are_understood(broker: StartBroker, level: str) -> None:
    assert broker({"servers": []}, "--log-level", level).request("GET", "/healthz").status == 200


def test_logs_can_be_json(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    write_config(file, {"servers": []})
    arguments = [
        sys.executable,
        "-m",
        "mcpops_broker",
        "serve",
        "--config",
        str(file),
        "--port",
        "0",
        "--log-format",
        "json",
    ]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        record = json.loads(process.stderr.readline())
        process.terminate()

    assert record["event"] == "listening"
    assert record["sessionKey"] == "random"


def test_the_broker_is_small_and_starts_fast(tmp_path: Path, upstream: StartUpstream) -> None:
    """Goals: listening within 1 s on an idle machine (so little more processor time), 65 MB of memory when idle."""
    one, two = upstream("echo"), upstream("echo")
    with run_broker(tmp_path, {"servers": [server("a", one.url, "a_"), server("b", two.url, "b_")]}) as running:
        assert running.request("GET", "/healthz").status == 200
        process = psutil.Process(running.process.pid)
        assert sum(process.cpu_times()[:2]) < 1.5
        running.initialize()
        wait_until(lambda: running.tools() == ["a_echo", "b_echo"], "both upstreams are listed")
        assert "result" in running.call("a_echo")

        assert process.memory_info().rss < 65_000_000
