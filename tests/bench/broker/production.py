# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call costs more in production: with access tokens checked, a policy and metrics, beside none of them.

The token is one that the broker has seen before, as it is for all but the first call of a client. A broker that is busy
has a processor to itself, so its throughput is the inverse of the processor time of a call.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from bench.broker import peers
from bench.broker.rounds import Figures, calls, in_turns, rate_ratio
from bench.results import Result

ROUNDS = 20
SECONDS = 0.5
RESOURCE = "https://mcp.example.com/mcp"
GOAL = 0.85
"""Of the throughput without; the cost is at most 15 %."""
NOTHING = {"telemetry": {"metrics": False}}
POLICY = {
    "rules": [
        {"name": "callers", "allow": 'tool.annotations.readOnlyHint && "tools:call" in principal.scopes'},
        {"name": "nobody formats", "deny": 'tool.originalName == "format"'},
    ]
}
OPEN_POLICY = {"rules": [{"name": "everybody", "allow": "tool.annotations.readOnlyHint"}]}
Json = dict[str, Any]


def measure(folder: Path) -> list[Result]:
    """One broker with nothing, one with each, and one with all, in turns."""
    with contextlib.ExitStack() as stack:
        ups = stack.enter_context(peers.upstreams(2, 5, folder))
        auth, headers = stack.enter_context(_issuer())
        variants: dict[str, tuple[Json, dict[str, str]]] = {
            "broker_alone": (NOTHING, {}),
            "broker_metrics": ({}, {}),
            "broker_policy": ({**NOTHING, "policy": OPEN_POLICY}, {}),
            "broker_auth": ({**NOTHING, "auth": auth}, headers),
            "broker_production": ({"auth": auth, "policy": POLICY}, headers),
        }
        starts = [
            functools.partial(peers.broker, name=name, settings=settings, headers=sent)
            for name, (settings, sent) in variants.items()
        ]
        every = [stack.enter_context(start(ups, folder)) for start in starts]
        figures = in_turns(every, calls(16), ROUNDS, SECONDS)
    alone = figures["broker_alone"]
    return [_ratio(figures[name], alone, name) for name in variants if name != "broker_alone"]


def _ratio(ours: list[Figures], alone: list[Figures], name: str) -> Result:
    costs, costs_alone = _least(ours), _least(alone)
    goal = f"goal: >= {GOAL}; " if name == "broker_production" else ""
    note = (
        f"{goal}{costs * 1000:.0f} against {costs_alone * 1000:.0f} microseconds of processor time a call, least of "
        f"{len(ours)} rounds; by answers a second {rate_ratio(ours, alone):.2f} x, median; load average "
        f"{os.getloadavg()[0]:.1f}"
    )
    what = name.removeprefix("broker_")
    return Result(f"broker.call_c16.throughput_with_{what}", costs_alone / costs, "x", note)


def _least(figures: list[Figures]) -> float:
    """Milliseconds of processor time for a call in the round in which the machine did least beside it."""
    return min(one.cpu_ms for one in figures)


@contextlib.contextmanager
def _issuer() -> Iterator[tuple[Json, dict[str, str]]]:
    """Run an authorization server; give the settings of a broker that trusts it, and headers with a token of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "bench", "alg": "ES256", "use": "sig"}
    keys = json.dumps({"keys": [public]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(keys)))
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{web.server_address[1]}"
    now = int(time.time())
    claims = {"iss": issuer, "aud": RESOURCE, "sub": "bench", "scope": "tools:call", "iat": now, "exp": now + 3600}
    token = jwt.encode(claims, key, "ES256", {"kid": "bench", "typ": "at+jwt"})
    auth = {"resource": RESOURCE, "issuers": [{"issuer": issuer, "jwksUri": f"{issuer}/jwks"}]}
    try:
        yield auth, {"authorization": f"Bearer {token}"}
    finally:
        web.shutdown()
        web.server_close()
