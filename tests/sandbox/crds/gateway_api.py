# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateway API 1.4, standard channel: GatewayClass, Gateway and ReferenceGrant (HTTPRoute has its own file)."""

from __future__ import annotations

from sandbox.crds.schema import (
    AGE,
    LABEL,
    SUBDOMAIN,
    Schema,
    array,
    choice,
    column,
    condition_column,
    conditions,
    crd,
    label_selector,
    mapping,
    obj,
    rule,
    text,
    version,
    whole,
)

GROUP = "gateway.networking.k8s.io"
CATEGORY = ("gateway-api",)
ANNOTATIONS = {
    # The API server asks for this on every group under k8s.io; Gateway API's own value says where it was approved.
    "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/3328",
    "gateway.networking.k8s.io/bundle-version": "v1.4.1",
    "gateway.networking.k8s.io/channel": "standard",
}
HOSTNAME_PATTERN = rf"^(\*\.)?{SUBDOMAIN}$"
CONTROLLER_PATTERN = rf"^{SUBDOMAIN}\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"
ADDRESS_TYPE_PATTERN = rf"^Hostname|IPAddress|NamedAddress|{SUBDOMAIN}\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"
PROTOCOL_PATTERN = rf"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|{SUBDOMAIN}\/[A-Za-z0-9]+$"
LABEL_KEY = rf"^({SUBDOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]$"


def group(default: str | None = None) -> Schema:
    """An API group; empty is the core group."""
    return text(rf"^$|^{SUBDOMAIN}$", longest=253, default=default)


