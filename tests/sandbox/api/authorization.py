# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what, and the reviews that ask so.

Members of ``system:masters`` may do everything; anybody else may read discovery and version. Roles and bindings
can be stored, and are not evaluated yet: `Authorizer.decide` is the place for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .authentication import User
from .errors import ApiError, bad_request, qualified
from .objects import Object
from .requests import RequestInfo

MASTERS = "system:masters"
_OPEN_PATHS = ("/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz")


@dataclass(frozen=True)
class Attributes:
    """What somebody wants to do."""

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True)
class Decision:
    """An answer and its reason."""

    allowed: bool
    reason: str = ""


class Authorizer:
    """Decides about requests."""

    def decide(self, attributes: Attributes) -> Decision:
        if MASTERS in attributes.user.groups:
            return Decision(True)
        if not attributes.resource and attributes.verb == "get" and attributes.path.startswith(_OPEN_PATHS):
            return Decision(True)
        return Decision(False, "")

    def check(self, user: User, info: RequestInfo) -> None:
        """Refuse a request that is not allowed; raises 403."""
        attributes = Attributes(
            user, info.verb, info.group, info.resource, info.subresource, info.namespace, info.name, info.path
        )
        if not self.decide(attributes).allowed:
            raise _forbidden(attributes)


def _forbidden(attributes: Attributes) -> ApiError:
    user = attributes.user.name
    if not attributes.resource:
        message = f'forbidden: User "{user}" cannot {attributes.verb} path "{attributes.path}"'
        return ApiError(403, "Forbidden", message, {})
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    about = qualified(attributes.group, attributes.resource)
    if attributes.name:
        about += f' "{attributes.name}"'
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    message = (
        f'{about} is forbidden: User "{user}" cannot {attributes.verb} resource "{resource}" '
        f'in API group "{attributes.group}" {where}'
    )
    details = {"name": attributes.name, "group": attributes.group, "kind": attributes.resource}
    return ApiError(403, "Forbidden", message, {key: value for key, value in details.items() if value})


def review(kind: str, body: Object, caller: User, authorizer: Authorizer, namespace: str = "") -> Object:
    """Answer one of the review kinds of authorization.k8s.io/v1 and authentication.k8s.io/v1."""
    if kind == "selfsubjectreviews":
        return {**body, "status": {"userInfo": caller.info()}}
    spec: Object = body.get("spec") or {}
    if kind == "selfsubjectrulesreviews":
        return {**body, "status": _rules(caller)}
    if kind == "selfsubjectaccessreviews":
        user = caller
    else:
        if not spec.get("user") and not spec.get("groups"):
            raise bad_request("spec.user: Required value: at least one of user or group must be specified")
        user = User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()))
    decision = authorizer.decide(_asked(user, spec, namespace))
    status: Object = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return {**body, "status": status}


def _asked(user: User, spec: Object, namespace: str) -> Attributes:
    wanted = spec.get("resourceAttributes")
    if wanted is None:
        path = spec.get("nonResourceAttributes") or {}
        return Attributes(user, path.get("verb", ""), path=path.get("path", ""))
    return Attributes(
        user,
        wanted.get("verb", ""),
        wanted.get("group", ""),
        wanted.get("resource", ""),
        wanted.get("subresource", ""),
        wanted.get("namespace", "") or namespace,
        wanted.get("name", ""),
    )


def _rules(user: User) -> Object:
    if MASTERS not in user.groups:
        return {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    paths = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    return {"resourceRules": [everything], "nonResourceRules": [paths], "incomplete": False}
