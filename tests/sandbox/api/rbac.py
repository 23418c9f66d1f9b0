# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and bindings: what they allow, and whom (the rules of k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .authentication import SERVICE_ACCOUNT, User
from .objects import Object
from .store import DELETED, Event, Location, Store

GROUP = "rbac.authorization.k8s.io"
_ROLES = {"roles": "Role", "clusterroles": "ClusterRole"}
_BINDINGS = {"rolebindings": "RoleBinding", "clusterrolebindings": "ClusterRoleBinding"}


@dataclass(frozen=True)
class Attributes:
    """What somebody wants to do: a verb on a resource, or on a path when the resource is empty."""

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


Part = tuple[str, str, str, str]
"""Group, resource with its subresource, name and path: what a rule is about; only the path, or all but the path."""


def allows(rule: Object, wanted: Attributes) -> bool:
    """Whether one PolicyRule allows it."""
    resource = f"{wanted.resource}/{wanted.subresource}".rstrip("/")
    path = "" if resource else wanted.path
    return _covers(rule, (wanted.group, resource, wanted.name, path), wanted.verb)


def _path_fits(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


class Grant(NamedTuple):
    """The rules that a user has through one binding; an error instead when the role is not there."""

    rules: list[Object]
    source: str
    error: str = ""


@dataclass
class _Binding:
    kind: str
    namespace: str
    name: str
    role: tuple[str, str, str]
    """Kind, namespace and name of the role."""
    subjects: dict[tuple[str, str], str] = field(default_factory=dict)
    """How each subject is called, by kind (User or Group) and name."""


class Policy:
    """All roles and bindings, indexed as they come and go in the store."""

    def __init__(self, store: Store) -> None:
        self._roles: dict[tuple[str, str, str], list[Object]] = {}
        self._bindings: dict[tuple[str, str, str], _Binding] = {}
        self._by_subject: dict[tuple[str, str], dict[tuple[str, str, str], _Binding]] = {}
        for plural in (*_ROLES, *_BINDINGS):
            store.subscribe(Location(GROUP, plural), self._changed)

    def grants(self, user: User, namespace: str) -> Iterator[Grant]:
        """What a user may do cluster-wide and, unless it is empty, in a namespace."""
        for subject in (("User", user.name), *(("Group", group) for group in user.groups)):
            for binding in self._by_subject.get(subject, {}).values():
                if binding.namespace not in ("", namespace):
                    continue
                kind, _, name = binding.role
                rules = self._roles.get(binding.role)
                if rules is None:
                    yield Grant([], "", f'{kind.lower()}.{GROUP} "{name}" not found')
                else:
                    place = f"{binding.name}/{binding.namespace}" if binding.namespace else binding.name
                    yield Grant(rules, f'{binding.kind} "{place}" of {kind} "{name}" to {binding.subjects[subject]}')

    def rules_of(self, kind: str, namespace: str, name: str) -> list[Object] | None:
        """The rules of a role, or None when it is not there."""
        return self._roles.get((kind, "" if kind == "ClusterRole" else namespace, name))

    def _changed(self, event: Event) -> None:
        record, plural = event.record, event.location.plural
        if plural in _ROLES:
            key = (_ROLES[plural], record.namespace, record.name)
            if event.kind == DELETED:
                self._roles.pop(key, None)
            else:
                self._roles[key] = record.load().get("rules") or []
            return
        key = (_BINDINGS[plural], record.namespace, record.name)
        known = self._bindings.pop(key, None)
        for subject in known.subjects if known else ():
            del self._by_subject[subject][key]
        if event.kind != DELETED:
            binding = self._bindings[key] = _read(key, record.load())
            for subject in binding.subjects:
                self._by_subject.setdefault(subject, {})[key] = binding


def _read(key: tuple[str, str, str], obj: Object) -> _Binding:
    namespace = key[1]
    role = obj["roleRef"]
    binding = _Binding(*key, (role["kind"], "" if role["kind"] == "ClusterRole" else namespace, role["name"]))
    for subject in obj.get("subjects") or ():
        if subject["kind"] == "ServiceAccount":
            place = subject.get("namespace") or namespace
            user = f"{SERVICE_ACCOUNT}{place}:{subject['name']}"
            binding.subjects["User", user] = f'ServiceAccount "{subject["name"]}/{place}"'
        else:
            binding.subjects[subject["kind"], subject["name"]] = f'{subject["kind"]} "{subject["name"]}"'
    return binding


def missing(wanted: list[Object], held: list[Object]) -> list[Object]:
    """The rules in ``wanted`` that ``held`` does not cover, each resource with its verbs, sorted."""
    found: dict[Part, list[str]] = {}
    for rule in wanted:
        for part, verb in _parts(rule):
            if not any(_covers(owned, part, verb) for owned in held):
                verbs = found.setdefault(part, [])
                if verb not in verbs:
                    verbs.append(verb)
    rules = [_rule(part, verbs) for part, verbs in found.items()]
    return sorted(rules, key=rule_text)


def _parts(rule: Object) -> Iterator[tuple[Part, str]]:
    """Each (group, resource, resource name, path) of a rule with each verb."""
    for verb in rule.get("verbs") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    yield (group, resource, name, ""), verb
        for path in rule.get("nonResourceURLs") or ():
            yield ("", "", "", path), verb


def _covers(rule: Object, part: Part, verb: str) -> bool:
    group, resource, name, path = part
    if not {verb, "*"} & set(rule.get("verbs") or ()):
        return False
    if not resource:
        return any(_path_fits(pattern, path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    main, _, subresource = resource.partition("/")
    accepted = {resource, "*", f"*/{subresource}" if subresource else main}
    return (
        bool({group, "*"} & set(rule.get("apiGroups") or ()))
        and not accepted.isdisjoint(rule.get("resources") or ())
        and (not names or name in names)
    )


def _rule(part: Part, verbs: list[str]) -> Object:
    group, resource, name, path = part
    if path:
        return {"nonResourceURLs": [path], "verbs": verbs}
    rule: Object = {"apiGroups": [group], "resources": [resource], "verbs": verbs}
    return {**rule, "resourceNames": [name]} if name else rule


def rule_text(rule: Object) -> str:
    """A rule in one line, as error messages show it."""
    fields = ("apiGroups", "resources", "nonResourceURLs", "resourceNames", "verbs")
    parts = []
    for name in fields:
        if rule.get(name):
            values = " ".join(f'"{value}"' for value in rule[name])
            parts.append(f"{'APIGroups' if name == 'apiGroups' else name[0].upper() + name[1:]}:[{values}]")
    return "{" + ", ".join(parts) + "}"
