# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dashboard, alerts and documentation name metrics, labels and outcomes that the broker has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils import _broker_objects
from mcpops_broker.seen import metrics
from mcpops_broker.seen.meters import Meter, meters
from mcpops_broker.seen.record import Outcome
from mcpops_broker.web.metrics import PATH

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "roles" / "broker" / "files"
DOCUMENTED = (ROOT / "docs" / "broker-metrics.md").read_text()
OURS: dict[str, Meter] = {meter.name: meter for meter in meters()}
OF_PROCESSES = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
OF_PROMETHEUS = {"job", "instance", "namespace", "worker", "le"}
"""Labels that do not stand in the declaration of a metric."""


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FILES / "grafana-dashboard.json").read_text())
    return found


def expressions() -> Iterator[str]:
    """All queries of the dashboard and of the alerts."""
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    rules = yaml.safe_load((FILES / "prometheus-rule.yml").read_text())["spec"]["groups"][0]["rules"]
    yield from (rule["expr"] for rule in rules)


@pytest.mark.parametrize("query", list(expressions()))
def test_every_query_is_about_metrics_and_labels_that_there_are(query: str) -> None:
    named = re.findall(r"\b(?:mcpops_broker|process)_\w+", query)
    assert named, query
    labels = set(OF_PROMETHEUS)
    for name in named:
        if name in OF_PROCESSES:
            continue
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        meter = OURS[base if base in OURS and OURS[base].kind == "histogram" else name]
        labels |= set(meter.labels)
    used = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query)
    used += [one for group in re.findall(r"\bby \(([^)]*)\)", query) for one in re.split(r",\s*", group)]
    assert set(used) <= labels, query


@pytest.mark.parametrize("query", list(expressions()))
def test_every_query_is_about_values_that_there_are(query: str) -> None:
    values = {"outcome": set(Outcome), "method": metrics.METHODS, "era": {"session", "stateless", ""}}
    for label, value in re.findall(r"(outcome|method|era)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"", query):
        assert set(value.split("|")) <= values[label], query


def test_counters_are_asked_for_rates_only() -> None:
    for query in expressions():
        for name in re.findall(r"\b(?:mcpops_broker|process)_\w+_total\b", query):
            assert re.search(rf"(rate|increase)\({name}", query), query


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_documented_as_it_is() -> None:
    for meter in OURS.values():
        labels = ", ".join(f"`{label}`" for label in meter.labels)
        assert f"| `{meter.name}` | {meter.kind} | {labels} | {meter.help} |" in DOCUMENTED


def test_no_metric_is_documented_that_there_is_not() -> None:
    assert set(re.findall(r"^\| `(mcpops_broker_\w+)`", DOCUMENTED, re.MULTILINE)) == set(OURS)


def test_every_outcome_is_documented() -> None:
    for outcome in Outcome:
        assert f"| `{outcome}` |" in DOCUMENTED


def test_the_service_monitor_asks_where_metrics_are() -> None:
    assert _broker_objects.METRICS_PATH == PATH
