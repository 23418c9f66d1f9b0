# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPRoute rules as Envoy routes: matches, filters, backends and the order in which they are tried.

Pure functions from Gateway API objects to Envoy API v3 dictionaries. The rules are those of the Gateway API
specification 1.4; where it leaves a choice, Istio's is taken, because that is what the sandbox stands in for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]

PATH_RANK = {"Exact": 0, "PathPrefix": 1, "RegularExpression": 2}
"""Exact before prefix (specification), then regular expressions, then what matches everything (Istio's choice)."""
CATCH_ALL = 3

WELL_KNOWN = {"http": 80, "https": 443}

RETRIES = {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2}
"""Only what never reached the backend is sent again: a pod that restarts or closed an idle connection."""


class UnsupportedRouteError(ValueError):
    """A rule asks for something that cannot be programmed; ``reason`` is the Route condition's reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Backend:
    """One backendRef of a rule, resolved: the Envoy cluster, or None when the reference is invalid (answers 500)."""

    cluster: str | None
    weight: int = 1
    filters: Sequence[Json] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One match of one rule as an Envoy route, and where it stands among all others of its virtual host.

    ``redirect_port`` is the port of the specification that a redirect leads to, 0 for the listener's;
    ``rule`` is the number of the rule.
    """

    order: tuple[Any, ...]
    route: Json = field(hash=False)
    redirect_port: int | None = None
    rule: int = 0

    def guarded(self, filters: Json) -> Entry:
        """The entry with filters (``typed_per_filter_config``) in front of it."""
        if not filters:
            return self
        all_filters = {**self.route.get("typed_per_filter_config", {}), **filters}
        return replace(self, route={**self.route, "typed_per_filter_config": all_filters})

    def envoy_route(self, port: int, ports: Mapping[int, int]) -> Json:
        """The route as it is on a listener of ``port``; ``ports`` maps the Gateway's ports to the local ones.

        Gateway API: without an explicit port a redirect goes to the well-known port of its scheme, else to
        the listener's. Clients of the sandbox need the local port that stands for it.
        """
        if self.redirect_port is None:
            return self.route
        wanted = self.redirect_port or port
        redirect = self.route["redirect"]
        plain = WELL_KNOWN.get(redirect.get("scheme_redirect", "")) == wanted and "host_redirect" in redirect
        if plain and wanted not in ports:
            return self.route  # the well-known port is not written into the Location header
        return {**self.route, "redirect": {**redirect, "port_redirect": ports.get(wanted, wanted)}}


@dataclass(frozen=True, slots=True)
class _Headers:
    """What header modifier filters do, in Envoy's words."""

    add: list[Json]
    remove: list[str]
    host: str | None = None

    def to_envoy(self, side: str) -> Json:
        fields = {f"{side}_headers_to_add": self.add, f"{side}_headers_to_remove": self.remove}
        return {name: value for name, value in fields.items() if value}


def rule_entries(
    route: Json, index: int, backends: Sequence[Backend], mirrors: Mapping[str, str] | None = None
) -> list[Entry]:
    """The Envoy routes of ``route.spec.rules[index]``, one a match.

    ``backends`` are the rule's backendRefs in order; ``mirrors`` maps the Service name of a RequestMirror
    filter to its cluster. Raises `UnsupportedRouteError` when the rule cannot be programmed.
    """
    rule = route["spec"]["rules"][index]
    meta = route["metadata"]
    entries = []
    for position, match in enumerate(rule.get("matches") or [{}]):
        age = (meta.get("creationTimestamp", ""), meta.get("namespace", ""), meta["name"], index, position)
        envoy = {"name": f"{meta.get('namespace', '')}.{meta['name']}.{index}", "match": _match(match)}
        envoy |= _behaviour(rule, match, backends, mirrors or {})
        entries.append(Entry((*_specificity(match), *age), envoy, _redirect_port(rule), index))
    return entries


def _redirect_port(rule: Json) -> int | None:
    for item in rule.get("filters") or []:
        if redirect := item.get("requestRedirect"):
            return int(redirect.get("port") or WELL_KNOWN.get(redirect.get("scheme", ""), 0))
    return None


def _path_of(match: Json) -> tuple[str, str]:
    path = match.get("path") or {}
    return path.get("type") or "PathPrefix", path.get("value") or "/"


