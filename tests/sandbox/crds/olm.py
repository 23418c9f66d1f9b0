# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operator Lifecycle Manager v0: what a cluster with OLM serves, and PackageManifest.

On a real cluster PackageManifest comes from an aggregated API server; here it is an ordinary custom resource that the
OLM stand-in writes, so that clients read the same thing.
"""

from __future__ import annotations

from sandbox.crds.schema import (
    AGE,
    Schema,
    any_value,
    anything,
    array,
    choice,
    column,
    condition,
    conditions,
    crd,
    flag,
    int_or_text,
    label_selector,
    mapping,
    obj,
    object_reference,
    rule,
    text,
    timestamp,
    version,
    whole,
)

GROUP = "operators.coreos.com"
CATEGORY = ("olm",)
QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|"
    r"([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)


def _dated_condition(*times: str) -> Schema:
    """OLM's older shape of a condition: nothing but the type and status is required, if at all."""
    required = "!" if "lastHeartbeatTime" in times else ""
    return obj(
        {
            f"type{required}": text(),
            f"status{required}": text(),
            "reason": text(),
            "message": text(),
            **{time: timestamp() for time in times},
        }
    )


def catalog_source() -> Schema:
    """CatalogSource."""
    pod = obj(
        {
            "affinity": anything(),
            "extractContent": obj({"cacheDir": text(), "catalogDir!": text()}),
            "memoryTarget": {**int_or_text(), "pattern": QUANTITY},
            "nodeSelector": mapping(text()),
            "priorityClassName": text(),
            "securityContextConfig": choice("legacy", "restricted"),
            "tolerations": array(anything(), kind=None),
        }
    )
    spec = obj(
        {
            "address": text(),
            "configMap": text(),
            "description": text(),
            "displayName": text(),
            "grpcPodConfig": pod,
            "icon": obj({"base64data!": text(), "mediatype!": text()}),
            "image": text(),
            "priority": whole(form=None),
            "publisher": text(),
            "secrets": array(text(), kind=None),
            "sourceType!": text(),
            "updateStrategy": obj({"registryPoll": obj({"interval": text()})}),
        }
    )
    connection = obj({"address": text(), "lastConnect": timestamp(), "lastObservedState!": text()})
    service = {name: text() for name in ("port", "protocol", "serviceName", "serviceNamespace")}
    config_map = {"name!": text(), "namespace!": text(), "resourceVersion": text(), "uid": text()}
    status = obj(
        {
            "conditions": conditions(),
            "configMapReference": obj({"lastUpdateTime": timestamp(), **config_map}),
            "connectionState": connection,
            "latestImageRegistryPoll": timestamp(),
            "message": text(),
            "reason": text(),
            "registryService": obj({"createdAt": timestamp(), **service}),
        }
    )
    columns = [
        column("Display", ".spec.displayName"),
        column("Type", ".spec.sourceType"),
        column("Publisher", ".spec.publisher"),
        AGE,
    ]
    only = version("v1alpha1", spec=spec, status=status, columns=columns)
    return crd(GROUP, "CatalogSource", only, short=["catsrc"], categories=CATEGORY)


def subscription() -> Schema:
    """Subscription."""
    names = ("env", "envFrom", "tolerations", "volumeMounts", "volumes")
    config = obj(
        {
            "affinity": anything(),
            "annotations": mapping(text()),
            **{name: array(anything(), kind=None) for name in names},
            "nodeSelector": mapping(text()),
            "resources": anything(),
            "selector": label_selector(),
        }
    )
    spec = obj(
        {
            "channel": text(),
            "config": config,
            "installPlanApproval": text(),
            "name!": text(),
            "source!": text(),
            "sourceNamespace!": text(),
            "startingCSV": text(),
        }
    )
    health = obj({"catalogSourceRef!": object_reference(), "healthy!": flag(), "lastUpdated!": timestamp()})
    status = obj(
        {
            "catalogHealth": array(health, kind=None),
            "conditions": array(_dated_condition("lastHeartbeatTime", "lastTransitionTime"), kind=None),
            "currentCSV": text(),
            "installPlanGeneration": whole(form=None),
            "installPlanRef": object_reference(),
            "installedCSV": text(),
            "installplan": obj({name: text() for name in ("apiVersion!", "kind!", "name!", "uuid!")}),
            "lastUpdated!": timestamp(),
            "reason": text(),
            "state": text(),
        }
    )
    columns = [
        column("Package", ".spec.name"),
        column("Source", ".spec.source"),
        column("Channel", ".spec.channel"),
    ]
    only = version("v1alpha1", spec=spec, status=status, columns=columns)
    return crd(GROUP, "Subscription", only, short=["sub", "subs"], categories=CATEGORY)


