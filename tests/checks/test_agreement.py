"""Arrays and one sort for all give what loops and scipy give: statistics, rows of a window, figures of services."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
import pytest
import reference
from small_system import QUIET, Dummy, Effect, Noise
from synthetic import make_case

from pytest_anomod.checks import chances, run_checks
from pytest_anomod.checks.cut import Cut, fault_cut
from pytest_anomod.checks.gauges import gauge_series, instance_shifts
from pytest_anomod.checks.lines import line_shifts
from pytest_anomod.checks.series import caller_series, log_series, server_series
from pytest_anomod.checks.shifts import Bar, Series, Stretch
from pytest_anomod.checks.statistics import calm, compare
from pytest_anomod.model.timeline import Phase

CASES = {
    "outage": {"effect": Effect(gone=True), "target": "posts"},
    "errors": {"effect": Effect(errors=0.4), "target": "home"},
    "slow": {"effect": Effect(slower=4, restarts=True), "target": "home"},
    "slow machine": {"effect": Effect(all_slower=1.8), "target": "text"},
    "control": {"noise": Noise(stall="control", stall_errors=True)},
}


@pytest.fixture(scope="module", params=CASES)
def cut(request):
    return fault_cut(make_case(17, rate=20.0, window_s=5.0, **CASES[request.param]))


def stretch(rng, count, *, rounded):
    times = np.sort(rng.uniform(0, 10, count))
    values = rng.lognormal(1, rng.uniform(0.1, 1), count) * rng.choice([1.0, 1.0, 3.0])
    return Stretch(times_s=times, values=np.round(values) if rounded else values, length_s=10.0)


def many_series(rng):
    for number in range(40):
        sizes = rng.integers(5, 60, 2)
        before, after = (stretch(rng, size, rounded=number % 3 == 0) for size in sizes)
        if number % 10 == 9:
            after = dataclasses.replace(after, values=after.values + 1_000.0)
        direction, floor = int(rng.integers(-1, 2)), float(rng.choice([0.1, 4.0]))
        bar = Bar(ratio=float(rng.uniform(1.1, 2.5)), delta=0.3, floor=floor, direction=direction, fall=2.0)
        kind, unit = ("rate", "/s") if number % 4 == 3 else ("level", rng.choice(["ms", "bytes"]))
        yield Series(
            subject=str(number), figure="f", kind=kind, unit=str(unit), before=before, after=after, bar=bar,
            scale=float(rng.uniform(0.5, 2)),
        )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("pace", [1.0, 1.4])
def test_levels_and_rates_are_those_of_the_reference(seed, pace):
    series = list(many_series(np.random.default_rng(seed)))
    shifts = {shift.subject: shift for shift in compare(series, pace=pace)}
    reasons = collections.Counter()
    for one in series:
        found = shifts[one.subject]
        left, right, p, delta, lacks = reference.level(one, pace if one.unit == "ms" else 1.0)
        assert found.before == pytest.approx(left * one.scale)
        assert found.after == pytest.approx(right * one.scale)
        assert found.p == pytest.approx(p, rel=1e-7)
        if one.kind == "level":
            assert found.delta == pytest.approx(delta, abs=1e-12)
        assert found.why_not in (lacks, "p above 0.01")
        assert found.moved == (not lacks and found.p_corrected <= 0.01)
        reasons[lacks.split(" ")[0]] += 1
    assert len(reasons) > 3, f"the series are too much alike: {reasons}"


@pytest.mark.parametrize("seed", range(5))
def test_a_calm_window_is_that_of_the_reference(seed):
    rng = np.random.default_rng(seed)
    for count in (0, 1, 2, 7, 40):
        window = stretch(rng, count, rounded=seed % 2 == 0)
        assert calm(window).values.tolist() == reference.calm(window).values.tolist()


def test_fisher_s_p_is_scipy_s():
    rng = np.random.default_rng(4)
    for n, m in rng.integers(1, 400, (60, 2)).tolist():
        before, after = (int(rng.integers(0, n + 1)), n), (int(rng.integers(0, m + 1)), m)
        assert chances.fisher(before, after) == pytest.approx(reference.fisher(before, after), rel=1e-7, abs=1e-300)


def test_the_windows_rows_are_those_of_the_reference(cut):
    for kind, pair in (("SERVER", cut.servers), ("CLIENT", cut.clients)):
        for rows, window, ended in zip(pair, (cut.before, cut.after), (True, False), strict=True):
            expected = reference.spans_of(cut.view, window, kind, ended=ended)
            assert rows["time_unix_nano"].tolist() == [row["time_unix_nano"] for row in expected]
            assert rows["failed"].tolist() == [row["status_code"] == "ERROR" for row in expected]


def test_the_machine_s_pace_is_that_of_the_reference(cut):
    assert cut.pace == pytest.approx(reference.pace(cut.view, cut.before, cut.after))
    recovery = Cut(view=cut.view, before=cut.before, after=cut.view.timeline.window(Phase.RECOVERY))
    assert recovery.pace == pytest.approx(reference.pace(cut.view, recovery.before, recovery.after))


def figures(series):
    return {one.figure: (one.before.values.tolist(), one.after.values.tolist()) for one in series}


def test_a_service_s_own_spans_are_those_of_the_reference(cut):
    for service in ("home", "posts"):
        pair = [
            [row for row in reference.spans_of(cut.view, window, "SERVER", ended=ended)
             if row["service_name"] == service]
            for window, ended in ((cut.before, True), (cut.after, False))
        ]  # fmt: skip
        found = figures(server_series(cut, service, each=False))
        usual = [reference.multiples(pair[0], rows, lambda row: row["span_name"]) for rows in pair]
        assert found["latency"] == tuple(pytest.approx(values) for values in usual)
        assert found["errors"] == tuple([row["status_code"] == "ERROR" for row in rows] for rows in pair)


def test_calls_to_a_service_are_those_of_the_reference(cut):
    answered = {
        (row["parent_span_id"], row["service_name"])
        for row in reference.all_rows(cut.view, "traces") if row["span_kind"] == "SERVER"
    }  # fmt: skip
    for service in ("posts", "home-cache"):
        pair = [
            [row for row in reference.spans_of(cut.view, window, "CLIENT", ended=ended)
             if reference.peer(row) == service]
            for window, ended in ((cut.before, True), (cut.after, False))
        ]  # fmt: skip
        found = figures(caller_series(cut, service))
        kind = lambda row: (row["service_name"], row["span_name"])  # noqa: E731 - named as the reference names it
        assert found["latency"] == tuple(pytest.approx(reference.multiples(pair[0], rows, kind)) for rows in pair)
        if service == "posts":  # a store has no spans, so that nothing is said of its answers
            silent = [[(row["span_id"], service) not in answered for row in rows] for rows in pair]
            assert found["unanswered"] == tuple(silent)
        else:
            assert "unanswered" not in found


def test_error_lines_metrics_and_instances_are_those_of_the_reference(cut):
    for service in ("home", "posts"):
        for one, own in zip(log_series(cut, service), (True, False), strict=True):
            for window, part in ((cut.before, one.before), (cut.after, one.after)):
                count = sum(
                    row["severity_number"] >= 17 and (row["service_name"] == service if own else service in row["body"])
                    for row in reference.rows_of(cut.view, "logs", window)
                )
                assert part.values.sum() * min(1.0, window.length_s / 8) == pytest.approx(count, abs=2)
        found = figures(gauge_series(cut, service))
        for place, window in enumerate((cut.before, cut.after)):
            rows = [row for row in reference.rows_of(cut.view, "metrics", window) if row["service_name"] == service]
            memory = [row["value"] for row in rows if row["metric_name"] == "container_memory_working_set_bytes"]
            used = [row["value"] for row in rows if row["metric_name"] == "container_cpu_usage_seconds_total"]
            assert found["memory"][place] == memory
            assert found["cpu"][place] == pytest.approx(list(np.diff(used)))
        seen = [
            {row["service_instance_id"] for row in reference.all_rows(cut.view, "metrics")
             if row["service_name"] == service and row["time_unix_nano"] < edge}
            for edge in (cut.before.end_ns, cut.after.end_ns)
        ]  # fmt: skip
        assert [shift.after for shift in instance_shifts(cut, service)] == [len(seen[1] - seen[0])]


def test_lines_are_those_of_the_reference():
    fault = Dummy(function="text:Handler.part_0")
    view = make_case(13, effect=Effect(lost_lines=20), noise=QUIET, fault=fault)
    run = collections.defaultdict(set)
    for row in view.frames["coverage"].to_dict("records"):
        if row["covered"] and row["service_name"] == "text":
            run[row["phase"]].add((row["file"], row["line"], row["function"]))
    healthy = [run["warmup"], run["baseline"], run["recovery"]]
    usual, ever = set.intersection(*healthy), set.union(*healthy)
    lost, new, changed = line_shifts(fault_cut(view), "text")
    assert (lost.after, lost.unit) == (len(usual - run["anomaly"]), f"of {len(usual)}")
    assert new.after == len(run["anomaly"] - ever)
    inside = {line for line in (usual - run["anomaly"]) | (run["anomaly"] - ever) if line[2] == "Handler.part_0"}
    assert (changed.subject, changed.after) == ("text text:Handler.part_0", len(inside))


def test_the_order_of_a_table_s_rows_does_not_matter():
    view = make_case(19, effect=Effect(gone=True), target="posts")
    rng = np.random.default_rng(1)
    shuffled = {name: rows.iloc[rng.permutation(len(rows))] for name, rows in view.frames.items()}
    other = run_checks(dataclasses.replace(view, frames=shuffled))
    assert [found.message for found in other] == [found.message for found in run_checks(view)]


def test_nothing_is_kept_for_a_changed_copy_of_a_case():
    view = make_case(10, noise=QUIET)
    run_checks(view)
    assert view.kept
    assert not dataclasses.replace(view, dropped={}).kept
