# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module gateway_listener: one listener beside those of others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._listener_job import listener_job
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import resolve
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import LightTransport
from integration.gateways import GATEWAYS, certificate, gateway_class, listener, report
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes


@pytest.fixture(autouse=True)
def gateway(api_server: ApiServer, ns: str) -> str:
    """A Gateway made by somebody else, with one listener."""
    gateway_class(api_server)
    path = f"{GATEWAYS.format(ns=ns)}/gw"
    spec = {"gatewayClassName": "istio", "listeners": [{"name": "web", "port": 80, "protocol": "HTTP"}]}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
    api_server.apply(path, {**kind, "metadata": {"name": "gw", "namespace": ns}, "spec": spec}, manager="argocd")
    return path


def options(ns: str, **more: Any) -> Json:
    return {"gateway": "gw", "namespace": ns, **listener(), **more}


def names(api: ApiServer, path: str) -> list[str]:
    live = api.get(path)
    assert live is not None
    return [entry["name"] for entry in live["spec"]["listeners"]]


def test_it_is_added_beside_the_others(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    def controller() -> None:
        until(lambda: len(names(api_server, gateway)) == 2, lambda: "never added")
        report(api_server, ns, "gw", ["web", "mcps"])

    with meanwhile(controller):
        result = run("gateway_listener", **options(ns))

    assert result["objects"][0]["action"] == "updated"
    assert result["objects"][0]["fields"] == ["spec.listeners[name=mcps]"]
    assert names(api_server, gateway) == ["web", "mcps"]
    assert result["listener"]["name"] == "mcps"


def test_again_it_writes_nothing(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    run("gateway_listener", wait=False, **options(ns))
    report(api_server, ns, "gw", ["web", "mcps"])
    version = (api_server.get(gateway) or {})["metadata"]["resourceVersion"]

    with api_server.watched() as requests:
        result = run("gateway_listener", **options(ns))

    assert not result["changed"] and writes(requests) == []
    assert result["objects"][0]["resource_version"] == version


def test_only_this_listener_has_to_be_fine(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    run("gateway_listener", wait=False, **options(ns))
    report(api_server, ns, "gw", ["mcps"])

    run("gateway_listener", **options(ns))


def test_a_change_touches_nothing_else(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    run("gateway_listener", wait=False, **options(ns))

    planned = run("gateway_listener", check=True, diff=True, **options(ns, port=8081))
    result = run("gateway_listener", wait=False, diff=True, **options(ns, port=8081))

    assert result["objects"][0]["fields"] == ["spec.listeners[name=mcps].port"]
    assert planned["diff"] == result["diff"]
    assert [entry["name"] for entry in result["diff"][0]["after"]["spec"]["listeners"]] == ["mcps"]
    assert names(api_server, gateway) == ["web", "mcps"]


def test_what_somebody_took_away_comes_back(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    run("gateway_listener", wait=False, **options(ns))
    removal = [{"op": "remove", "path": "/spec/listeners/1"}]
    api_server.request("PATCH", f"{gateway}?fieldManager=kubectl-edit", removal, "application/json-patch+json")

    planned = run("gateway_listener", check=True, **options(ns))
    result = run("gateway_listener", wait=False, **options(ns))

    assert planned["changed"] and result["objects"][0]["fields"] == ["spec.listeners[name=mcps]"]
    assert names(api_server, gateway) == ["web", "mcps"]


def test_drift_of_a_value(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    """By kubectl edit it is put right with a warning, by another applier it is a conflict."""
    run("gateway_listener", wait=False, **options(ns))
    change = [{"op": "replace", "path": "/spec/listeners/1/port", "value": 9999}]
    api_server.request("PATCH", f"{gateway}?fieldManager=kubectl-edit", change, "application/json-patch+json")

    mended = run("gateway_listener", wait=False, **options(ns))
    other = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"}}
    theirs = {"name": "mcps", "port": 9998, "protocol": "HTTP", "hostname": "mcp.example.com"}
    api_server.apply(gateway, {**other, "spec": {"listeners": [theirs]}}, manager="other-operator")
    said = run.fails("gateway_listener", **options(ns))

    assert mended["changed"] and "kubectl-edit" in warnings_of(mended)[0]
    assert "other-operator" in said and 'spec.listeners[name="mcps"].port' in said


def test_one_that_was_made_by_hand_is_adopted(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    """The same values change nothing in the listener; the second time there is nothing left to do."""
    wanted = {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com", "allowedRoutes": {
        "namespaces": {"from": "All"}}}  # fmt: skip
    adding = [{"op": "add", "path": "/spec/listeners/-", "value": wanted}]
    api_server.request("PATCH", f"{gateway}?fieldManager=oc", adding, "application/json-patch+json")
    before = (api_server.get(gateway) or {})["spec"]

    run("gateway_listener", wait=False, **options(ns))
    report(api_server, ns, "gw", ["web", "mcps"])
    with api_server.watched() as requests:
        again = run("gateway_listener", **options(ns))

    assert (api_server.get(gateway) or {})["spec"] == before
    assert not again["changed"] and writes(requests) == []


def test_another_name(run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
    """The old one is still there while the new one is planned, so the clash says so; absent first, then present."""
    run("gateway_listener", wait=False, **options(ns))

    said = run.fails("gateway_listener", **options(ns, name="mcp"))
    run("gateway_listener", gateway="gw", namespace=ns, name="mcps", state="absent")
    run("gateway_listener", wait=False, **options(ns, name="mcp"))

    assert "mcps and mcp clash" in said and names(api_server, gateway) == ["web", "mcp"]


def test_ten_at_once_lose_none(api_server: ApiServer, ns: str, gateway: str) -> None:
    def add(number: int) -> None:
        client = ApiClient(LightTransport(resolve({"kubeconfig": api_server.kubeconfig}, {})))
        engine = Engine(client, wait=False)
        wanted = listener(f"l{number}", 9000 + number)
        listener_job(engine, {"state": "present", "gateway": "gw", "namespace": ns, "tls": None, **wanted})

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(add, range(10)))

    assert sorted(names(api_server, gateway)) == sorted(["web", *(f"l{number}" for number in range(10))])


class TestAbsent:
    def test_whoever_owns_it(self, run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
        run("gateway_listener", wait=False, **options(ns))

        with api_server.watched() as requests:
            planned = run("gateway_listener", check=True, gateway="gw", namespace=ns, name="web", state="absent")
        assert writes(requests) == []
        first = run("gateway_listener", gateway="gw", namespace=ns, name="web", state="absent")
        again = run("gateway_listener", gateway="gw", namespace=ns, name="web", state="absent")

        assert planned["changed"] and first["changed"] and not again["changed"]
        assert names(api_server, gateway) == ["mcps"]

    def test_check_and_diff_agree_with_the_run(
        self, run: Modules, api_server: ApiServer, ns: str, gateway: str
    ) -> None:
        run("gateway_listener", wait=False, **options(ns))
        gone = {"gateway": "gw", "namespace": ns, "name": "mcps", "state": "absent"}

        planned = run("gateway_listener", check=True, diff=True, **gone)
        done = run("gateway_listener", diff=True, **gone)

        assert planned["diff"] == done["diff"] and done["objects"][0]["fields"] == ["spec.listeners[name=mcps]"]
        assert done["diff"][0]["before"]["spec"]["listeners"][0]["port"] == 8080
        assert done["diff"][0]["after"]["spec"]["listeners"] == []
        assert done["listener"] is None

    def test_routes_that_lose_it_are_told(self, run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
        run("gateway_listener", wait=False, **options(ns))
        report(api_server, ns, "gw", ["web", "mcps"], attached=2)

        result = run("gateway_listener", gateway="gw", namespace=ns, name="mcps", state="absent")

        assert warnings_of(result) == [f"Gateway {ns}/gw: the listener mcps is removed with 2 attached routes."]

    def test_a_list_that_moves_meanwhile(
        self, run: Modules, api_server: ApiServer, ns: str, gateway: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the look and the patch somebody removes a listener that stands before ours."""
        run("gateway_listener", wait=False, **options(ns))
        run("gateway_listener", wait=False, **options(ns, name="third", port=8082))
        patch, moved = ApiClient.json_patch, []

        def moving(*arguments: Any, **more: Any) -> Any:
            if not moved:
                removal = [{"op": "remove", "path": "/spec/listeners/0"}]
                moved.append(api_server.request("PATCH", gateway, removal, "application/json-patch+json"))
            return patch(*arguments, **more)

        monkeypatch.setattr(ApiClient, "json_patch", moving)
        result = run("gateway_listener", gateway="gw", namespace=ns, name="mcps", state="absent")

        assert result["changed"] and names(api_server, gateway) == ["third"]

    def test_the_last_one_stays(self, run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
        said = run.fails("gateway_listener", gateway="gw", namespace=ns, name="web", state="absent")

        assert "last one" in said and names(api_server, gateway) == ["web"]

    def test_no_gateway_no_listener(self, run: Modules, ns: str) -> None:
        assert not run("gateway_listener", gateway="none", namespace=ns, name="web", state="absent")["changed"]


class TestRefusals:
    def test_a_clash_names_both(self, run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
        with api_server.watched() as requests:
            said = run.fails("gateway_listener", **options(ns, port=80, hostname=None))

        assert "web" in said and "mcps" in said and "80" in said and writes(requests) == []

    def test_another_value_of_another_owner(self, run: Modules, ns: str) -> None:
        said = run.fails("gateway_listener", **options(ns, name="web", port=81, hostname=None))

        assert "argocd" in said and "force_conflicts" in said

    def test_no_gateway(self, run: Modules, ns: str) -> None:
        said = run.fails("gateway_listener", **options(ns, gateway="none"))

        assert f"{ns}/none" in said and "does not exist" in said

    def test_no_gateway_yet_in_check_mode(self, run: Modules, ns: str) -> None:
        planned = run("gateway_listener", check=True, **options(ns, gateway="none"))

        assert planned["changed"] and any("none" in warning for warning in warnings_of(planned))

    def test_a_missing_certificate(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        tls = {"certificate_refs": [{"name": "no-such-cert"}]}
        with api_server.watched() as requests:
            said = run.fails("gateway_listener", **options(ns, port=443, protocol="HTTPS", tls=tls))

        assert f"{ns}/no-such-cert" in said and writes(requests) == []

    def test_a_certificate_that_is_fine(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        certificate(api_server, ns)
        tls = {"certificate_refs": [{"name": "cert"}]}
        result = run("gateway_listener", wait=False, **options(ns, port=443, protocol="HTTPS", tls=tls))

        assert result["changed"] and warnings_of(result) == []

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"port": None}, "port"),
            ({"protocol": None}, "protocol"),
            ({"port": "x"}, "port"),
            ({"port": 0}, "port 0 is not between"),
            ({"protocol": "MCP"}, "HTTP, HTTPS, TLS, TCP, UDP"),
            ({"hostname": "http://mcp.example.com"}, "is a URL"),
            ({"name": "MCP"}, "lower case"),
            ({"allowed_routes": {"namespaces": {"from": "Selector"}}}, "allowed_routes.namespaces.selector"),
            ({"allowed_routes": {"kinds": [{"kind": "UDPRoute"}]}}, "UDPRoute"),
            ({"tls": {"certificate_refs": [{"name": "c"}]}}, "use HTTPS or TLS"),
            ({"protocol": "HTTPS"}, "needs tls.certificate_refs"),
            ({"gateway": None}, "gateway"),
        ],
    )
    def test_options(self, run: Modules, api_server: ApiServer, ns: str, change: Json, said: str) -> None:
        wanted = {key: value for key, value in options(ns, **change).items() if value is not None}
        with api_server.watched() as requests:
            result = run.run("gateway_listener", **wanted)

        assert result.get("failed") and said in result["msg"] and requests == []

    def test_https_on_a_port_of_http(self, run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
        certificate(api_server, ns)
        tls = {"certificate_refs": [{"name": "cert"}]}

        with api_server.watched() as requests:
            said = run.fails("gateway_listener", **options(ns, port=80, protocol="HTTPS", tls=tls))

        assert "port 80 cannot speak both HTTP and HTTPS" in said and writes(requests) == []

    def test_a_gateway_that_is_being_deleted(self, run: Modules, api_server: ApiServer, ns: str, gateway: str) -> None:
        api_server.merge(gateway, {"metadata": {"finalizers": ["example.com/held"]}})
        api_server.delete(gateway)

        said = run.fails("gateway_listener", **options(ns))

        assert "is being deleted" in said and "example.com/held" in said

    @pytest.mark.parametrize("reason", ["HostnameConflict", "ProtocolConflict"])
    def test_a_conflict_that_only_the_controller_sees(
        self, run: Modules, api_server: ApiServer, ns: str, reason: str
    ) -> None:
        run("gateway_listener", wait=False, **options(ns))
        report(api_server, ns, "gw", ["web", "mcps"], Conflicted=reason, Accepted=f"!{reason}")

        assert reason in run.fails("gateway_listener", wait_timeout=60, **options(ns))
