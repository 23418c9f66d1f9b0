# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters and histograms of a worker, and what is counted of a request."""

from __future__ import annotations

from itertools import count

import pytest
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError
from mcpops_broker.seen import meters, metrics
from mcpops_broker.seen.meters import MOST_SERIES, OTHER, SECONDS, Counter, Histogram
from mcpops_broker.seen.record import Record
from mcpops_broker.upstream.errors import UpstreamError

_names = count(1)


def counter(*labels: str) -> Counter:
    return Counter(f"test_{next(_names)}_total", "A test.", *labels)


@pytest.fixture(autouse=True)
def no_metrics_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declare metrics for one test only."""
    monkeypatch.setattr(meters, "_all", dict(meters._all))


def test_a_counter_counts_by_labels() -> None:
    calls = counter("server")
    calls.add("a")
    calls.add("a", by=2)
    calls.add("b")
    assert calls.samples() == [(("a",), [3.0]), (("b",), [1.0])]


def test_a_counter_without_labels_is_there_before_it_counts() -> None:
    assert counter().samples() == [((), [0.0])]


def test_more_series_than_there_may_be_are_counted_together() -> None:
    calls = counter("server", "tool")
    for number in range(MOST_SERIES + 5):
        calls.add("a", str(number))
    calls.add("a", "0")
    found = dict(calls.samples())
    assert len(found) == MOST_SERIES + 1
    assert found[OTHER, OTHER] == [5.0]
    assert found["a", "0"] == [2.0]


def test_a_histogram_counts_up_to_and_with_its_bounds() -> None:
    times = Histogram("test_seconds", "A test.", "server")
    for seconds in (SECONDS[0] / 2, SECONDS[0], SECONDS[1], SECONDS[-1] + 1):
        times.observe(seconds, "a")
    ((labels, (first, second, *between, above, total)),) = times.samples()
    assert (labels, first, second, above) == (("a",), 2, 1, 1)
    assert not any(between)
    assert total == pytest.approx(SECONDS[0] * 1.5 + SECONDS[1] + SECONDS[-1] + 1)


def test_what_has_gone_is_forgotten() -> None:
    calls = counter("tool", "server")
    calls.add("t", "a")
    calls.add("t", "b")
    calls.keep("server", {"b"})
    assert calls.samples() == [(("t", "b"), [1.0])]


def test_no_two_metrics_have_one_name() -> None:
    with pytest.raises(ValueError, match="there is a metric"):
        Counter(metrics.REQUESTS.name, "Another one.")


def test_names_are_as_prometheus_wants_them() -> None:
    for meter in meters.meters():
        assert meter.name.endswith("_total") == isinstance(meter, Counter), meter.name
        assert meter.name.startswith("mcpops_broker_"), meter.name
        if isinstance(meter, Histogram):
            assert meter.name.endswith("_seconds"), meter.name


def sample(meter: Counter, *labels: str) -> float:
    return dict(meter.samples()).get(labels, [0.0])[0]


def test_the_methods_of_clients_are_no_unbounded_label() -> None:
    before = sample(metrics.REQUESTS, "other", "session", "invalid")
    for method in ("made/up", "x" * 5000):
        record = Record("1", "", {})
        record.method, record.era = method, "session"
        record.failed(RpcError(INVALID_PARAMS, "no"))
        metrics.observe(record)
    assert sample(metrics.REQUESTS, "other", "session", "invalid") == before + 2


def test_a_call_of_a_tool_counts_for_its_server_and_a_refused_one_for_none() -> None:
    before = sample(metrics.UPSTREAM_ERRORS, "ns/metered", "timeout")
    for server in ("ns/metered", ""):
        record = Record("1", "", {})
        record.method, record.era, record.name, record.upstream = "tools/call", "session", "metered_t", server
        record.failed(UpstreamError("ns/metered", "timeout", "secret"))
        metrics.observe(record)
    assert sample(metrics.UPSTREAM_ERRORS, "ns/metered", "timeout") == before + 1
    assert sample(metrics.TOOL_CALLS, "ns/metered", "metered_t", "upstream") == 1
    assert sample(metrics.TOOL_CALLS, "", "metered_t", "upstream") == 0


def test_a_server_that_has_gone_counts_from_zero_when_it_comes_back() -> None:
    record = Record("1", "", {})
    record.method, record.era, record.name, record.upstream = "tools/call", "session", "t", "ns/comes-and-goes"
    metrics.observe(record)
    metrics.keep_servers({"ns/other"})
    assert sample(metrics.TOOL_CALLS, "ns/comes-and-goes", "t", "ok") == 0
    metrics.observe(record)
    assert sample(metrics.TOOL_CALLS, "ns/comes-and-goes", "t", "ok") == 1


def test_requests_of_more_kinds_than_are_remembered_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_KINDS", 2)
    before = sample(metrics.REQUESTS, "tools/call", "session", "ok")
    for number in (1, 2, 3, 4, 1):
        record = Record("1", "", {})
        record.method, record.era, record.name, record.upstream = "tools/call", "session", f"t{number}", "ns/kinds"
        metrics.observe(record)
    assert sample(metrics.REQUESTS, "tools/call", "session", "ok") == before + 5


@pytest.mark.parametrize("method", ["resources/read", "x" * 100_000, "tools/call"])
def test_nothing_long_of_a_client_is_remembered(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_cells", {})
    for server in ("", "ns/long"):
        record = Record("1", "", {})
        record.method, record.era, record.name, record.upstream = method, "session", "x" * 100_000, server
        metrics.observe(record)
    assert max(len(part) for kind in metrics._cells for part in kind) <= metrics.MAX_NAME
    assert max(len(label) for labels, _ in metrics.TOOL_CALLS.samples() for label in labels) <= metrics.MAX_NAME


def test_a_stream_is_counted_but_its_length_is_no_duration() -> None:
    times = dict(metrics.DURATION.samples())
    record = Record("1", "", {})
    record.method, record.era = "GET", "session"
    metrics.observe(record)
    assert dict(metrics.DURATION.samples()) == times
