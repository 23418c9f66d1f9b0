# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module virtual_server against an API server."""

from __future__ import annotations

from integration.kit import ApiServer, Json, Modules, writes

VIRTUAL = "/apis/mcp.kuadrant.io/v1/namespaces/{ns}/mcpvirtualservers/travel"


def options(ns: str, **more: object) -> Json:
    return {"name": "travel", "namespace": ns, "tools": ["weather_today"], **more}


def test_its_life(run: Modules, api_server: ApiServer, ns: str) -> None:
    planned = run("virtual_server", check=True, diff=True, **options(ns, description="Trips"))
    made = run("virtual_server", diff=True, **options(ns, description="Trips"))
    with api_server.watched() as requests:
        again = run("virtual_server", **options(ns, description="Trips"))
    changed = run("virtual_server", **options(ns, tools=["weather_today", "time_now"], prompts=["p"]))
    live = api_server.get(VIRTUAL.format(ns=ns))
    gone = run("virtual_server", name="travel", namespace=ns, state="absent")
    gone_again = run("virtual_server", name="travel", namespace=ns, state="absent")

    actions = [one["objects"][0]["action"] for one in (planned, made, again, changed, gone, gone_again)]
    assert actions == ["created", "created", "unchanged", "updated", "deleted", "absent"]
    assert planned["diff"] == made["diff"] and writes(requests) == []
    assert live is not None and live["spec"] == {"tools": ["weather_today", "time_now"], "prompts": ["p"]}
    assert set(changed["objects"][0]["fields"]) == {"spec.description", "spec.prompts", "spec.tools"}


def test_no_tools(run: Modules, ns: str) -> None:
    assert "tools is empty" in run.fails("virtual_server", **options(ns, tools=[]))


def test_tools_are_needed(run: Modules, ns: str) -> None:
    result = run.run("virtual_server", name="travel", namespace=ns)

    assert result["failed"] and "tools" in result["msg"]
