# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of faults: their names, what they do, and the options that each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sandbox.state import SandboxError

Value = str | int | float

API, CONTROLLERS, UPSTREAM, ONCE = "api", "controllers", "upstream", "once"
"""Who carries a fault out: the API server, the controllers' process, the MCP servers, the command itself."""


class UsageError(SandboxError):
    """A command that cannot be meant: an unknown name, option or value."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how its text is read (raises ValueError), what it is without, and what it must be in words."""

    name: str
    read: Callable[[str], Value]
    default: Value
    help: str
    form: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. ``verbs``: with ``API``, the requests that it meets when ``verb`` is not given."""

    name: str
    place: str
    help: str
    options: Sequence[Option] = ()
    verbs: frozenset[str] = frozenset()

    def values(self, given: Mapping[str, str]) -> dict[str, Value]:
        """All options with their values; raises `UsageError` on an option or a value that is not known."""
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                offer = f"its options are {', '.join(known)}" if known else "it has none"
                raise UsageError(f"the fault {self.name} has no option {name}: {offer}")
        values: dict[str, Value] = {}
        for option in self.options:
            text = given.get(option.name)
            try:
                values[option.name] = option.default if text is None else option.read(text)
            except ValueError as error:
                raise UsageError(f"{option.name}={text} of the fault {self.name}: it must be {option.form}") from error
        return values


def find(name: str) -> Kind:
    """The kind of a name; raises `UsageError` when there is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    names = ", ".join(kind.name for kind in KINDS)
    raise UsageError(f"there is no fault {name}: choose one of {names}")


def _seconds(name: str, default: float, help_text: str) -> Option:
    def read(text: str) -> float:
        value = float(text)
        if not 0 <= value <= 3600:
            raise ValueError(text)
        return value

    return Option(name, read, default, help_text, "a number of seconds from 0 to 3600")


def _choice(name: str, choices: Sequence[str], help_text: str) -> Option:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return Option(name, read, choices[0], help_text, f"one of {', '.join(choices)}")


def _code(choices: Sequence[int]) -> Option:
    def read(text: str) -> int:
        if int(text) not in choices:
            raise ValueError(text)
        return int(text)

    return Option("code", read, choices[0], "HTTP status", f"one of {', '.join(map(str, choices))}")


def _text(name: str, default: str, help_text: str) -> Option:
    def read(text: str) -> str:
        if not text:
            raise ValueError(text)
        return text

    return Option(name, read, default, help_text, "a text that is not empty")


WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
WATCH = frozenset({"watch"})

_SERVER = _text("server", "", "only the MCP server of this Deployment, as in weather; without: every one of the demo's")

MATCH: Sequence[Option] = (
    _text("verb", "", "only requests with this verb: get, list, watch, create, update, patch, delete"),
    _text("group", "", "only this API group; core for the core group"),
    _text("resource", "", "only this resource, as in gateways"),
    _text("namespace", "", "only this namespace"),
    _text("name", "", "only the object of this name"),
    _text("agent", "", "only clients whose User-Agent begins so; mcpops.gateway is the collection"),
)
"""Options of every API fault: which requests it hits."""

KINDS: Sequence[Kind] = (
    Kind(
        "api-throttled",
        API,
        "answers 429 Too Many Requests with Retry-After",
        (_seconds("retry_after", 1, "what Retry-After says, in seconds"), *MATCH),
    ),
    Kind("api-error", API, "answers a server error", (_code((500, 502, 503, 504)), *MATCH)),
    Kind("api-conflict", API, "answers writes with 409 Conflict", MATCH, WRITES),
    Kind("api-slow", API, "answers late", (_seconds("delay", 2, "how late, in seconds"), *MATCH)),
    Kind(
        "api-drop",
        API,
        "drops the connection instead of answering",
        (
            _choice(
                "when",
                ("before", "after", "middle"),
                "before: reset, the request is not carried out; after: carried out, then reset; middle: carried out, "
                "and the answer breaks off",
            ),
            *MATCH,
        ),
    ),
    Kind(
        "api-watch-end",
        API,
        "ends watches early",
        (
            _seconds("after", 0.2, "after how many seconds"),
            _choice("how", ("end", "cut"), "end: in order; cut: in the middle of an event"),
            *MATCH,
        ),
        WATCH,
    ),
    Kind(
        "api-watch-gone",
        API,
        "answers watches with 410 Gone (resourceVersion too old)",
        (_choice("how", ("event", "answer"), "event: an ERROR event in the stream; answer: the HTTP status"), *MATCH),
        WATCH,
    ),
    Kind(
        "api-denied",
        API,
        "an admission webhook denies writes",
        (
            _code((403, 400)),
            _text("webhook", "policy.sandbox.mcpops.io", "name of the webhook"),
            _text("message", "not in this cluster", "what the webhook says"),
            *MATCH,
        ),
        WRITES,
    ),
    Kind(
        "olm-stuck",
        CONTROLLERS,
        "OLM's controllers do nothing: Subscriptions, InstallPlans and CSVs stay as they are",
    ),
    Kind(
        "csv-failing",
        CONTROLLERS,
        "every ClusterServiceVersion fails (phase Failed, reason InstallComponentFailed)",
        (_text("message", 'Deployment.apps "operator" is invalid', "why the installation fails"),),
    ),
    Kind(
        "certificate-missing",
        CONTROLLERS,
        "a TLS Secret is gone; it comes back as it was",
        (_text("secret", "openshift-ingress/default-ingress-cert", "NAMESPACE/NAME of the Secret"),),
    ),
    Kind(
        "operator-crash-looping",
        CONTROLLERS,
        "the MCP gateway operator's pod crashes again and again, and the operator does nothing",
    ),
    Kind("envoy-down", CONTROLLERS, "the data path is down: Envoy is killed and not started again"),
    Kind(
        "broker-crash",
        CONTROLLERS,
        "the broker is killed (SIGKILL) whenever it runs; once with --count 1",
        (_seconds("every", 2, "seconds between two crashes at least"),),
    ),
    Kind("upstream-slow", UPSTREAM, "MCP servers answer late", (_seconds("delay", 2, "how late, in seconds"), _SERVER)),
    Kind("upstream-hung", UPSTREAM, "MCP servers never answer", (_SERVER,)),
    Kind("upstream-dead", CONTROLLERS, "MCP servers are killed whenever they run", (_SERVER,)),
    Kind(
        "upstream-malformed",
        UPSTREAM,
        "MCP servers answer nonsense",
        (
            _choice(
                "how",
                ("http-500", "content-type", "json", "sse", "cut"),
                "HTTP 500, a page of HTML, broken JSON, a broken event stream, a connection closed in the middle",
            ),
            _SERVER,
        ),
    ),
    Kind(
        "api-restart",
        ONCE,
        "stops the API server and starts it again; what it stores is kept",
        (_seconds("pause", 0, "how long nothing listens"),),
    ),
)
