# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Istio's networking kinds that an MCP gateway needs: EnvoyFilter, ServiceEntry and DestinationRule."""

from __future__ import annotations

from sandbox.crds.gateway_api import group, kind, name
from sandbox.crds.schema import (
    AGE,
    UINT32,
    Schema,
    anything,
    array,
    choice,
    column,
    crd,
    flag,
    int_or_text,
    mapping,
    obj,
    rule,
    text,
    timestamp,
    version,
    whole,
)

GROUP = "networking.istio.io"
CATEGORIES = ("istio-io", "networking-istio-io")
LABELS = {"app": "istio-pilot", "chart": "istio", "heritage": "Tiller", "release": "istio"}
APPLIES_TO = (
    "INVALID",
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
    "LISTENER_FILTER",
)
OPERATIONS = ("INVALID", "MERGE", "ADD", "REMOVE", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST", "REPLACE")
PORT_RULE = rule("0 < self && self <= 65535", "port must be between 1-65535")


def _status() -> Schema:
    condition = obj(
        {
            "type": text(),
            "status": text(),
            "reason": text(),
            "message": text(),
            "lastProbeTime": timestamp(),
            "lastTransitionTime": timestamp(),
            "observedGeneration": int_or_text(),
        }
    )
    message = obj(
        {
            "documentationUrl": text(),
            "level": choice("UNKNOWN", "ERROR", "WARNING", "INFO"),
            "type": obj({"code": text(), "name": text()}),
        }
    )
    return obj(
        {
            "conditions": array(condition, kind=None),
            "observedGeneration": int_or_text(),
            "validationMessages": array(message, kind=None),
        },
        more={"x-kubernetes-preserve-unknown-fields": True},
    )


def _number(rules: list[Schema] | None = None) -> Schema:
    return whole(0, UINT32, form=None, rules=rules)


def _workload_labels() -> Schema:
    no_wildcard = rule('!self.contains("*")', "wildcard is not supported in selector")
    return obj({"labels": mapping(text(longest=63, rules=[no_wildcard]), most=256)})


def _patch_match() -> Schema:
    sub_filter = obj({"name": text()})
    filter_ = obj({"name": text(), "subFilter": sub_filter})
    chain = obj(
        {
            "applicationProtocols": text(),
            "destinationPort": _number(),
            "filter": filter_,
            "name": text(),
            "sni": text(),
            "transportProtocol": text(),
        }
    )
    listener = obj(
        {
            "filterChain": chain,
            "listenerFilter": text(),
            "name": text(),
            "portName": text(),
            "portNumber": _number(),
        }
    )
    route = obj({"action": choice("ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"), "name": text()})
    route_configuration = obj(
        {
            "gateway": text(),
            "name": text(),
            "portName": text(),
            "portNumber": _number(),
            "vhost": obj({"domainName": text(), "name": text(), "route": route}),
        }
    )
    waypoint = obj({"filter": filter_, "portNumber": _number(), "route": obj({"name": text()})})
    only_one = ("listener", "routeConfiguration", "cluster", "waypoint")
    required = [{"required": [field]} for field in only_one]
    return obj(
        {
            "context": choice("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"),
            "proxy": obj({"metadata": mapping(text()), "proxyVersion": text()}),
            "listener": listener,
            "routeConfiguration": route_configuration,
            "cluster": obj({"name": text(), "portNumber": _number(), "service": text(), "subset": text()}),
            "waypoint": waypoint,
        },
        rules=[
            rule(
                'has(self.context) ? ((self.context == "WAYPOINT") ? has(self.waypoint) : !has(self.waypoint)) : '
                "!has(self.waypoint)",
                "only support waypointMatch when context is WAYPOINT",
            )
        ],
        more={"oneOf": [{"not": {"anyOf": required}}, *required]},
    )


def envoy_filter() -> Schema:
    """EnvoyFilter."""
    patch = obj(
        {
            "filterClass": choice("UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"),
            "operation": choice(*OPERATIONS),
            "value": anything(),
        }
    )
    entry = obj({"applyTo": choice(*APPLIES_TO), "match": _patch_match(), "patch": patch})
    no_namespace = rule("self.size() == 0", "cross namespace referencing is not currently supported")
    target = obj({"group": group(), "kind!": kind(), "name!": name(), "namespace": text(rules=[no_namespace])})
    spec = obj(
        {
            "configPatches": array(entry, kind=None),
            "priority": whole(),
            "targetRefs": array(target, kind=None, most=16),
            "workloadSelector": _workload_labels(),
        },
        rules=[
            rule(
                "(has(self.workloadSelector) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",
                "only one of targetRefs or workloadSelector can be set",
            )
        ],
    )
    only = version("v1alpha3", spec=spec, spec_required=False, status=_status())
    return crd(GROUP, "EnvoyFilter", only, categories=CATEGORIES, labels=LABELS)


def _endpoint() -> Schema:
    address = text(
        longest=256,
        rules=[
            rule(
                'self.startsWith("unix://") ? (self.substring(7, 8) == "/" || self.substring(7, 8) == "@") : true',
                "UDS must be an absolute path or abstract socket",
            ),
            rule('self.startsWith("unix://") ? !self.endsWith("/") : true', "UDS may not be a dir"),
        ],
    )
    port_names = rule(
        'self.all(key, size(key) < 63 && key.matches("^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$"))',
        "port name must be valid",
    )
    return obj(
        {
            "address": address,
            "labels": mapping(text(), most=256),
            "locality": text(longest=2048),
            "network": text(longest=2048),
            "ports": mapping(_number([PORT_RULE]), most=128, rules=[port_names]),
            "serviceAccount": text(longest=253),
            "weight": _number(),
        },
        rules=[
            rule("has(self.address) || has(self.network)", "Address is required"),
            rule(
                '(has(self.address) ? self.address : "").startsWith("unix://") ? !has(self.ports) : true',
                "UDS may not include ports",
            ),
        ],
    )


def service_entry() -> Schema:
    """ServiceEntry."""
    port = obj(
        {
            "name!": text(longest=256),
            "number!": _number([PORT_RULE]),
            "protocol": text(longest=256),
            "targetPort": _number([PORT_RULE]),
        }
    )
    unique = rule("self.all(l1, self.exists_one(l2, l1.number == l2.number))", "port number cannot be duplicated")
    resolution = '(has(self.resolution) ? self.resolution : "NONE")'
    spec = obj(
        {
            "addresses": array(text(longest=64), kind=None, most=256),
            "endpoints": array(_endpoint(), kind=None, most=4096),
            "exportTo": array(text(), kind=None),
            "hosts!": array(
                text(rules=[rule('self != "*"', "hostname cannot be wildcard")]), kind=None, least=1, most=256
            ),
            "location": choice("MESH_EXTERNAL", "MESH_INTERNAL"),
            "ports": array(port, keys=["name"], most=256, rules=[unique]),
            "resolution": choice("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"),
            "subjectAltNames": array(text(), kind=None),
            "workloadSelector": _workload_labels(),
        },
        rules=[
            rule(
                "(has(self.workloadSelector) ? 1 : 0) + (has(self.endpoints) ? 1 : 0) <= 1",
                "only one of WorkloadSelector or Endpoints can be set",
            ),
            rule(
                '!((has(self.addresses) ? self.addresses : []).exists(k, k.contains("/")) && '
                f'!({resolution} in ["STATIC", "NONE"]))',
                "CIDR addresses are allowed only for NONE/STATIC resolution types",
            ),
            rule(f'({resolution} == "NONE") ? !has(self.endpoints) : true', "NONE mode cannot set endpoints"),
            rule(
                '((has(self.resolution) ? self.resolution : "") == "DNS_ROUND_ROBIN") ? '
                "((has(self.endpoints) ? self.endpoints : []).size() <= 1) : true",
                "DNS_ROUND_ROBIN mode cannot have multiple endpoints",
            ),
        ],
    )
    columns = [
        column("Hosts", ".spec.hosts"),
        column("Location", ".spec.location"),
        column("Resolution", ".spec.resolution"),
        AGE,
    ]
    versions = [
        version(name_, spec=spec, status=_status(), columns=columns, storage=name_ == "v1")
        for name_ in ("v1", "v1alpha3", "v1beta1")
    ]
    return crd(
        GROUP,
        "ServiceEntry",
        *versions,
        plural="serviceentries",
        short=["se"],
        categories=CATEGORIES,
        labels=LABELS,
    )


def _traffic_policy() -> Schema:
    tls = obj(
        {
            "mode": choice("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
            **{
                field: text()
                for field in (
                    "caCertificates",
                    "caCrl",
                    "clientCertificate",
                    "credentialName",
                    "privateKey",
                    "sni",
                )
            },
            "insecureSkipVerify": {**flag(), "nullable": True},
            "subjectAltNames": array(text(), kind=None),
        }
    )
    percent: Schema = {"type": "number", "format": "double", "minimum": 0, "maximum": 100, "nullable": True}
    tuning = {field: anything() for field in ("connectionPool", "loadBalancer", "outlierDetection")}
    per_port = obj({**tuning, "port": obj({"number": _number()}), "tls": tls})
    tunnel = obj({"protocol": text(), "targetHost!": text(), "targetPort!": _number()})
    return obj(
        {
            **tuning,
            "portLevelSettings": array(per_port, kind=None, most=4096),
            "proxyProtocol": obj({"version": choice("V1", "V2")}),
            "retryBudget": obj({"minRetryConcurrency": _number(), "percent": percent}),
            "tls": tls,
            "tunnel": tunnel,
        }
    )


def destination_rule() -> Schema:
    """DestinationRule; connection pools, load balancing and outlier detection are not described in detail."""
    policy = _traffic_policy()
    subset = obj({"name!": text(), "labels": mapping(text()), "trafficPolicy": policy})
    keys = [
        rule('self.all(key, !key.contains("*"))', "wildcard not allowed in label key match"),
        rule("self.all(key, key.size() != 0)", "key must not be empty"),
    ]
    value = text(longest=63, rules=[rule('!self.contains("*")', "wildcard not allowed in label value match")])
    spec = obj(
        {
            "host!": text(),
            "exportTo": array(text(), kind=None),
            "subsets": array(subset, kind=None),
            "trafficPolicy": policy,
            "workloadSelector": obj({"matchLabels": mapping(value, most=4096, rules=keys)}),
        }
    )
    columns = [column("Host", ".spec.host"), AGE]
    versions = [
        version(name_, spec=spec, spec_required=False, status=_status(), columns=columns, storage=name_ == "v1")
        for name_ in ("v1", "v1alpha3", "v1beta1")
    ]
    return crd(GROUP, "DestinationRule", *versions, short=["dr"], categories=CATEGORIES, labels=LABELS)
