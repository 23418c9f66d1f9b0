# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and metadata alone: what lists, gets and watches look like to those who ask for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox.battery.support import TABLE, Cluster, Object, Space, until

GROUP = "tables.mcpops.example.com"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

COLUMNS: dict[str, tuple[str, str, Any, Any]] = {
    "List": ("string", ".spec.list", '["x","y z"]', "[]"),
    "All": ("string", ".spec.list[*]", "x", None),
    "Second": ("string", ".spec.list[1]", "y z", None),
    "Last": ("string", ".spec.list[-1:]", "y z", None),
    "Map": ("string", ".spec.map", '{"a":["\\u003cq\\u003e"],"b":1}', "{}"),
    "Ready": ("string", '.status.conditions[?(@.type=="Ready")].status', "True", None),
    "Larger": ("string", ".spec.items[?(@.size>1)].name", "two", None),
    "Label": ("string", r".metadata.labels['example\.com/part']", "one", "one"),
    "Dotted": ("string", r".metadata.annotations.example\.com/note", "noted", "noted"),
    "Number": ("integer", ".spec.number", 3, 0),
    "Float": ("number", ".spec.float", 1.5, 2),
    "Boolean": ("boolean", ".spec.on", True, False),
    "NumberText": ("string", ".spec.number", "3", "0"),
    "BooleanText": ("string", ".spec.on", "true", "false"),
    "WrongType": ("integer", ".spec.text", None, None),
    "Date": ("date", ".spec.text", "<invalid>", None),
    "Missing": ("string", ".spec.missing.field", None, None),
}
"""Name: type, path, cell of an object with everything, cell of one with empty values."""
FULL = {
    "list": ["x", "y z"],
    "map": {"b": 1, "a": ["<q>"]},
    "number": 3,
    "float": 1.5,
    "on": True,
    "text": "words",
    "items": [{"name": "one", "size": 1}, {"name": "two", "size": 2}],
}
EMPTY = {"list": [], "map": {}, "number": 0, "float": 2.0, "on": False}


@pytest.fixture(scope="module")
def gadgets(space: Space) -> Iterator[str]:
    """Two objects of a kind with many columns; the path of their list."""
    open_object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    columns = [{"name": name, "type": kind, "jsonPath": path} for name, (kind, path, *_) in COLUMNS.items()]
    wide = {
        "name": "Wide",
        "type": "string",
        "jsonPath": ".spec.text",
        "priority": 1,
        "description": "Shown by -o wide.",
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": open_object}}
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": names,
            "versions": [{**version, "additionalPrinterColumns": [*columns, wide]}],
        },
    }
    cluster, path = space.cluster, f"/apis/{GROUP}/v1/namespaces/{space.name}/gadgets"
    cluster.post(CRDS, body).ok()
    until(lambda: cluster.get(path).status == 200, "gadgets are served", 30)
    metadata = {"labels": {"example.com/part": "one"}, "annotations": {"example.com/note": "noted"}}
    status = {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}
    for name, spec in (("full", FULL), ("empty", EMPTY)):
        obj = {"apiVersion": f"{GROUP}/v1", "kind": "Gadget", "metadata": {"name": name, **metadata}, "spec": spec}
        cluster.post(path, {**obj, **({"status": status} if name == "full" else {})}).ok()
    yield path
    cluster.delete(f"{CRDS}/gadgets.{GROUP}").ok()


def cells(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    """The rows of a table by the names of their columns."""
    table = cluster.get(path, Accept=TABLE).ok()
    names = [column["name"] for column in table["columnDefinitions"]]
    return [dict(zip(names, row["cells"], strict=True)) for row in table["rows"]]


@pytest.mark.parametrize("name", COLUMNS)
def test_cells_of_custom_kinds(space: Space, gadgets: str, name: str) -> None:
    *_, full, empty = COLUMNS[name]
    assert cells(space.cluster, f"{gadgets}/full")[0][name] == full
    assert cells(space.cluster, f"{gadgets}/empty")[0][name] == empty


def test_columns_of_custom_kinds(space: Space, gadgets: str) -> None:
    columns = space.cluster.get(gadgets, Accept=TABLE).ok()["columnDefinitions"]
    assert [column["name"] for column in columns] == ["Name", *COLUMNS, "Wide"]
    assert columns[0]["format"] == "name"
    wide = {"name": "Wide", "type": "string", "format": "", "description": "Shown by -o wide.", "priority": 1}
    assert columns[-1] == wide


def test_kinds_without_columns_show_their_age(space: Space) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "aged"}}
    space.cluster.post(space.core("serviceaccounts"), account).ok()
    row = cells(space.cluster, f"{space.core('serviceaccounts')}/aged")[0]
    assert row["Name"] == "aged"
    assert row["Age"].endswith("s")


