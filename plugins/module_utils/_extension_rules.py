# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private: the rules by which the MCP gateway operator accepts or refuses an MCPGatewayExtension.

The operator has no admission webhook, so a refusal shows only in the extension's Ready condition. The modules
use these functions to say it before anything is written; the sandbox's stand-in for the operator uses the same
functions to decide. All of them are pure: plain Kubernetes objects in, a decision out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

EXTENSION_GROUP = "mcp.kuadrant.io"
GATEWAY_GROUP = "gateway.networking.k8s.io"

REASON_VALID = "ValidMCPGatewayExtension"
REASON_INVALID = "InvalidMCPGatewayExtension"
REASON_GRANT_REQUIRED = "ReferenceGrantRequired"
MESSAGE_VALID = "successfully verified and configured"

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character "
    f"(e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)


@dataclass(frozen=True)
class Verdict:
    """What the operator would write into the Ready condition, and who stands in the way if somebody does."""

    accepted: bool
    reason: str
    message: str
    public_host: str | None = None
    """The host that clients use; known only for an accepted extension."""
    winner: Object | None = None
    """The older extension that this one loses against, for the two conflict rules."""


class PublicHostError(ValueError):
    """No valid public host; the text is the operator's own message."""


def public_host(listener_hostname: str | None, spec_public_host: str | None) -> str:
    """Returns the host that clients use to reach the gateway.

    ``spec.publicHost`` wins over the listener's hostname; a wildcard ``*.example.com`` becomes
    ``mcp.example.com``; a ``:port`` behind the host is dropped. Raises PublicHostError.
    """
    given = spec_public_host or listener_hostname
    if not given:
        raise PublicHostError("unable to derive public host: no hostname available")
    if "://" in given:
        raise PublicHostError(f'invalid public host "{given}": must be a hostname, not a URL')
    host = re.sub(r":[0-9]*$", "", given)
    if host.startswith("*."):
        host = f"mcp.{host[2:]}"
    problems = []
    if len(host) > 253:
        problems.append("must be no more than 253 characters")
    if not re.fullmatch(_SUBDOMAIN, host):
        problems.append(_SUBDOMAIN_RULE)
    if problems:
        raise PublicHostError(f'invalid public host "{given}": {", ".join(problems)}')
    return host


def listener_named(gateway: Object, name: str | None) -> Object | None:
    """The Gateway's listener of that name (Gateway API: ``listeners`` is a map by name)."""
    for listener in gateway.get("spec", {}).get("listeners") or []:
        if listener.get("name") == name:
            found: Object = listener
            return found
    return None


