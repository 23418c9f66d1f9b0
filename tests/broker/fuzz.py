# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to `/mcp` that nobody in their right mind would send, as strategies of hypothesis; and a client that sends
them byte by byte as they are and says what is wrong with the answer."""

from __future__ import annotations

import http.client
import json
import os
import socket
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from broker.harness import Json
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

META = "io.modelcontextprotocol/"
HANGS = 20.0
"""Seconds without a byte of an answer that count as a hang."""

EXAMPLES = int(os.environ.get("MCPOPS_FUZZ", "0"))
"""Examples of each property. Unset: few, and the same every time."""


def examples(few: int) -> settings:
    """Say how often a property is tried."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# ---- JSON

NUMBERS = [0, -1, 1.5, -0.0, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**30, 1e308, True, None]
TEXTS = ["", " ", "x" * 5000, "\u2028\x00\x7f", "\U0001f600", "a/b~1", "../..", "%00", "u0_echo", "=?base64?"]

odd: SearchStrategy[Any] = st.recursive(
    st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)

METHODS = [
    "initialize", "ping", "server/discover", "tools/list", "tools/call", "prompts/list", "prompts/get",
    "resources/list", "resources/templates/list", "resources/read", "resources/subscribe", "resources/unsubscribe",
    "completion/complete", "logging/setLevel", "subscriptions/listen", "tasks/get", "tasks/cancel", "tasks/update",
    "notifications/initialized", "notifications/cancelled", "notifications/progress",
    "notifications/roots/list_changed", "sampling/createMessage", "rpc.discover", "",
]  # fmt: skip
NAMES = ["u0_echo", "u0_steps", "u1_echo", "u1_steps", "u2_echo", "nothing", "discover_tools", "select_tools"]
URIS = ["test://u0/item", "test://u1/item", "test://nobody/x", "file:///etc/passwd", "x"]
VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "1"]
CAPABILITIES = [{}, {"elicitation": {}}, {"sampling": {"tools": {}}, "roots": {"listChanged": True}}]
NEEDED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri", "subscriptions/listen": "notifications"}

_FIELDS: dict[str, SearchStrategy[Any]] = {
    "name": st.sampled_from(NAMES),
    "uri": st.sampled_from(URIS),
    "arguments": st.fixed_dictionaries({"steps": st.integers(0, 3), "text": st.text(max_size=5)}),
    "cursor": st.sampled_from(["", "MQ", "gICA", "x" * 300]),
    "protocolVersion": st.sampled_from(VERSIONS),
    "capabilities": st.sampled_from(CAPABILITIES),
    "clientInfo": st.just({"name": "fuzz", "version": "1"}),
    "requestId": st.sampled_from([1, "1", 2]),
    "level": st.sampled_from(["debug", "error", "loud"]),
    "ref": st.sampled_from([{"type": "ref/prompt", "name": "u0_p"}, {"type": "ref/resource", "uri": URIS[0]}]),
    "argument": st.just({"name": "a", "value": "b"}),
    "notifications": st.fixed_dictionaries(
        {}, optional={"toolsListChanged": st.booleans(), "resourceSubscriptions": st.lists(st.sampled_from(URIS))}
    ),
    "inputResponses": st.just({"a": {"action": "accept"}}),
    "requestState": st.text(max_size=20) | st.binary(max_size=60).map(lambda raw: b64encode(raw).decode()),
    "taskId": st.text(max_size=10),
}
_META: dict[str, SearchStrategy[Any]] = {
    "progressToken": st.sampled_from([1, "t", 2**60]),
    META + "protocolVersion": st.just("2026-07-28"),
    META + "clientCapabilities": st.sampled_from(CAPABILITIES),
    META + "clientInfo": st.just({"name": "fuzz", "version": "1"}),
    META + "logLevel": st.sampled_from(["debug", "error", "loud"]),
    "traceparent": st.text(max_size=5),
}