def _specificity(match: Json) -> tuple[int, int, int, int, int]:
    """Gateway API: path type, path length, method, number of headers, number of query parameters."""
    kind, value = _path_of(match)
    headers = {header["name"].lower() for header in match.get("headers") or []}
    queries = {query["name"] for query in match.get("queryParams") or []}
    rank = PATH_RANK.get(kind, CATCH_ALL)
    if (kind, value) == ("PathPrefix", "/") and not (headers or queries or match.get("method")):
        rank = CATCH_ALL
    return rank, -len(value), 0 if match.get("method") else 1, -len(headers), -len(queries)


def _match(match: Json) -> Json:
    kind, value = _path_of(match)
    if kind == "Exact":
        envoy: Json = {"path": value}
    elif kind == "RegularExpression":
        envoy = {"safe_regex": {"regex": _regex(value, "path")}}
    elif kind == "PathPrefix":
        prefix = value.rstrip("/")
        envoy = {"path_separated_prefix": prefix} if prefix else {"prefix": "/"}
    else:
        raise UnsupportedRouteError("UnsupportedValue", f'unknown type: "{kind}" is not supported Path match type')
    headers = _first_of_each(match.get("headers") or [], lower=True)
    envoy_headers = [{"name": item["name"], "string_match": _string_match(item, "header")} for item in headers]
    if method := match.get("method"):
        envoy_headers.append({"name": ":method", "string_match": {"exact": method}})
    if envoy_headers:
        envoy["headers"] = envoy_headers
    if queries := _first_of_each(match.get("queryParams") or [], lower=False):
        envoy["query_parameters"] = [
            {"name": item["name"], "string_match": _string_match(item, "query parameter")} for item in queries
        ]
    return envoy


def _first_of_each(items: Sequence[Json], *, lower: bool) -> list[Json]:
    """Gateway API: of several entries with one name only the first counts."""
    first: dict[str, Json] = {}
    for item in items:
        first.setdefault(item["name"].lower() if lower else item["name"], item)
    return list(first.values())


def _string_match(item: Json, what: str) -> Json:
    if item.get("type") == "RegularExpression":
        return {"safe_regex": {"regex": _regex(item["value"], f"{what} {item['name']}")}}
    return {"exact": item["value"]}


def _regex(pattern: str, what: str) -> str:
    """The pattern, refused when RE2 (Envoy's engine) could not take it: one bad pattern would stop every route."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise UnsupportedRouteError(
            "UnsupportedValue", f'{what} match "{pattern}" is not a regular expression: {error}'
        ) from error
    if re.search(r"\(\?(?!:|[imsU-]+[:)]|P<|<[A-Za-z])|\\[1-9]", pattern):
        raise UnsupportedRouteError(
            "UnsupportedValue", f'{what} match "{pattern}" uses lookaround or a backreference, which RE2 does not have'
        )
    return pattern


def _behaviour(rule: Json, match: Json, backends: Sequence[Backend], mirrors: Mapping[str, str]) -> Json:
    filters = {item["type"]: item for item in rule.get("filters") or []}
    if extension := filters.get("ExtensionRef"):
        kind = extension["extensionRef"].get("kind")
        raise UnsupportedRouteError("InvalidFilter", f'unsupported filter type "ExtensionRef" (kind "{kind}")')
    request = _headers(filters.get("RequestHeaderModifier", {}).get("requestHeaderModifier"))
    response = _headers(filters.get("ResponseHeaderModifier", {}).get("responseHeaderModifier"))
    common = request.to_envoy("request") | response.to_envoy("response")
    if redirect := filters.get("RequestRedirect"):
        return {"redirect": _redirect(redirect["requestRedirect"], match)} | response.to_envoy("response")
    if not backends:
        return {"direct_response": {"status": 500}} | common
    if not sum(backend.weight for backend in backends):
        return {"direct_response": {"status": 503}} | common  # as Istio; the specification only says "not forwarded"
    action: Json = {
        "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR",
        "timeout": _timeout(rule.get("timeouts") or {}),
        "retry_policy": RETRIES,
        **_destinations(backends),
    }
    if request.host:
        action["host_rewrite_literal"] = request.host
    if rewrite := filters.get("URLRewrite"):
        action |= _rewrite(rewrite["urlRewrite"], match)
    if mirror := filters.get("RequestMirror"):
        action |= _mirror(mirror["requestMirror"], mirrors)
    return {"route": action} | common


def _destinations(backends: Sequence[Backend]) -> Json:
    live = [backend for backend in backends if backend.weight]
    clusters = []
    for number, backend in enumerate(live):
        cluster: Json = {"name": backend.cluster or f"invalid-backend-{number}", "weight": backend.weight}
        for item in backend.filters:
            if item["type"] == "RequestHeaderModifier":
                cluster |= _headers(item["requestHeaderModifier"]).to_envoy("request")
            elif item["type"] == "ResponseHeaderModifier":
                cluster |= _headers(item["responseHeaderModifier"]).to_envoy("response")
            else:
                raise UnsupportedRouteError("InvalidFilter", f'unsupported filter type "{item["type"]}"')
        clusters.append(cluster)
    return {"weighted_clusters": {"clusters": clusters}}


def _headers(modifier: Json | None) -> _Headers:
    """A header modifier filter. Host cannot be set as a header in Envoy; it becomes a rewrite of the authority."""
    modifier = modifier or {}
    add: list[Json] = []
    host = None
    for names, action in (("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD")):
        for item in _first_of_each(modifier.get(names) or [], lower=True):
            if item["name"].lower() == "host":
                host = item["value"]
            else:
                value = item["value"].replace("%", "%%")  # a lone % would start an Envoy format
                add.append({"header": {"key": item["name"], "value": value}, "append_action": action})
    remove = [name for name in modifier.get("remove") or [] if name.lower() != "host"]
    return _Headers(add, remove, host)


def _timeout(timeouts: Json) -> str:
    """Seconds for Envoy; "0s" is no limit, which event streams need, unless the rule sets one."""
    given = [seconds(timeouts[name]) for name in ("request", "backendRequest") if timeouts.get(name)]
    limits = [limit for limit in given if limit]
    return f"{min(limits):g}s" if limits else "0s"


def seconds(duration: str) -> float:
    """A Gateway API duration (GEP-2257), for example 1m30s."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(int(amount) * units[unit] for amount, unit in re.findall(r"(\d+)(ms|h|m|s)", duration))


