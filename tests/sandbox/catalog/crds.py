# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP gateway operator's CRDs, by version of the operator.

0.6.0 serves v1alpha1 only, with ``toolPrefix``; from 0.8 on v1 is stored, v1alpha1 is still served with the same
fields and a deprecation warning.
"""

from __future__ import annotations

from sandbox.crds.schema import (
    AGE,
    Schema,
    array,
    choice,
    column,
    condition_column,
    conditions,
    crd,
    obj,
    rule,
    text,
    version,
    whole,
)

GROUP = "mcp.kuadrant.io"
GATEWAY_API = "gateway.networking.k8s.io"


def operator_crds(operator_version: str) -> list[Schema]:
    """The three CRDs in the bundle of that version of the operator."""
    if operator_version == "0.6.0":
        return [_extension_060(), _registration_060(), _virtual_server_060()]
    return [_extension(), _registration(), _virtual_server()]


def _secret_ref() -> Schema:
    return obj({"secretName!": text(shortest=1)})


def _keyed_ref(default_key: str) -> Schema:
    return obj({"name!": text(shortest=1), "key": text(default=default_key)})


def _enabled(default: str) -> Schema:
    return choice("Enabled", "Disabled", default=default)


def _target(kind: str, **more: Schema) -> Schema:
    return obj(
        {
            "group": choice(GATEWAY_API, default=GATEWAY_API),
            "kind": choice(kind, default=kind),
            "name!": text(shortest=1),
            "namespace": text(),
            **more,
        }
    )


def _status(**more: Schema) -> Schema:
    return obj({"conditions": conditions(), **more})


def _both(kind: str, short: str, spec: Schema, columns: list[Schema], *, spec_required: bool) -> Schema:
    warning = f"{GROUP}/v1alpha1 {kind} is deprecated; migrate to {GROUP}/v1"
    versions = [
        version("v1", spec=spec, spec_required=spec_required, status=_status(), columns=columns),
        version(
            "v1alpha1",
            spec=spec,
            spec_required=spec_required,
            status=_status(),
            columns=columns,
            storage=False,
            deprecation=warning,
        ),
    ]
    return crd(GROUP, kind, *versions, short=[short])


READY = condition_column("Ready")


def _extension_fields() -> dict[str, Schema]:
    section = {"sectionName!": text(shortest=1, longest=253)}
    return {
        "targetRef!": _target("Gateway", **section),
        "publicHost": text(),
        "privateHost": text(),
        "backendPingIntervalSeconds": whole(10, 7200, default=60),
        "trustedHeadersKey": obj({"secretName!": text(shortest=1), "generate": _enabled("Disabled")}),
        "httpRouteManagement": _enabled("Enabled"),
        "sessionStore": _secret_ref(),
    }


def _extension_060() -> Schema:
    only = version("v1alpha1", spec=obj(_extension_fields()), status=_status(), columns=[READY, AGE])
    return crd(GROUP, "MCPGatewayExtension", only)


def _extension() -> Schema:
    protected = obj(
        {
            "authorizationServers!": array(text(r"^https?://[^,]+$"), least=1, most=10),
            "resourceName": text(longest=253),
            "resource": text(longest=2048),
            "bearerMethodsSupported": array(text(), most=10),
            "scopesSupported": array(text(), most=50),
        }
    )
    spec = obj(
        {
            **_extension_fields(),
            "logLevel": choice("debug", "info", "warn", "error"),
            "urlElicitation": _enabled("Disabled"),
            "oauthProtectedResource": protected,
            "caCertBundleRef": _keyed_ref("ca.crt"),
        }
    )
    return _both("MCPGatewayExtension", "mcpge", spec, [READY, AGE], spec_required=True)


def _registration_columns(prefix: str, extra: Schema) -> list[Schema]:
    return [
        column("Prefix", f".spec.{prefix}"),
        column("Target", ".spec.targetRef.name"),
        column("Path", ".spec.path"),
        READY,
        extra,
        column("Credentials", ".spec.credentialRef.name"),
        AGE,
    ]


def _prefix(field: str, pattern: str | None) -> Schema:
    return text(pattern, rules=[rule("self == oldSelf", f"{field} is immutable once set")])


def _registration_060() -> Schema:
    spec = obj(
        {
            "targetRef!": _target("HTTPRoute"),
            "toolPrefix": _prefix("toolPrefix", None),
            "path": text(default="/mcp"),
            "credentialRef": _keyed_ref("token"),
        }
    )
    only = version(
        "v1alpha1",
        spec=spec,
        spec_required=False,
        status=_status(discoveredTools=whole()),
        columns=_registration_columns("toolPrefix", column("Tools", ".status.discoveredTools", "integer")),
    )
    return crd(GROUP, "MCPServerRegistration", only, short=["mcpsr"])


def _registration() -> Schema:
    label = text(shortest=1, longest=128)
    spec = obj(
        {
            "targetRef!": _target("HTTPRoute"),
            "prefix": _prefix("prefix", r"^[a-z0-9][a-z0-9_]*$"),
            "path": text(default="/mcp"),
            "credentialRef": _keyed_ref("token"),
            "state": _enabled("Enabled"),
            "caCertSecretRef": _keyed_ref("ca.crt"),
            "tokenURLElicitation": obj({"url": text("^https?://")}),
            "userSpecificList": _enabled("Disabled"),
            "category": array(label, most=3, default=["uncategorised"]),
            "hint": text(longest=256),
            "tags": array(label, most=10),
        },
        rules=[
            rule(
                'self.userSpecificList != "Enabled" || self.prefix != "" ',
                "prefix is required when userSpecificList is Enabled",
            )
        ],
    )
    columns = _registration_columns("prefix", column("Category", ".spec.category"))
    return _both("MCPServerRegistration", "mcpsr", spec, columns, spec_required=False)


def _virtual_server_060() -> Schema:
    spec = obj({"description": text(), "tools!": array(text(), least=1)})
    only = version(
        "v1alpha1",
        spec=spec,
        spec_required=False,
        status_subresource=False,
        columns=[column("Tools", ".spec.tools.length()", "integer"), AGE],
    )
    return crd(GROUP, "MCPVirtualServer", only, short=["mcpvs"])


def _virtual_server() -> Schema:
    spec = obj({"description": text(), "tools!": array(text(), least=1), "prompts": array(text())})
    columns = [READY, column("Tools", ".spec.tools.length()", "integer"), AGE]
    return _both("MCPVirtualServer", "mcpvs", spec, columns, spec_required=False)
