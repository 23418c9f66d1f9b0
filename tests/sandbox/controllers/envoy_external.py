# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Istio's ServiceEntry and DestinationRule: hosts outside the mesh as Envoy clusters, and TLS towards backends.

Of a DestinationRule only ``trafficPolicy.tls`` counts (also by port), with the modes DISABLE and SIMPLE; a
backend that asks for more gets no endpoints, and the log says why. Where a name leads on this machine, and which
authorities are trusted, says `outside`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from sandbox.controllers.envoy_clusters import cluster
from sandbox.controllers.gateway_hostnames import matches
from sandbox.controllers.gateway_world import Json, World
from sandbox.controllers.outside import Outside, is_address

log = logging.getLogger("sandbox.gateway")

TLS_CONTEXT = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
HTTP2 = ("HTTP2", "GRPC")
KNOWN_TLS = {"mode", "sni", "subjectAltNames", "insecureSkipVerify", "caCertificates"}


def external_clusters(world: World, outside: Outside) -> dict[str, Json]:
    """A cluster for every host and port of every ServiceEntry; of several entries for one the oldest counts."""
    found: dict[str, Json] = {}
    for entry in sorted(world.service_entries, key=_age):
        for host in entry["spec"].get("hosts") or []:
            for port in entry["spec"].get("ports") or []:
                name = f"outbound|{port['number']}||{host}"
                if name not in found:
                    found[name] = _cluster(name, host, port, entry["spec"], outside)
    return found


def add_tls(clusters: dict[str, Json], world: World, outside: Outside) -> None:
    """Puts the TLS settings of DestinationRules on the clusters of their hosts."""
    for rule in sorted(world.destination_rules, key=_age, reverse=True):  # the oldest has the last word
        host = rule["spec"]["host"]
        if "." not in host:
            host = f"{host}.{rule['metadata']['namespace']}.svc.cluster.local"
        for name, entry in clusters.items():
            _, port, _, target = name.split("|")
            if matches(host, target) and (tls := _tls_settings(rule, int(port))):
                _secure(entry, tls, rule, outside)


def _age(obj: Json) -> tuple[str, str, str]:
    meta = obj["metadata"]
    return meta.get("creationTimestamp", ""), meta["namespace"], meta["name"]


def _cluster(name: str, host: str, port: Json, spec: Json, outside: Outside) -> Json:
    built = cluster(name, [], http2=port.get("protocol", "").upper() in HTTP2)
    places = list(_places(host, port, spec, outside))
    endpoints = [{"endpoint": {"address": {"socket_address": place}}} for place in places]
    built["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
    if not all(map(is_address, (place["address"] for place in places))):
        built |= {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}
    return built


def _places(host: str, port: Json, spec: Json, outside: Outside) -> Iterator[Json]:
    number = int(port.get("targetPort") or port["number"])
    for endpoint in spec.get("endpoints") or [{"address": host}]:
        own = int((endpoint.get("ports") or {}).get(port.get("name"), number))
        address = endpoint.get("address") or host
        known = outside.address(address, own)
        yield {"address": known[0], "port_value": known[1]} if known else {"address": address, "port_value": own}


def _tls_settings(rule: Json, port: int) -> Json | None:
    policy = rule["spec"].get("trafficPolicy") or {}
    for level in policy.get("portLevelSettings") or []:
        if (level.get("port") or {}).get("number") == port:
            found: Json | None = level.get("tls")
            return found
    whole: Json | None = policy.get("tls")
    return whole


def _secure(entry: Json, tls: Json, rule: Json, outside: Outside) -> None:
    mode = tls.get("mode") or "DISABLE"
    unknown = sorted(set(tls) - KNOWN_TLS)
    file = tls.get("caCertificates") or "system"
    if mode == "DISABLE":
        entry.pop("transport_socket", None)
        return
    if mode != "SIMPLE" or unknown or file != "system":
        meta = rule["metadata"]
        what = f"mode {mode}" if mode != "SIMPLE" else f"field {unknown[0]}" if unknown else f"caCertificates {file}"
        where = f"DestinationRule {meta['namespace']}/{meta['name']}"
        log.warning("%s: tls.%s is not supported by the sandbox; its host cannot be reached", where, what)
        entry["load_assignment"]["endpoints"] = []
        return
    context: Json = {"@type": TLS_CONTEXT, "common_tls_context": {}}
    if not tls.get("insecureSkipVerify"):
        context["common_tls_context"]["validation_context"] = _validation(tls.get("subjectAltNames") or [], outside)
    if sni := tls.get("sni"):
        context["sni"] = sni
    else:
        # Istio: without a name of its own the connection takes that of the request, and checks it.
        options = entry["typed_extension_protocol_options"][HTTP_OPTIONS]
        verify = not tls.get("insecureSkipVerify") and not tls.get("subjectAltNames")
        options["upstream_http_protocol_options"] = {"auto_sni": True, "auto_san_validation": verify}
    entry["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _validation(names: Sequence[str], outside: Outside) -> Json:
    context: Json = {}
    if own := outside.own_authorities():
        context["trusted_ca"] = {"inline_string": own}  # Envoy does not look at a file again
    elif file := outside.authorities:
        context["trusted_ca"] = {"filename": file}
    if names:
        context["match_typed_subject_alt_names"] = [
            {"san_type": kind, "matcher": {"exact": name}} for name in names for kind in ("DNS", "URI")
        ]
    return context
