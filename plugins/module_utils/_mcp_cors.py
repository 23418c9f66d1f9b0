# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Whether a web page of another origin may use the endpoint, found out as a browser does (WHATWG Fetch, CORS)."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_bare import single_initialize
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http import Exchange
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

ALWAYS_ALLOWED_METHODS = frozenset({"GET", "HEAD", "POST"})
"""CORS-safelisted methods: a browser sends them without seeing them in Access-Control-Allow-Methods."""

FORBIDDEN = 403

_ORIGIN = re.compile(r"https?://[^/\s]+|null")


@dataclasses.dataclass(frozen=True)
class Cors:
    """What the page does; the fields are the suboptions of ``cors``."""

    origin: str
    method: str = "POST"
    headers: t.Sequence[str] = ("content-type", "mcp-protocol-version", "mcp-session-id")
    expose: t.Sequence[str] = ()
    credentials: bool = False


def check_cors(wire: Wire, cors: Cors) -> Json:
    """Send a preflight and an initialize of this origin. Returns what the server allows; everything that a browser
    would refuse goes into one failure."""
    if not _ORIGIN.fullmatch(cors.origin):
        raise EndpointError(
            "input",
            f"cors.origin {cors.origin!r} is no origin; write scheme, host and port without a path, for example"
            " https://inspector.example.com",
            retry=False,
        )
    names = sorted({name.strip().lower() for name in cors.headers})
    asked = {"Origin": cors.origin, "Access-Control-Request-Method": cors.method}
    if names:
        asked["Access-Control-Request-Headers"] = ",".join(names)
    with wire.send("OPTIONS", {"Accept": "*/*", **asked}, anonymous=True) as preflight:
        found = _allowed(preflight)
        wrong = _preflight_problems(cors, names, preflight, found)
    with single_initialize(wire, {"Origin": cors.origin}) as answer:
        found["answer_status"] = answer.status
        found["expose_headers"] = _list(answer, "Access-Control-Expose-Headers")
        wrong += _answer_problems(cors, answer, found["expose_headers"])
        session = answer.header("Mcp-Session-Id")
    if session:
        _end(wire, session, cors.origin)
    if not wrong:
        return found
    raise EndpointError(
        "assert",
        f"{wire.target.url}: a page of {cors.origin} cannot use it: {'; '.join(wrong)}. Set this in the"
        " HTTPRoute's CORS filter or at the MCP server",
        cors=found,
    )


def _allowed(answer: Exchange) -> Json:
    return {
        "preflight_status": answer.status,
        "allow_origin": answer.header("Access-Control-Allow-Origin") or "",
        "allow_methods": _list(answer, "Access-Control-Allow-Methods"),
        "allow_headers": _list(answer, "Access-Control-Allow-Headers"),
        "allow_credentials": answer.header("Access-Control-Allow-Credentials") == "true",
        "max_age": answer.header("Access-Control-Max-Age") or "",
    }


def _preflight_problems(cors: Cors, names: list[str], answer: Exchange, found: Json) -> list[str]:
    if not 200 <= answer.status < 300:
        return [f"the preflight (OPTIONS) is answered with HTTP {answer.status}, and a browser wants 2xx"]
    wrong = _origin_problems(cors, answer, "the preflight")
    methods = found["allow_methods"]
    listed = cors.method in methods or ("*" in methods and not cors.credentials)
    if cors.method not in ALWAYS_ALLOWED_METHODS and not listed:
        wrong.append(f"the preflight does not allow the method {cors.method} ({_said(methods)})")
    allowed = {name.lower() for name in found["allow_headers"]}
    any_header = "*" in allowed and not cors.credentials
    missing = [name for name in names if name not in allowed and (name == "authorization" or not any_header)]
    if missing:
        why = ", and * counts neither with credentials nor for authorization" if "*" in allowed else ""
        wrong.append(
            f"the preflight does not allow the headers {', '.join(missing)} ({_said(found['allow_headers'])}{why})"
        )
    return wrong


def _answer_problems(cors: Cors, answer: Exchange, exposed: list[str]) -> list[str]:
    wrong = _origin_problems(cors, answer, f"the answer to POST (HTTP {answer.status})")
    if answer.status == FORBIDDEN:
        wrong.append("the answer to POST is HTTP 403, so the server refuses this origin (MCP, security) or the client")
    wanted = {name.strip().lower() for name in cors.expose}
    if answer.header("Mcp-Session-Id"):
        wanted.add("mcp-session-id")
    shown = {name.lower() for name in exposed}
    hidden = [] if "*" in shown and not cors.credentials else sorted(wanted - shown)
    if hidden:
        wrong.append(
            f"the answer to POST hides {', '.join(hidden)} from the page"
            f" (Access-Control-Expose-Headers: {', '.join(exposed) or 'missing'})"
        )
    return wrong


def _origin_problems(cors: Cors, answer: Exchange, where: str) -> list[str]:
    origin = answer.header("Access-Control-Allow-Origin")
    wrong = []
    if origin is None:
        wrong.append(f"{where} has no Access-Control-Allow-Origin")
    elif origin == "*" and cors.credentials:
        wrong.append(f"{where} allows the origin *, which a browser does not take for requests with credentials")
    elif origin not in ("*", cors.origin):
        wrong.append(f"{where} allows the origin {origin}")
    if cors.credentials and answer.header("Access-Control-Allow-Credentials") != "true":
        wrong.append(f"{where} has no Access-Control-Allow-Credentials: true")
    return wrong


def _end(wire: Wire, session: str, origin: str) -> None:
    with contextlib.suppress(EndpointError):  # otherwise the session runs out at the server
        wire.send("DELETE", {"Mcp-Session-Id": session, "Origin": origin}).close()


def _list(answer: Exchange, name: str) -> list[str]:
    return [one.strip() for one in (answer.header(name) or "").split(",") if one.strip()]


def _said(names: list[str]) -> str:
    return f"it allows {', '.join(names)}" if names else "it names none"
