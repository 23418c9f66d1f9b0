# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways and HTTPRoutes served by a real Envoy: what reaches which backend."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from dataplane_builders import (
    backend,
    gateway,
    listener,
    parent,
    route,
    rule,
)
from envoy_bench import Bench, until
from sandbox.controllers.gateway_world import Json


async def test_hostnames_choose_the_listener_and_then_the_route(bench: Bench) -> None:
    first, second = listener("a", hostname="*.mcp.local"), listener("b", hostname="localhost")
    to_other = rule(backendRefs=[backend("other")])
    await bench.serve(
        gateway(first, second),
        route(hosts=("weather.mcp.local",), parentRefs=[parent("a")]),
        route(to_other, name="other", hosts=("*.mcp.local",), parentRefs=[parent("a")]),
        route(to_other, name="local", parentRefs=[parent("b")]),
    )
    sources = {}
    for host in ("weather.mcp.local", "WEATHER.mcp.local:8080", "time.mcp.local", "localhost:1", "example.org"):
        answer = await bench.get(host=host)
        sources[host] = answer.headers.get("X-From", str(answer.status))
    assert sources == {
        "weather.mcp.local": "web",
        "WEATHER.mcp.local:8080": "web",
        "time.mcp.local": "other",
        "localhost:1": "other",
        "example.org": "404",
    }


async def test_routes_of_a_wide_listener_do_not_reach_into_a_narrow_one(bench: Bench) -> None:
    wide, narrow = listener("wide"), listener("narrow", hostname="mcp.example.com")
    await bench.serve(gateway(wide, narrow), route(parentRefs=[parent("wide")]))
    assert (await bench.get(host="anything.org")).status == 200
    assert (await bench.get(host="mcp.example.com")).status == 404


async def test_the_host_that_the_client_sent_reaches_the_backend_with_its_port(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    answer = await bench.get(host="x.org:8080")
    assert (await answer.json())["host"] == "x.org:8080"


async def test_paths_methods_headers_and_queries(bench: Bench) -> None:
    def to(name: str, **match: Any) -> Json:
        return {"matches": [match], "backendRefs": [backend(name)]}

    await bench.serve(
        gateway(listener()),
        route(
            to("other", path={"type": "Exact", "value": "/exact"}),
            to("other", path={"type": "PathPrefix", "value": "/pre"}),
            to("other", path={"type": "RegularExpression", "value": "/v[0-9]+"}),
            to("other", path={"value": "/m"}, method="DELETE"),
            to(
                "other", path={"value": "/h"}, headers=[{"name": "X-Kind", "value": "a.*", "type": "RegularExpression"}]
            ),
            to("other", path={"value": "/q"}, queryParams=[{"name": "k", "value": "v"}]),
            to("web", path={"type": "PathPrefix", "value": "/"}),
        ),
    )
    asked: list[tuple[str, str, dict[str, str]]] = [
        ("/exact", "GET", {}),
        ("/exact/more", "GET", {}),
        ("/pre", "GET", {}),
        ("/pre/x", "GET", {}),
        ("/prefix", "GET", {}),
        ("/v12", "GET", {}),
        ("/v12x", "GET", {}),
        ("/m", "DELETE", {}),
        ("/m", "GET", {}),
        ("/h", "GET", {"X-Kind": "abc"}),
        ("/h", "GET", {"X-Kind": "b"}),
        ("/q?k=v", "GET", {}),
        ("/q?k=w", "GET", {}),
    ]
    sources = [
        (await bench.get(path, method=method, headers=headers)).headers["X-From"] for path, method, headers in asked
    ]
    expected = ["other", "web", "other", "other", "web", "other", "web", "other", "web", "other", "web", "other", "web"]
    assert sources == expected


async def test_weights_share_the_requests_and_invalid_backends_answer_500(bench: Bench) -> None:
    shares = [backend(weight=1), backend("other", weight=1), backend("missing", weight=1), backend("web", weight=0)]
    await bench.serve(gateway(listener()), route(rule(backendRefs=shares)))
    answers = await asyncio.gather(*(bench.get() for _ in range(150)))
    sources = [answer.headers.get("X-From", str(answer.status)) for answer in answers]
    assert {source: sources.count(source) > 20 for source in set(sources)} == {"web": True, "other": True, "500": True}


async def test_no_rule_no_backend_no_endpoint(bench: Bench) -> None:
    bench.pods = [entry | {"status": {}} if entry["metadata"]["name"] == "other-1" else entry for entry in bench.pods]
    await bench.serve(
        gateway(listener()),
        route(
            rule("/invalid", backendRefs=[backend("missing")]),
            rule("/none", backendRefs=[]),
            rule("/unready", backendRefs=[backend("other")]),
            rule("/no-such-port", backendRefs=[backend(port=81)]),
        ),
    )
    statuses = [
        (await bench.get(path)).status for path in ("/nothing", "/invalid", "/none", "/unready", "/no-such-port")
    ]
    assert statuses == [404, 500, 500, 503, 500]


async def test_access_log_has_a_line_a_request_and_no_credentials(bench: Bench, tmp_path: Path) -> None:
    await bench.serve(gateway(listener()), route(name="logged"))
    await bench.get("/seen?x=1", headers={"Authorization": "Bearer secret"})
    log = tmp_path / "access.log"
    await until(lambda: log.exists() and log.read_text())  # Envoy flushes it after ten seconds at the latest
    line = json.loads(log.read_text().splitlines()[-1])
    assert (line["path"], line["status"], line["route"]) == ("/seen?x=1", 200, "apps.logged.0")
    assert "secret" not in log.read_text()
