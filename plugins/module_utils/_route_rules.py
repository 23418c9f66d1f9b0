# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What cannot work in a custom HTTPRoute, told before anything is written. All functions are pure.

Rules are those of the Gateway API (the CRD's validation) and, for CORS, of the Fetch standard.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _extension_rules as extension_rules
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import (
    GROUP,
    hostname_covers,
    hostname_problem,
)

Params = t.Mapping[str, t.Any]

MOST_RULES, MOST_HOSTNAMES, MOST_PARENTS = 16, 16, 32
"""How many the Gateway API takes in one route."""
_PATH = re.compile(r"/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*")
_NOT_IN_PATH = re.compile(r"//|/\.\.?(?:/|$)|%2[fF]")
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_ORIGIN = re.compile(r"(?P<scheme>[a-z][-a-z0-9+.]*)://(?P<host>\[[0-9a-f:.]+\]|[^/?#@:*\s]+)(?P<port>:[0-9]{1,5})?")


def refuse_route(label: str, params: Params, hostnames: t.Sequence[str], rules: int) -> None:
    """Raise ConfigError with everything that is wrong; ``rules`` is how many the route would have."""
    found = [
        *hostnames_problems(hostnames),
        *path_problems(params["path"]),
        *cors_problems(params["cors"]),
    ]
    if not 1 <= params["backend_port"] <= 65535:
        found.append(f"backend_port {params['backend_port']} is not between 1 and 65535")
    if rules > MOST_RULES:
        found.append(
            f"it would have {rules} rules, one for every allowed origin included, and the Gateway API takes at most "
            f"{MOST_RULES}: allow fewer origins, or make a second route"
        )
    if len(params["additional_parents"] or []) >= MOST_PARENTS:
        found.append(f"it would attach to more than {MOST_PARENTS} listeners, which the Gateway API does not take")
    if found:
        raise ConfigError(f"{label} is not changed: {'; '.join(found)}.")


def hostnames_problems(hostnames: t.Sequence[str]) -> list[str]:
    """Why the Gateway API does not take the host names of a route."""
    found = [f"hostnames has {host}, which {hostname_problem(host)}" for host in hostnames if hostname_problem(host)]
    if len(hostnames) > MOST_HOSTNAMES:
        found.append(f"hostnames has {len(hostnames)} entries, and the Gateway API takes at most {MOST_HOSTNAMES}")
    return found


def path_problems(path: str) -> list[str]:
    """Why the Gateway API does not take a path of the endpoint."""
    if _PATH.fullmatch(path) and not _NOT_IN_PATH.search(path):
        return []
    return [f"path {path!r} is none; write an absolute path such as /mcp, without query, fragment, '//' and '/../'"]


def cors_problems(cors: Params | None) -> list[str]:
    """What browsers would refuse, or never send, in the options of CORS."""
    if not cors:
        return []
    origins = cors.get("allow_origins") or []
    if not origins:
        return ['cors.allow_origins is empty; name the origins of your web clients, or ["*"] for all']
    found = [f"cors.allow_origins has {origin!r}, which {origin_problem(origin)}" for origin in origins if
             origin_problem(origin)]  # fmt: skip
    if "*" in origins and len(set(origins)) > 1:
        found.append("cors.allow_origins has * and single origins; keep one of the two")
    if int(cors.get("max_age") or 0) < 0:
        found.append(f"cors.max_age {cors['max_age']} is less than 0 seconds")
    lists = {option: cors.get(option) or [] for option in ("allow_methods", "allow_headers", "expose_headers")}
    for option, values in lists.items():
        wrong = [value for value in values if not _TOKEN.fullmatch(value)]
        if wrong:
            found.append(f"cors.{option} has {', '.join(map(repr, wrong))}; write single names such as POST or Accept")
    if cors.get("allow_credentials") and not cors.get("any_origin_with_credentials"):
        stars = [option for option, values in {"allow_origins": origins, **lists}.items() if "*" in values]
        found += [
            f"cors.{option} * together with cors.allow_credentials is refused by every browser; list the single "
            "values, or set allow_credentials to false (MCP clients send their token in a header, not in a cookie)"
            for option in stars
        ]
    return found


def origin_problem(origin: str) -> str:
    """Why no browser sends this as ``Origin`` (completes "ORIGIN, which ..."), or an empty text. ``*`` is fine."""
    if origin == "*":
        return ""
    if origin == "null":
        return "stands for sandboxed frames and files of anybody; name real origins"
    example = "write scheme, host and port alone, as https://chat.example.com, or * alone for all"
    if origin != origin.lower():
        return f"has capital letters, and browsers send none; write {origin.lower()}"
    if "*" in origin:
        return f"has a wildcard, which the match of the header Origin does not know; {example}"
    found = _ORIGIN.fullmatch(origin)
    if not found:
        return f"is none; {example}"
    if found["port"] == {"http": ":80", "https": ":443"}.get(found["scheme"]):
        return "names its scheme's own port, which browsers leave out; leave it out, too"
    return ""


def attachment_problem(
    listener: Params,
    hostnames: t.Sequence[str],
    *,
    namespace: str,
    labels: t.Mapping[str, str] | None,
    gateway_namespace: str,
) -> tuple[str, str]:
    """Why a listener does not take a route (completes "LISTENER ..."), and what helps; or two empty texts.

    ``namespace`` and ``labels`` are those of the route; labels that are not known (None) are believed to be selected.
    """
    allowed = listener.get("allowedRoutes") or {}
    source = (allowed.get("namespaces") or {}).get("from") or "Same"
    admitted = extension_rules.listener_allows_namespace(listener, namespace, labels, gateway_namespace)
    if not admitted and not (source == "Selector" and labels is None):
        return (
            f"does not take routes of namespace {namespace} (allowedRoutes.namespaces.from is {source})",
            "allow it there (module mcpops.gateway.gateway_listener) or choose another listener",
        )
    kinds = allowed.get("kinds") or [{"kind": "HTTPRoute"}]
    if listener.get("protocol") not in {"HTTP", "HTTPS"} or not any(
        entry.get("kind") == "HTTPRoute" and (entry.get("group") or GROUP) == GROUP for entry in kinds
    ):
        return "takes no HTTPRoutes (by its protocol or its allowedRoutes.kinds)", "choose another listener"
    own = str(listener.get("hostname") or "")
    if hostnames and not any(hostname_covers(own, host) or hostname_covers(host, own) for host in hostnames if host):
        return f"has the hostname {own}, which covers none of {', '.join(hostnames)}", "correct hostnames or listener"
    return "", ""
