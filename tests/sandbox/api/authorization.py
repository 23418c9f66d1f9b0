# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: every request is asked about here, and what a role or binding would give away."""

from __future__ import annotations

from dataclasses import dataclass

from . import rbac
from .authentication import User
from .errors import ApiError, forbidden, qualified
from .objects import Object, lookup, same
from .rbac import Attributes, Policy
from .requests import RequestInfo
from .resources import Resource

MASTERS = "system:masters"


@dataclass(frozen=True)
class Decision:
    """An answer and its reason."""

    allowed: bool
    reason: str = ""


class Authorizer:
    """Decides by roles and bindings; members of ``system:masters`` may do everything."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def decide(self, wanted: Attributes) -> Decision:
        """Whether somebody may do something."""
        if MASTERS in wanted.user.groups:
            return Decision(True)
        problems: list[str] = []
        for grant in self._policy.grants(wanted.user, wanted.namespace):
            if any(rbac.allows(rule, wanted) for rule in grant.rules):
                return Decision(True, f"RBAC: allowed by {grant.source}")
            if grant.error and grant.error not in problems:
                problems.append(grant.error)
        return Decision(False, f"RBAC: {_list(problems)}" if problems else "")

    def rules(self, user: User, namespace: str) -> tuple[list[Object], list[str]]:
        """Every rule that a user has in a namespace, and the roles that are missing."""
        grants = list(self._policy.grants(user, namespace))
        rules = [rule for grant in grants for rule in grant.rules]
        return rules, [grant.error for grant in grants if grant.error]

    def check(self, user: User, info: RequestInfo) -> None:
        """Refuse a request that is not allowed; raises 403."""
        group, resource, part = info.group, info.resource, info.subresource
        wanted = Attributes(user, info.verb, group, resource, part, info.namespace, info.name or info.only, info.path)
        decision = self.decide(wanted)
        if not decision.allowed:
            raise _refusal(wanted, decision.reason)

    def impersonate(self, user: User, name: str, groups: tuple[str, ...]) -> User:
        """The user that a request asks to be taken for. Raises 400, and 403 when the caller may not."""
        if not name:
            raise ApiError(400, "BadRequest", f"requested groups {list(groups)} without impersonating a user name")
        other = User.named(name, groups=groups)
        wanted = [Attributes(user, "impersonate", resource="users", name=name)]
        if other.service_account:
            place, account = other.service_account
            wanted = [Attributes(user, "impersonate", resource="serviceaccounts", namespace=place, name=account)]
        wanted += [Attributes(user, "impersonate", resource="groups", name=group) for group in groups]
        for attributes in wanted:
            decision = self.decide(attributes)
            if not decision.allowed:
                raise _refusal(attributes, decision.reason)
        return other

    # what roles and bindings would give away

    def check_grant(self, user: User, resource: Resource, new: Object, old: Object | None) -> None:
        """Refuse a role or binding that gives more than its author has; raises 403.

        ``escalate`` on the role, or ``bind`` on the role of a binding, allows it.
        """
        if resource.group != rbac.GROUP or MASTERS in user.groups:
            return
        namespace, name = new["metadata"].get("namespace", ""), new["metadata"].get("name", "")
        if "roleRef" in new:
            role = new["roleRef"]
            if old and same(role, old["roleRef"]) and same(new.get("subjects"), old.get("subjects")):
                return
            plural = f"{role.get('kind', '').lower()}s"
            verb, about = "bind", role.get("name", "")
            wanted = self._policy.rules_of(role.get("kind", ""), namespace, about)
        else:
            # The path of a creation names no object, so rights on named ones do not count for it.
            plural, verb, about, wanted = resource.plural, "escalate", name if old else "", new.get("rules") or []
            if old and same(wanted, old.get("rules") or []) and same(*_aggregation(new, old)):
                return
        if self.decide(Attributes(user, verb, rbac.GROUP, plural, "", namespace, about)).allowed:
            return
        if wanted is None:
            raise ApiError(404, "NotFound", f'{plural}.{rbac.GROUP} "{about}" not found', {})
        held, problems = self.rules(user, namespace)
        lacking = rbac.missing(wanted, held)
        if lacking:
            groups = " ".join(f'"{group}"' for group in user.groups)
            why = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:'
            why = "\n".join((why, *map(rbac.rule_text, lacking)))
            raise forbidden(resource, name, f"{why}; resolution errors: {problems}" if problems else why)


def _aggregation(*objects: Object) -> list[Object]:
    return [lookup(obj, ("aggregationRule",)) or {} for obj in objects]


def _list(problems: list[str]) -> str:
    return problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"


def _refusal(wanted: Attributes, reason: str) -> ApiError:
    user, why = wanted.user.name, f": {reason}" if reason else ""
    if not wanted.resource:
        return ApiError(
            403, "Forbidden", f'forbidden: User "{user}" cannot {wanted.verb} path "{wanted.path}"{why}', {}
        )
    resource = f"{wanted.resource}/{wanted.subresource}".rstrip("/")
    about = qualified(wanted.group, wanted.resource) + (f' "{wanted.name}"' if wanted.name else "")
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    message = (
        f'{about} is forbidden: User "{user}" cannot {wanted.verb} resource "{resource}" '
        f'in API group "{wanted.group}" {where}{why}'
    )
    details = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
    return ApiError(403, "Forbidden", message, {key: value for key, value in details.items() if value})
