# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reviews: kinds that are not stored but answer a question (authorization.k8s.io, authentication.k8s.io)."""

from __future__ import annotations

from .authentication import Authenticator, User
from .authorization import Authorizer
from .errors import bad_request, invalid
from .fields import FieldError, Struct, invalid_value
from .objects import Object, now
from .rbac import Attributes

_ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
_AUTHORIZATION = "authorization.k8s.io"


class Reviews:
    """Answers to the reviews of a caller."""

    def __init__(self, authorizer: Authorizer, authenticator: Authenticator) -> None:
        self._authorizer = authorizer
        self._authenticator = authenticator

    def answer(self, plural: str, body: Object, caller: User, namespace: str) -> Object:
        """The review with its status. Raises 400 and 422."""
        spec: Object = body.get("spec") or {}
        metadata: Object = body.get("metadata") or {}
        if plural == "selfsubjectreviews":
            metadata, status = {"creationTimestamp": now()}, {"userInfo": caller.info()}
        elif plural == "tokenreviews":
            status = self._token(spec.get("token") or "")
        elif plural == "selfsubjectrulesreviews":
            status = self._rules(caller, spec.get("namespace") or "")
        else:
            status = self._access(plural, spec, caller, namespace)
        return {**body, "metadata": metadata, "status": status}

    def _token(self, token: str) -> Object:
        user = self._authenticator.find(token)
        if user is None:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": user.info(), "audiences": ["https://kubernetes.default.svc"]}

    def _rules(self, caller: User, namespace: str) -> Object:
        if not namespace:
            raise bad_request("no namespace on request")
        rules, problems = self._authorizer.rules(caller, namespace)
        paths = [rule for rule in rules if rule.get("nonResourceURLs")]
        status: Object = {
            "resourceRules": [rule for rule in rules if rule not in paths],
            "nonResourceRules": paths,
            "incomplete": False,
        }
        return {**status, "evaluationError": ", ".join(problems)} if problems else status

    def _access(self, plural: str, spec: Object, caller: User, namespace: str) -> Object:
        wanted, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if wanted is None and path is None:
            raise _invalid(invalid_value("spec.resourceAttributes", None, _ONE_OF))
        if wanted is not None and path is not None:
            shown = Struct(Path=path.get("path", ""), Verb=path.get("verb", ""))
            message = "cannot be specified in combination with resourceAttributes"
            raise _invalid(invalid_value("spec.nonResourceAttributes", shown, message))
        user = caller
        if not plural.startswith("self"):
            if not spec.get("user") and not spec.get("groups"):
                raise _invalid(invalid_value("spec.user", "", "at least one of user or group must be specified"))
            user = User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()))
        if plural.startswith("local") and (wanted or {}).get("namespace") != namespace:
            stated = (wanted or {}).get("namespace", "")
            message = "must match metadata.namespace"
            raise _invalid(invalid_value("spec.resourceAttributes.namespace", stated, message))
        decision = self._authorizer.decide(_attributes(user, wanted, path or {}))
        return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}


def _invalid(error: FieldError) -> Exception:
    return invalid(_AUTHORIZATION, "", "", [error])


def _attributes(user: User, wanted: Object | None, path: Object) -> Attributes:
    if wanted is None:
        return Attributes(user, path.get("verb", ""), path=path.get("path", ""))
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(user, *(wanted.get(name, "") for name in fields))
