"""Each baseline on a case made for it: what it must find, what it must not see, and what it does with little."""

from __future__ import annotations

import dataclasses

import dataset_builder as build
import numpy as np
import pandas as pd
import pytest
from cases import evidence
from small_system import QUIET, Effect

from pytest_anomod import load_dataset
from pytest_anomod.dataset.evidence import alarm_evidence, detection_evidence
from pytest_anomod.dataset.write import write_index
from pytest_anomod.evaluation import method as answers
from pytest_anomod.evaluation.external import find_method
from pytest_anomod.evaluation.methods import microrank
from pytest_anomod.evaluation.methods._series import Series, series_of
from pytest_anomod.evaluation.methods._spans import spans_of
from pytest_anomod.evaluation.methods._traces import traces_of
from pytest_anomod.evaluation.methods.nsigma import largest
from pytest_anomod.evaluation.scores import place
from pytest_anomod.model import catalog

RANKING = sorted(
    name
    for name, method in catalog.offers("methods").items()
    if hasattr(method, "rank") and getattr(method, "is_installed", True)
)

FOUND = {
    "worst_latency": (Effect(slower=40), "posts"),
    "new_errors": (Effect(errors=0.9), "gateway"),  # every caller above fails too, the gateway most often
    "deepest_error": (Effect(errors=0.9), "posts"),
    "self_time": (Effect(delay_ms=60), "posts"),
    "call_gap": (Effect(delay_ms=60), "posts-db"),
    "ochiai": (Effect(errors=0.9), "text"),
    "nsigma": (Effect(cpu=0.5), "posts"),
    "baro": (Effect(cpu=0.5), "posts"),
    "robust_shift": (Effect(cpu=0.5), "posts"),
    "state_change": (Effect(restarts=True, gone=True), "posts"),
    "coverage_difference": (Effect(lost_lines=40), "posts"),
    "log_novelty": (Effect(errors=0.9), "posts"),
    "user_edge": (Effect(errors=0.9), "compose"),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_method_finds_what_it_is_made_for(name):
    """The target of the effect is first, or shares the first place with those it can't be told from."""
    effect, target = FOUND[name]
    hit = "posts" if target == "gateway" else target
    given = evidence(effect, target=hit, noise=QUIET).narrowed(find_method(name).modalities)
    scores = answers.rank(find_method(name), given).services
    assert place(scores, target, given.services).ahead == 0, scores


def test_call_gap_names_the_edge():
    """Caller and callee of the call that takes longer than the callee works."""
    effect, target = FOUND["call_gap"]
    edges = answers.rank(find_method("call_gap"), evidence(effect, target="posts-db", noise=QUIET)).edges
    assert max(edges, key=edges.__getitem__) == ("posts", target)


@pytest.mark.parametrize("name", RANKING)
def test_a_method_answers_whatever_is_missing(name):
    """Empty tables give a ranking, not an error: a modality may be lost in a case."""
    given = evidence(noise=QUIET)
    empty = given.replaced({modality: lambda m=modality: given.table(m).iloc[:0] for modality in given.granted})
    method = find_method(name)
    for case in (empty, evidence(Effect(), noise=QUIET, control=False)):
        answers.rank(method, case.narrowed(method.modalities))


@pytest.mark.parametrize("name", ["nsigma_detector", "user_edge", "log_novelty", "random"])
def test_a_detector_scores_every_bin(name):
    """The bins of the fault score higher than those before, but for lots."""
    ranked = evidence(Effect(errors=0.9, slower=10), target="posts", noise=QUIET)
    given = dataclasses.replace(ranked, alarm_ns=None, bin_s=2.0)
    method = find_method(name)
    scores = answers.score(method, given.narrowed(method.modalities))
    late = given.bins >= ranked.alarm_ns
    assert scores.shape == given.bins.shape
    assert name == "random" or scores[late].mean() > scores[~late].max()


@pytest.mark.parametrize("name", ["nsigma_detector", "user_edge", "log_novelty"])
def test_a_detector_answers_for_empty_tables(name):
    """All bins are alike then."""
    given = dataclasses.replace(evidence(noise=QUIET), alarm_ns=None)
    empty = given.replaced({modality: lambda m=modality: given.table(m).iloc[:0] for modality in given.granted})
    method = find_method(name)
    assert len(set(answers.score(method, empty.narrowed(method.modalities)))) == 1


def test_fusion_is_the_mean_of_ranks():
    """With one modality it is that modality's order; with more it lies between."""
    given = evidence(Effect(errors=0.9, lost_lines=40, cpu=0.5), target="posts", noise=QUIET)
    alone = answers.rank(find_method("mean_rank"), given.narrowed(("coverage",)))
    single = answers.rank(find_method("coverage_difference"), given.narrowed(("coverage",)))
    for name in given.services:
        assert place(alone.services, name, given.services) == place(single.services, name, given.services)
    assert alone.code == single.code
    assert place(answers.rank(find_method("mean_rank"), given).services, "posts", given.services).ahead == 0


def test_microrank_tells_what_abnormal_traces_pass_from_what_normal_ones_do():
    """Traces through `text` are slow: what only they pass is suspect, what only the others pass is not."""
    given = evidence(Effect(delay_ms=60), target="text", noise=QUIET)
    scores = answers.rank(find_method("microrank"), given.narrowed(("traces",))).services
    assert min(scores["text"], scores["compose"]) > 100 * max(scores["user"], scores["home"], scores["graph"])


def _page_rank(spans, chosen, *, of_abnormal):
    """The authors' algorithm trace by trace, with dense matrices."""
    rows = np.flatnonzero(chosen[spans.trace])
    traces, operations = np.unique(spans.trace[rows]), np.unique(spans.operation[rows])
    passed, lengths = np.zeros((len(operations), len(traces))), np.zeros(len(traces))
    for row in rows:
        passed[np.searchsorted(operations, spans.operation[row]), np.searchsorted(traces, spans.trace[row])] = 1
        lengths[np.searchsorted(traces, spans.trace[row])] += 1
    calls = np.zeros((len(operations), len(operations)))
    for row in rows[spans.parent[rows] >= 0]:
        callee, caller = spans.operation[row], spans.operation[spans.parent[row]]
        calls[np.searchsorted(operations, callee), np.searchsorted(operations, caller)] = 1
    calls /= np.maximum(calls.sum(axis=0), 1)
    kind = np.array([(column == passed.T).all(axis=1).sum() for column in passed.T])
    start = 1 / kind / (1 / kind).sum()
    if of_abnormal:
        start = 1 / (kind / (1 / kind).sum() * 0.5 + 1 / lengths) / (1 / lengths).sum() * 0.5
    share = 1 / (len(operations) + len(traces))
    by_operation, by_trace = np.full(len(operations), share), np.full(len(traces), share)
    for _ in range(25):
        new = 0.85 * (passed / passed.sum(axis=0) @ by_trace + 0.01 * calls @ by_operation)
        by_trace = 0.85 * (passed / passed.sum(axis=1, keepdims=True)).T @ by_operation + 0.15 * start
        by_operation, by_trace = new / new.max(), by_trace / by_trace.max()
    return operations, by_operation * by_operation.sum() / len(operations)


@pytest.mark.parametrize("of_abnormal", [True, False])
def test_microrank_weighs_kinds_of_traces_as_it_would_each_trace(of_abnormal):
    """Traces that are alike are one column; that changes no weight."""
    traces = traces_of(evidence(Effect(delay_ms=60), target="text", noise=QUIET))
    chosen = traces.after & (np.arange(len(traces.after)) % 5 == 0)
    operations, expected = _page_rank(traces.spans, chosen, of_abnormal=of_abnormal)
    weights, _ = microrank._weights(traces.spans, chosen, of_abnormal=of_abnormal)
    assert weights[operations] == pytest.approx(expected)
    assert weights.sum() == pytest.approx(expected.sum())


def test_coverage_names_the_functions():
    """Forty lines of four functions no longer run."""
    ranking = answers.rank(find_method("coverage_difference"), evidence(Effect(lost_lines=40), noise=QUIET))
    best = sorted(ranking.code, key=lambda name: -ranking.code[name])[:4]
    assert sorted(best) == [("synthetic/text.py", f"Handler.part_{number}") for number in range(4)]


def test_a_counter_that_rises_without_spans_is_told():
    """Probes that are counted and leave no span."""
    given = evidence(Effect(), control=False, noise=QUIET)
    times = np.arange(given.start_ns, given.end_ns, 10**9)
    rows = [
        {"time_unix_nano": time, "service_name": name, "metric_name": "rpc_server_requests_total", "kind": "counter",
         "value": float(5 * number + (9 * max(0, number - 10) if name == "user" else 0)), "attributes": "{}"}
        for name in ("user", "home") for number, time in enumerate(times)
    ]  # fmt: skip
    probed = given.replaced({"metrics": lambda: pd.DataFrame(rows)})
    scores = answers.rank(find_method("counter_minus_spans"), probed).services
    assert scores["user"] - scores["home"] > 5


def test_what_a_service_counted_that_could_not_be_asked_is_no_surplus():
    """A stopped or paused service tells no counter and serves nothing: that is the fault, no mark of a probe."""
    given = evidence(Effect(), control=False, noise=QUIET)
    times = np.arange(given.start_ns, given.end_ns, 10**9)
    rows = [
        {"time_unix_nano": time, "service_name": name, "metric_name": "rpc_server_requests_total", "kind": "counter",
         "value": float(5 * number), "attributes": "{}"}
        for name in ("user", "home") for number, time in enumerate(times) if name == "home" or time < given.alarm_ns
    ]  # fmt: skip
    spans = given.traces
    served = spans[(spans.service_name != "user") | (spans.time_unix_nano < given.alarm_ns)]
    stopped = given.replaced({"metrics": lambda: pd.DataFrame(rows), "traces": lambda: served})
    assert "user" not in find_method("counter_minus_spans").rank(stopped)


def test_own_time_and_blame():
    """A call to a store leaves no span below: its time is the store's; a server's own time leaves calls out."""
    spans = spans_of(evidence(Effect(), control=False, noise=QUIET))
    names = np.array(spans.names)
    to_store = spans.calls & (names[spans.peer] == "posts-db")
    assert set(names[spans.blamed[to_store]]) == {"posts-db"}
    served = spans.serves & (names[spans.service] == "home")
    assert (spans.own_ms[served] < spans.duration_ms[served]).all()


def test_the_callee_is_read_from_its_column_where_there_is_one():
    """Older cases have it in the attributes only."""
    given = evidence(Effect(), control=False, noise=QUIET)
    old = spans_of(given)
    column = np.where(old.peer >= 0, np.array(old.names, dtype=object)[old.peer], "")
    frame = given.traces.sort_values("time_unix_nano", kind="stable").assign(peer=column, attributes="{}")
    new = spans_of(given.replaced({"traces": lambda: frame}))
    assert new.names == old.names
    assert (new.peer == old.peer).all()


def test_counters_become_rates_and_begin_anew_when_they_fall():
    """A restart is no fall, a series that appears late began at 0, labels are summed up, histograms have a mean.

    What a counter grew by before it was first seen is not known: its next rate stands in.
    """
    rows = [
        *[("up", "gauge", "{}", t, 1.0) for t in range(4)],
        *[("c_total", "counter", '{"code":"200"}', t, v) for t, v in enumerate((10.0, 14.0, 2.0, 3.0))],
        *[("c_total", "counter", '{"code":"500"}', t, 5.0) for t in (2, 3)],
        *[("d_seconds_count", "histogram", "{}", t, v) for t, v in enumerate((0.0, 2.0, 6.0, 6.0))],
        *[("d_seconds_sum", "histogram", "{}", t, v) for t, v in enumerate((0.0, 1.0, 9.0, 9.0))],
        *[("d_seconds_bucket", "histogram", '{"le":"1"}', t, 1.0) for t in range(4)],
    ]
    frame = pd.DataFrame(rows, columns=["metric_name", "kind", "attributes", "time_unix_nano", "value"])
    frame["time_unix_nano"] *= 10**9
    given = evidence(Effect(), control=False, noise=QUIET).replaced(
        {"metrics": lambda: frame.assign(service_name="user")}
    )
    series = series_of(dataclasses.replace(given, start_ns=0, alarm_ns=2 * 10**9, end_ns=4 * 10**9))
    columns = dict(zip(series.metrics, series.values.T.tolist(), strict=True))
    assert columns == {
        "up": [1, 1, 1, 1],
        "c_total": [4, 4, 2 + 5, 1],
        "d_seconds_count": [2, 2, 4, 0],
        "d_seconds_mean": [0.5, 0.5, 2, 2],
    }
    assert series.after.tolist() == [False, False, True, True]


def test_a_service_that_is_scraped_a_little_later_has_no_other_rate():
    """In one round of scrapes services are asked one after the other; the first value of none of them is a rise."""
    rows = [(service, t * 10**9 + late, 1000.0 + 5 * t) for t in range(4) for service, late in (("a", 0), ("b", 10**7))]
    frame = pd.DataFrame(rows, columns=["service_name", "time_unix_nano", "value"])
    frame = frame.assign(metric_name="c_total", kind="counter", attributes="{}")
    given = evidence(Effect(), noise=QUIET).replaced({"metrics": lambda: frame})
    series = series_of(dataclasses.replace(given, start_ns=0, alarm_ns=2 * 10**9, end_ns=4 * 10**9))
    assert series.values[1:].tolist() == [[5, 5]] * (len(series.times) - 1)


def _random_series(seed: int) -> tuple[Series, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (30, 12)).round(1) * rng.integers(0, 5, 12)  # some are constant, all have ties
    values[15:, 3] += 20
    names = tuple(f"s{number // 3}" for number in range(12))
    metrics = tuple(f"m{number % 3}" for number in range(12))
    series = Series(
        times=np.arange(30), after=np.arange(30) >= 15, values=values, services=names, metrics=metrics
    )  # fmt: skip
    columns = [f"{service}_{metric}" for service, metric in zip(names, metrics, strict=True)]
    return series, pd.DataFrame(values, columns=columns).assign(time=np.arange(30))


def test_the_rules_of_baro_and_nsigma_are_those_of_the_published_package():
    """`fse-baro` ranks the same columns in the same order, on frames with constant columns and ties."""
    published = pytest.importorskip("baro.root_cause_analysis")
    for seed in range(10):
        series, frame = _random_series(seed)
        before = series.values[~series.after]
        low, middle, high = np.quantile(before, [0.25, 0.5, 0.75], axis=0)
        for rule, ours in (
            (published.robust_scorer, largest(series, middle, high - low)),
            (published.nsigma, largest(series, before.mean(axis=0), before.std(axis=0))),
        ):
            theirs = rule(frame, inject_time=15, dataset="any")["ranks"]
            names = list(frame.columns[:-1])
            scores = dict(zip(names, ours, strict=True))
            assert set(theirs) == {name for name in names if np.isfinite(scores[name])}
            assert [scores[name] for name in theirs] == sorted((scores[name] for name in theirs), reverse=True)


@pytest.mark.parametrize(("workload", "share"), [("open_loop", 1.0), ("suite:shop.py", 0.0)])
def test_an_error_that_a_suite_means_is_no_failure(tmp_path, workload, share):
    """A case does not say which of its rows are the baseline; what is known to be normal stands for it."""

    def edit(name, columns):
        if name == "api_responses":
            columns["status_code"] = [404] * len(columns["status_code"])

    build.build_case(tmp_path, edit=edit, workload=workload)
    write_index(tmp_path)
    (case,) = load_dataset(tmp_path)
    for given in (alarm_evidence(case), detection_evidence(case)):
        assert given.failed().mean() == share
