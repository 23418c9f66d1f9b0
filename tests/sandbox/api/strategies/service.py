# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services: addresses and node ports of their own, and what their types allow."""

from __future__ import annotations

import ipaddress
from typing import Any

from ..errors import ApiError, invalid
from ..fields import FieldError, Struct, duplicate, forbidden_value, invalid_value, required
from ..objects import Object
from ..schema import Schema
from .builtin import BuiltinStrategy

NETWORK = ipaddress.IPv4Network("10.96.0.0/16")
NODE_PORTS = range(30000, 32768)
_ADDRESSES = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
_EXTERNAL = ("NodePort", "LoadBalancer")
_IP_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


class ServiceStrategy(BuiltinStrategy):
    """Services get an address of their own, and node ports when their type asks for them."""

    def __init__(self, schema: Schema, row: dict[str, Any]) -> None:
        super().__init__(schema, row)
        self._addresses: dict[str, str] = {}
        self._ports: dict[int, str] = {}
        self._next_address = 10

    def decode(self, obj: Object) -> list[str]:
        unknown = super().decode(obj)
        if obj["spec"].get("clusterIP") == "":
            del obj["spec"]["clusterIP"]
        return unknown

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if subresource:
            return
        spec, before = new["spec"], old["spec"]
        kind = spec.get("type")
        if "ExternalName" not in (kind, before.get("type")):
            for name in _ADDRESSES:
                if not spec.get(name) and before.get(name):
                    spec[name] = before[name]
        if kind == before.get("type"):
            known = {_identity(port): port.get("nodePort") for port in before.get("ports") or ()}
            for port in spec.get("ports") or ():
                if known.get(_identity(port)) and not port.get("nodePort"):
                    port["nodePort"] = known[_identity(port)]
            return
        for port in spec.get("ports") or ():  # what only the former type had goes, unless it was changed
            if kind not in _EXTERNAL and port in (before.get("ports") or ()):
                port.pop("nodePort", None)
        for name, types in (
            ("externalTrafficPolicy", _EXTERNAL),
            ("allocateLoadBalancerNodePorts", ("LoadBalancer",)),
            ("internalTrafficPolicy", ("ClusterIP", *_EXTERNAL)),
        ):
            if kind not in types and spec.get(name) == before.get(name):
                spec.pop(name, None)

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        spec = obj["spec"]
        kind, ports, address = spec.get("type"), spec.get("ports") or [], spec.get("clusterIP")
        errors = _port_errors(ports, kind)
        if not ports and kind != "ExternalName" and address != "None":
            errors.append(required("spec.ports"))
        if kind == "ExternalName" and not spec.get("externalName"):
            errors.append(required("spec.externalName"))
        if kind not in _EXTERNAL and spec.get("externalTrafficPolicy"):
            rule = "may only be set for externally-accessible services"
            errors.append(invalid_value("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], rule))
        if address == "None" and kind in _EXTERNAL:
            rule = f"may not be set to 'None' for {kind} services"
            errors.append(invalid_value("spec.clusterIPs[0]", "None", rule))
        elif address and address != "None" and not _is_address(address):
            errors.append(invalid_value("spec.clusterIPs[0]", address, _IP_RULE))
        if old is not None and "ExternalName" not in (kind, old["spec"].get("type")):
            before = old["spec"].get("clusterIP")
            if before and address != before:
                errors.append(invalid_value("spec.clusterIPs[0]", [address or ""], "may not change once set"))
        return errors

    def validate_status(self, obj: Object) -> list[FieldError]:
        if obj["spec"].get("type") == "LoadBalancer" or not obj["status"].get("loadBalancer", {}).get("ingress"):
            return []
        rule = "may only be used when `spec.type` is 'LoadBalancer'"
        return [forbidden_value("status.loadBalancer.ingress", rule)]

    def begin(self, obj: Object, old: Object | None) -> None:
        spec = obj["spec"]
        owner = _key(obj)
        if spec.get("type") == "ExternalName":
            for name in _ADDRESSES:
                spec.pop(name, None)
            return
        address = spec.get("clusterIP") or self._free_address()
        if address != "None" and self._addresses.get(address, owner) != owner:
            why = f"failed to allocate IP {address}: provided IP is already allocated"
            raise self._taken(obj, "spec.clusterIPs", [address], why)
        spec["clusterIP"] = address
        spec["clusterIPs"] = [address]
        both = address == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if both else "SingleStack")
        if spec.get("type") in _EXTERNAL and spec.get("allocateLoadBalancerNodePorts", True):
            for index, port in enumerate(spec.get("ports") or ()):
                number = port.setdefault("nodePort", self._free_port())
                if self._ports.get(number, owner) != owner:
                    path = f"spec.ports[{index}].nodePort"
                    raise self._taken(obj, path, number, "provided port is already allocated")
                self._ports[number] = owner

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
            address = str(NETWORK[self._next_address])
            self._next_address = self._next_address % (NETWORK.num_addresses - 2) + 1
            if address not in self._addresses:
                return address

    def _free_port(self) -> int:
        return next(number for number in NODE_PORTS if number not in self._ports)

    def _taken(self, obj: Object, path: str, value: object, message: str) -> ApiError:
        return invalid("", self.kind, obj["metadata"]["name"], [invalid_value(path, value, message)])


def _port_errors(ports: list[Object], kind: str | None) -> list[FieldError]:
    errors: list[FieldError] = []
    numbers: set[Any] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            errors.append(required(f"{path}.name"))
        if port.get("nodePort") and kind not in _EXTERNAL:
            errors.append(forbidden_value(f"{path}.nodePort", f"may not be used when `type` is '{kind}'"))
        if _identity(port) in numbers:
            number, protocol = _identity(port)
            shown = Struct(Name="", Protocol=protocol, AppProtocol=None, Port=number, TargetPort=0, NodePort=0)
            errors.append(duplicate(path, shown))
        numbers.add(_identity(port))
    return errors


def _identity(port: Object) -> tuple[Any, Any]:
    return port.get("port"), port.get("protocol")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _key(obj: Object) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"
