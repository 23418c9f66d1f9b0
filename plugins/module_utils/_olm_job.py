# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``olm_subscription``: an operator by OLM v0, installed, followed through upgrades, removed.

All that is OLM's stands in ``_olm_*``; another installer can stand beside it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _fields
from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_neighbours as near
from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_rules as olm
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import CrdEstablished
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._olm_catalog import read_package
from ansible_collections.mcpops.gateway.plugins.module_utils._olm_wait import Installation
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import CRD
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Deadline, Target

Params = dict[str, t.Any]
CRD_TIMEOUT = 60.0


def olm_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """An operator's Subscription, present or absent."""
    report, facts = (_remove if params["state"] == "absent" else _install)(engine, params)
    if report.changed and not engine.check:
        engine.discovery.forget()  # an operator brings other kinds and versions, or takes them along
    return report, facts


def _install(engine: Engine, params: Params) -> tuple[Report, Params]:
    namespace = params["namespace"]
    label = f"Subscription {namespace}/{params['name']}"
    for option in ("install_plan_ref_timeout", "install_plan_timeout", "csv_timeout"):
        if params[option] < 0:
            raise ConfigError(f"{label}: {option} is {params[option]}, and must be 0 or more seconds.")
    subs = engine.read_all(olm.V1ALPHA1, "Subscription", namespace)
    live = next((sub for sub in subs if sub["metadata"]["name"] == params["name"]), None)
    _refuse(label, near.package_rival(subs, params["name"], params["package"] or params["name"]))
    group, manifests = _operator_group(engine, label, params)
    manifests.append(olm.subscription(params, live))
    steps = engine.plan(manifests)
    step = steps[-1]
    package = None
    if step.difference:
        package = read_package(engine, label, params)
        _refuse_modes(label, params, package, group)
        if live is None:
            _refuse_strays(engine, label, params, package, subs)
    report = engine.carry_out(steps)
    wish = olm.Wish(
        namespace,
        params["name"],
        params["approve"],
        params["starting_csv"],
        olm.head_of(package, params["channel"]) if _moved(step, live, params) else None,
    )
    installation = Installation(engine, params, wish)
    if engine.wait and not engine.check:
        installation.follow(report)
        _await_crds(engine, installation.csv)
    else:
        installation.look(report)
    return report, _facts(installation)


def _refuse(label: str, problem: str) -> None:
    if problem:
        raise Refused(f"{label} is not made: {problem}.")


def _operator_group(engine: Engine, label: str, params: Params) -> tuple[Object, list[Manifest]]:
    """The OperatorGroup that the operator will have, and the manifest to make it when it is ours."""
    namespace = params["namespace"]
    wanted = params["operator_group"] or {}
    name = wanted.get("name") or params["name"]
    targets = [namespace] if wanted.get("target_namespaces") is None else wanted["target_namespaces"]
    groups = engine.read_all(olm.V1, "OperatorGroup", namespace)
    if all(group["metadata"]["name"] == name for group in groups):
        own = olm.operator_group(name, namespace, targets)
        return own, [own]
    _refuse(label, near.group_problem(groups, namespace, targets))
    return groups[0], []


def _refuse_strays(engine: Engine, label: str, params: Params, package: Object | None, subs: list[Object]) -> None:
    """For a new Subscription: ClusterServiceVersions of the package that an earlier one left."""
    namespace, name = params["namespace"], params["package"] or params["name"]
    csvs = engine.read_all(olm.V1ALPHA1, "ClusterServiceVersion", namespace)
    _refuse(label, near.stray_csv(csvs, subs, name, namespace, olm.versions_in(package, params["channel"])))


def _refuse_modes(label: str, params: Params, package: Object | None, group: Object) -> None:
    """Install modes are known of the channel's newest version only."""
    head = olm.head_of(package, params["channel"])
    if params["install_plan_approval"] == "Manual" and params["starting_csv"] not in {None, head}:
        return
    namespaces = near.group_namespaces(group)
    if namespaces is not None:
        modes = olm.install_modes(package, params["channel"])
        _refuse(label, near.modes_problem(modes, params["namespace"], namespaces))


def _moved(step: Step, live: Object | None, params: Params) -> bool:
    """The Subscription points elsewhere than before and follows by itself: its status may still be that of before."""
    old = (live or {}).get("spec")
    if not old or params["install_plan_approval"] != "Automatic":
        return False
    new = step.manifest["spec"]
    return any(old.get(key) != new.get(key) for key in ("channel", "source", "sourceNamespace", "name") if key in new)


def _await_crds(engine: Engine, csv: Object | None) -> None:
    names = olm.owned_crds(csv)
    targets = [Target(CRD, name, None, CrdEstablished("look at the CSV's conditions")) for name in names]
    engine.await_all(targets, Deadline(CRD_TIMEOUT))


