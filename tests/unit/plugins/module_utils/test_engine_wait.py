# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting by watch: streams that end, break or are too old, objects that vanish, failures and deadlines."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _errors, _wait
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import (
    DONE,
    FAILED,
    PENDING,
    Conditions,
    Exists,
    Gone,
    Remedy,
    Verdict,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import BUILT_IN
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Deadline, Target, wait_all
from unit.plugins.module_utils.scripted import (
    Json,
    Server,
    config_map,
    hangs_up,
    listed,
    refuses,
    says,
    serving,
    streams,
)

MAPS = BUILT_IN["v1", "ConfigMap"]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wait, "FIRST_PAUSE", 0.01)


class State:
    """A goal that reads ``data.state``: done, failed, or anything else."""

    what = "be done"
    fix = "push it"

    def __init__(self, grace: float = 0.0) -> None:
        self.grace = grace

    def judge(self, live: Json | None) -> Verdict:
        state = ((live or {}).get("data") or {}).get("state", "missing")
        return Verdict({"done": DONE, "failed": FAILED}.get(state, PENDING), f"its state is {state}")


def state(value: str, version: str = "1", name: str = "x") -> Json:
    return config_map(name, version, data={"state": value})


def event(kind: str, live: Json) -> Json:
    return {"type": kind, "object": live}


def wait(server: Server, goal: Any = None, seconds: float = 10, known: Json | None = None) -> Json | None:
    client, _slept = server.client()
    target = Target(MAPS, "x", "ns", goal or State(), known)
    wait_all(client, [target], Deadline(seconds))
    return target.live


def test_what_is_already_true_costs_nothing(server: Server) -> None:
    assert wait(server, known=state("done")) == state("done")
    assert server.seen == []


def test_what_is_not_known_is_read_first(server: Server) -> None:
    server.will(says(state("done")))

    wait(server)

    assert [request.method for request in server.seen] == ["GET"] and "watch" not in server.seen[0].query


def test_it_watches_from_the_state_that_it_knows(server: Server) -> None:
    server.will(streams(event("MODIFIED", state("busy", "8")), event("MODIFIED", state("done", "9"))))

    live = wait(server, known=state("new", "7"))

    assert live == state("done", "9")
    (request,) = server.seen
    assert request.path == "/api/v1/namespaces/ns/configmaps"
    assert request.query["resourceVersion"] == "7" and request.query["fieldSelector"] == "metadata.name=x"


def test_a_watch_that_ends_is_taken_up_where_it_was(server: Server) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}}
    server.will(
        streams(event("MODIFIED", state("busy", "8")), bookmark), streams(event("MODIFIED", state("done", "13")))
    )

    wait(server, known=state("new", "7"))

    assert [request.query["resourceVersion"] for request in server.seen] == ["7", "12"]


@pytest.mark.parametrize("breaks", [hangs_up, streams(cut=True), refuses(503), refuses(429)])
def test_a_watch_that_breaks_is_taken_up(server: Server, breaks: Any) -> None:
    server.will(breaks, streams(event("MODIFIED", state("done", "8"))))

    assert wait(server, known=state("new", "7")) == state("done", "8")


@pytest.mark.parametrize("old", [refuses(410, "Expired"), streams({"type": "ERROR", "object": {"code": 410}})])
def test_a_version_that_is_too_old_leads_to_a_new_list(server: Server, old: Any) -> None:
    server.will(old, says(listed(state("busy", "20"), version="21")), streams(event("MODIFIED", state("done", "22"))))

    wait(server, known=state("new", "7"))

    assert server.seen[2].query["resourceVersion"] == "21"


def test_versions_that_are_always_too_old_are_asked_for_at_a_calm_pace(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wait, "FIRST_PAUSE", 30.0)
    server.will(refuses(410, "Expired"))

    with pytest.raises(_errors.WaitTimeout, match="last seen: its state is new; push it"):
        wait(server, seconds=0.3, known=state("new", "7"))

    assert len(server.seen) == 1


