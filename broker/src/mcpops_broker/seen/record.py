# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What is known of one request of a client: made at the endpoint, filled in on its way, closed once.

Metrics, audit log, traces and the live view are all made of it, so that they cannot disagree. A record is written on
the hot path: attributes that are seldom set are the class's until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from mcpops_broker.principal import ANONYMOUS, Principal
from mcpops_broker.protocol.jsonrpc import INTERNAL_ERROR, RpcError
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError

if TYPE_CHECKING:
    from mcpops_broker.protocol.jsonrpc import Message
    from mcpops_broker.web.asgi import Headers

NO_PARAMS: Mapping[str, Any] = MappingProxyType({})


class Outcome(StrEnum):
    """How a request ended."""

    OK = "ok"
    TOOL_ERROR = "tool_error"
    """The tool says that it failed (`isError`)."""
    INPUT_REQUIRED = "input_required"
    """The client is asked for something, and sends the request again."""
    ERROR = "error"
    """An upstream answered with a JSON-RPC error."""
    UPSTREAM = "upstream"
    """An upstream did not answer as it should: unreachable, too slow, busy, ... The reason says which."""
    INVALID = "invalid"
    """The request breaks a rule, or names what does not exist."""
    UNAUTHENTICATED = "unauthenticated"
    """Nobody knows who asks (401)."""
    DENIED = "denied"
    """Who asks may not do this (403, or a policy hides it)."""
    LIMITED = "limited"
    """Who asks did so too often (429)."""
    BUSY = "busy"
    """The broker has too much to do, or stops (503)."""
    CANCELLED = "cancelled"
    """The client cancelled it, or has ended its session."""
    GONE = "gone"
    """The client closed the connection."""
    FAILED = "failed"
    """The broker failed: a bug."""


_LIMITED = 429
"""Code of the JSON-RPC error of a rate limit (`access.limits`); the HTTP status may be another."""
_OF_STATUS = {
    401: Outcome.UNAUTHENTICATED,
    403: Outcome.DENIED,
    429: Outcome.LIMITED,
    500: Outcome.FAILED,
    503: Outcome.BUSY,
}


class Judged(Protocol):
    """What a policy decided: `access.policy.Decision` has this shape."""

    @property
    def allowed(self) -> bool:
        """Whether the request may be carried out."""

    @property
    def rule(self) -> str | None:
        """The name of the rule that decided; None: none did."""

    @property
    def reason(self) -> str:
        """Why, in a sentence."""


class Record:
    """One request."""

    principal: Principal = ANONYMOUS
    method: str = ""
    """The method of MCP, from outside, so of any length; `batch` or `response` for a body that is that; for other HTTP
    requests their method (`GET`, `DELETE`, ...); empty: not known (yet)."""
    era: str = ""
    """`session` or `stateless`; empty: not known (yet)."""
    session: str = ""
    """Identity of the client's session, which is not its id; empty without one."""
    name: str = ""
    """The tool or prompt as the client knows it, or the URI of the resource; from outside, so of any length."""
    upstream: str = ""
    """Name of the server that the request went to last; empty: none."""
    upstream_seconds: float = 0.0
    """How long servers had the request."""
    path: str = "/mcp"
    """Where it was sent: the endpoint, or that of a virtual server."""
    params: Mapping[str, Any] = NO_PARAMS
    """The request's parameters. Of its client: never logged unless the configuration asks for it."""
    stopped: bool = False
    """Whether it was ended before its time: cancelled, or by the end of its session or of the broker."""
    decision: Judged | None = None
    """What the policy said; None: it was not asked."""
    outcome: Outcome = Outcome.OK
    reason: str = ""
    """One word or number for programs: an upstream error's reason, or a JSON-RPC code. Never text from outside."""
    duration: float = 0.0
    """Seconds that it took, once it has ended."""
    trace: Any = None
    """The span of the request, where it is traced."""
    sent: Any = None
    """The span of what a server has of it, while it has it."""

    def __init__(self, request_id: str, address: str, headers: Headers) -> None:
        self.id = request_id
        """Of the HTTP request: from the proxy's `X-Request-Id`, otherwise made here. In all log lines about it."""
        self.address = address
        """IP address of the connection: the client's, or that of the proxy in front."""
        self.headers = headers
        """Of the HTTP request, credentials among them."""
        self.began = perf_counter()
        """Monotonic seconds."""

    @property
    def seconds(self) -> float:
        """How long the request took, or has taken until now."""
        return self.duration or perf_counter() - self.began

    @property
    def stream(self) -> bool:
        """Whether it is a stream of notifications, which lasts as long as its client likes."""
        return self.method in ("GET", "subscriptions/listen")

    def another(self) -> Record:
        """Return a record for another message of the same HTTP request (a batch)."""
        other = Record(self.id, self.address, self.headers)
        other.principal, other.era, other.session = self.principal, self.era, self.session
        other.path = self.path
        return other

    def answered(self, message: Message) -> None:
        """Take note of an upstream's response."""
        result = message.get("result")
        if isinstance(result, dict):
            if result.get("isError") is True:
                self.outcome = Outcome.TOOL_ERROR
            elif result.get("resultType") == "input_required":
                self.outcome = Outcome.INPUT_REQUIRED
            else:
                self.outcome = Outcome.OK
        else:
            error = message.get("error")
            self.outcome = Outcome.ERROR
            self.reason = str(error.get("code")) if isinstance(error, dict) else ""

    def failed(self, error: RpcError | UpstreamError) -> None:
        """Take note of the error that the request is answered with."""
        if isinstance(error, UpstreamRpcError):
            self.outcome, self.reason = Outcome.ERROR, str(error.code)
        elif isinstance(error, UpstreamError):
            self.outcome = Outcome.CANCELLED if error.reason == "cancelled" else Outcome.UPSTREAM
            self.reason = error.reason
        else:
            self.outcome, self.reason = self._refused(error), str(error.code)

    def _refused(self, error: RpcError) -> Outcome:
        if self.decision is not None and not self.decision.allowed:
            return Outcome.DENIED
        if error.code == _LIMITED:
            return Outcome.LIMITED
        if error.status in _OF_STATUS:
            return _OF_STATUS[error.status]
        if error.code == INTERNAL_ERROR:  # the broker stops
            return Outcome.BUSY
        return Outcome.CANCELLED if self.stopped else Outcome.INVALID
