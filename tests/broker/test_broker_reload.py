# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file changes while the broker runs."""

from __future__ import annotations

import json
import os
import signal
import threading
from itertools import count
from pathlib import Path

from broker.conftest import StartBroker, StartUpstream
from broker.harness import BrokerProcess, run_broker, server, wait_until, write_config


def test_added_and_removed_servers_come_and_go(broker: StartBroker, upstream: StartUpstream) -> None:
    one, two = upstream("echo"), upstream("echo")
    first, second = server("a", one.url, "a_"), server("b", two.url, "b_")
    running = broker({"servers": [first]})
    running.wait_ready("a")
    running.initialize()

    running.configure({"servers": [first, second]})
    wait_until(lambda: running.tools() == ["a_echo", "b_echo"], "the new server's tool is listed")
    running.configure({"servers": [second]})
    wait_until(lambda: running.tools() == ["b_echo"], "the removed server's tool is gone")

    assert running.request("GET", "/status/a").status == 404


def test_a_worker_that_starts_again_reads_the_file_as_it_is_now(broker: StartBroker) -> None:
    running = broker({"broker": {"instructions": "old"}}, "--workers", "2")
    running.configure({"broker": {"instructions": "new"}})
    wait_until(lambda: running.log.count("config.loaded") == 2, "both workers read it")
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")

    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)

    wait_until(lambda: running.log.count("config.loaded") == 3, "the worker in its place reads it")


def test_servers_that_did_not_change_keep_their_sessions(broker: StartBroker, upstream: StartUpstream) -> None:
    one, two = upstream("echo"), upstream("echo")
    first = server("a", one.url, "a_")
    running = broker({"servers": [first]})
    running.wait_ready("a")
    running.initialize()
    running.call("a_echo")
    before = one.initialized

    running.configure({"servers": [server("b", two.url, "b_"), first]})
    wait_until(lambda: "b_echo" in running.tools(), "the new server's tool is listed")
    running.call("a_echo")

    assert one.initialized == before
    assert one.deleted == []
    assert len({call["session"] for call in one.calls}) == 1


def test_a_changed_server_starts_again_with_its_tools_still_listed(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url, credential="Bearer one")]})
    running.wait_ready("a")
    running.initialize()
    raw.initialize_delay = 1.0

    running.configure({"servers": [server("a", raw.url, "new_", credential="Bearer two")]})
    wait_until(lambda: running.tools() == ["new_echo"], "the new prefix is used")

    assert running.server("a")["state"] == "connecting"
    running.call("new_echo")
    assert raw.calls[-1]["headers"]["authorization"] == "Bearer two"


def test_a_call_in_flight_ends_although_its_server_was_removed(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    answers: list[object] = []
    call = threading.Thread(target=lambda: answers.append(running.call("wait", {"text": "kept"})))
    call.start()
    wait_until(lambda: raw.calls, "the call has reached the upstream")

    running.configure({"servers": []})
    wait_until(lambda: running.tools() == [], "the server is gone")
    raw.let_go()
    call.join(timeout=60)

    assert "kept" in str(answers)
    wait_until(lambda: raw.calls[0]["session"] in raw.deleted, "its session is ended afterwards")


def test_disabled_servers_are_not_contacted(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url, state="Disabled"), server("b", raw.url, enabled=False)]})
    running.initialize()

    status = running.server("a")

    assert (status["message"], status["ready"]) == ("server is disabled", False)
    assert running.status()["overallValid"] is True
    assert running.request("GET", "/readyz").status == 200
    assert raw.initialized == 0

    running.configure({"servers": [server("a", raw.url, state="Enabled")]})
    wait_until(lambda: running.tools() == ["echo"], "it is used once enabled")


