# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The state of the broker and of its servers in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from mcpops_broker.status import ServerStatus, Status

GOOD, WARN, BAD, QUIET = "good", "warn", "bad", "quiet"
_ALL = {1: "The server is ready", 2: "Both servers are ready"}
_STATES = {
    "ready": (GOOD, "Ready"),
    "connecting": (WARN, "Connecting"),
    "failed": (BAD, "Failing"),
    "disabled": (QUIET, "Disabled"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """Something said in a few words. `tone` is good, warn, bad or quiet."""

    tone: str
    text: str


def headline(status: Status) -> Said:
    """Say how the broker is."""
    enabled = [server for server in status["servers"] if server["state"] != "disabled"]
    ready = sum(server["ready"] for server in enabled)
    failing = sum(server["state"] == "failed" for server in enabled)
    if status["draining"]:
        return Said(WARN, "The broker is stopping")
    if not enabled:
        return Said(QUIET, "Every server is disabled" if status["servers"] else "No servers yet")
    if ready == len(enabled):
        return Said(GOOD, _ALL.get(ready, f"All {ready} servers are ready"))
    if failing:
        if len(enabled) == 1:
            return Said(BAD, "The server is failing")
        return Said(BAD, f"{failing} of {len(enabled)} servers {'is' if failing == 1 else 'are'} failing")
    return Said(WARN, f"Connecting: {ready} of {len(enabled)} ready")


def state(server: ServerStatus) -> Said:
    """Say how a server is."""
    tone, text = _STATES[server["state"]]
    if server["state"] == "ready" and (server["problems"] or server["hidden"] or server["guarded"]):
        return Said(WARN, "Ready, with problems")
    return Said(tone, text)


def trouble(server: ServerStatus) -> list[str]:
    """Return what is wrong with a server, as sentences."""
    found = list(server["problems"])
    if server["state"] == "failed":
        found.insert(0, server["message"])
    if server["hidden"]:
        found.append(f"{len(server['hidden'])} hidden, since another server has the names")
    if blocked := sum(one["blocked"] for one in server["guarded"]):
        found.append(f"{blocked} blocked by the guard")
    if warned := len(server["guarded"]) - blocked:
        found.append(f"the guard warns of {warned}")
    return [sentence(problem, server["name"]) for problem in found]


def sentence(problem: str, server: str) -> str:
    """Return a problem of a server without its name, for where that stands already."""
    text = problem.removeprefix(f"upstream {server}: ")
    return text[:1].upper() + text[1:]


def counts(server: ServerStatus) -> list[str]:
    """Return how much of what a server offers, leaving out what it offers nothing of."""
    numbers = (
        (server["totalTools"], "tool"),
        (server["totalPrompts"], "prompt"),
        (server["totalResources"], "resource"),
        (server["totalResourceTemplates"], "template"),
    )
    return [f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in numbers if number]