def _rewrite(rewrite: Json, match: Json) -> Json:
    envoy: Json = {}
    if hostname := rewrite.get("hostname"):
        envoy["host_rewrite_literal"] = hostname
    if path := rewrite.get("path"):
        envoy["regex_rewrite"] = _path_rewrite(path, match)
    return envoy


def _path_rewrite(path: Json, match: Json) -> Json:
    """Gateway API: a full replacement, or the matched prefix replaced by whole path elements."""
    if path["type"] == "ReplaceFullPath":
        return {"pattern": {"regex": "^/.*$"}, "substitution": _substitution(path["replaceFullPath"])}
    kind, value = _path_of(match)
    if kind != "PathPrefix":
        raise UnsupportedRouteError("UnsupportedValue", f'ReplacePrefixMatch needs a PathPrefix match, not "{kind}"')
    prefix = re.escape(value.rstrip("/"))
    replacement = (path.get("replacePrefixMatch") or "").rstrip("/")
    if not replacement:
        return {"pattern": {"regex": f"^{prefix}/*"}, "substitution": "/"}
    if not prefix:
        return {"pattern": {"regex": "^/"}, "substitution": _substitution(replacement) + "/"}
    return {"pattern": {"regex": f"^{prefix}"}, "substitution": _substitution(replacement)}


def _substitution(text: str) -> str:
    r"""RE2 reads \1 in a substitution as a group."""
    return text.replace("\\", "\\\\")


def _redirect(redirect: Json, match: Json) -> Json:
    codes = {
        301: "MOVED_PERMANENTLY",
        302: "FOUND",
        303: "SEE_OTHER",
        307: "TEMPORARY_REDIRECT",
        308: "PERMANENT_REDIRECT",
    }
    code = redirect.get("statusCode", 302)
    if code not in codes:
        raise UnsupportedRouteError("UnsupportedValue", f"statusCode {code} is not supported for a RequestRedirect")
    envoy: Json = {"response_code": codes[code]}
    if scheme := redirect.get("scheme"):
        envoy["scheme_redirect"] = scheme
    if hostname := redirect.get("hostname"):
        envoy["host_redirect"] = hostname
    if path := redirect.get("path"):
        if path["type"] == "ReplaceFullPath":
            envoy["path_redirect"] = path["replaceFullPath"]
        else:
            envoy["regex_rewrite"] = _path_rewrite(path, match)
    return envoy


def _mirror(mirror: Json, clusters: Mapping[str, str]) -> Json:
    cluster = clusters.get(mirror["backendRef"]["name"])
    if cluster is None:
        return {}  # an invalid mirror is reported in ResolvedRefs; the request itself goes through
    fraction = mirror.get("fraction") or {"numerator": mirror.get("percent", 100)}
    share = 100 * fraction["numerator"] / (fraction.get("denominator") or 100)
    value = {"numerator": round(share * 10_000), "denominator": "MILLION"}
    return {"request_mirror_policies": [{"cluster": cluster, "runtime_fraction": {"default_value": value}}]}