def selector_matches(selector: Object | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector selects these labels; an empty selector selects everything, None nothing."""
    if selector is None:
        return False
    have = labels or {}
    if any(have.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        value, values = have.get(rule["key"]), rule.get("values") or []
        met = {
            "In": value is not None and value in values,
            "NotIn": value is None or value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not met.get(rule["operator"], False):
            return False
    return True


def listener_allows_namespace(
    listener: Object, namespace_name: str, namespace_labels: Mapping[str, str] | None, gateway_namespace: str
) -> bool:
    """Whether ``listener.allowedRoutes.namespaces`` admits the namespace.

    Gateway API: absent or ``Same`` admits the Gateway's own namespace, ``All`` every one, ``Selector`` those
    whose labels match, ``None`` nobody.
    """
    allowed = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    source = allowed.get("from") or "Same"
    if source == "All":
        return True
    if source == "Same":
        return namespace_name == gateway_namespace
    return source == "Selector" and selector_matches(allowed.get("selector"), namespace_labels)


def grant_permits(
    grants: Iterable[Object], *, extension_namespace: str, gateway_namespace: str, gateway_name: str
) -> bool:
    """Whether a ReferenceGrant of the Gateway's namespace lets extensions of the other namespace refer to it.

    Needed only when the namespaces differ. A ``to`` entry without kind or name stands for all of them.
    """
    for grant in grants:
        spec = grant.get("spec", {})
        if grant["metadata"].get("namespace") != gateway_namespace:
            continue
        trusted = any(
            entry.get("group") == EXTENSION_GROUP
            and entry.get("kind") == "MCPGatewayExtension"
            and entry.get("namespace") == extension_namespace
            for entry in spec.get("from") or []
        )
        covered = any(
            entry.get("group") == GATEWAY_GROUP
            and entry.get("kind") in (None, "", "Gateway")
            and entry.get("name") in (None, "", gateway_name)
            for entry in spec.get("to") or []
        )
        if trusted and covered:
            return True
    return False


def namespace_conflict(extension: Object, extensions: Iterable[Object]) -> Object | None:
    """The older live extension of the same namespace, if there is one: a namespace has only one.

    ``extensions`` may contain the extension itself and those of other namespaces. One that was not created yet
    is younger than all. Equal timestamps (they count whole seconds) are settled by name.
    """
    rivals = [
        other
        for other in _live_others(extension, extensions)
        if other["metadata"].get("namespace") == extension["metadata"].get("namespace")
    ]
    return _oldest_before(extension, rivals)


def port_conflict(extension: Object, gateway: Object, extensions: Iterable[Object]) -> Object | None:
    """The older live extension that uses the same port of the same Gateway, if there is one.

    The operator's filter acts on a whole port, so two listeners with one port count as the same.
    """
    listener = listener_named(gateway, extension["spec"]["targetRef"].get("sectionName"))
    port = listener.get("port") if listener else None
    rivals = []
    for other in _live_others(extension, extensions):
        target = other["spec"]["targetRef"]
        if (target.get("namespace"), target["name"]) != _name_of(gateway):
            continue
        theirs = listener_named(gateway, target.get("sectionName"))
        if theirs and theirs.get("port") == port:
            rivals.append(other)
    return _oldest_before(extension, rivals)


def admission(
    extension: Object,
    *,
    gateway: Object | None,
    namespace_labels: Mapping[str, str] | None,
    grants: Iterable[Object],
    extensions: Iterable[Object],
) -> Verdict:
    """Goes through the operator's checks of an extension against its surroundings, in the operator's order.

    ``gateway`` is the targeted Gateway or None when it does not exist; ``namespace_labels`` are those of the
    extension's namespace; ``extensions`` are all extensions of the cluster. The first failed check decides.
    """
    extensions = list(extensions)
    namespace = extension["metadata"].get("namespace", "")
    target = extension["spec"]["targetRef"]
    where = f"{target.get('namespace') or ''}/{target['name']}"
    section = target.get("sectionName", "")

    def refused(message: str, reason: str = REASON_INVALID, winner: Object | None = None) -> Verdict:
        return Verdict(accepted=False, reason=reason, message=message, winner=winner)

    if winner := namespace_conflict(extension, extensions):
        return refused(
            f"conflict: namespace {namespace} already has MCPGatewayExtension {winner['metadata']['name']} "
            "(only one per namespace allowed)",
            winner=winner,
        )
    if gateway is None:
        return refused(f"invalid: gateway target {where} not found")
    listener = listener_named(gateway, section)
    if listener is None:
        return refused(f'listener "{section}" not found on gateway {where}')
    if not listener.get("hostname") and not extension["spec"].get("publicHost"):
        return refused(f'listener "{section}" on gateway {where} has no hostname and spec.publicHost is not set')
    gateway_namespace = target.get("namespace") or ""
    if not listener_allows_namespace(listener, namespace, namespace_labels, gateway_namespace):
        return refused(f'listener "{section}" on gateway {where} does not allow routes from namespace "{namespace}"')
    if gateway_namespace != namespace and not grant_permits(
        grants,
        extension_namespace=namespace,
        gateway_namespace=gateway_namespace,
        gateway_name=target["name"],
    ):
        return refused(
            f"invalid: ReferenceGrant required in {gateway_namespace} "
            f"to allow cross-namespace reference from {namespace}",
            reason=REASON_GRANT_REQUIRED,
        )
    if winner := port_conflict(extension, gateway, extensions):
        theirs = f"{winner['metadata'].get('namespace', '')}/{winner['metadata']['name']}"
        return refused(
            f"conflict: listener port {listener.get('port')} on gateway {where} is already configured by "
            f"MCPGatewayExtension {theirs} (listener {winner['spec']['targetRef'].get('sectionName', '')})",
            winner=winner,
        )
    return Verdict(accepted=True, reason=REASON_VALID, message=MESSAGE_VALID)


def verdict(
    extension: Object,
    *,
    gateway: Object | None,
    namespace_labels: Mapping[str, str] | None,
    grants: Iterable[Object],
    extensions: Iterable[Object],
) -> Verdict:
    """`admission` and, when it passes, the check of the public host: everything known before objects are made."""
    result = admission(
        extension, gateway=gateway, namespace_labels=namespace_labels, grants=grants, extensions=extensions
    )
    if not result.accepted or gateway is None:
        return result
    spec = extension["spec"]
    listener = listener_named(gateway, spec["targetRef"].get("sectionName")) or {}
    try:
        host = public_host(listener.get("hostname"), spec.get("publicHost"))
    except PublicHostError as error:
        return Verdict(accepted=False, reason=REASON_INVALID, message=str(error))
    return Verdict(accepted=True, reason=REASON_VALID, message=MESSAGE_VALID, public_host=host)


def _name_of(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _live_others(extension: Object, extensions: Iterable[Object]) -> list[Object]:
    return [
        other
        for other in extensions
        if _name_of(other) != _name_of(extension) and not other["metadata"].get("deletionTimestamp")
    ]


def _age(extension: Object) -> tuple[str, tuple[str, str]]:
    # RFC 3339 timestamps in UTC sort as text; "~" sorts behind every one of them.
    return extension["metadata"].get("creationTimestamp") or "~", _name_of(extension)


def _oldest_before(extension: Object, rivals: Iterable[Object]) -> Object | None:
    older = [other for other in rivals if _age(other) < _age(extension)]
    return min(older, key=_age) if older else None
