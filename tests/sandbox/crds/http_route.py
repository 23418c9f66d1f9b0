# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateway API 1.4, standard channel: HTTPRoute."""

from __future__ import annotations

from sandbox.crds.gateway_api import (
    ANNOTATIONS,
    CATEGORY,
    CONTROLLER_PATTERN,
    GROUP,
    group,
    hostname,
    kind,
    name,
    namespace,
    port,
    section_name,
)
from sandbox.crds.schema import (
    AGE,
    SUBDOMAIN,
    Schema,
    array,
    choice,
    column,
    conditions,
    crd,
    obj,
    rule,
    text,
    version,
    whole,
)

HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$"
PATH_CHARACTERS = r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$"
DURATION = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
FILTER_FIELDS = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror",
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
    "ExtensionRef": "extensionRef",
}
ANY_PATH = {"type": "PathPrefix", "value": "/"}


def _parent_ref() -> Schema:
    return obj(
        {
            "group": group(GROUP),
            "kind": kind("Gateway"),
            "name!": name(),
            "namespace": namespace(),
            "port": port(),
            "sectionName": section_name(),
        }
    )


def _parent_rules() -> list[Schema]:
    same_namespace = (
        "(((!has(p1.__namespace__) || p1.__namespace__ == '') && (!has(p2.__namespace__) || p2.__namespace__ == ''))"
        " || (has(p1.__namespace__) && has(p2.__namespace__) && p1.__namespace__ == p2.__namespace__ ))"
    )
    same_parent = f"p1.group == p2.group && p1.kind == p2.kind && p1.name == p2.name && {same_namespace}"
    unset_1, unset_2 = (f"(!has({p}.sectionName) || {p}.sectionName == '')" for p in ("p1", "p2"))
    both = "(has(p1.sectionName) && has(p2.sectionName) && p1.sectionName == p2.sectionName)"
    condition = "when parentRefs includes 2 or more references to the same parent"
    return [
        rule(
            f"self.all(p1, self.all(p2, {same_parent} ? ({unset_1} == {unset_2}) : true))",
            f"sectionName must be specified {condition}",
        ),
        rule(
            f"self.all(p1, self.exists_one(p2, {same_parent} && (({unset_1} && {unset_2}) || {both})))",
            f"sectionName must be unique {condition}",
        ),
    ]


def _path_match() -> Schema:
    plain = "(self.type in ['Exact','PathPrefix'])"
    kinds = "when type one of ['Exact', 'PathPrefix']"

    def without(part: str) -> Schema:
        return rule(f"{plain} ? !self.value.contains('{part}') : true", f"must not contain '{part}' {kinds}")

    def not_ending(part: str) -> Schema:
        return rule(f"{plain} ? !self.value.endsWith('{part}') : true", f"must not end with '{part}' {kinds}")

    return obj(
        {
            "type": choice("Exact", "PathPrefix", "RegularExpression", default="PathPrefix"),
            "value": text(longest=1024, default="/"),
        },
        default=ANY_PATH,
        rules=[
            rule(
                f"{plain} ? self.value.startsWith('/') : true",
                f"value must be an absolute path and start with '/' {kinds}",
            ),
            *(without(part) for part in ("//", "/./", "/../", "%2f", "%2F", "#")),
            *(not_ending(part) for part in ("/..", "/.")),
            rule(
                "self.type in ['Exact','PathPrefix'] || self.type == 'RegularExpression'",
                "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']",
            ),
            rule(
                f'{plain} ? self.value.matches(r"""{PATH_CHARACTERS}""") : true',
                f"must only contain valid characters (matching {PATH_CHARACTERS}) for types ['Exact', 'PathPrefix']",
            ),
        ],
    )


def _value_match(longest: int) -> Schema:
    entry = obj(
        {
            "type": choice("Exact", "RegularExpression", default="Exact"),
            "name!": text(HEADER_NAME, shortest=1, longest=256),
            "value!": text(shortest=1, longest=longest),
        }
    )
    return array(entry, keys=["name"], most=16)


def _match() -> Schema:
    return obj(
        {
            "path": _path_match(),
            "headers": _value_match(4096),
            "queryParams": _value_match(1024),
            "method": choice(*METHODS),
        }
    )


def _backend_properties() -> dict[str, Schema]:
    return {
        "group": group(""),
        "kind": kind("Service"),
        "name!": name(),
        "namespace": namespace(),
        "port": port(),
    }


SERVICE_PORT_RULE = rule(
    "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
    "Must have port for Service reference",
)


def _header_modifier() -> Schema:
    entry = obj({"name!": text(HEADER_NAME, shortest=1, longest=256), "value!": text(shortest=1, longest=4096)})
    headers = array(entry, keys=["name"], most=16)
    return obj({"set": headers, "add": headers, "remove": array(text(), kind="set", most=16)})


def _mirror() -> Schema:
    fraction = obj(
        {"numerator!": whole(0), "denominator": whole(1, default=100)},
        rules=[rule("self.numerator <= self.denominator", "numerator must be less than or equal to denominator")],
    )
    one = rule(
        "!(has(self.percent) && has(self.fraction))",
        "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
    )
    backend = obj(_backend_properties(), rules=[SERVICE_PORT_RULE])
    return obj({"backendRef!": backend, "percent": whole(0, 100), "fraction": fraction}, rules=[one])


def _path_modifier() -> Schema:
    rules = []
    for type_, field in (("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")):
        rules += [
            rule(
                f"self.type == '{type_}' ? has(self.{field}) : true",
                f"{field} must be specified when type is set to '{type_}'",
            ),
            rule(
                f"has(self.{field}) ? self.type == '{type_}' : true",
                f"type must be '{type_}' when {field} is set",
            ),
        ]
    return obj(
        {
            "type!": choice("ReplaceFullPath", "ReplacePrefixMatch"),
            "replaceFullPath": text(longest=1024),
            "replacePrefixMatch": text(longest=1024),
        },
        rules=rules,
    )


