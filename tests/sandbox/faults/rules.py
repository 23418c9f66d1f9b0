# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the API server: which request is hit, and what it gets instead of its answer.

`middleware` is what ``python -m sandbox.api --middleware sandbox.faults.rules:middleware`` loads; `proxy` uses the
same rules in front of a server that is not ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.api.errors import STALE, ApiError, expired, qualified
from sandbox.api.http import Cut, Handler, Middleware, Request, Response, Stream
from sandbox.api.requests import RequestInfo
from sandbox.faults import kinds
from sandbox.faults.book import PRODUCT, Book, Fault

Answer = Response | Stream
Forward = Callable[[], Awaitable[Answer]]


def middleware(folder: Path) -> Middleware:
    """The hook of an API server whose state is in ``folder``."""
    rules = Rules(folder)

    def look(request: Request, handler: Handler) -> Coroutine[Any, Any, Answer] | None:
        fault = rules.find(request)
        if fault is None:
            return None

        async def forward() -> Answer:
            return handler(request)

        return rules.strike(fault, request, forward)

    return look


class Rules:
    """The API faults of one sandbox."""

    def __init__(self, folder: Path) -> None:
        self._book = Book(folder)
        self._controllers = folder / "controllers.kubeconfig"
        self._token = ""

    def find(self, request: Request) -> Fault | None:
        """The first active fault that hits a request."""
        faults = self._book.active()
        if not faults:
            return None
        info = RequestInfo.of(request)
        return next((fault for fault in faults if self._hits(fault, request, info)), None)

    def _hits(self, fault: Fault, request: Request, info: RequestInfo) -> bool:
        kind = kinds.find(fault.name)
        if kind.place != kinds.API or info.path in ("/healthz", "/livez", "/readyz"):
            return False
        wanted = {fault.text("verb")} if fault.text("verb") else kind.verbs
        if (wanted and info.verb not in wanted) or (kind.verbs and info.verb not in kind.verbs):
            return False
        group = fault.text("group")
        if group and group != (info.group or ("core" if info.resource else "")):
            return False
        if any(fault.text(key) not in ("", getattr(info, key)) for key in ("resource", "namespace", "name")):
            return False
        if not request.headers.get("user-agent", "").startswith(fault.text("agent")):
            return False
        return fault.user != PRODUCT or not self._is_ours(request)

    def _is_ours(self, request: Request) -> bool:
        """Whether the request comes with the token of the controllers and of the sandbox's commands."""
        if not self._token:
            with contextlib.suppress(FileNotFoundError):
                self._token = self._controllers.read_text(encoding="utf-8")
        given = request.headers.get("authorization", "").partition(" ")[2].strip()
        return bool(given) and given in self._token

    async def strike(self, fault: Fault, request: Request, forward: Forward) -> Answer:
        """What the request gets; raises `Cut` for a connection that is to break."""
        info = RequestInfo.of(request)
        self._book.strike(fault, f"{info.verb} {request.target}")
        act = _ACTS[fault.name]
        return await act(fault, info, forward)


def _status(error: ApiError, *headers: tuple[str, str]) -> Response:
    return Response(error.code, json.dumps(error.status()).encode(), headers=list(headers))


async def _throttled(fault: Fault, _: RequestInfo, __: Forward) -> Answer:
    wait = str(max(1, round(fault.number("retry_after"))))
    message = "too many requests, please try again later"
    details = {"retryAfterSeconds": int(wait)}
    return _status(ApiError(429, "TooManyRequests", message, details), ("Retry-After", wait))


_SERVER_ERRORS = {
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    502: ("InternalError", "bad gateway"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "request did not complete within the allotted timeout"),
}


async def _error(fault: Fault, _: RequestInfo, __: Forward) -> Answer:
    code = int(fault.number("code"))
    reason, message = _SERVER_ERRORS[code]
    return _status(ApiError(code, reason, message))


async def _conflict(_: Fault, info: RequestInfo, __: Forward) -> Answer:
    resource = qualified(info.group, info.resource)
    message = f'Operation cannot be fulfilled on {resource} "{info.name}": {STALE}'
    details = {"name": info.name, "group": info.group, "kind": info.resource}
    return _status(ApiError(409, "Conflict", message, details))


async def _slow(fault: Fault, _: RequestInfo, forward: Forward) -> Answer:
    await asyncio.sleep(fault.number("delay"))
    return await forward()


async def _drop(fault: Fault, _: RequestInfo, forward: Forward) -> Answer:
    when = fault.text("when")
    if when == "before":
        raise Cut
    answer = await forward()
    if isinstance(answer, Stream):
        await _close(answer.chunks)
        answer.on_end()
        raise Cut
    raise Cut(answer if when == "middle" else None)


async def _watch_end(fault: Fault, _: RequestInfo, forward: Forward) -> Answer:
    answer = await forward()
    if isinstance(answer, Response):
        return answer
    return replace(answer, chunks=_shortened(answer.chunks, fault.number("after"), cut=fault.text("how") == "cut"))


async def _shortened(chunks: AsyncIterator[bytes], seconds: float, *, cut: bool) -> AsyncIterator[bytes]:
    """The chunks that come within so many seconds; then the end, or a broken line and the end of the connection."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    try:
        while True:
            yield await asyncio.wait_for(anext(chunks), end - clock())
    except (StopAsyncIteration, TimeoutError):
        if cut:
            yield b'{"type":"MODIFIED","object":{"metadata":{"na'
            raise Cut from None
    finally:
        await _close(chunks)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    aclose = getattr(chunks, "aclose", None)
    if aclose:
        await aclose()


async def _watch_gone(fault: Fault, _: RequestInfo, __: Forward) -> Answer:
    error = expired("too old resource version: 1 (2)")
    if fault.text("how") == "answer":
        return _status(error)

    async def event() -> AsyncIterator[bytes]:
        yield json.dumps({"type": "ERROR", "object": error.status()}).encode() + b"\n"

    return Stream(event())


async def _denied(fault: Fault, _: RequestInfo, __: Forward) -> Answer:
    code = int(fault.number("code"))
    message = f'admission webhook "{fault.text("webhook")}" denied the request: {fault.text("message")}'
    return _status(ApiError(code, "Forbidden" if code == 403 else "BadRequest", message))


_ACTS: dict[str, Callable[[Fault, RequestInfo, Forward], Awaitable[Answer]]] = {
    "api-throttled": _throttled,
    "api-error": _error,
    "api-conflict": _conflict,
    "api-slow": _slow,
    "api-drop": _drop,
    "api-watch-end": _watch_end,
    "api-watch-gone": _watch_gone,
    "api-denied": _denied,
}
