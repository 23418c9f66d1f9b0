# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, secrets, config maps, services, pods: kinds of the core group with rules of their own."""

from __future__ import annotations

import base64
import ipaddress

from ..errors import ApiError, invalid
from ..fields import FieldError, Struct, duplicate, forbidden_value, invalid_value, not_supported, required
from ..fieldsets import FieldSet
from ..metadata import name_problems
from ..objects import Object, copy, same
from ..schema import Schema
from .builtin import BuiltinStrategy, Traits
from .pods import PROTOCOLS, validate_config_keys, validate_pod_spec, validate_port

SERVICE_NETWORK = ipaddress.IPv4Network("10.96.0.0/16")
NODE_PORTS = range(30000, 32768)
SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_POD_STATUS_IGNORES = {("f:spec",), ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")}


class NamespaceStrategy(BuiltinStrategy):
    """A namespace is finalized by the namespace controller and knows whether it is being deleted."""

    states_grace = False
    protected = ("default", "kube-system", "kube-public")

    def refuse_delete(self, obj: Object) -> str:
        return "this namespace may not be deleted" if obj["metadata"]["name"] in self.protected else ""

    def is_held(self, obj: Object) -> bool:
        return bool(obj["spec"].get("finalizers"))

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        spec = obj.setdefault("spec", {})
        spec["finalizers"] = [*(f for f in spec.get("finalizers") or () if f != "kubernetes"), "kubernetes"]
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        if subresource == "finalize":
            new["status"] = old["status"]
            return
        super().prepare_update(new, old, subresource)
        if not subresource:
            new["spec"] = copy(old["spec"])

    def prepare_delete(self, obj: Object) -> None:
        obj["status"]["phase"] = "Terminating"


class SecretStrategy(BuiltinStrategy):
    """stringData becomes data; an immutable secret stays as it is."""

    def decode(self, obj: Object) -> list[str]:
        unknown = super().decode(obj)
        plain = obj.pop("stringData", None)
        if plain:
            data = obj.setdefault("data", {})
            data.update({key: base64.b64encode(value.encode()).decode() for key, value in plain.items()})
        return unknown

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors = validate_config_keys(obj.get("data") or (), "data") + _immutable_data(obj, old, "data")
        if old is not None:
            errors += self.immutable(obj.get("type"), old.get("type"), "type")
        if obj.get("type") == "kubernetes.io/tls":
            errors += [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in (obj.get("data") or {})]
        account = "kubernetes.io/service-account.name"
        named = (obj["metadata"].get("annotations") or {}).get(account)
        if obj.get("type") == "kubernetes.io/service-account-token" and not named:
            errors.append(required(f"metadata.annotations[{account}]"))
        return errors


class ConfigMapStrategy(BuiltinStrategy):
    """An immutable config map stays as it is."""

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors = validate_config_keys(obj.get("data") or (), "data")
        errors += validate_config_keys(obj.get("binaryData") or (), "binaryData")
        return errors + _immutable_data(obj, old, "data", "binaryData")


def _immutable_data(obj: Object, old: Object | None, *names: str) -> list[FieldError]:
    if old is None or not old.get("immutable"):
        return []
    errors = []
    if not obj.get("immutable"):
        errors.append(forbidden_value("immutable", "field is immutable when `immutable` is set"))
    errors += [
        forbidden_value(name, "field is immutable when `immutable` is set")
        for name in names
        if not same(obj.get(name) or {}, old.get(name) or {})
    ]
    return errors


class ServiceStrategy(BuiltinStrategy):
    """Services get an address of their own, and node ports when their type asks for them."""

    def __init__(self, schema: Schema, kind: str, traits: Traits) -> None:
        super().__init__(schema, kind, traits)
        self._addresses: dict[str, str] = {}
        self._ports: dict[int, str] = {}
        self._next_address = 10

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if subresource:
            return
        spec, before = new["spec"], old["spec"]
        if spec.get("type") != "ExternalName" and before.get("type") != "ExternalName":
            for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                if spec.get(name) in (None, "", []) and before.get(name):
                    spec[name] = before[name]
        if spec.get("type") == before.get("type"):
            known = {
                (port.get("port"), port.get("protocol")): port.get("nodePort") for port in before.get("ports") or ()
            }
            for port in spec.get("ports") or ():
                number = known.get((port.get("port"), port.get("protocol")))
                if number and not port.get("nodePort"):
                    port["nodePort"] = number

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        spec = obj["spec"]
        errors: list[FieldError] = []
        if spec.get("type") not in SERVICE_TYPES:
            errors.append(not_supported("spec.type", spec.get("type"), SERVICE_TYPES))
        ports = spec.get("ports") or []
        if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
            errors.append(required("spec.ports"))
        errors += _service_ports(ports)
        if old is not None and old["spec"].get("type") != "ExternalName" and spec.get("type") != "ExternalName":
            before = old["spec"].get("clusterIP")
            if before and spec.get("clusterIP") != before:
                message = "may not change once set"
                errors.append(invalid_value("spec.clusterIPs[0]", [spec.get("clusterIP", "")], message))
        return errors

    def begin(self, obj: Object, old: Object | None) -> None:
        spec = obj["spec"]
        owner = _key(obj)
        if spec.get("type") == "ExternalName":
            for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(name, None)
            return
        address = spec.get("clusterIP")
        if not address:
            address = self._free_address()
        elif address != "None" and self._addresses.get(address, owner) != owner:
            raise self._taken(
                obj,
                "spec.clusterIPs",
                [address],
                "failed to allocate IP " + address + ": provided IP is already allocated",
            )
        spec["clusterIP"] = address
        spec["clusterIPs"] = [address]
        both = address == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if both else "SingleStack")
        if spec.get("type") in ("NodePort", "LoadBalancer") and spec.get("allocateLoadBalancerNodePorts", True):
            for port in spec.get("ports") or ():
                number = port.setdefault("nodePort", self._free_port())
                if self._ports.get(number, owner) != owner:
                    raise self._taken(obj, "spec.ports[0].nodePort", number, "provided port is already allocated")
                self._ports[number] = owner
        elif spec.get("type") == "ClusterIP":
            spec.pop("externalTrafficPolicy", None)
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)

    def finish(self, obj: Object, old: Object | None) -> None:
        self.released(old or obj)
        address = obj["spec"].get("clusterIP")
        if address and address != "None":
            self._addresses[address] = _key(obj)
        for port in obj["spec"].get("ports") or ():
            if port.get("nodePort"):
                self._ports[port["nodePort"]] = _key(obj)

    def released(self, obj: Object) -> None:
        owner = _key(obj)
        self._addresses = {address: user for address, user in self._addresses.items() if user != owner}
        self._ports = {number: user for number, user in self._ports.items() if user != owner}

    def _free_address(self) -> str:
        while True:
            address = str(SERVICE_NETWORK[self._next_address])
            self._next_address = (
                self._next_address + 1 if self._next_address < SERVICE_NETWORK.num_addresses - 2 else 10
            )
            if address not in self._addresses:
                return address

    def _free_port(self) -> int:
        return next(number for number in NODE_PORTS if number not in self._ports)

    def _taken(self, obj: Object, path: str, value: object, message: str) -> ApiError:
        return invalid("", self.kind, obj["metadata"]["name"], [invalid_value(path, value, message)])