def test_a_wait_that_could_see_nothing_at_its_end_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wait, "FIRST_PAUSE", 30.0)
    server.will(refuses(503, message="etcd is down"))

    with pytest.raises(_errors.WaitTimeout) as caught:
        wait(server, seconds=0.3, known=state("new", "7"))

    said = caught.value.message
    assert said.startswith("Waited 0.3 s for ConfigMap ns/x to be done; last seen: its state is new; since then ")
    assert "(HTTP 503): etcd is down" in said


def test_a_watch_waits_as_long_as_the_server_asks_for(server: Server) -> None:
    status = {"kind": "Status", "message": "busy", "code": 429, "details": {"retryAfterSeconds": 30}}
    server.will(says(status, 429))

    with pytest.raises(_errors.WaitTimeout, match="too many requests"):
        wait(server, seconds=0.3, known=state("new", "7"))

    assert len(server.seen) == 1


def test_an_object_that_vanished_while_nobody_looked_is_noticed(server: Server) -> None:
    server.will(refuses(410, "Expired"), says(listed(version="21")))

    assert wait(server, Gone(), known=state("new", "7")) is None


def test_an_object_that_appears(server: Server) -> None:
    server.will(refuses(404), says(listed()), streams(event("ADDED", state("any", "11"))))

    assert wait(server, Exists()) == state("any", "11")


def test_an_object_that_is_deleted_is_gone(server: Server) -> None:
    server.will(streams(event("DELETED", state("any", "8"))))

    assert wait(server, Gone(), known=state("any", "7")) is None


def test_another_incarnation_counts_as_gone(server: Server) -> None:
    other = {**state("any", "8"), "metadata": {**state("any", "8")["metadata"], "uid": "u2"}}
    server.will(streams(event("MODIFIED", other)))

    wait(server, Gone("u1"), known=state("any", "7"))


def test_an_object_removed_while_it_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wait, "VANISHED_GRACE", 0.2)
    end = threading.Event()
    server.will(streams(event("DELETED", state("busy", "8")), then=end))

    with pytest.raises(_errors.WaitFailed, match=r"ConfigMap ns/x cannot be done: it was removed by somebody else"):
        wait(server, known=state("busy", "7"))
    end.set()


def test_an_object_removed_and_made_again(server: Server) -> None:
    end = threading.Event()
    server.will(streams(event("DELETED", state("busy", "8")), event("ADDED", state("done", "9")), then=end))

    assert wait(server, known=state("busy", "7")) == state("done", "9")
    end.set()


def test_the_deadline_tells_what_was_waited_for_seen_and_may_help(server: Server) -> None:
    end = threading.Event()
    server.will(streams(event("MODIFIED", state("busy", "8")), then=end))

    with pytest.raises(_errors.WaitTimeout) as caught:
        wait(server, seconds=0.3, known=state("new", "7"))
    end.set()

    assert caught.value.message == (
        "Waited 0.3 s for ConfigMap ns/x to be done; last seen: its state is busy; push it."
    )
    assert caught.value.details["last_seen"] == "its state is busy"


def test_a_failure_ends_it_at_once(server: Server) -> None:
    end = threading.Event()
    server.will(streams(event("MODIFIED", state("failed", "8")), then=end))
    began = time.monotonic()

    with pytest.raises(_errors.WaitFailed, match=r"ConfigMap ns/x cannot be done: its state is failed; push it\."):
        wait(server, known=state("new", "7"))
    end.set()

    assert time.monotonic() - began < 5


def test_a_failure_that_passes_within_its_grace_is_none(server: Server) -> None:
    server.will(streams(event("MODIFIED", state("failed", "8")), event("MODIFIED", state("done", "9"))))

    wait(server, State(grace=5), known=state("new", "7"))


