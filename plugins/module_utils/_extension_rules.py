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
from collections.abc import Callable, Iterable, Mapping, Sequence
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

    ``spec.publicHost`` wins over the listener's hostname, and a ``:port`` behind it is dropped; a listener's wildcard
    ``*.example.com`` becomes ``mcp.example.com`` (one in ``spec.publicHost`` is invalid). Raises PublicHostError.
    """
    host = ""
    if spec_public_host:
        if "://" in spec_public_host:
            raise PublicHostError(f'invalid public host "{spec_public_host}": must be a hostname, not a URL')
        host = _without_port(spec_public_host)
    elif listener_hostname:
        host = f"mcp{listener_hostname[1:]}" if listener_hostname.startswith("*.") else listener_hostname
    if not host:
        raise PublicHostError("unable to derive public host: no hostname available")
    problems = []
    if len(host) > 253:
        problems.append("must be no more than 253 characters")
    if not re.fullmatch(_SUBDOMAIN, host):
        problems.append(_SUBDOMAIN_RULE)
    if problems:
        raise PublicHostError(f'invalid public host "{host}": {"; ".join(problems)}')
    return host


def _without_port(host: str) -> str:
    """The host of ``host:port``; what is not of that form is returned as it is (as by Go's net.SplitHostPort)."""
    bracketed = re.fullmatch(r"\[([^][]*)\]:[^][:]*", host)
    plain = re.fullmatch(r"([^][:]*):[^][:]*", host)
    found = bracketed or plain
    return found[1] if found else host


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
    is younger than all. Timestamps count whole seconds: of equal ones the first in ``extensions`` wins.
    """
    namespace = extension["metadata"].get("namespace")
    rivals = [
        other
        for other in extensions
        if other["metadata"].get("namespace") == namespace and not other["metadata"].get("deletionTimestamp")
    ]
    if all(_name_of(other) != _name_of(extension) for other in rivals):
        rivals.append(extension)
    oldest = min(rivals, key=_age)
    return None if _name_of(oldest) == _name_of(extension) else oldest


def port_conflict(extension: Object, gateway: Object, extensions: Iterable[Object]) -> Object | None:
    """The first in ``extensions`` that is older and uses the same port of the same Gateway, if there is one.

    The operator's filter acts on a whole port, so two listeners with one port count as the same. One that is being
    deleted still counts; of two with the same timestamp both are accepted.
    """
    listener = listener_named(gateway, extension["spec"]["targetRef"].get("sectionName"))
    port = listener.get("port") if listener else None
    for other in extensions:
        target = other["spec"]["targetRef"]
        if _name_of(other) == _name_of(extension):
            continue
        if (target.get("namespace"), target["name"]) != _name_of(gateway) or _age(other) >= _age(extension):
            continue
        theirs = listener_named(gateway, target.get("sectionName"))
        if theirs and theirs.get("port") == port:
            return other
    return None


@dataclass(frozen=True)
class Case:
    """An extension and what the operator looks at to judge it."""

    extension: Object
    gateway: Object | None
    namespace_labels: Mapping[str, str] | None
    grants: Sequence[Object]
    extensions: Sequence[Object]

    @property
    def namespace(self) -> str:
        return str(self.extension["metadata"].get("namespace", ""))

    @property
    def target(self) -> Object:
        found: Object = self.extension["spec"]["targetRef"]
        return found

    @property
    def where(self) -> str:
        """``namespace/name`` of the targeted Gateway."""
        return f"{self.target.get('namespace') or ''}/{self.target['name']}"

    @property
    def section(self) -> str:
        return str(self.target.get("sectionName", ""))

    @property
    def listener(self) -> Object:
        """The targeted listener; empty when there is none."""
        return listener_named(self.gateway or {}, self.section) or {}


def _refused(message: str, reason: str = REASON_INVALID, winner: Object | None = None) -> Verdict:
    return Verdict(accepted=False, reason=reason, message=message, winner=winner)


def _one_per_namespace(case: Case) -> Verdict | None:
    winner = namespace_conflict(case.extension, case.extensions)
    if winner is None:
        return None
    name = winner["metadata"]["name"]
    return _refused(
        f"conflict: namespace {case.namespace} already has MCPGatewayExtension {name} (only one per namespace allowed)",
        winner=winner,
    )


def _gateway_exists(case: Case) -> Verdict | None:
    return None if case.gateway else _refused(f"invalid: gateway target {case.where} not found")


def _listener_exists(case: Case) -> Verdict | None:
    return None if case.listener else _refused(f'listener "{case.section}" not found on gateway {case.where}')


def _host_is_known(case: Case) -> Verdict | None:
    if case.listener.get("hostname") or case.extension["spec"].get("publicHost"):
        return None
    listener = f'listener "{case.section}" on gateway {case.where}'
    return _refused(f"{listener} has no hostname and spec.publicHost is not set")


def _namespace_is_admitted(case: Case) -> Verdict | None:
    home = case.target.get("namespace") or ""
    if listener_allows_namespace(case.listener, case.namespace, case.namespace_labels, home):
        return None
    listener = f'listener "{case.section}" on gateway {case.where}'
    return _refused(f'{listener} does not allow routes from namespace "{case.namespace}"')


def _reference_is_granted(case: Case) -> Verdict | None:
    home = case.target.get("namespace") or ""
    if home == case.namespace or grant_permits(
        case.grants, extension_namespace=case.namespace, gateway_namespace=home, gateway_name=case.target["name"]
    ):
        return None
    return _refused(
        f"invalid: ReferenceGrant required in {home} to allow cross-namespace reference from {case.namespace}",
        reason=REASON_GRANT_REQUIRED,
    )


def _port_is_free(case: Case) -> Verdict | None:
    winner = port_conflict(case.extension, case.gateway or {}, case.extensions)
    if winner is None:
        return None
    theirs = f"{winner['metadata'].get('namespace', '')}/{winner['metadata']['name']}"
    return _refused(
        f"conflict: listener port {case.listener.get('port')} on gateway {case.where} is already configured by "
        f"MCPGatewayExtension {theirs} (listener {winner['spec']['targetRef'].get('sectionName', '')})",
        winner=winner,
    )


RULES: tuple[Callable[[Case], Verdict | None], ...] = (
    _one_per_namespace,
    _gateway_exists,
    _listener_exists,
    _host_is_known,
    _namespace_is_admitted,
    _reference_is_granted,
    _port_is_free,
)
"""The operator's checks of an extension against its surroundings, in its order; the first refusal stands."""


def admission(
    extension: Object,
    *,
    gateway: Object | None,
    namespace_labels: Mapping[str, str] | None,
    grants: Iterable[Object],
    extensions: Iterable[Object],
) -> Verdict:
    """Goes through `RULES`.

    ``gateway`` is the targeted Gateway or None when it does not exist; ``namespace_labels`` are those of the
    extension's namespace; ``extensions`` are all extensions of the cluster.
    """
    case = Case(extension, gateway, namespace_labels, list(grants), list(extensions))
    refusals = (rule(case) for rule in RULES)
    accepted = Verdict(accepted=True, reason=REASON_VALID, message=MESSAGE_VALID)
    return next((refusal for refusal in refusals if refusal), accepted)


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


def _age(extension: Object) -> str:
    # RFC 3339 timestamps in UTC sort as text; "~" sorts behind every one of them.
    return extension["metadata"].get("creationTimestamp") or "~"