def install_plan() -> Schema:
    """InstallPlan."""
    spec = obj(
        {
            "approval!": text(),
            "approved!": flag(),
            "clusterServiceVersionNames!": array(text(), kind=None),
            "generation": whole(form=None),
            "source": text(),
            "sourceNamespace": text(),
        }
    )
    resource = ("group!", "kind!", "manifest", "name!", "sourceName!", "sourceNamespace!", "version!")
    step = obj(
        {
            "optional": flag(),
            "resolving!": text(),
            "resource!": obj({name: text() for name in resource}),
            "status!": text(),
        }
    )
    lookup = obj(
        {
            "catalogSourceRef!": object_reference(),
            "conditions": array(_dated_condition("lastTransitionTime", "lastUpdateTime"), kind=None),
            "identifier!": text(),
            "path!": text(),
            "properties": text(),
            "replaces!": text(),
        }
    )
    status = obj(
        {
            "attenuatedServiceAccountRef": object_reference(),
            "bundleLookups": array(lookup, kind=None),
            "catalogSources!": array(text(), kind=None),
            "conditions": array(_dated_condition("lastTransitionTime", "lastUpdateTime"), kind=None),
            "message": text(),
            "phase!": text(),
            "plan": array(step, kind=None),
            "startTime": timestamp(),
        }
    )
    columns = [
        column("CSV", ".spec.clusterServiceVersionNames[0]"),
        column("Approval", ".spec.approval"),
        column("Approved", ".spec.approved", "boolean"),
    ]
    only = version("v1alpha1", spec=spec, status=status, columns=columns)
    return crd(GROUP, "InstallPlan", only, short=["ip"], categories=CATEGORY)


def operator_group() -> Schema:
    """OperatorGroup."""

    def shape(name: str, *, storage: bool) -> Schema:
        # Only v1 knows the upgrade strategy and calls the namespaces a set.
        kind = "set" if storage else None
        strategy = choice("Default", "TechPreviewUnsafeFailForward", default="Default")
        spec = {
            "selector": label_selector(),
            "serviceAccountName": text(),
            "staticProvidedAPIs": flag(),
            "targetNamespaces": array(text(), kind=kind),
        }
        status = {
            "lastUpdated!": timestamp(),
            "namespaces": array(text(), kind=kind),
            "serviceAccountRef": object_reference(),
        }
        if storage:
            spec["upgradeStrategy"] = strategy
            status["conditions"] = array(condition(), kind=None)
        return version(
            name,
            spec=obj(spec, default={"upgradeStrategy": "Default"} if storage else None),
            spec_required=False,
            status=obj(status),
            storage=storage,
        )

    versions = [shape("v1", storage=True), shape("v1alpha2", storage=False)]
    return crd(GROUP, "OperatorGroup", *versions, short=["og"], categories=CATEGORY)


def _permissions() -> Schema:
    names = ("apiGroups", "nonResourceURLs", "resourceNames", "resources", "verbs!")
    rules = obj({name: array(text()) for name in names})
    return array(obj({"rules!": array(rules, kind=None), "serviceAccountName!": text()}), kind=None)


def _provided_api(**extra: Schema) -> Schema:
    resource = obj({"kind!": text(), "name!": text(), "version!": text()})
    descriptor = obj(
        {
            "description": text(),
            "displayName": text(),
            "path!": text(),
            "value": text(form="byte"),
            "x-descriptors": array(text(), kind=None),
        }
    )
    lists = ("actionDescriptors", "specDescriptors", "statusDescriptors")
    entry = obj(
        {
            "description": text(),
            "displayName": text(),
            "kind!": text(),
            "name!": text(),
            "version!": text(),
            "resources": array(resource, kind=None),
            **{name: array(descriptor, kind=None) for name in lists},
            **extra,
        }
    )
    return obj({"owned": array(entry, kind=None), "required": array(entry, kind=None)})