def container(**more: Any) -> Object:
    return {"containers": [{"name": "main", "image": "image:1"}], **more}


def workload(kind: str, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": container()}
    body = {"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "spec": body}


def core(kind: str, **body: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, **body}


CONTAINERS = {"Containers": "main", "Images": "image:1", "Selector": "app=a"}
ROWS: dict[str, tuple[str, Object, Object]] = {
    "config map": (
        "/api/v1/namespaces/{}/configmaps",
        core("ConfigMap", data={"a": "1", "b": "2"}, binaryData={"c": "eA=="}),
        {"Data": 3},
    ),
    "secret": ("/api/v1/namespaces/{}/secrets", core("Secret", stringData={"a": "b"}), {"Type": "Opaque", "Data": 1}),
    "service": (
        "/api/v1/namespaces/{}/services",
        core("Service", spec={"selector": {"a": "b"}, "ports": [{"port": 80, "name": "a"}, {"port": 53, "name": "b"}]}),
        {"Type": "ClusterIP", "External-IP": "<none>", "Port(s)": "80/TCP,53/TCP", "Selector": "a=b"},
    ),
    "outside service": (
        "/api/v1/namespaces/{}/services",
        core("Service", spec={"type": "ExternalName", "externalName": "example.com"}),
        {"Cluster-IP": "<none>", "External-IP": "example.com", "Port(s)": "<none>", "Selector": "<none>"},
    ),
    "pod": (
        "/api/v1/namespaces/{}/pods",
        core("Pod", spec=container()),
        {"Ready": "0/1", "Status": "Pending", "Restarts": "0", "IP": "<none>", "Node": "<none>"},
    ),
    "endpoints": (
        "/api/v1/namespaces/{}/endpoints",
        core("Endpoints", subsets=[{"addresses": [{"ip": "10.1.2.3"}, {"ip": "10.1.2.4"}], "ports": [{"port": 80}]}]),
        {"Endpoints": "10.1.2.3:80,10.1.2.4:80"},
    ),
    "claim": (
        "/api/v1/namespaces/{}/persistentvolumeclaims",
        core(
            "PersistentVolumeClaim",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "s",
                "resources": {"requests": {"storage": "1"}},
            },
        ),
        {"Status": "Pending", "Volume": "", "Capacity": "", "StorageClass": "s", "VolumeAttributesClass": "<unset>"},
    ),
    "deployment": (
        "/apis/apps/v1/namespaces/{}/deployments",
        workload("Deployment", replicas=2),
        {"Ready": "0/2", "Up-to-date": 0, "Available": 0, **CONTAINERS},
    ),
    "replica set": (
        "/apis/apps/v1/namespaces/{}/replicasets",
        workload("ReplicaSet", replicas=2),
        {"Desired": 2, "Current": 0, "Ready": 0, **CONTAINERS},
    ),
    "stateful set": (
        "/apis/apps/v1/namespaces/{}/statefulsets",
        workload("StatefulSet", serviceName="a", replicas=2),
        {"Ready": "0/2", "Containers": "main"},
    ),
    "daemon set": (
        "/apis/apps/v1/namespaces/{}/daemonsets",
        workload("DaemonSet"),
        {"Desired": 0, "Node Selector": "<none>", **CONTAINERS},
    ),
    "job": (
        "/apis/batch/v1/namespaces/{}/jobs",
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"completions": 3, "template": {"spec": container(restartPolicy="Never")}},
        },
        {"Status": "Running", "Completions": "0/3", "Containers": "main"},
    ),
    "network policy": (
        "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "spec": {"podSelector": {"matchLabels": {"a": "b"}}},
        },
        {"Pod-Selector": "a=b"},
    ),
    "disruption budget": (
        "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"minAvailable": 1, "selector": {}}},
        {"Min Available": "1", "Max Unavailable": "N/A", "Allowed Disruptions": 0},
    ),
    "lease": (
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": "me"}},
        {"Holder": "me"},
    ),
    "role binding": (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
        },
        {"Role": "Role/r", "Users": "u", "Groups": "", "ServiceAccounts": "n/s"},
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_rows_of_built_in_kinds(space: Space, what: str) -> None:
    path, body, expected = ROWS[what]
    path, name = path.format(space.name), what.replace(" ", "-")
    space.cluster.post(path, {**body, "metadata": {"name": name}}).ok()
    row = cells(space.cluster, f"{path}/{name}")[0]
    assert {column: row[column] for column in expected} == expected
    assert row["Name"] == name