def test_a_bad_file_changes_nothing_and_says_why(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    good = {"servers": [server("a", raw.url)]}
    running = broker(good)
    running.wait_ready("a")
    running.initialize()
    running.call("echo")

    running.configure({"servers": [server("a", "ftp://host"), {"url": raw.url}]})
    problems = wait_until(lambda: running.status()["config"]["problems"], "the problems are shown")

    assert problems == [
        "servers[0] (a): key 'url' has the value 'ftp://host': it must be an http:// or https:// address with a host, "
        "such as http://host:9090/mcp",
        "servers[1]: key 'name' has the value None: every server needs a name",
    ]
    assert "config.rejected" in running.log
    assert running.tools() == ["echo"]
    assert raw.deleted == []

    running.configure(good)
    wait_until(lambda: running.status()["config"]["problems"] == [], "the good file is used again")


def test_a_removed_file_changes_nothing_until_it_is_back(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", "more")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()

    running.config_file.unlink()
    problems = wait_until(lambda: running.status()["config"]["problems"], "the problem is shown")
    assert problems == ["the file cannot be read: No such file or directory"]
    assert running.tools() == ["echo", "more"]

    running.configure({"servers": [server("a", raw.url, "p_")]})
    wait_until(lambda: running.tools() == ["p_echo", "p_more"], "the new file is used")


def test_whatever_takes_the_files_place_changes_nothing(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    good = {"servers": [server("a", raw.url)]}
    running = broker(good)
    file = running.config_file
    running.wait_ready("a")
    running.initialize()

    def says(problem: str) -> None:
        wait_until(lambda: problem in str(running.status()["config"]["problems"]), problem)
        assert running.tools() == ["echo"]

    file.write_bytes(b"")
    says("the file is empty; write 'servers: []' to have no servers")
    for text, problem in (
        ("[" * 100_000, "inside each other"),
        ("a: " + "9" * 5000, "cannot be read"),
        ("\0", "UTF-8"),
    ):
        running.configure(text)
        says(problem)
    file.unlink()
    file.mkdir()
    says("the file cannot be read: Is a directory")
    file.rmdir()
    os.mkfifo(file)
    says("the file is a pipe now")

    file.unlink()
    running.configure(good)
    wait_until(lambda: running.status()["config"]["problems"] == [], "the good file is used again")
    running.configure({"servers": []})
    wait_until(lambda: running.tools() == [], "that there are no servers can be said")


def test_a_file_that_is_replaced_all_the_time_never_harms(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    stop = threading.Event()

    def replace() -> None:
        for number in count():
            if stop.is_set():
                return
            running.configure({"servers": [server("a", raw.url)], "virtualServers": [{"name": f"v{number}"}]})

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(300):
            assert running.tools() == ["echo"]
            assert "result" in running.call("echo")
    finally:
        stop.set()
        thread.join()
    running.configure({"servers": [server("a", raw.url, "last_")]})

    wait_until(lambda: running.tools() == ["last_echo"], "the last file is used")
    assert raw.initialized <= 4, "the server that did not change keeps its sessions"


def test_kubernetes_swaps_a_symlink_above_the_file(tmp_path: Path, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    mount = tmp_path / "mount"
    for number, prefix in (("1", "one_"), ("2", "two_")):
        (mount / f"..{number}").mkdir(parents=True)
        write_config(mount / f"..{number}" / "config.yaml", {"servers": [server("a", raw.url, prefix)]})
    (mount / "..data").symlink_to("..1")
    (mount / "config.yaml").symlink_to("..data/config.yaml")
    with run_broker(mount, "") as running:
        running.wait_ready("a")
        running.initialize()
        assert running.tools() == ["one_echo"]

        (mount / "..tmp").symlink_to("..2")
        (mount / "..tmp").rename(mount / "..data")

        wait_until(lambda: running.tools() == ["two_echo"], "the file behind the new link is used")


def test_a_file_written_in_place_is_read_when_it_is_complete(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()

    with running.config_file.open("a") as file:
        file.write("virtualServers:\n- name: ns/v\n  tools: [echo]\n")

    wait_until(lambda: running.status()["virtualServers"], "the appended key is used")


def test_keys_without_effect_are_named(broker: StartBroker) -> None:
    running = broker(
        {
            "servers": [
                {**server("a", "http://127.0.0.1:9/mcp"), "tokenURLElicitation": {"url": "http://u"}, "newKey": 1}
            ],
            "x": 1,
        }
    )

    assert running.status()["config"]["warnings"] == [
        "key 'x' is not known and has no effect",
        "servers[0] (a): key 'newKey' is not known and has no effect",
        "servers[0] (a): key 'tokenURLElicitation' has no effect here: users are asked with broker.userTokens",
    ]


def listen(running: BrokerProcess, headers: dict[str, str] | None = None) -> tuple[list[str], threading.Thread]:
    """Open a GET stream in a thread; return the lines it gets."""
    import http.client

    lines: list[str] = []
    opened = threading.Event()

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(running.url.rpartition(":")[2]))
        accept = {"accept": "text/event-stream", "mcp-session-id": running.session or "", **(headers or {})}
        connection.request("GET", "/mcp", headers=accept)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["x-accel-buffering"] == "no"
        while line := answer.readline():
            lines.append(line.decode())
            opened.set()
        connection.close()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert opened.wait(60)
    return lines, thread


def messages(lines: list[str]) -> list[object]:
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


def test_clients_hear_that_the_tools_changed(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    lines, _ = listen(running)
    assert messages(lines) == []

    running.configure({"servers": [server("a", raw.url, "p_")]})

    wait_until(lambda: messages(lines) == [CHANGED], "the client was told")


def test_of_several_streams_of_a_session_one_is_told(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    first, _ = listen(running)
    second, _ = listen(running)

    running.configure({"servers": [server("a", raw.url, "p_")]})

    wait_until(lambda: messages(first) + messages(second), "one was told")
    assert messages(first) + messages(second) == [CHANGED]


def test_a_client_of_a_virtual_server_hears_only_of_its_tools(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", "other")
    config = {
        "servers": [server("a", raw.url)],
        "virtualServers": [{"name": "ns/v", "tools": ["echo", "later"]}],
        "broker": {"checkInterval": 0.2},
    }
    running = broker(config)
    running.wait_ready("a")
    running.initialize()
    chosen, _ = listen(running, {"x-mcp-virtualserver": "ns/v"})
    running.initialize()
    everything, _ = listen(running)

    raw.tools = [one for one in raw.tools if one["name"] != "other"]
    wait_until(lambda: messages(everything) == [CHANGED], "the change is told")
    assert messages(chosen) == []

    raw.tools = [{**one, "name": "later"} for one in raw.tools]
    wait_until(lambda: messages(chosen) == [CHANGED], "the change of its own tools is told")


def test_ending_a_session_closes_its_streams(broker: StartBroker) -> None:
    running = broker({"servers": []})
    session = running.initialize()
    _, thread = listen(running)
    assert running.status()["streams"] == 1

    running.request("DELETE", headers={"mcp-session-id": session})

    thread.join(timeout=60)
    assert not thread.is_alive()
    wait_until(lambda: running.status()["streams"] == 0, "the stream is forgotten")


def test_streams_have_a_limit(broker: StartBroker) -> None:
    running = broker({"servers": [], "broker": {"limits": {"streams": 1}}})
    session = running.initialize()
    listen(running)

    reply = running.request("GET", headers={"mcp-session-id": session, "accept": "text/event-stream"})

    assert reply.status == 503


def test_a_rotated_file_with_a_secret_takes_effect(
    broker: StartBroker, upstream: StartUpstream, tmp_path: Path
) -> None:
    raw = upstream("echo")
    token = tmp_path / "token"
    token.write_text("Bearer one")
    running = broker({"servers": [{"name": "a", "url": raw.url, "credentialFile": str(token)}]})
    running.wait_ready("a")
    running.initialize()

    def credential() -> str:
        running.call("echo")
        return str(raw.calls[-1]["headers"]["authorization"])

    assert credential() == "Bearer one"
    token.unlink()
    wait_until(lambda: "cannot be read" in running.log, "the missing file is told")
    token.write_text("Bearer two")
    wait_until(lambda: credential() == "Bearer two", "the new credential is used")