def _service_ports(ports: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name, number, protocol = port.get("name", ""), port.get("port") or 0, port.get("protocol", "")
        if len(ports) > 1 and not name:
            errors.append(required(f"{path}.name"))
        elif name in names:
            errors.append(duplicate(f"{path}.name", name))
        if name:
            errors += [invalid_value(f"{path}.name", name, text) for text in name_problems(name, "label")]
            names.add(name)
        errors += validate_port(number, f"{path}.port")
        if protocol not in PROTOCOLS:
            errors.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
        if isinstance(port.get("targetPort"), int):
            errors += validate_port(port["targetPort"], f"{path}.targetPort")
        if (number, protocol) in numbers:
            shown = Struct(Name="", Protocol=protocol, AppProtocol=None, Port=number, TargetPort=0, NodePort=0)
            errors.append(duplicate(path, shown))
        numbers.add((number, protocol))
    return errors


def _key(obj: Object) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


class PodStrategy(BuiltinStrategy):
    """A pod's spec is all but immutable, and a running pod is deleted gracefully."""

    graceful = True
    _tolerations = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        spec = obj["spec"]
        spec.setdefault("priority", 0)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        tolerations = spec.setdefault("tolerations", [])
        for key in self._tolerations:
            if not any(
                item.get("key") in (key, None) and item.get("effect") in ("NoExecute", None) for item in tolerations
            ):
                tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
        obj["status"] = {"phase": "Pending", "qosClass": _quality(spec)}

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors = validate_pod_spec(obj["spec"], "spec")
        if old is not None and not same(_fixed(obj["spec"]), _fixed(old["spec"])):
            message = (
                "pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
                "`spec.tolerations` (only additions to existing tolerations),"
                "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
            )
            errors.append(forbidden_value("spec", message))
        return errors

    def ignored_fields(self, subresource: str) -> FieldSet:
        return _POD_STATUS_IGNORES if subresource == "status" else super().ignored_fields(subresource)


def _fixed(spec: Object) -> Object:
    kept = {k: v for k, v in spec.items() if k not in ("activeDeadlineSeconds", "tolerations", "schedulingGates")}
    for name in ("containers", "initContainers"):
        if name in kept:
            kept[name] = [{k: v for k, v in item.items() if k != "image"} for item in kept[name]]
    return kept


def _quality(spec: Object) -> str:
    """The pod's quality-of-service class."""
    resources = [
        item.get("resources") or {} for item in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    ]
    if not any(item.get("requests") or item.get("limits") for item in resources):
        return "BestEffort"
    for item in resources:
        limits, requests = item.get("limits") or {}, item.get("requests") or {}
        if not {"cpu", "memory"} <= limits.keys() or any(requests.get(k, v) != v for k, v in limits.items()):
            return "Burstable"
    return "Guaranteed"


class EventStrategy(BuiltinStrategy):
    """Events are about an object in their own namespace."""

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        namespace = (obj.get("involvedObject") or {}).get("namespace", "")
        own = obj["metadata"].get("namespace", "")
        if namespace != own and not (namespace == "" and own == "default"):
            return [invalid_value("involvedObject.namespace", namespace, "does not match event.namespace")]
        return []
