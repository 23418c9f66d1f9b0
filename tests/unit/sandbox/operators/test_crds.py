# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our CRDs accept and refuse what the originals do.

Every case is tried against our CRDs, always; against the originals too when the folder that ``MCPOPS_CRD_DIR`` names is
there (``gateway-api/``, ``istio/``, ``kuadrant/``, ``olm/``, ``mcp-gateway-<version>/`` with the projects' YAML files).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
import yaml
from sandbox.catalog.crds import operator_crds
from sandbox.client import ApiError, Client, Object
from sandbox.crds import load
from sandbox.kinds import GATEWAYS
from unit.sandbox.operators.crd_case import Case
from unit.sandbox.operators.crd_cases import (
    ISTIO_CASES,
    KUADRANT_CASES,
    MCP_CASES,
    OLD_CASES,
    OLM_CASES,
    REGISTRATIONS,
    ROUTE_TARGET,
)
from unit.sandbox.operators.crd_cases_gateway_api import GATEWAY_CASES, ROUTE_CASES, listener
from unit.sandbox.operators.kit import ApiServer, Cluster

ORIGINALS = Path(os.environ.get("MCPOPS_CRD_DIR", "/nonexistent"))
HAS_ORIGINALS = ORIGINALS.is_dir()

CASES = GATEWAY_CASES | ROUTE_CASES | OLM_CASES | ISTIO_CASES | KUADRANT_CASES | MCP_CASES


@cache
def originals(operator_version: str) -> list[Object]:
    """The projects' own CRDs, without what only makes them large."""
    folders = ["gateway-api", "istio", "kuadrant", "olm", f"mcp-gateway-{operator_version}"]
    ours = {crd["metadata"]["name"] for crd in [*load(), *operator_crds(operator_version)]}
    found = []
    for folder in folders:
        for path_ in sorted((ORIGINALS / folder).glob("*.yaml")):
            crd = yaml.load(path_.read_text(encoding="utf-8"), yaml.CSafeLoader)
            if crd["metadata"]["name"] in ours:
                found.append(crd)
    return found


async def attempt(client: Client, case: Case) -> tuple[str, Object]:
    """Why the API server refuses the object, or the spec that it makes of it. Unknown fields are refused."""
    namespace = None if not case.resource.namespaced else "default"
    meta = {"name": "candidate", **({"namespace": namespace} if namespace else {})}
    body = {"apiVersion": case.resource.api_version, "kind": case.resource.kind, "metadata": meta}
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        answer = await client.request(
            "POST", case.resource.path(namespace), query=query, body={**body, "spec": case.spec}
        )
    except ApiError as error:
        return error.message, {}
    return "", dict(answer["spec"])


def server(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[ApiServer]:
    found = ApiServer(tmp_path_factory.mktemp(name) / "server")
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from server(tmp_path_factory, "ours")


@pytest.fixture(scope="module")
def original_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from server(tmp_path_factory, "originals")


INSTALLED: dict[ApiServer, str] = {}


async def connect(found: ApiServer, crds: Sequence[Object], version: str) -> Client:
    await found.ready()
    client = Client.from_kubeconfig(found.folder.kubeconfig)
    if INSTALLED.get(found) != version:
        await Cluster(client).install(crds)
        INSTALLED[found] = version
    return client


@pytest.fixture
async def ours(our_server: ApiServer) -> AsyncIterator[Client]:
    async with await connect(our_server, [*load(), *operator_crds("0.9.0")], "0.9.0") as client:
        yield client


@pytest.fixture
async def theirs(original_server: ApiServer) -> AsyncIterator[Client]:
    async with await connect(original_server, originals("0.9.0"), "0.9.0") as client:
        yield client


def check(case: Case, message: str) -> None:
    if case.refused:
        assert case.refused in message
    else:
        assert message == ""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_our_crds(ours: Client, case: Case) -> None:
    message, _ = await attempt(ours, case)
    check(case, message)


@pytest.mark.parametrize("case", CASES.values() if HAS_ORIGINALS else [], ids=CASES.keys() if HAS_ORIGINALS else [])
async def test_the_original_crds_answer_the_same(ours: Client, theirs: Client, case: Case) -> None:
    message, spec = await attempt(theirs, case)
    check(case, message)
    assert spec == (await attempt(ours, case))[1], "defaults or pruning differ"


async def test_a_prefix_may_be_set_once(ours: Client) -> None:
    meta = {"metadata": {"name": "weather", "namespace": "default"}}
    await ours.create(REGISTRATIONS, {**meta, "spec": {"targetRef": ROUTE_TARGET}})
    await ours.merge_patch(REGISTRATIONS, "weather", "default", {"spec": {"prefix": "a_"}})
    with pytest.raises(ApiError, match="prefix is immutable once set"):
        await ours.merge_patch(REGISTRATIONS, "weather", "default", {"spec": {"prefix": "b_"}})


async def test_a_listener_belongs_to_whoever_applied_it(ours: Client) -> None:
    for manager, name in (("first", "a"), ("second", "b")):
        spec = {"gatewayClassName": "c", "listeners": [listener(name, hostname=f"{name}.example.com")]}
        body = {"metadata": {"name": "shared", "namespace": "default"}, "spec": spec}
        found = await ours.apply(GATEWAYS, body, field_manager=manager, force=False)
    assert [entry["name"] for entry in found["spec"]["listeners"]] == ["a", "b"]


def test_our_crds_are_named_like_the_originals() -> None:
    names = {(crd["spec"]["names"]["kind"], *crd["spec"]["names"].get("shortNames", ())) for crd in load()}
    assert {("Gateway", "gtw"), ("Subscription", "sub", "subs"), ("ClusterServiceVersion", "csv", "csvs")} <= names
    extension = operator_crds("0.9.0")[0]
    versions = [(entry["name"], entry["storage"], entry.get("deprecated")) for entry in extension["spec"]["versions"]]
    assert versions == [("v1", True, None), ("v1alpha1", False, True)]


@pytest.mark.parametrize("case", OLD_CASES.values(), ids=OLD_CASES.keys())
@pytest.mark.parametrize("origin", ["ours", "originals"] if HAS_ORIGINALS else ["ours"])
async def test_the_operators_crds_of_0_6_0(tmp_path_factory: pytest.TempPathFactory, origin: str, case: Case) -> None:
    found = _old_server(tmp_path_factory, origin)
    crds = operator_crds("0.6.0") if origin == "ours" else originals("0.6.0")
    async with await connect(
        found, [crd for crd in crds if crd["spec"]["group"] == "mcp.kuadrant.io"], "0.6.0"
    ) as client:
        check(case, (await attempt(client, case))[0])


_OLD: dict[str, ApiServer] = {}


def _old_server(tmp_path_factory: pytest.TempPathFactory, origin: str) -> ApiServer:
    if origin not in _OLD:
        _OLD[origin] = ApiServer(tmp_path_factory.mktemp(f"old-{origin}") / "server")
    return _OLD[origin]


@pytest.fixture(scope="module", autouse=True)
def stop_old_servers() -> Iterator[None]:
    yield
    while _OLD:
        _OLD.popitem()[1].stop()
