# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module virtual_server against an API server."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from integration.kit import ApiServer, Json, Modules, warnings_of, writes

VIRTUAL = "/apis/mcp.kuadrant.io/v1/namespaces/{ns}/mcpvirtualservers/travel"
REGISTRATION = "/apis/mcp.kuadrant.io/v1/namespaces/{ns}/mcpserverregistrations/weather"


class Gateway(http.server.BaseHTTPRequestHandler):
    """An MCP server with one tool, or with a policy in front of it that wants a token."""

    status = 200
    asked: list[str]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(request["method"])
        results = {
            "initialize": {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "gateway", "version": "1"},
            },
            "tools/list": {"tools": [{"name": "weather_today", "inputSchema": {"type": "object"}}]},
        }
        answer: Json = {"jsonrpc": "2.0", "id": request.get("id")}
        if request["method"] in results:
            answer["result"] = results[request["method"]]
        else:
            answer["error"] = {"code": -32601, "message": "unknown"}
        body = json.dumps(answer).encode()
        self.send_response(self.status if "id" in request else 202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def gateway() -> Iterator[tuple[str, type[Gateway]]]:
    """Its address, and its class to change what it does."""
    handler = type("Answering", (Gateway,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def options(ns: str, **more: object) -> Json:
    return {"name": "travel", "namespace": ns, "tools": ["weather_today"], "check_tools": False, **more}


def test_its_life(run: Modules, api_server: ApiServer, ns: str) -> None:
    planned = run("virtual_server", check=True, diff=True, **options(ns, description="Trips"))
    made = run("virtual_server", diff=True, **options(ns, description="Trips"))
    before = api_server.get(VIRTUAL.format(ns=ns))
    with api_server.watched() as requests:
        again = run("virtual_server", **options(ns, description="Trips"))
    unchanged = api_server.get(VIRTUAL.format(ns=ns))
    changed = run("virtual_server", **options(ns, tools=["weather_today", "time_now"], prompts=["p"]))
    live = api_server.get(VIRTUAL.format(ns=ns))
    gone = run("virtual_server", name="travel", namespace=ns, state="absent")
    gone_again = run("virtual_server", name="travel", namespace=ns, state="absent")

    actions = [one["objects"][0]["action"] for one in (planned, made, again, changed, gone, gone_again)]
    assert actions == ["created", "created", "unchanged", "updated", "deleted", "absent"]
    assert planned["diff"] == made["diff"] and writes(requests) == [] and before == unchanged
    assert live is not None and live["spec"] == {"tools": ["weather_today", "time_now"], "prompts": ["p"]}
    assert set(changed["objects"][0]["fields"]) == {"spec.description", "spec.prompts", "spec.tools"}


def test_drift_and_the_field_of_somebody_else(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("virtual_server", **options(ns))
    path = VIRTUAL.format(ns=ns)
    api_server.merge(path, {"spec": {"tools": ["other"], "description": "mine"}}, "somebody")

    said = run.fails("virtual_server", **options(ns))
    planned = run("virtual_server", check=True, diff=True, force_conflicts=True, **options(ns))
    repaired = run("virtual_server", diff=True, force_conflicts=True, **options(ns))

    assert "somebody" in said and "spec.tools" in said and "force_conflicts" in said
    assert planned["diff"] == repaired["diff"] and repaired["objects"][0]["fields"] == ["spec.tools"]
    assert (api_server.get(path) or {})["spec"] == {"tools": ["weather_today"], "description": "mine"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tools": []}, "tools is empty"),
        ({"tools": ["a", " "]}, "tools has an empty name"),
        ({"prompts": [""]}, "prompts has an empty name"),
        ({"broker": {"url": "gateway"}}, "broker.url 'gateway'"),
        ({"namespace": "not-there"}, "not-there"),
    ],
)
def test_wrong_input_is_told_before_anything_is_written(
    run: Modules, api_server: ApiServer, ns: str, change: Json, said: str
) -> None:
    assert said in run.fails("virtual_server", **{**options(ns), **change})
    assert api_server.get(VIRTUAL.format(ns=ns)) is None


def test_tools_are_needed(run: Modules, ns: str) -> None:
    result = run.run("virtual_server", name="travel", namespace=ns)

    assert result["failed"] and "tools" in result["msg"]


def test_tools_that_no_server_offers(run: Modules, ns: str, gateway: tuple[str, type[Gateway]]) -> None:
    url, handler = gateway
    wanted = options(ns, tools=["weather_today", "weather_tomorow"], check_tools=True, broker={"url": url})

    made = run("virtual_server", **wanted)
    asked = len(handler.asked)
    again = run("virtual_server", **wanted)
    right = run("virtual_server", **{**wanted, "tools": ["weather_today"]})

    assert made["unknown_tools"] == ["weather_tomorow"]
    assert warnings_of(made)[0].startswith(f"MCPVirtualServer {ns}/travel lists tools that no MCP server offers now")
    assert again["unknown_tools"] is None and warnings_of(again) == [] and asked > 0
    assert right["unknown_tools"] == [] and warnings_of(right) == []


def test_a_gateway_that_wants_a_token_leaves_the_prefixes(
    run: Modules, api_server: ApiServer, ns: str, gateway: tuple[str, type[Gateway]]
) -> None:
    url, handler = gateway
    handler.status = 401
    target = {"targetRef": {"name": "weather"}, "prefix": f"weather{ns.replace('-', '')}_"}
    registration = {"apiVersion": "mcp.kuadrant.io/v1", "kind": "MCPServerRegistration", "spec": target}
    api_server.apply(REGISTRATION.format(ns=ns), {**registration, "metadata": {"name": "weather"}})
    wanted = options(ns, tools=[f"{target['prefix']}today", "wheather_today"], check_tools=True, broker={"url": url})

    made = run("virtual_server", **wanted)
    api_server.delete(REGISTRATION.format(ns=ns))

    assert made["unknown_tools"] == ["wheather_today"]
