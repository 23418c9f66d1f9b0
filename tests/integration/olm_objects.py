# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM as tests need it: its objects, and what it would write."""

from __future__ import annotations

from typing import Any

from integration.kit import ApiServer, Json, Modules

OLM = "/apis/operators.coreos.com/{version}/namespaces/{ns}/{plural}"
CATALOG = "openshift-marketplace"
CSV = "mcp-gateway.v0.9.0"
OLD_CSV = "mcp-gateway.v0.6.0"
MODES = ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
QUICK: Json = {"install_plan_ref_timeout": 1, "install_plan_timeout": 1, "csv_timeout": 1}
OWNED = "mcpgatewayextensions.mcp.kuadrant.io"


def at(ns: str, plural: str, name: str = "", version: str = "v1alpha1") -> str:
    return OLM.format(version=version, ns=ns, plural=plural) + (f"/{name}" if name else "")


def olm_object(kind: str, name: str, version: str = "v1alpha1", **content: Any) -> Json:
    return {"apiVersion": f"operators.coreos.com/{version}", "kind": kind, "metadata": {"name": name}, **content}


def catalog(api_server: ApiServer) -> None:
    """A ready catalog with one package."""
    api_server.namespace(CATALOG)
    path = at(CATALOG, "catalogsources", "redhat-operators")
    api_server.apply(path, olm_object("CatalogSource", "redhat-operators", spec={"sourceType": "grpc"}))
    api_server.status(path, {"connectionState": {"lastObservedState": "READY"}})
    modes = [{"type": mode, "supported": mode != "MultiNamespace"} for mode in MODES]
    channel = {
        "name": "preview",
        "currentCSV": CSV,
        "currentCSVDesc": {"installModes": modes},
        "entries": [{"name": CSV}, {"name": OLD_CSV}],
    }
    status = {
        "catalogSource": "redhat-operators",
        "catalogSourceDisplayName": "Red Hat operators",
        "catalogSourcePublisher": "Red Hat",
        "catalogSourceNamespace": CATALOG,
        "packageName": "mcp-gateway",
        "defaultChannel": "preview",
        "channels": [channel],
    }
    path = f"/apis/packages.operators.coreos.com/v1/namespaces/{CATALOG}/packagemanifests/mcp-gateway"
    manifest = {"apiVersion": "packages.operators.coreos.com/v1", "kind": "PackageManifest"}
    labels = {"catalog": "redhat-operators"}
    metadata = {"name": "mcp-gateway", "labels": labels}
    api_server.apply(path, {**manifest, "metadata": metadata, "status": status})
    if not (api_server.get(path) or {}).get("status"):
        api_server.status(path, status)


def csv(api: ApiServer, ns: str, name: str = CSV, phase: str = "Succeeded", **status: Any) -> None:
    deployment = {"install": {"strategy": "deployment", "spec": {"deployments": []}}}
    spec = {
        "displayName": "MCP gateway",
        "version": name.partition(".v")[2],
        "customresourcedefinitions": {"owned": [{"name": OWNED, "kind": "MCPGatewayExtension", "version": "v1"}]},
        **deployment,
    }
    path = at(ns, "clusterserviceversions", name)
    api.apply(path, olm_object("ClusterServiceVersion", name, spec=spec))
    api.status(path, {"phase": phase, **status})


def plan(api: ApiServer, ns: str, name: str, phase: str, csvs: list[str], *, approved: bool = True) -> None:
    spec = {"approval": "Automatic", "approved": approved, "clusterServiceVersionNames": csvs}
    path = at(ns, "installplans", name)
    api.apply(path, olm_object("InstallPlan", name, spec=spec))
    api.status(path, {"phase": phase, "plan": [], "catalogSources": []})


def subscription_status(api: ApiServer, ns: str, **status: Any) -> None:
    base = {"lastUpdated": "2026-01-01T00:00:00Z"}
    api.status(at(ns, "subscriptions", "mcp-gateway"), {**base, **status})


def reference(name: str) -> Json:
    return {"name": name, "kind": "InstallPlan", "apiVersion": "operators.coreos.com/v1alpha1"}


def installed(api: ApiServer, ns: str) -> None:
    """As OLM leaves it."""
    plan(api, ns, "install-1", "Complete", [CSV])
    csv(api, ns)
    subscription_status(
        api, ns, installedCSV=CSV, currentCSV=CSV, state="AtLatestKnown", installPlanRef=reference("install-1")
    )


def subscribe(run: Modules, ns: str, **more: Any) -> Json:
    return run("olm_subscription", namespace=ns, channel="preview", wait=False, **more)
