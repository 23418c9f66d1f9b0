# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kuadrant: the policies that attach to a Gateway or a route, and the Kuadrant object itself.

The insides of AuthPolicy rules (identity sources, authorization methods) are described only down to their names.
"""

from __future__ import annotations

from sandbox.crds.gateway_api import GROUP as GATEWAY_API
from sandbox.crds.gateway_api import group, kind, name, section_name
from sandbox.crds.schema import (
    AGE,
    Schema,
    any_value,
    anything,
    array,
    choice,
    column,
    condition,
    condition_column,
    conditions,
    crd,
    flag,
    mapping,
    obj,
    rule,
    text,
    version,
    whole,
)

GROUP = "kuadrant.io"
DURATION = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
HEALTH_PATH = r"^(?:\?|\/)[\w\-.~:\/?#\[\]@!$&'()*+,;=]+(?:[a-zA-Z0-9]|\/){1}$"
KEY_USAGES = (
    "signing",
    "digital signature",
    "content commitment",
    "key encipherment",
    "key agreement",
    "data encipherment",
    "cert sign",
    "crl sign",
    "encipher only",
    "decipher only",
    "any",
    "server auth",
    "client auth",
    "code signing",
    "email protection",
    "s/mime",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "timestamping",
    "ocsp signing",
    "microsoft sgc",
    "netscape sgc",
)


def _target(kinds: tuple[str, ...], message: str) -> Schema:
    one_of = " || ".join(f"self.kind == '{kind_}'" for kind_ in kinds)
    return obj(
        {"group!": group(), "kind!": kind(), "name!": name(), "sectionName": section_name()},
        rules=[
            rule(
                f"self.group == '{GATEWAY_API}'",
                f"Invalid targetRef.group. The only supported value is '{GATEWAY_API}'",
            ),
            rule(one_of, f"Invalid targetRef.kind. The only supported values are {message}"),
        ],
    )


def _policy(kind_: str, spec: Schema, *, attachment: str, status: dict[str, Schema] | None = None) -> Schema:
    """A policy's CRD; ``attachment`` is Gateway API's kind of policy attachment, direct or inherited."""
    accepted = [condition_column("Accepted", priority=2), condition_column("Enforced", priority=2)]
    if kind_ == "DNSPolicy":
        accepted.append(condition_column("SubResourcesHealthy", priority=2))
    word = "TargetRef" if attachment == "direct" else "Target"
    columns = [
        *accepted,
        column(f"{word}Kind", ".spec.targetRef.kind", priority=2),
        column(f"{word}Name", ".spec.targetRef.name", priority=2),
        column("TargetSection", ".spec.targetRef.sectionName", priority=2),
        AGE,
    ]
    list_of_conditions = conditions() if kind_ != "DNSPolicy" else array(condition(), kind=None)
    properties = {"conditions": list_of_conditions, "observedGeneration": whole(form="int64")}
    return crd(
        GROUP,
        kind_,
        version("v1", spec=spec, spec_required=False, status=obj(properties | (status or {})), columns=columns),
        plural=f"{kind_.lower()[:-1]}ies",
        labels={"gateway.networking.k8s.io/policy": attachment},
    )


def _dns_health_check() -> Schema:
    return obj(
        {
            "additionalHeadersRef": obj({"name!": text()}),
            "failureThreshold": whole(
                form=None, default=5, rules=[rule("self > 0", "Failure threshold must be greater than 0")]
            ),
            "interval": text(default="5m"),
            "path": text(HEALTH_PATH),
            "port": whole(
                form=None,
                default=443,
                rules=[
                    rule(
                        "self in [80, 443] || (self >= 1024 && self <= 49151)",
                        "Only ports 80, 443, 1024-49151 are allowed",
                    )
                ],
            ),
            "protocol": text(
                default="HTTPS",
                rules=[rule("self in ['HTTP','HTTPS']", "Only HTTP or HTTPS protocols are allowed")],
            ),
        }
    )


def dns_policy() -> Schema:
    """DNSPolicy."""
    spec = obj(
        {
            "targetRef!": _target(("Gateway",), "'Gateway'"),
            "delegate": flag(rules=[rule("self == oldSelf", "delegate is immutable")]),
            "excludeAddresses": array(text(), kind=None, most=20),
            "healthCheck": _dns_health_check(),
            "loadBalancing": obj(
                {"defaultGeo!": flag(), "geo!": text(shortest=2), "weight!": whole(form=None, default=120)}
            ),
            "providerRefs": array(obj({"name!": text()}), kind=None, most=1),
        },
        rules=[
            rule(
                "has(oldSelf.delegate) || !has(self.delegate) || self.delegate == false",
                "delegate can't be set to true if unset",
            ),
            rule(
                "!has(oldSelf.delegate) || oldSelf.delegate == false || has(self.delegate)",
                "delegate can't be unset if true",
            ),
            rule(
                "!(has(self.providerRefs) && has(self.delegate) && self.delegate == true)",
                "delegate=true and providerRefs are mutually exclusive",
            ),
        ],
    )
    status = {
        "healthCheck": anything(),
        "recordConditions": mapping(array(condition(), kind=None)),
        "totalRecords": whole(),
    }
    return _policy("DNSPolicy", spec, attachment="direct", status=status)


def tls_policy() -> Schema:
    """TLSPolicy."""
    issuer = obj(
        {"group": text(), "kind": text(), "name!": text()},
        rules=[
            rule(
                "!has(self.kind) || self.kind in ['Issuer', 'ClusterIssuer']",
                "Invalid issuerRef.kind. The only supported values are blank, 'Issuer' and 'ClusterIssuer'",
            )
        ],
    )
    key = obj(
        {
            "algorithm": choice("RSA", "ECDSA", "Ed25519"),
            "encoding": choice("PKCS1", "PKCS8"),
            "rotationPolicy": choice("Never", "Always"),
            "size": whole(form=None),
        }
    )
    spec = obj(
        {
            "targetRef!": _target(("Gateway",), "'Gateway'"),
            "issuerRef!": issuer,
            "commonName": text(),
            "duration": text(),
            "privateKey": key,
            "renewBefore": text(),
            "revisionHistoryLimit": whole(),
            "usages": array(choice(*KEY_USAGES), kind=None),
        }
    )
    return _policy("TLSPolicy", spec, attachment="direct")


def _when() -> Schema:
    return array(obj({"predicate!": text(shortest=1)}), kind=None)


def _exclusive(implicit: str, messages: tuple[str, str, str]) -> list[Schema]:
    """The rules on defaults and overrides: at most one of both, and neither beside the bare form."""
    return [
        rule(f"!(has(self.defaults) && {implicit})", messages[0]),
        rule(f"!(has(self.overrides) && {implicit})", messages[1]),
        rule("!(has(self.overrides) && has(self.defaults))", messages[2]),
    ]


def _at_least_one(field: str, filled: str) -> list[Schema]:
    """``filled`` is an expression with ``@`` in place of the object that must hold ``field``."""

    def present(owner: str) -> str:
        return f"has({owner}.{field}) && {filled.replace('@', owner)}"

    return [
        rule(
            f"!(has(self.overrides) || has(self.defaults)) ? {present('self')} : true",
            f"At least one spec.{field} must be defined",
        ),
        *(
            rule(
                f"has(self.{part}) ? {present(f'self.{part}')} : true",
                f"At least one spec.{part}.{field} must be defined",
            )
            for part in ("defaults", "overrides")
        ),
    ]


def rate_limit_policy() -> Schema:
    """RateLimitPolicy."""
    limit = obj(
        {
            "counters": array(obj({"expression!": text(shortest=1)}), kind=None),
            "rates": array(obj({"limit!": whole(form=None), "window!": text(DURATION)}), kind=None),
            "when": _when(),
        }
    )
    limits = mapping(limit)
    nested = obj({"limits": limits, "strategy": choice("atomic", "merge", default="atomic"), "when": _when()})
    messages = (
        "Implicit and explicit defaults are mutually exclusive",
        "Overrides and implicit defaults are mutually exclusive",
        "Overrides and explicit defaults are mutually exclusive",
    )
    spec = obj(
        {
            "targetRef!": _target(("HTTPRoute", "GRPCRoute", "Gateway"), "'HTTPRoute', 'GRPCRoute' and 'Gateway'"),
            "limits": limits,
            "defaults": nested,
            "overrides": nested,
            "when": _when(),
        },
        rules=[
            *_exclusive("has(self.limits)", messages),
            *_at_least_one("limits", "size(@.limits) > 0"),
        ],
    )
    return _policy("RateLimitPolicy", spec, attachment="inherited")


def _pattern() -> Schema:
    """A condition of an AuthPolicy: a predicate in CEL, or a selector with an operator and a value."""
    several = array(anything(), kind=None)
    return obj({**_comparison(), "all": several, "any": several, "patternRef": text(), "predicate": text()})


def _comparison() -> dict[str, Schema]:
    operator = choice("eq", "neq", "incl", "excl", "matches")
    return {"operator": operator, "selector": text(), "value": text()}


def _auth_rules() -> Schema:
    jwt = obj(
        {"issuerUrl": text(), "jwksUrl": text(), "ttl": whole(form=None)},
        rules=[
            rule(
                "!(has(self.jwksUrl) && self.jwksUrl != '' && has(self.issuerUrl) && self.issuerUrl != '')",
                "Use one of: jwksUrl, issuerUrl",
            )
        ],
    )
    value = obj({"expression": text(), "selector": text(), "value": any_value()})
    common = {"metrics": flag(default=False), "priority": whole(form=None, default=0)}
    cache = obj({"key!": value, "ttl": whole(form=None, default=60)})
    common |= {"cache": cache, "when": array(_pattern(), kind=None)}

    def named(fields: str, **typed: Schema) -> Schema:
        return mapping(obj({**common, **{field: anything() for field in fields.split()}, **typed}))

    told = named("wristband", key=text(), plain=value, json=obj({"properties!": mapping(value)}))
    success = obj({"filters": told, "headers": told})
    denial = obj({"body": value, "code": whole(300, 599, form="int64"), "headers": mapping(value), "message": value})
    return obj(
        {
            "authentication": named(
                "anonymous apiKey credentials defaults kubernetesTokenReview oauth2Introspection overrides plain x509",
                jwt=jwt,
            ),
            "authorization": named(
                "kubernetesSubjectAccessReview opa spicedb",
                patternMatching=obj({"patterns!": array(_pattern(), kind=None)}),
            ),
            "callbacks": named("http!"),
            "metadata": named("http uma userInfo"),
            "response": obj({"success": success, "unauthenticated": denial, "unauthorized": denial}),
        }
    )


def auth_policy() -> Schema:
    """AuthPolicy."""
    rules = _auth_rules()
    patterns = mapping(obj({"allOf!": array(obj(_comparison()), kind=None)}))
    nested = obj(
        {
            "patterns": patterns,
            "rules": rules,
            "strategy": choice("atomic", "merge", default="atomic"),
            "when": _when(),
        }
    )
    messages = (
        "Implicit and explicit defaults are mutually exclusive",
        "Implicit defaults and explicit overrides are mutually exclusive",
        "Explicit overrides and explicit defaults are mutually exclusive",
    )

    def some(part: str) -> str:
        return f"(has(@.rules.{part}) && size(@.rules.{part}) > 0)"

    response = (
        "(has(@.rules.response) && (has(@.rules.response.unauthenticated) || has(@.rules.response.unauthorized) || "
        "(has(@.rules.response.success) && (size(@.rules.response.success.headers) > 0 || "
        "size(@.rules.response.success.filters) > 0))))"
    )
    parts = [some(part) for part in ("authentication", "metadata", "authorization", "callbacks")]
    spec = obj(
        {
            "targetRef!": _target(("HTTPRoute", "GRPCRoute", "Gateway"), "'HTTPRoute', 'GRPCRoute', and 'Gateway'"),
            "rules": rules,
            "patterns": patterns,
            "when": _when(),
            "defaults": nested,
            "overrides": nested,
        },
        rules=[
            *_exclusive("(has(self.patterns) || has(self.when) || has(self.rules))", messages),
            *_at_least_one("rules", f"({' || '.join([*parts, response])})"),
        ],
    )
    return _policy("AuthPolicy", spec, attachment="inherited")


def kuadrant() -> Schema:
    """Kuadrant."""
    spec = obj(
        {
            "components": obj({"developerPortal": obj({"enabled": flag()})}),
            "mtls": obj({"authorino": flag(), "enable": flag(), "limitador": flag()}),
            "observability": obj(
                {
                    "dataPlane": anything(),
                    "enable": flag(),
                    "tracing": obj({"defaultEndpoint": text(), "insecure": flag()}),
                }
            ),
        }
    )
    status = obj(
        {
            "conditions": conditions(),
            "mtlsAuthorino": flag(),
            "mtlsLimitador": flag(),
            "observedGeneration": whole(form="int64"),
        }
    )
    columns = [
        column("Status", ".status.conditions[0].reason", priority=2),
        column("mTLS Authorino", ".status.mtlsAuthorino", "boolean"),
        column("mTLS Limitador", ".status.mtlsLimitador", "boolean"),
        AGE,
    ]
    only = version("v1beta1", spec=spec, spec_required=False, status=status, columns=columns)
    return crd(GROUP, "Kuadrant", only)
