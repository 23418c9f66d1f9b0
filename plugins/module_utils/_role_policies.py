# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The policies of role auth: who may come in, which tools a caller may use, how often.

The router of the MCP gateway operator sends a tool call on to the host of the MCP server's own route, behind another
listener, with the headers ``x-mcp-servername`` and ``x-mcp-toolname``. So there is one AuthPolicy for the endpoint's
listener and one for the listener of the calls.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_access import access_rules, quoted
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import is_true, structured
from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import GATEWAY_GROUP, without_spec

Object = dict[str, t.Any]
Settings = t.Mapping[str, t.Any]

API_VERSION = "kuadrant.io/v1"
OPEN_PATH = "/.well-known/oauth-protected-resource"
IDENTITY = "mcp-clients"
"""Name of the authentication rule."""
CALLS = "-calls"
"""What is appended to the names of the policies for calls of tools."""


def policies(settings: Settings, *, wanted: t.Literal["present", "absent"]) -> list[Object]:
    """Manifests of the policies that are to be there, or (``wanted``) of those that are not to be there.

    ``settings`` holds the variables of role auth without their prefix; values may be text as a survey sends it.
    """
    name, calls = settings["name"], settings["name"] + CALLS
    listener, calls_listener = settings["listener"], settings.get("calls_listener")
    limits = structured(settings.get("rate_limits"), "list")
    secured = bool(settings.get("issuer") or settings.get("jwks_url"))
    found: dict[tuple[str, str], Object | None] = {
        ("AuthPolicy", name): auth_policy(settings, name, listener, calls=False) if secured else None,
        ("AuthPolicy", calls): auth_policy(settings, calls, calls_listener, calls=True)
        if secured and calls_listener
        else None,
        ("RateLimitPolicy", name): _rate_limit_policy(settings, name, listener, _limits_of(limits, "endpoint")),
        ("RateLimitPolicy", calls): _rate_limit_policy(settings, calls, calls_listener, _limits_of(limits, "calls")),
    }
    gone = settings.get("state") == "absent"
    if wanted == "present":
        return [] if gone else [policy for policy in found.values() if policy is not None]
    return [
        without_spec(_policy(settings, kind, of_name, None, {}))
        for (kind, of_name), policy in found.items()
        if gone or policy is None
    ]


def _policy(settings: Settings, kind: str, name: str, listener: str | None, spec: Object) -> Object:
    target = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": settings["gateway"]}
    if listener:
        target["sectionName"] = listener
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": settings["gateway_namespace"]},
        "spec": {"targetRef": target, **spec},
    }


# ---- who may come in


def auth_policy(settings: Settings, name: str, listener: str | None, *, calls: bool) -> Object:
    """The AuthPolicy of the endpoint's listener, or of the listener of the ``calls``."""
    source = {"jwksUrl": settings["jwks_url"]} if settings.get("jwks_url") else {"issuerUrl": settings["issuer"]}
    rules: Object = {"authentication": {IDENTITY: {"jwt": source}}}
    authorization = _claims(settings)
    if calls:
        authorization |= access_rules(settings)
    if authorization:
        rules["authorization"] = authorization
    rules["response"] = _answers(settings)
    content: Object = {"rules": _merged(rules, structured(settings.get("rules"), "dict"))}
    when = [] if calls else _exceptions(settings)
    if when:
        content["when"] = [{"predicate": predicate} for predicate in when]
    strategy = settings.get("enforce") or "defaults"
    spec = content if strategy == "defaults" else {strategy: content}
    return _policy(settings, "AuthPolicy", name, listener, spec)


def _exceptions(settings: Settings) -> list[str]:
    """Which requests are looked at: all but those for public metadata, and preflight requests of browsers.

    Compared with the beginning of the path: a ``contains`` would let ``/mcp?x=/.well-known`` through.
    """
    paths = structured(settings.get("open_paths"), "list") or [OPEN_PATH]
    found = [f"!request.url_path.startsWith({quoted(path)})" for path in paths]
    if is_true(settings.get("open_preflight", True)):
        found.append("request.method != 'OPTIONS'")
    return found


def _claims(settings: Settings) -> Object:
    """Rules about the token itself. Claims may be one text or a list of texts (RFC 7519: ``aud``)."""
    found: Object = {}
    issuer = settings.get("issuer")
    if settings.get("jwks_url") and issuer:
        found["issuer"] = _predicates(f"has(auth.identity.iss) && auth.identity.iss == {quoted(issuer)}")
    audiences = structured(settings.get("audiences"), "list")
    if audiences:
        fitting = " || ".join(
            f"auth.identity.aud == {quoted(one)} || {quoted(one)} in auth.identity.aud" for one in audiences
        )
        found["audience"] = _predicates(f"has(auth.identity.aud) && ({fitting})")
    scopes = structured(settings.get("scopes"), "list")
    if scopes:
        held = [f"(' ' + auth.identity.scope + ' ').contains({quoted(f' {scope} ')})" for scope in scopes]
        found["scopes"] = _predicates("has(auth.identity.scope)", *held)
    return found


def _predicates(*predicates: str) -> Object:
    return {"patternMatching": {"patterns": [{"predicate": predicate} for predicate in predicates]}}


def _answers(settings: Settings) -> Object:
    """What a refused caller gets: where the metadata is (RFC 9728), and a body for people."""
    answers: Object = {
        "unauthenticated": {
            "code": 401,
            "headers": {"Content-Type": {"value": "application/json"}},
            "body": {"value": '{"error": "unauthorized", "message": "A valid access token is needed."}'},
        },
        "unauthorized": {
            "code": 403,
            "headers": {"Content-Type": {"value": "application/json"}},
            "body": {"value": '{"error": "forbidden", "message": "The access token does not allow this."}'},
        },
    }
    challenge = challenge_of(settings)
    if challenge:
        answers["unauthenticated"]["headers"]["WWW-Authenticate"] = {"value": challenge}
    return answers


def challenge_of(settings: Settings) -> str:
    """The value of ``WWW-Authenticate``; empty when the endpoint's address is not known."""
    address = settings.get("metadata_url") or metadata_url(settings.get("url") or "")
    return f'Bearer resource_metadata="{address}"' if address else ""


def metadata_url(endpoint: str) -> str:
    """Where the metadata of a protected resource is (RFC 9728, section 3.1): its path behind the well-known one."""
    scheme, separator, rest = endpoint.partition("://")
    if not separator:
        return ""
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}{OPEN_PATH}{slash}{path}".rstrip("/")


def _merged(base: Object, more: t.Mapping[str, t.Any]) -> Object:
    result = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


# ---- how often


def _limits_of(limits: t.Sequence[Settings], scope: str) -> list[Settings]:
    return [limit for limit in limits if (limit.get("scope") or "endpoint") == scope]


def _rate_limit_policy(
    settings: Settings, name: str, listener: str | None, limits: t.Sequence[Settings]
) -> Object | None:
    if not limits or not listener:
        return None
    wanted: Object = {}
    for limit in limits:
        entry: Object = {"rates": [{"limit": int(limit["limit"]), "window": str(limit["window"])}]}
        if limit.get("counters"):
            entry["counters"] = [{"expression": text} for text in structured(limit["counters"], "list")]
        if limit.get("when"):
            entry["when"] = [{"predicate": text} for text in structured(limit["when"], "list")]
        wanted[limit["name"]] = entry
    return _policy(settings, "RateLimitPolicy", name, listener, {"limits": wanted})
