# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of HTTPRoutes in a real Envoy."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from dataplane_builders import (
    gateway,
    listener,
    route,
    rule,
)
from envoy_bench import SEEN, Bench, until
from sandbox.controllers.gateway_world import Json


async def path_seen(answer: aiohttp.ClientResponse) -> str:
    assert answer.status == 200, answer.status
    return str((await answer.json())["path"])


def with_filter(kind: str, **content: Any) -> list[Json]:
    field = "urlRewrite" if kind == "URLRewrite" else kind[0].lower() + kind[1:]
    return [{"type": kind, field: content}]


@pytest.mark.parametrize(
    ("prefix", "replacement", "path", "expected"),
    [
        ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz", "/foo", "/xyz"),
        ("/foo", "/xyz", "/foo/", "/xyz/"),
        ("/foo", "", "/foo/bar", "/bar"),
        ("/foo", "", "/foo/", "/"),
        ("/foo", "", "/foo", "/"),
        ("/foo", "/", "/foo/", "/"),
        ("/foo", "/", "/foo", "/"),
        ("/", "/xyz", "/bar?q=1", "/xyz/bar?q=1"),
        ("/f-o.o", "/x", "/f-o.o/a", "/x/a"),
    ],
)
async def test_prefix_replacement(bench: Bench, prefix: str, replacement: str, path: str, expected: str) -> None:
    change = {"type": "ReplacePrefixMatch", "replacePrefixMatch": replacement}
    await bench.serve(gateway(listener()), route(rule(prefix, filters=with_filter("URLRewrite", path=change))))
    assert await path_seen(await bench.get(path)) == expected


async def test_full_path_and_host_rewrite(bench: Bench) -> None:
    change = {"type": "ReplaceFullPath", "replaceFullPath": "/only"}
    await bench.serve(
        gateway(listener()), route(rule(filters=with_filter("URLRewrite", path=change, hostname="inner.org")))
    )
    answer = await bench.get("/a/b?q=1")
    seen = await answer.json()
    assert (seen["path"], seen["host"]) == ("/only?q=1", "inner.org")


async def test_header_modifiers(bench: Bench) -> None:
    request = {
        "set": [{"name": "X-Set", "value": "100%"}],
        "add": [{"name": "X-Add", "value": "b"}],
        "remove": ["X-Gone"],
    }
    response = {
        "set": [{"name": "X-Old", "value": "new"}],
        "add": [{"name": "X-New", "value": "1"}],
        "remove": ["X-From"],
    }
    filters = with_filter("RequestHeaderModifier", **request) + with_filter("ResponseHeaderModifier", **response)
    await bench.serve(gateway(listener()), route(rule(filters=filters)))
    answer = await bench.get(headers={"X-Set": "old", "X-Add": "a", "X-Gone": "1"})
    seen = (await answer.json())["headers"]
    assert (seen["x-set"], seen["x-add"]) == ("100%", "b")  # aiohttp shows the last of several
    assert "x-gone" not in seen
    assert (answer.headers["X-Old"], answer.headers["X-New"]) == ("new", "1")
    assert "X-From" not in answer.headers


@pytest.mark.parametrize(
    ("redirect", "status", "location"),
    [
        ({"hostname": "new.org"}, 302, "http://new.org:PORT/a/b"),
        ({"scheme": "https", "statusCode": 301}, 301, "https://x.org:443/a/b"),
        ({"scheme": "https", "hostname": "new.org"}, 302, "https://new.org/a/b"),
        ({"scheme": "http", "hostname": "new.org", "port": 8080}, 302, "http://new.org:PORT/a/b"),
        ({"scheme": "https", "port": 8443}, 302, "https://x.org:8443/a/b"),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/c"}}, 302, "http://x.org:PORT/c"),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/c"}}, 302, "http://x.org:PORT/c/b"),
    ],
)
async def test_redirects(bench: Bench, redirect: Json, status: int, location: str) -> None:
    await bench.serve(
        gateway(listener()), route(rule("/a", filters=with_filter("RequestRedirect", **redirect), backendRefs=[]))
    )
    port = bench.ports[8080]
    answer = await bench.get("/a/b", host=f"x.org:{port}")
    assert (answer.status, answer.headers["Location"]) == (status, location.replace("PORT", str(port)))


async def test_mirror_sends_a_copy(bench: Bench) -> None:
    mirror = with_filter("RequestMirror", backendRef={"name": "other", "port": 80})
    await bench.serve(gateway(listener()), route(rule(filters=mirror)))
    assert (await bench.get("/copied")).headers["X-From"] == "web"
    await until(lambda: bench.apps["other"][SEEN])
    assert bench.apps["other"][SEEN][0]["path"] == "/copied"


async def test_timeout_of_a_rule(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route(rule(timeouts={"request": "100ms"})))
    assert (await bench.get("/quick")).status == 200
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