def kind(default: str | None = None) -> Schema:
    """The kind of an object."""
    return text(r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$", shortest=1, longest=63, default=default)


def name() -> Schema:
    """The name of an object."""
    return text(shortest=1, longest=253)


def namespace() -> Schema:
    """The name of a namespace."""
    return text(rf"^{LABEL}$", shortest=1, longest=63)


def section_name() -> Schema:
    """The name of a listener or a route rule."""
    return text(rf"^{SUBDOMAIN}$", shortest=1, longest=253)


def hostname() -> Schema:
    """A host name; the first label may be a wildcard."""
    return text(HOSTNAME_PATTERN, shortest=1, longest=253)


def port() -> Schema:
    """A port number."""
    return whole(1, 65535)


def _pending(*types: str) -> list[Schema]:
    return [
        {
            "type": type_,
            "status": "Unknown",
            "reason": "Pending",
            "message": "Waiting for controller",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }
        for type_ in types
    ]


def _parameters_ref(*, with_namespace: bool) -> Schema:
    properties = {"group!": group(), "kind!": kind(), "name!": name()}
    if with_namespace:
        properties["namespace"] = namespace()
    return obj(properties)


def gateway_class() -> Schema:
    """GatewayClass."""
    immutable = rule("self == oldSelf", "Value is immutable")
    spec = obj(
        {
            "controllerName!": text(CONTROLLER_PATTERN, shortest=1, longest=253, rules=[immutable]),
            "description": text(longest=64),
            "parametersRef": _parameters_ref(with_namespace=True),
        }
    )
    pending = _pending("Accepted")
    status = obj(
        {
            "conditions": conditions(most=8, default=pending),
            "supportedFeatures": array(obj({"name!": text()}), keys=["name"], most=64),
        },
        default={"conditions": pending},
    )
    columns = [
        column("Controller", ".spec.controllerName"),
        condition_column("Accepted"),
        AGE,
        column("Description", ".spec.description", priority=1),
    ]
    versions = [
        version(name_, spec=spec, status=status, columns=columns, storage=name_ == "v1") for name_ in ("v1", "v1beta1")
    ]
    return crd(
        GROUP,
        "GatewayClass",
        *versions,
        plural="gatewayclasses",
        namespaced=False,
        short=["gc"],
        categories=CATEGORY,
        annotations=ANNOTATIONS,
    )


def _address(*, value_required: bool) -> Schema:
    # IPAddress values must parse as an address, Hostname values as a name; other types are the controller's business.
    ip = {"type": {"enum": ["IPAddress"]}, "value": {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}}
    one_of = [{"properties": ip}, {"properties": {"type": {"not": {"enum": ["IPAddress"]}}}}]
    matches = f'self.value.matches(r"""{HOSTNAME_PATTERN}""")'
    if value_required:
        hostname_rule = rule(
            f"self.type == 'Hostname' ? {matches}: true",
            f"Hostname value must only contain valid characters (matching {HOSTNAME_PATTERN})",
        )
    else:
        hostname_rule = rule(
            f"self.type == 'Hostname' ? (!has(self.value) || {matches}): true",
            f"Hostname value must be empty or contain only valid characters (matching {HOSTNAME_PATTERN})",
        )
    return obj(
        {
            "type": text(ADDRESS_TYPE_PATTERN, shortest=1, longest=253, default="IPAddress"),
            "value!" if value_required else "value": text(shortest=1 if value_required else None, longest=253),
        },
        rules=[hostname_rule],
        more={"oneOf": one_of},
    )


def _addresses() -> Schema:
    def unique(type_: str) -> Schema:
        return rule(
            f"self.all(a1, a1.type == '{type_}' && has(a1.value) ? "
            "self.exists_one(a2, a2.type == a1.type && has(a2.value) && a2.value == a1.value) : true )",
            f"{type_} values must be unique",
        )

    return array(_address(value_required=False), most=16, rules=[unique("IPAddress"), unique("Hostname")])


def _metadata_keys(what: str, values: Schema) -> Schema:
    word = what.capitalize()
    rules = [
        rule(
            f'self.all(key, key.matches(r"""{LABEL_KEY}"""))',
            f"{word} keys must be in the form of an optional DNS subdomain prefix followed by a required name "
            "segment of up to 63 characters.",
        ),
        rule(
            'self.all(key, key.split("/")[0].size() < 253)',
            f"If specified, the {what} key's prefix must be a DNS subdomain not longer than 253 characters in total.",
        ),
    ]
    return mapping(values, most=8, rules=rules)


def _infrastructure() -> Schema:
    label_value = text(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", shortest=0, longest=63)
    return obj(
        {
            "annotations": _metadata_keys("annotation", text(shortest=0, longest=4096)),
            "labels": _metadata_keys("label", label_value),
            "parametersRef": _parameters_ref(with_namespace=False),
        }
    )


def _route_kind() -> Schema:
    return obj({"group": group(GROUP), "kind!": kind()})


def _listener() -> Schema:
    certificate = obj({"group": group(""), "kind": kind("Secret"), "name!": name(), "namespace": namespace()})
    terminate = rule(
        "self.mode == 'Terminate' ? size(self.certificateRefs) > 0 || size(self.options) > 0 : true",
        "certificateRefs or options must be specified when mode is Terminate",
    )
    tls = obj(
        {
            "mode": choice("Terminate", "Passthrough", default="Terminate"),
            "certificateRefs": array(certificate, most=64),
            "options": mapping(text(shortest=0, longest=4096), most=16),
        },
        rules=[terminate],
    )
    same = {"from": "Same"}
    namespaces = obj(
        {"from": choice("All", "Selector", "Same", default="Same"), "selector": label_selector()}, default=same
    )
    return obj(
        {
            "name!": section_name(),
            "port!": port(),
            "protocol!": text(PROTOCOL_PATTERN, shortest=1, longest=255),
            "hostname": hostname(),
            "tls": tls,
            "allowedRoutes": obj(
                {"kinds": array(_route_kind(), most=8), "namespaces": namespaces}, default={"namespaces": same}
            ),
        }
    )


LISTENER_RULES = [
    rule(
        "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
        "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
    ),
    rule(
        "self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) ? (l.tls.mode == '' || l.tls.mode == 'Terminate') : true)",
        "tls mode must be Terminate for protocol HTTPS",
    ),
    rule(
        "self.all(l, l.protocol in ['TCP', 'UDP']  ? (!has(l.hostname) || l.hostname == '') : true)",
        "hostname must not be specified for protocols ['TCP', 'UDP']",
    ),
    rule(
        "self.all(l1, self.exists_one(l2, l1.name == l2.name))",
        "Listener name must be unique within the Gateway",
    ),
    rule(
        "self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && "
        "(has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : "
        "!has(l1.hostname) && !has(l2.hostname))))",
        "Combination of port, protocol and hostname must be unique for each listener",
    ),
]


def gateway() -> Schema:
    """Gateway."""
    spec = obj(
        {
            "gatewayClassName!": name(),
            "listeners!": array(_listener(), keys=["name"], least=1, most=64, rules=LISTENER_RULES),
            "addresses": _addresses(),
            "infrastructure": _infrastructure(),
        }
    )
    listener_status = obj(
        {
            "name!": section_name(),
            "attachedRoutes!": whole(),
            "supportedKinds!": array(_route_kind(), most=8),
            "conditions!": conditions(most=8),
        }
    )
    pending = _pending("Accepted", "Programmed")
    status = obj(
        {
            "addresses": array(_address(value_required=True), most=16),
            "conditions": conditions(most=8, default=pending),
            "listeners": array(listener_status, keys=["name"], most=64),
        },
        default={"conditions": pending},
    )
    columns = [
        column("Class", ".spec.gatewayClassName"),
        column("Address", ".status.addresses[*].value"),
        condition_column("Programmed"),
        AGE,
    ]
    versions = [
        version(name_, spec=spec, status=status, columns=columns, storage=name_ == "v1") for name_ in ("v1", "v1beta1")
    ]
    return crd(GROUP, "Gateway", *versions, short=["gtw"], categories=CATEGORY, annotations=ANNOTATIONS)


def reference_grant() -> Schema:
    """ReferenceGrant; the standard channel serves v1beta1 only, without a status."""
    spec = obj(
        {
            "from!": array(obj({"group!": group(), "kind!": kind(), "namespace!": namespace()}), least=1, most=16),
            "to!": array(obj({"group!": group(), "kind!": kind(), "name": name()}), least=1, most=16),
        }
    )
    only = version("v1beta1", spec=spec, spec_required=False, status_subresource=False, columns=[AGE])
    return crd(GROUP, "ReferenceGrant", only, short=["refgrant"], categories=CATEGORY, annotations=ANNOTATIONS)
