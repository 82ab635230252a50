"""The picture of a case: axes that make no effect of noise, few bytes, and nothing that a thin case could break."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from small_system import Effect
from synthetic import make_case

from pytest_anomod.model.timeline import Phase, Timeline, Window
from pytest_anomod.report import figures
from pytest_anomod.report.strips import BLOCKS, strips

S = 10**9
START = 1_795_321_500 * S
METRICS = {
    "container_cpu_usage_seconds_total": lambda second: 5 + second * 0.001,
    "container_memory_working_set_bytes": lambda second: 2**20 * (36.4 + 0.1 * (second % 2)),
}


@pytest.fixture
def axes(monkeypatch):
    """The panels of the next picture, from top to bottom; the first is what lies behind them."""
    found = []
    add = Figure.add_axes

    def note(self, *args, **kwargs):
        found.append(add(self, *args, **kwargs))
        return found[-1]

    monkeypatch.setattr(Figure, "add_axes", note)
    return found


def still(*, length_s=30, every_s=1.0, status=200, metrics=METRICS):
    """A case of an almost motionless system: one request and one log line at a time."""
    view = make_case(1, effect=Effect())
    times = START + (np.arange(0, length_s, every_s) * S).astype(np.int64)
    target = view.scenario.target
    responses = pd.DataFrame(
        {"time_unix_nano": times, "duration_ns": 3_000_000, "status_code": status, "error_kind": ""}
    )
    logs = pd.DataFrame({"time_unix_nano": times, "service_name": target, "severity_number": 9})
    rows = [(at, target, name, value((at - START) / S)) for name, value in metrics.items() for at in times.tolist()]
    columns = ["time_unix_nano", "service_name", "metric_name", "value"]
    edges = [START + int(length_s * S * share) for share in (0, 0.3, 0.4, 0.8, 0.9, 1)]
    phases = (Phase.BASELINE, Phase.ONSET, Phase.ANOMALY, Phase.RELEASE, Phase.RECOVERY)
    windows = [
        Window(phase=phase, start_ns=a, end_ns=b) for phase, a, b in zip(phases, edges[:-1], edges[1:], strict=True)
    ]
    return dataclasses.replace(
        view,
        timeline=Timeline(tuple(windows)),
        frames={"api_responses": responses, "logs": logs, "metrics": pd.DataFrame(rows, columns=columns)},
    )


def test_noise_fills_no_panel(axes):
    """Memory that trembles by 0.1 MiB, a thousandth of a core, 3 ms for each request: all of it looks small."""
    figures.draw_case(still(), "t")
    _, requests, latency, cpu, memory, logs = (axis.get_ylim() for axis in axes)
    assert memory[1] - memory[0] >= 32
    assert cpu[1] - cpu[0] >= 10
    assert latency[0] <= 0
    assert latency[1] >= 1
    assert requests[1] - requests[0] >= 5
    assert logs[1] - logs[0] >= 5
    assert all(low == 0 for low, _ in (requests, cpu, memory, logs))


def test_what_is_large_is_within_its_panel(axes):
    """The least span is no greatest."""
    big = {
        "container_cpu_usage_seconds_total": lambda second: second * 1.7,
        "container_memory_working_set_bytes": lambda second: 2**20 * 700 * (1 + second / 30),
    }
    figures.draw_case(still(every_s=0.02, metrics=big), "t")
    _, requests, _, cpu, memory, logs = (axis.get_ylim()[1] for axis in axes)
    assert 50 <= requests <= 100
    assert 170 <= cpu <= 340
    assert 1400 <= memory <= 2800
    assert 50 <= logs <= 100


def test_a_limit_of_a_store_is_within_its_panel(axes):
    """A cache that holds less than its limit, and one that holds more."""
    for used, limit in ((2, 7), (7, 2)):
        axes.clear()
        metrics = {
            "redis_memory_used_bytes": lambda second, used=used: used * 2**20,
            "redis_maxmemory_bytes": lambda second, limit=limit: limit * 2**20 * (second > 10),
        }
        figures.draw_case(still(metrics=metrics), "t")
        drawn = [line.get_ydata().max() for line in axes[4].lines]
        assert drawn == [used, limit]
        assert 7 < axes[4].get_ylim()[1] <= 14


@pytest.mark.parametrize("status", [0, 200, 503])
def test_the_picture_is_small_and_whole(status):
    """A PNG of its size, at most 60 kB, also when all requests fail or none does."""
    data = figures.draw_case(still(every_s=0.02, status=status), "t")
    assert Image.open(io.BytesIO(data)).size == (figures.WIDTH_PX, figures.HEIGHT_PX)
    assert len(data) < 60_000


@pytest.mark.parametrize("effect", [None, Effect(gone=True), Effect(slower=20.0)])
def test_a_whole_case_is_drawn(effect):
    data = figures.draw_case(make_case(2, effect=effect), "t")
    assert len(Image.open(io.BytesIO(data)).getcolors(10**6)) > 8


def test_a_case_that_broke_off_is_drawn():
    """One request, one log line, no metric, half a second."""
    view = still(length_s=0.5, metrics={})
    view = dataclasses.replace(view, timeline=Timeline(view.timeline.windows[:1]))
    assert figures.draw_case(view, "t")
    assert strips(view)


def test_a_case_without_requests_is_drawn():
    view = still()
    frames = {**view.frames, "api_responses": view.frames["api_responses"].iloc[:0]}
    view = dataclasses.replace(view, frames=frames)
    assert figures.draw_case(view, "t")
    assert strips(view)


def test_a_long_case_has_bins_of_several_seconds():
    """900 s are not 900 steps, and a rate stays a rate."""
    clock = figures.Clock(START, START + 900 * S)
    rates = clock.rate(np.arange(0, 900, 0.1))
    assert len(rates) <= 120
    assert np.allclose(rates, 10, atol=0.2)


def test_the_last_bin_is_as_long_as_what_is_left():
    """A case that ends in the middle of a second does not end with half the load."""
    clock = figures.Clock(START, START + int(10.5 * S))
    assert np.allclose(clock.rate(np.arange(0, 10.5, 0.1)), 10, atol=1.1)


def test_instances_of_a_service_are_added_up():
    """Two instances of one service at one scrape are one point."""
    view = still(metrics={"container_memory_working_set_bytes": lambda second: 2**20})
    metrics = pd.concat([view.frames["metrics"]] * 2)
    view = dataclasses.replace(view, frames={**view.frames, "metrics": metrics})
    seconds, values = figures._metric(view, figures.Clock(START, START + 30 * S), "container_memory_working_set_bytes")
    assert len(seconds) == 30
    assert set(values) == {2**21}


def test_the_strips_show_where_it_was_slow_and_failed():
    """A block for each second: high in the anomaly window, low outside it."""
    view = still()
    seconds = np.arange(30)
    bad = (seconds >= 12) & (seconds < 24)
    frame = view.frames["api_responses"].assign(
        status_code=np.where(bad, 500, 200), duration_ns=np.where(bad, 900_000_000, 3_000_000)
    )
    failed, latency, window = strips(dataclasses.replace(view, frames={**view.frames, "api_responses": frame}))
    low, high = BLOCKS[0], BLOCKS[-1]
    course = low * 12 + high * 12 + low * 6
    assert failed == f"{course} failed, up to 100%"
    assert latency == f"{course} latency p50, 3 ms to 900 ms"
    assert window == f"{course} anomaly, 12 to 24 s"