def _facts(installation: Installation) -> Params:
    csv = installation.csv or {}
    status = (installation.subscription or {}).get("status") or {}
    return {
        "csv": (csv.get("metadata") or {}).get("name"),
        "version": (csv.get("spec") or {}).get("version"),
        "install_plan": (status.get("installPlanRef") or {}).get("name"),
        "subscription_state": status.get("state"),
        "crds": olm.owned_crds(csv),
    }


# ---- absent


def _remove(engine: Engine, params: Params) -> tuple[Report, Params]:
    """Subscription first, so that OLM does not install again, then its CSV, our OperatorGroup, and CRDs if asked."""
    namespace, package = params["namespace"], params["package"] or params["name"]
    live = engine.read(olm.V1ALPHA1, "Subscription", params["name"], namespace)
    csvs = _csvs_of(engine, live, package, namespace)
    crds = sorted({name for csv in csvs for name in olm.owned_crds(csv)})
    if params["remove_crds"]:
        crds = sorted({*crds, *_labelled_crds(engine, package, namespace)})
        _refuse_instances(engine, crds)
    report = engine.remove([olm.subscription(params, live)])
    report.add(engine.remove([_named(olm.V1ALPHA1, "ClusterServiceVersion", csv) for csv in csvs]))
    group = _own_group(engine, params, {csv["metadata"]["name"] for csv in csvs})
    if group is not None:
        report.add(engine.remove([_named(olm.V1, "OperatorGroup", group)]))
    if params["remove_crds"] and crds:
        manifests = [{"apiVersion": CRD.api_version, "kind": CRD.kind, "metadata": {"name": name}} for name in crds]
        report.add(engine.remove(manifests))
    return report, {"csv": None, "version": None, "install_plan": None, "subscription_state": None, "crds": crds}


def _csvs_of(engine: Engine, live: Object | None, package: str, namespace: str) -> list[Object]:
    """The CSVs that the Subscription brought; never copies that OLM keeps of an operator of another namespace."""
    status = (live or {}).get("status") or {}
    names = {status.get("installedCSV"), status.get("currentCSV")}
    label = near.component_label(package, namespace)
    found = []
    for csv in engine.read_all(olm.V1ALPHA1, "ClusterServiceVersion", namespace):
        labels = csv["metadata"].get("labels") or {}
        if near.COPIED not in labels and (csv["metadata"]["name"] in names or label in labels):
            found.append(csv)
    return found


def _labelled_crds(engine: Engine, package: str, namespace: str) -> list[str]:
    """CRDs that OLM has marked as this operator's; they are still there when the CSV is already gone."""
    items, _version = engine.client.list(CRD, labels=near.component_label(package, namespace))
    return [str(item["metadata"]["name"]) for item in items]


def _own_group(engine: Engine, params: Params, ours: set[str]) -> Object | None:
    """The OperatorGroup, when we made it and no other operator of the namespace needs it."""
    namespace = params["namespace"]
    group = params["operator_group"] or {}
    found = engine.read(olm.V1, "OperatorGroup", group.get("name") or params["name"], namespace)
    if found is None or _fields.applied_by(found, engine.manager) is None:
        return None
    subs = engine.read_all(olm.V1ALPHA1, "Subscription", namespace)
    if any(sub["metadata"]["name"] != params["name"] for sub in subs):
        return None
    csvs = engine.read_all(olm.V1ALPHA1, "ClusterServiceVersion", namespace)
    foreign = [
        csv
        for csv in csvs
        if csv["metadata"]["name"] not in ours and near.COPIED not in (csv["metadata"].get("labels") or {})
    ]
    return None if foreign else found


def _refuse_instances(engine: Engine, crds: t.Sequence[str]) -> None:
    """Removing a CRD removes its objects, and they hang on finalizers that only the operator can take off."""
    for name in crds:
        crd = engine.client.get(CRD, name)
        spec = (crd or {}).get("spec") or {}
        served = [version["name"] for version in spec.get("versions") or [] if version.get("served")]
        if not served:
            continue
        left = engine.read_all(f"{spec['group']}/{served[0]}", spec["names"]["kind"])
        if left:
            shown = ", ".join(f"{one['metadata'].get('namespace')}/{one['metadata']['name']}" for one in left[:5])
            said = f"The CRD {name} is not removed while there are {len(left)} objects of it ({shown})"
            if not engine.check:
                raise Refused(
                    f"{said}: without the operator their finalizers would never be taken off; remove those objects "
                    "first."
                )
            engine.warn(f"{said}; an earlier task may have removed them by then.")


def _named(api_version: str, kind: str, live: Object) -> Manifest:
    metadata = {key: live["metadata"][key] for key in ("name", "namespace") if live["metadata"].get(key)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