def test_rows_of_events(space: Space) -> None:
    about = {"kind": "Pod", "name": "web", "namespace": space.name, "fieldPath": "spec.containers{main}"}
    event = {
        **core("Event", reason="Broke", message="it broke\n", type="Warning", count=3, involvedObject=about),
        "metadata": {"name": "broke"},
        "source": {"component": "tester", "host": "here"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-02T00:00:00Z",
    }
    space.cluster.post(space.core("events"), event).ok()
    expected = {
        "Type": "Warning",
        "Reason": "Broke",
        "Object": "pod/web",
        "Subobject": "spec.containers{main}",
        "Source": "tester, here",
        "Message": "it broke",
        "Count": 3,
        "Name": "broke",
    }
    for path in (space.core("events"), f"/apis/events.k8s.io/v1/namespaces/{space.name}/events"):
        row = cells(space.cluster, f"{path}/broke")[0]
        assert {column: row[column] for column in expected} == expected
        assert row["Last Seen"].endswith("d")


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Gadget")]
)
def test_what_goes_along_with_a_row(space: Space, gadgets: str, include: str, kind: str | None) -> None:
    row = space.cluster.get(f"{gadgets}/full?includeObject={include}", Accept=TABLE).ok()["rows"][0]
    assert (row.get("object") or {}).get("kind") == kind


def test_pages_of_tables(space: Space, gadgets: str) -> None:
    page = space.cluster.get(f"{gadgets}?limit=1", Accept=TABLE).ok()
    assert [row["cells"][0] for row in page["rows"]] == ["empty"]
    assert page["metadata"]["remainingItemCount"] == 1
    rest = space.cluster.get(f"{gadgets}?limit=1&continue={page['metadata']['continue']}", Accept=TABLE).ok()
    assert [row["cells"][0] for row in rest["rows"]] == ["full"]


def test_tables_are_watched_row_by_row(space: Space, gadgets: str) -> None:
    with space.cluster.open("GET", f"{gadgets}?watch=1&timeoutSeconds=1", Accept=TABLE) as answer:
        events = [json.loads(line) for line in answer]
    assert [(event["type"], event["object"]["kind"]) for event in events] == [("ADDED", "Table")] * 2
    assert [bool(event["object"]["columnDefinitions"]) for event in events] == [True, False]


def test_metadata_alone(space: Space, gadgets: str) -> None:
    one = space.cluster.get(f"{gadgets}/full", Accept=PARTIAL).ok()
    assert (one["kind"], one["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert sorted(one) == ["apiVersion", "kind", "metadata"]
    many = space.cluster.get(gadgets, Accept=PARTIAL_LIST).ok()
    assert many["kind"] == "PartialObjectMetadataList"
    assert [item["metadata"]["name"] for item in many["items"]] == ["empty", "full"]
    with space.cluster.open("GET", f"{gadgets}?watch=1&timeoutSeconds=1", Accept=PARTIAL) as answer:
        kinds = [json.loads(line)["object"]["kind"] for line in answer]
    assert kinds == ["PartialObjectMetadata"] * 2


def test_metadata_of_one_is_not_that_of_many(space: Space) -> None:
    path = space.core("configmaps")
    refused = space.cluster.get(path, Accept=PARTIAL)
    assert refused.status == 406
    assert refused.body["message"].startswith("you requested PartialObjectMetadata, but the requested object is a list")
    space.cluster.post(path, space.config_map("one", {})).ok()
    refused = space.cluster.get(f"{path}/one", Accept=PARTIAL_LIST)
    assert refused.status == 406
    assert "PartialObjectMetadataList, but the requested object is not a list" in refused.body["message"]