def _mostly(good: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(good, good, good, good, good, odd)


def _some(fields: dict[str, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    optional = {key: _mostly(value) for key, value in fields.items()}
    return st.sets(st.sampled_from(sorted(fields)), max_size=4).flatmap(
        lambda keys: st.fixed_dictionaries({key: optional[key] for key in sorted(keys)})
    )


@st.composite
def messages(draw: st.DrawFn, *, stateless: bool) -> Json:
    """Draw a message: each field plausible more often than not."""
    method = draw(st.sampled_from(METHODS) | st.sampled_from(["tools/call", "initialize", *NEEDED]))
    params: Json = draw(_some(_FIELDS))
    if method in NEEDED and NEEDED[method] not in params:
        params[NEEDED[method]] = draw(_mostly(_FIELDS[NEEDED[method]]))
    meta = draw(_some(_META))
    if stateless:
        for key in (META + "protocolVersion", META + "clientCapabilities"):
            meta.setdefault(key, draw(_mostly(_META[key])))
    if meta:
        params["_meta"] = draw(_mostly(st.just(meta)))
    message: Json = {"jsonrpc": "2.0", "method": method, "params": params}
    if draw(st.integers(0, 9)):
        message["id"] = draw(_mostly(st.sampled_from([1, "1", -5, 2**53])))
    if not draw(st.integers(0, 5)):
        message[draw(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"]))] = draw(odd)
    return message


BENDS = ["", "", "", "twice", "deep", "number", "escape", "cut", "text", "whole", "bytes", "batch"]
DEPTHS = [100, 250, 260, 1000, 1030, 20_000]
DIGITS = ["0" * 400, "e400", "e-400", "e+", ".", "E308"]
ESCAPES = ["\\ud800", "\\udfff", "\\u00", "\\x41", "\x01"]
WHOLES = ["", " ", "[]", "[[]]", "null", "1", '""', "NaN", "{} {}", "\ufeff{}", "{}\0"]


@st.composite
def bodies(draw: st.DrawFn, message: Any) -> bytes:
    """Draw the bytes of a message: as they should be, or bent."""
    text = json.dumps(message, ensure_ascii=draw(st.booleans()))
    place = draw(st.integers(0, len(text) - 1))
    bend = draw(st.sampled_from(BENDS))
    if bend == "twice":
        text = text.replace('"method"', '"method": "tools/list", "method"', 1)
        text = text.replace('"name"', '"name": "u0_echo", "name"', 1)
    elif bend == "deep":
        depth = draw(st.sampled_from(DEPTHS))
        begin, end = draw(st.sampled_from([("[", "]"), ('{"a":', "}")]))
        text = text.replace("{}", begin * depth + "1" + end * depth)
        text = text.replace('"steps":', '"deep": ' + begin * depth + "1" + end * depth + ', "steps":')
    elif bend == "number":
        text = text.replace(": 1", ": 1" + draw(st.sampled_from(DIGITS)), 1)
    elif bend == "escape":
        text = text.replace('"u', '"' + draw(st.sampled_from(ESCAPES)), 1)
    elif bend == "cut":
        text = text[:place]
    elif bend == "text":
        text = text[:place] + draw(st.text(max_size=3)) + text[place + 1 :]
    elif bend == "whole":
        text = draw(st.sampled_from(WHOLES))
    data = text.encode("utf-8", "surrogatepass")
    if bend == "bytes":
        data = data[:place] + draw(st.binary(max_size=4)) + data[place + 1 :]
        data = draw(st.sampled_from([data, text.encode("utf-16", "surrogatepass"), text.encode("utf-7", "replace")]))
    elif bend == "batch":
        data = b"[" + b",".join([data] * draw(st.integers(1, 4))) + b"]"
    return data


# ---- headers

Pairs = list[tuple[bytes, bytes]]

_NAMES = [
    b"mcp-session-id", b"mcp-protocol-version", b"mcp-method", b"mcp-name", b"mcp-param-region", b"accept", b"origin",
    b"x-mcp-virtualserver", b"x-mcp-authorized", b"content-type", b"authorization", b"last-event-id", b"host",
    b"content-encoding", b"expect", b"upgrade", b"connection", b"x-more", b"traceparent",
]  # fmt: skip
_line = st.binary(max_size=30).map(lambda raw: bytes(one for one in raw if one not in b"\r\n\0"))
ODD_VALUES = [
    b"", b"  \t ", b"2026-07-28", b"2025-11-25", b"tools/call", b"u0_echo", b"*/*", b"text/event-stream", b"a,b",
    b"=?base64?dTBfZWNobw==?=", b"=?base64?dTBfZWNobw?=", b"=?base64?/w==?=", b"=?base64??=", b"=?base64?=",
    b"x" * 9000, b"x" * 70_000, b"h2c", b"Upgrade", b"close", b"100-continue", b"gzip", b"null", b"chunked",
]  # fmt: skip
_values = _line | st.sampled_from(ODD_VALUES)


def plausible_headers(message: Any, session: str | None) -> Pairs:
    """Return the headers that a proper client would send with a message."""
    pairs = [(b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream")]
    if session is not None:
        return [*pairs, (b"mcp-session-id", session.encode())]
    pairs.append((b"mcp-protocol-version", b"2026-07-28"))
    params = message.get("params") if isinstance(message, dict) else None
    params = params if isinstance(params, dict) else {}
    method, name = message.get("method"), params.get("name", params.get("uri"))
    if isinstance(method, str):
        pairs.append((b"mcp-method", "".join(one for one in method if one.isprintable()).encode("latin-1", "replace")))
    if isinstance(name, str):
        pairs.append((b"mcp-name", b"=?base64?" + b64encode(name.encode("utf-8", "replace")) + b"?="))
    return pairs


@st.composite
def bent_headers(draw: st.DrawFn, pairs: Pairs) -> Pairs:
    """Draw headers: a few left out, twice, changed or added."""
    result = [pair for pair in pairs if draw(st.integers(0, 19))]
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(_NAMES))
        if draw(st.booleans()):
            result = [pair for pair in result if pair[0] != name]
        padding = draw(st.sampled_from([b"", b" ", b"\t \t"]))
        result.append((draw(st.sampled_from([name, name.upper()])), padding + draw(_values) + padding))
    return draw(st.permutations(result)) if draw(st.booleans()) else result


# ---- the client


@dataclass
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: bytes
    messages: list[Any] = field(default_factory=list)


class Wire:
    """A connection to a broker, used again for as long as it is open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, method: bytes, headers: Pairs, body: bytes, target: bytes = b"/mcp") -> None:
        """Send a request as it is; only the length of the body is added."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=HANGS)
        head = [method + b" " + target + b" HTTP/1.1", *(name + b": " + value for name, value in headers)]
        if not any(name.lower() == b"host" for name, _ in headers):
            head.append(b"host: localhost")
        with suppress(ConnectionError):  # refused before all was sent; the answer says why
            self._socket.sendall(b"\r\n".join([*head, b"content-length: %d" % len(body), b"", b""]) + body)

    def read(self, method: str = "POST") -> Answer | None:
        """Read the answer; of a stream, up to the response or the first sign that it will stay open. None when the
        broker closed the connection without an answer. Raises `TimeoutError` for a hang."""
        assert self._socket is not None
        response = http.client.HTTPResponse(self._socket, method=method)
        try:
            response.begin()
        except (http.client.BadStatusLine, ConnectionError):
            self.close()
            return None
        content_type = response.headers.get_content_type()
        answer = Answer(response.status, content_type, b"")
        if content_type == "text/event-stream":
            while line := response.readline():
                answer.body += line
                if line.startswith(b"data: "):
                    answer.messages.append(json.loads(line[6:]))
                if line.startswith(b": ") or b"subscriptions/acknowledged" in line:
                    break  # a stream that stays open
            self.close()
        else:
            answer.body = response.read()
            if content_type == "application/json" and answer.body:
                parsed = json.loads(answer.body)
                answer.messages = parsed if isinstance(parsed, list) else [parsed]
            if response.will_close:
                self.close()
        return answer


def check(answer: Answer | None) -> None:
    """Fail for an answer that no request may get."""
    if answer is None:
        return
    assert 200 <= answer.status < 500, answer
    for message in answer.messages:
        assert isinstance(message, dict), answer
        assert message.get("jsonrpc") == "2.0", answer
        assert ("method" in message) + ("result" in message) + ("error" in message) == 1, answer
        if "error" in message:
            assert type(message["error"]["code"]) is int, answer
            assert isinstance(message["error"]["message"], str), answer
    if answer.status >= 400 and answer.body and answer.content_type == "application/json":
        assert [("error" in message) for message in answer.messages] == [True], answer