def _redirect() -> Schema:
    return obj(
        {
            "scheme": choice("http", "https"),
            "hostname": text(rf"^{SUBDOMAIN}$", shortest=1, longest=253),
            "path": _path_modifier(),
            "port": port(),
            "statusCode": whole(form=None, default=302, enum=[301, 302, 303, 307, 308]),
        }
    )


def _rewrite() -> Schema:
    return obj({"hostname": text(rf"^{SUBDOMAIN}$", shortest=1, longest=253), "path": _path_modifier()})


def _filter() -> Schema:
    rules = []
    for type_, field in FILTER_FIELDS.items():
        rules += [
            rule(
                f"!(has(self.{field}) && self.type != '{type_}')",
                f"filter.{field} must be nil if the filter.type is not {type_}",
            ),
            rule(
                f"!(!has(self.{field}) && self.type == '{type_}')",
                f"filter.{field} must be specified for {type_} filter.type",
            ),
        ]
    return obj(
        {
            "type!": choice(*FILTER_FIELDS),
            "requestHeaderModifier": _header_modifier(),
            "responseHeaderModifier": _header_modifier(),
            "requestMirror": _mirror(),
            "requestRedirect": _redirect(),
            "urlRewrite": _rewrite(),
            "extensionRef": obj({"group!": group(), "kind!": kind(), "name!": name()}),
        },
        rules=rules,
    )


def _filters() -> Schema:
    single = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite")
    either = rule(
        "!(self.exists(f, f.type == 'RequestRedirect') && self.exists(f, f.type == 'URLRewrite'))",
        "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
    )
    once = [
        rule(f"self.filter(f, f.type == '{type_}').size() <= 1", f"{type_} filter cannot be repeated")
        for type_ in single
    ]
    return array(_filter(), most=16, rules=[either, *once])


def _rule_rules() -> list[Schema]:
    """Replacing a matched prefix needs exactly one prefix match, also inside backendRefs."""
    one_prefix = (
        "((size(self.matches) != 1 || !has(self.matches[0].path) || "
        "self.matches[0].path.type != 'PathPrefix') ? false : true) : true"
    )
    rules = [
        rule(
            "(has(self.backendRefs) && size(self.backendRefs) > 0) ? "
            "(!has(self.filters) || self.filters.all(f, !has(f.requestRedirect))): true",
            "RequestRedirect filter must not be used together with backendRefs",
        )
    ]
    inside = {"": "When", "Within backendRefs, ": "when"}
    for where, word in inside.items():
        for type_, field in (("RequestRedirect", "requestRedirect"), ("URLRewrite", "urlRewrite")):
            replaces = (
                f"f, has(f.{field}) && has(f.{field}.path) && f.{field}.path.type == 'ReplacePrefixMatch' && "
                f"has(f.{field}.path.replacePrefixMatch)"
            )
            used = (
                f"(has(self.backendRefs) && self.backendRefs.exists_one(b, (has(b.filters) && "
                f"b.filters.exists_one({replaces})) ))"
                if where
                else f"(has(self.filters) && self.filters.exists_one({replaces}))"
            )
            start = "When" if where and type_ == "URLRewrite" else word
            rules.append(
                rule(
                    f"{used} ? {one_prefix}",
                    f"{where}{start} using {type_} filter with path.replacePrefixMatch, "
                    "exactly one PathPrefix match must be specified",
                )
            )
    return rules


def _rule() -> Schema:
    backend = obj(
        {
            **_backend_properties(),
            "weight": whole(0, 1000000, default=1),
            "filters": _filters(),
        },
        rules=[SERVICE_PORT_RULE],
    )
    timeouts = obj(
        {"request": text(DURATION), "backendRequest": text(DURATION)},
        rules=[
            rule(
                "!(has(self.request) && has(self.backendRequest) && duration(self.request) != duration('0s') && "
                "duration(self.backendRequest) > duration(self.request))",
                "backendRequest timeout cannot be longer than request timeout",
            )
        ],
    )
    return obj(
        {
            "name": section_name(),
            "matches": array(_match(), most=64, default=[{"path": ANY_PATH}]),
            "filters": _filters(),
            "backendRefs": array(backend, most=16),
            "timeouts": timeouts,
        },
        rules=_rule_rules(),
    )


def _rules() -> Schema:
    total = " + ".join(f"(self.size() > {i} ? self[{i}].matches.size() : 0)" for i in range(16))
    limit = rule(
        f"{total} <= 128",
        "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules "
        "in a route must be less than 128",
    )
    return array(_rule(), most=16, rules=[limit], default=[{"matches": [{"path": ANY_PATH}]}])


def http_route() -> Schema:
    """HTTPRoute."""
    spec = obj(
        {
            "parentRefs": array(_parent_ref(), most=32, rules=_parent_rules()),
            "hostnames": array(hostname(), most=16),
            "rules": _rules(),
        }
    )
    parent = obj(
        {
            "parentRef!": _parent_ref(),
            "controllerName!": text(CONTROLLER_PATTERN, shortest=1, longest=253),
            "conditions!": conditions(least=1, most=8),
        }
    )
    status = obj({"parents!": array(parent, most=32)})
    columns = [column("Hostnames", ".spec.hostnames"), AGE]
    versions = [
        version(name_, spec=spec, status=status, columns=columns, storage=name_ == "v1") for name_ in ("v1", "v1beta1")
    ]
    return crd(GROUP, "HTTPRoute", *versions, categories=CATEGORY, annotations=ANNOTATIONS)
