# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and their bindings: what their rules and references must say."""

from __future__ import annotations

from ..fields import FieldError, Struct, forbidden_value, invalid_value, not_supported, required
from ..objects import Object, same
from .builtin import BuiltinStrategy

_SUBJECTS = ("ServiceAccount", "User", "Group")


class RoleStrategy(BuiltinStrategy):
    """A rule names verbs, and either groups and resources or, in cluster roles, paths."""

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors: list[FieldError] = []
        for index, rule in enumerate(obj.get("rules") or ()):
            path, paths = f"rules[{index}]", rule.get("nonResourceURLs")
            if not rule.get("verbs"):
                errors.append(required(f"{path}.verbs", "verbs must contain at least one value"))
            if paths and self.kind == "Role":
                message = "namespaced rules cannot apply to non-resource URLs"
                errors.append(invalid_value(f"{path}.nonResourceURLs", paths, message))
            elif paths and (rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames")):
                message = "rules cannot apply to both regular resources and non-resource URLs"
                errors.append(invalid_value(f"{path}.nonResourceURLs", paths, message))
            for name, what in (("apiGroups", "api group"), ("resources", "resource")) if not paths else ():
                if not rule.get(name):
                    errors.append(required(f"{path}.{name}", f"resource rules must supply at least one {what}"))
        return errors


class BindingStrategy(BuiltinStrategy):
    """A binding names a role, for good, and subjects."""

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        role = obj.get("roleRef") or {}
        if old is not None and not same(role, old.get("roleRef")):
            shown = Struct(APIGroup=role.get("apiGroup"), Kind=role.get("kind"), Name=role.get("name"))
            return [invalid_value("roleRef", shown, "cannot change roleRef")]
        errors: list[FieldError] = []
        kinds = ("ClusterRole",) if self.kind == "ClusterRoleBinding" else ("Role", "ClusterRole")
        if role.get("kind") not in kinds:
            errors.append(not_supported("roleRef.kind", role.get("kind", ""), kinds))
        if not role.get("name"):
            errors.append(required("roleRef.name"))
        for index, subject in enumerate(obj.get("subjects") or ()):
            path, kind = f"subjects[{index}]", subject.get("kind", "")
            if not subject.get("name"):
                errors.append(required(f"{path}.name"))
            if kind not in _SUBJECTS:
                errors.append(not_supported(f"{path}.kind", kind, _SUBJECTS))
            elif kind == "ServiceAccount" and self.kind == "ClusterRoleBinding" and not subject.get("namespace"):
                errors.append(required(f"{path}.namespace"))
            elif kind != "ServiceAccount" and subject.get("namespace"):
                message = "may not be set for subjects of this kind"
                errors.append(forbidden_value(f"{path}.namespace", message))
        return errors