def cluster_service_version() -> Schema:
    """ClusterServiceVersion; pod templates and webhooks are not described down to the last field."""
    release_rules = [
        rule(
            r"self.matches('^[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*$')",
            "release version must be composed of dot-separated identifiers containing only alphanumerics and hyphens",
        ),
        rule(
            "!self.split('.').exists(x, x.matches('^0[0-9]+$'))",
            "numeric identifiers in release version must not have leading zeros",
        ),
    ]
    deployment = obj({"name!": text(), "label": mapping(text()), "spec!": anything()})
    install = obj(
        {
            "strategy!": text(),
            "spec": obj(
                {
                    "clusterPermissions": _permissions(),
                    "deployments!": array(deployment, kind=None),
                    "permissions": _permissions(),
                }
            ),
        }
    )
    named_url = obj({"name": text(), "url": text()})
    spec = obj(
        {
            "annotations": mapping(text()),
            "apiservicedefinitions": _provided_api(
                **{"containerPort": whole(), "deploymentName": text(), "group!": text()}
            ),
            "cleanup": obj({"enabled!": flag()}),
            "customresourcedefinitions": _provided_api(),
            "description": text(),
            "displayName!": text(),
            "icon": array(obj({"base64data!": text(), "mediatype!": text()}), kind=None),
            "install!": install,
            "installModes": array(obj({"supported!": flag(), "type!": text()}), kind=None),
            "keywords": array(text(), kind=None),
            "labels": mapping(text()),
            "links": array(named_url, kind=None),
            "maintainers": array(obj({"email": text(), "name": text()}), kind=None),
            "maturity": text(),
            "minKubeVersion": text(),
            "nativeAPIs": array(obj({"group!": text(), "kind!": text(), "version!": text()}), kind=None),
            "provider": named_url,
            "relatedImages": array(obj({"image!": text(), "name!": text()}), kind=None),
            "release": text(longest=20, rules=release_rules),
            "replaces": text(),
            "selector": label_selector(),
            "skips": array(text(), kind=None),
            "version": text(),
            "webhookdefinitions": array(anything(), kind=None),
        }
    )
    changed = _dated_condition("lastTransitionTime", "lastUpdateTime")
    changed["properties"]["phase"] = text()
    for name in ("type", "status"):
        del changed["properties"][name]
    names = ("group!", "kind!", "message!", "name!", "status!", "uuid", "version!")
    dependent = obj({name: text() for name in ("group!", "kind!", "message", "status!", "uuid", "version!")})
    requirement = obj({**{name: text() for name in names}, "dependents": array(dependent, kind=None)})
    status = obj(
        {
            "certsLastUpdated": timestamp(),
            "certsRotateAt": timestamp(),
            "cleanup": obj({"pendingDeletion": array(anything(), kind=None)}),
            "conditions": array(changed, kind=None),
            "lastTransitionTime": timestamp(),
            "lastUpdateTime": timestamp(),
            "message": text(),
            "phase": text(),
            "reason": text(),
            "requirementStatus": array(requirement, kind=None),
        }
    )
    columns = [
        column("Display", ".spec.displayName"),
        column("Version", ".spec.version"),
        column("Release", ".spec.release"),
        column("Replaces", ".spec.replaces"),
        column("Phase", ".status.phase"),
    ]
    only = version("v1alpha1", spec=spec, status=status, columns=columns)
    return crd(GROUP, "ClusterServiceVersion", only, short=["csv", "csvs"], categories=CATEGORY)


def package_manifest() -> Schema:
    """PackageManifest; its content is the catalogue's."""
    channel = obj(
        {
            "name!": text(),
            "currentCSV!": text(),
            "currentCSVDesc": anything(),
            "entries": array(obj({"name!": text(), "version": text()}), kind=None),
        }
    )
    names = ("catalogSource!", "catalogSourceDisplayName!", "catalogSourceNamespace!", "catalogSourcePublisher!")
    status = obj(
        {
            **{name: text() for name in names},
            "channels!": array(channel, kind=None),
            "defaultChannel!": text(),
            "packageName!": text(),
            "provider": obj({"name": text(), "url": text()}),
        }
    )
    columns = [column("Catalog", ".status.catalogSourceDisplayName"), AGE]
    only = version(
        "v1", spec=any_value(), spec_required=False, status=status, columns=columns, status_subresource=False
    )
    return crd(f"packages.{GROUP}", "PackageManifest", only, short=["packagemanifest"])
