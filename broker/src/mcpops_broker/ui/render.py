# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Pages from templates, and the files that they need. Whatever comes from outside is escaped."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""Nothing from elsewhere, nothing inline, in nobody's frame; `web.guard` adds what holds for all answers."""
_FILES = {"ui.css": "text/css; charset=utf-8", "ui.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


def page(template: str, values: dict[str, Any], status: int = 200) -> HTMLResponse:
    """Return a page. It is not kept by the browser: what it shows is of this moment and may be for some only."""
    html = _environment().get_template(template).render(values)
    return HTMLResponse(html, status, headers={**SECURITY_HEADERS, "Cache-Control": "no-store"})


def asset(name: str) -> Response | None:
    """Return a file that pages link to; None when there is none of this name."""
    if name not in _FILES:
        return None
    return Response(_read(name), media_type=_FILES[name], headers={**SECURITY_HEADERS, "Cache-Control": _FOR_EVER})


def address(path: str, **arguments: str) -> str:
    """Return an address with arguments."""
    return f"{path}?{urlencode(arguments)}"


def ago(seconds: float) -> str:
    """Say how long ago something was, as people do."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("min", 60)):
        number = int(seconds // size)
        if number:
            return f"{number} {unit}{'s' if number > 1 and unit != 'min' else ''} ago"
    return f"{int(seconds)} s ago" if seconds >= 1 else "just now"


def duration(seconds: float) -> str:
    """Write a duration in the unit that fits it."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mcpops_broker.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": lambda since: ago(max(0.0, time.time() - since)),
        "duration": duration,
        "iso": lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds"),
        "argument": lambda text: quote(text, safe=""),
    }
    environment.globals["static"] = _link
    return environment


@cache
def _read(name: str) -> bytes:
    return resources.files("mcpops_broker.ui").joinpath("static", name).read_bytes()


@cache
def _link(name: str) -> str:
    """Return the address of a file; another content has another one, so browsers may keep it."""
    return f"/ui/static/{name}?v={hashlib.sha256(_read(name)).hexdigest()[:12]}"