def test_a_failure_that_lasts_ends_it_after_its_grace(server: Server) -> None:
    end = threading.Event()
    server.will(streams(then=end))

    with pytest.raises(_errors.WaitFailed):
        wait(server, State(grace=0.2), known=state("failed", "7"))
    end.set()


def test_a_failure_that_nobody_else_can_mend_needs_no_grace(server: Server) -> None:
    class OwnFault(State):
        def judge(self, live: Json | None) -> Verdict:
            return super().judge(live)._replace(remedy=Remedy("choose another port", at_once=True))

    with pytest.raises(_errors.WaitFailed) as raised:
        wait(server, OwnFault(grace=3600), known=state("failed", "7"))

    assert raised.value.message.endswith("its state is failed; choose another port.")


def test_many_objects_share_one_watch(server: Server) -> None:
    client, _slept = server.client()
    targets = [Target(MAPS, name, "ns", State(), state("new", "7", name)) for name in "abc"]
    changes = [event("MODIFIED", state("done", str(11 + number), name)) for number, name in enumerate("cab")]
    server.will(says(listed(*(state("new", "7", name) for name in "abc"))), streams(*changes))

    wait_all(client, targets, Deadline(10))

    assert len(server.seen) == 2 and "fieldSelector" not in server.seen[1].query


def test_those_of_many_that_were_gone_before_the_first_look(server: Server) -> None:
    """A controller may let one of several deleted objects go before the list for the watch is read."""
    server.will(says(listed(state("there", "5", "b"))), streams(event("DELETED", state("there", "12", "b"))))
    client, _slept = server.client()
    targets = [Target(MAPS, name, "ns", Gone(), state("there", "1", name)) for name in ("a", "b")]

    wait_all(client, targets, Deadline(10))

    assert [target.live for target in targets] == [None, None]


def test_what_may_not_be_watched_is_told(server: Server) -> None:
    message = (
        'configmaps is forbidden: User "bob" cannot watch resource "configmaps" in API group "" in the namespace "ns"'
    )
    server.will(refuses(403, "Forbidden", message))

    with pytest.raises(_errors.Forbidden, match=r"bob may not watch configmaps in namespace ns"):
        wait(server, known=state("new", "7"))


class TestConditions:
    """A condition counts for the object's current generation only."""

    def live(self, status: str = "True", observed: int | None = 2, reason: str = "Why") -> Json:
        condition: Json = {"type": "Ready", "status": status, "reason": reason, "message": "so it is"}
        if observed is not None:
            condition["observedGeneration"] = observed
        return {"metadata": {"generation": 2}, "status": {"conditions": [condition]}}

    def test_current(self) -> None:
        assert Conditions({"Ready": "True"}).judge(self.live()).state == DONE

    def test_stale(self) -> None:
        verdict = Conditions({"Ready": "True"}).judge(self.live(observed=1))
        assert verdict.state == PENDING and "older generation" in verdict.seen

    def test_without_any_generation_it_is_believed(self) -> None:
        assert Conditions({"Ready": "True"}).judge(self.live(observed=None)).state == DONE

    def test_the_generation_of_the_whole_status_counts(self) -> None:
        live = self.live(observed=None)
        live["status"]["observedGeneration"] = 1
        assert Conditions({"Ready": "True"}).judge(live).state == PENDING

    def test_a_reason_that_fails(self) -> None:
        goal = Conditions({"Ready": "True"}, {"Ready": ("Why",)})
        assert goal.judge(self.live("False")).state == FAILED
        assert goal.judge(self.live("False", reason="Other")).state == PENDING
        assert goal.judge(self.live("Unknown")).state == PENDING
        assert goal.judge(self.live("False", observed=1)).state == PENDING

    def test_in_words(self) -> None:
        assert Conditions({"Ready": "True"}).judge(self.live("False")).seen == "Ready is False (Why: so it is)"
        assert Conditions({"Ready": "True"}).judge({"metadata": {}}).seen == "Ready is not reported yet"
        assert Conditions({"Ready": "True"}).judge(None).seen == "it does not exist"
