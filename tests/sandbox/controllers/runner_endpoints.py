# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints and EndpointSlices of the Services that have a selector.

As Kubernetes' endpoint and endpointslice controllers write them: the addresses and ports are those of the pods in
their own network, which is only a name here; Envoy reaches the local processes by the Pods' annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from sandbox.client import Object
from sandbox.controllers.runner_kinds import Json, is_ready, owner_reference, selects
from sandbox.controllers.runtime import Controller, Key, Watch
from sandbox.kinds import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}


def target(pod: Json) -> Json:
    """A reference to the Pod behind an address."""
    meta = pod["metadata"]
    return {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}


def port_of(pod: Json, wanted: int | str) -> int | None:
    """The number of a Service's targetPort in a Pod; None for a name that it does not have."""
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for entry in container.get("ports") or []:
            if entry.get("name") == wanted:
                return int(entry["containerPort"])
    return int(wanted) if wanted.isdigit() else None


def ports_for(service: Json, pod: Json) -> list[Json]:
    """The ports that a Service reaches in a Pod."""
    found = []
    for port in service["spec"].get("ports") or []:
        number = port_of(pod, port.get("targetPort") or port["port"])
        if number is not None:
            name = {"name": port["name"]} if port.get("name") else {}
            more = {"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}
            found.append({**name, "port": number, "protocol": port.get("protocol", "TCP"), **more})
    return found


def subsets(service: Json, pods: Sequence[Json]) -> list[Json]:
    """``subsets`` of the Endpoints: pods with the same ports stand together."""
    groups: dict[str, Json] = {}
    for pod in pods:
        ports = ports_for(service, pod)
        group = groups.setdefault(repr(ports), {"ports": ports})
        field = "addresses" if is_ready(pod) or _unready_too(service) else "notReadyAddresses"
        entry = {"ip": pod["status"]["podIP"], "targetRef": target(pod)}
        if node := pod["spec"].get("nodeName"):
            entry["nodeName"] = node
        group.setdefault(field, []).append(entry)
    return list(groups.values())


def slices(service: Json, pods: Sequence[Json]) -> list[tuple[list[Json], list[Json]]]:
    """Ports and endpoints of each EndpointSlice; a Service without pods keeps an empty one."""
    groups: dict[str, tuple[list[Json], list[Json]]] = {}
    for pod in pods:
        ports = [{"name": "", **port} for port in ports_for(service, pod)]
        ready = is_ready(pod)
        conditions = {"ready": ready or _unready_too(service), "serving": ready, "terminating": False}
        entry = {"addresses": [pod["status"]["podIP"]], "conditions": conditions, "targetRef": target(pod)}
        if node := pod["spec"].get("nodeName"):
            entry["nodeName"] = node
        groups.setdefault(repr(ports), (ports, []))[1].append(entry)
    return list(groups.values()) or [([], [])]


def _unready_too(service: Json) -> bool:
    return bool(service["spec"].get("publishNotReadyAddresses"))


class EndpointsController(Controller):
    """Reconciles one Service a key."""

    name: ClassVar[str] = "endpoint-controller"

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(SERVICES),
            Watch(PODS, self._services_of),
            Watch(ENDPOINTS),
            Watch(ENDPOINT_SLICES, self._service_of),
        ]

    def _services_of(self, pod: Object) -> Iterable[Key]:
        meta = pod["metadata"]
        return [
            (meta["namespace"], service["metadata"]["name"])
            for service in self.cache(SERVICES).list(meta["namespace"])
            if selects(service["spec"].get("selector"), meta.get("labels") or {})
        ]

    def _service_of(self, one: Object) -> Iterable[Key]:
        name = (one["metadata"].get("labels") or {}).get(SERVICE_LABEL)
        return [(one["metadata"]["namespace"], name)] if name else []

    async def reconcile(self, key: Key) -> float | None:
        service = self.cache(SERVICES).get(*key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            if self.cache(ENDPOINTS).get(*key):
                await self.client.delete(ENDPOINTS, key[1], key[0])
            return None  # the slices are owned by the Service
        selector = service["spec"].get("selector")
        if not selector:
            return None  # whoever made the Service says where it leads
        pods = [
            pod
            for pod in self.cache(PODS).list(key[0], labels=selector)
            if (pod.get("status") or {}).get("podIP") and _counts(pod)
        ]
        await self._write_endpoints(key, service, subsets(service, pods))
        await self._write_slices(key, service, slices(service, pods))
        return None

    async def _write_endpoints(self, key: Key, service: Json, wanted: list[Json]) -> None:
        found = self.cache(ENDPOINTS).get(*key)
        labels = {**(service["metadata"].get("labels") or {}), "endpoints.kubernetes.io/managed-by": self.name}
        body = {"metadata": {"name": key[1], "namespace": key[0], "labels": labels}, "subsets": wanted}
        if found is None:
            await self.create(ENDPOINTS, body)
        elif (found.get("subsets") or []) != wanted:
            await self.replace(ENDPOINTS, {**found, "subsets": wanted})

    async def _write_slices(self, key: Key, service: Json, wanted: list[tuple[list[Json], list[Json]]]) -> None:
        found = self.cache(ENDPOINT_SLICES).list(key[0], labels={SERVICE_LABEL: key[1], **MANAGED_BY})
        kept = found[: len(wanted)]
        for old, (ports, endpoints) in zip(kept, wanted, strict=False):
            if (old.get("ports") or [], old.get("endpoints") or []) != (ports, endpoints):
                await self.replace(ENDPOINT_SLICES, {**old, "ports": ports, "endpoints": endpoints})
        for ports, endpoints in wanted[len(kept) :]:
            labels = {**(service["metadata"].get("labels") or {}), SERVICE_LABEL: key[1], **MANAGED_BY}
            owner = {**owner_reference(service, SERVICES), "apiVersion": "v1"}
            meta = {"generateName": f"{key[1]}-", "namespace": key[0], "labels": labels, "ownerReferences": [owner]}
            body = {"metadata": meta, "addressType": "IPv4", "ports": ports, "endpoints": endpoints}
            await self.create(ENDPOINT_SLICES, body)
        for old in found[len(wanted) :]:
            await self.client.delete(ENDPOINT_SLICES, old["metadata"]["name"], key[0])


def _counts(pod: Json) -> bool:
    """Whether a Pod is among the endpoints: not when it is going, nor when it has come to its end."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not pod["metadata"].get("deletionTimestamp") and not ended
