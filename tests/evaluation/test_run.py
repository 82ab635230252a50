"""Running methods over a dataset: what they score, what is left out and why, every set of modalities, two processes."""

from __future__ import annotations

import math

import dataset_builder as build
import numpy as np
import pytest
from cases import CULPRIT, FAULTS, culprit_first, evidence, slow_bins
from small_system import QUIET, Effect

from pytest_anomod import load_dataset
from pytest_anomod.dataset.evidence import alarm_evidence, detection_evidence
from pytest_anomod.dataset.write import write_index
from pytest_anomod.evaluation import results as figures
from pytest_anomod.evaluation.damage import KINDS, Damage, damaged
from pytest_anomod.evaluation.external import FunctionMethod, as_method
from pytest_anomod.evaluation.method import Ranking
from pytest_anomod.evaluation.run import evaluate
from pytest_anomod.evaluation.table import render
from pytest_anomod.evaluation.trials import Options, bin_labels
from pytest_anomod.model.errors import EvaluationError


def run(dataset, function, task="rank", **options):
    """Evaluate one function."""
    return evaluate(dataset, {"mine": as_method(function, "mine", task)}, Options(**options))


def test_a_method_that_is_always_right_scores_one(small_dataset):
    """Controls are no cases of ranking."""
    results = run(small_dataset, culprit_first)
    rows = figures.rankings(results.rows)
    assert [row["AC@1"] for row in rows] == [1.0] * 4
    assert {row["verdict"] for row in rows} == {"effective"}
    assert str(figures.figure(rows, "MRR", 1)) == "1.00 [1.00, 1.00]"
    assert not results.left_out


def test_order_is_as_good_as_scores(small_dataset):
    """The truth is named second of all services."""
    rows = run(small_dataset, lambda evidence: ["nginx-thrift", CULPRIT]).rows
    assert {row["MRR"] for row in rows} == {0.5}


def test_a_method_that_knows_nothing_is_at_chance(small_dataset):
    """One of the system's 24 services."""
    rows = evaluate(small_dataset, ["random"]).rows
    assert {row["AC@1"] for row in rows if row["task"] == "rank"} == {1 / rows[0]["candidates"]}
    assert figures.chance(rows) == pytest.approx(1 / rows[0]["candidates"])


WRONG = {
    "unknown service": (lambda evidence: {"text": 1.0}, "ranks 'text', no service of 'social_network'"),
    "NaN": (lambda evidence: {CULPRIT: math.nan}, "gives 'text-service' the score nan; scores must be finite"),
    "no number": (lambda evidence: {CULPRIT: "high"}, "gives 'text-service' the score 'high'"),
    "nothing": (lambda evidence: None, "gave nothing (None)"),
    "a number": (lambda evidence: 3, "gave 3; give scores by service"),
    "an exception": (lambda evidence: evidence.nothing, "raised AttributeError"),
    "names in a Ranking": (
        lambda evidence: Ranking(services=[CULPRIT]),
        "gave a Ranking with services=['text-service']; give a mapping to scores",
    ),
    "names of code": (lambda evidence: Ranking(services={}, code=["f"]), "gave a Ranking with code=['f']"),
    "an edge to nowhere": (
        lambda evidence: Ranking(services={}, edges={(CULPRIT, "x"): 1.0}),
        "names ('text-service', 'x') in edges, no pair of services",
    ),
    "names as a path": (lambda evidence: Ranking(services={}, path=[CULPRIT]), "names 'text-service' in path"),
    "a number too large": (lambda evidence: {CULPRIT: 10**400}, "scores must be finite numbers"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_is_told_in_one_line(small_dataset, what):
    """With the method and the case; its rows are left out, and those of a good method are not."""
    function, message = WRONG[what]
    methods = {"mine": as_method(function, "mine", "rank"), "good": as_method(culprit_first, "good", "rank")}
    results = evaluate(small_dataset, methods)
    assert message in results.left_out["mine"]
    assert results.left_out["mine"].startswith("method 'mine', case 20261122T")
    assert "\n" not in results.left_out["mine"]
    assert [row["method"] for row in results.rows] == ["good"] * 4


WRONG_BINS = {
    "too few": (lambda evidence: [1.0], "gave scores of shape (1,) for"),
    "NaN": (lambda evidence: [math.nan] * len(evidence.bins), "gives bin 0 the score nan"),
    "nothing": (lambda evidence: None, "gave nothing (None)"),
    "words": (lambda evidence: ["bad"] * len(evidence.bins), "gave scores that are no numbers"),
}


@pytest.mark.parametrize("what", WRONG_BINS)
def test_a_detectors_wrong_answer_is_told_in_one_line(small_dataset, what):
    """The same for scores a bin."""
    function, message = WRONG_BINS[what]
    assert message in run(small_dataset, function, "score").left_out["mine"]


def test_a_modality_that_was_not_granted_is_told(small_dataset):
    """Both for a method that asks for it, and for one that can't begin without it."""
    greedy = FunctionMethod(
        "mine", lambda evidence: {name: len(evidence.logs) for name in [CULPRIT]}, "rank", ("traces",)
    )
    results = evaluate(small_dataset, {"mine": greedy})
    assert "asks for 'logs', which it was not granted; it was granted traces" in results.left_out["mine"]
    with pytest.raises(EvaluationError, match="method 'baro' reads metrics, and only logs is granted"):
        evaluate(small_dataset, ["baro"], Options(modalities=("logs",)))
    with pytest.raises(EvaluationError, match="--modalities profiles: no case has a table"):
        evaluate(small_dataset, ["baro"], Options(modalities=("profiles",)))


def test_one_bad_method_does_not_stop_the_others(small_dataset):
    """It is named at the end."""
    bad = as_method(lambda evidence: None, "bad", "rank")
    results = evaluate(small_dataset, {"bad": bad, "good": as_method(culprit_first, "good", "rank")})
    assert {row["method"] for row in results.rows} == {"good"}
    assert "bad was left out: method 'bad', case " in render(results, [])


def test_every_set_of_modalities_is_tried_and_shares_add_up(small_dataset):
    """A method that is right only with traces and logs together: half of the gain is each one's."""

    def rank(evidence):
        return {CULPRIT: 1.0} if {"traces", "logs"} <= set(evidence.granted) else {}

    results = run(small_dataset, rank, subsets=True)
    values = figures.subsets(results.rows, "mine", "AC@1")
    assert len(values) == 31
    chance = figures.chance(results.rows)
    shares = figures.shapley(values, chance)
    half = (1 - chance) / 2
    assert shares == pytest.approx(
        {"traces": half, "logs": half, "metrics": 0, "coverage": 0, "api_responses": 0}, abs=1e-9
    )
    text = render(results, [])
    assert "Shapley share of each modality in the gain of mine" in text
    assert "EMM of mine" in text


def test_entire_missing_weighs_subsets_by_their_chance():
    """Two modalities: with chance p = .2 each missing, one is left in two ways of .16 each."""
    values = {frozenset("a"): 0.2, frozenset("b"): 0.6, frozenset("ab"): 1.0}
    assert figures.entire_missing(values) == pytest.approx(0.4)
    assert figures.entire_missing(values, 0.2) == pytest.approx(0.4)
    three = {frozenset("a"): 0.0, frozenset("ab"): 1.0, frozenset("abc"): 1.0}
    assert figures.entire_missing(three, 0.2) == pytest.approx(0.2 * 0.8**2 / (0.2 * 0.8**2 + 0.2**2 * 0.8))


@pytest.mark.parametrize("modality", ["logs", "metrics", "traces", "api_responses", "coverage"])
def test_damage_hits_its_share_and_is_the_same_each_time(small_dataset, modality):
    """Missing rows are gone; noise keeps the rows and changes values; other modalities are as they were."""
    given = alarm_evidence(next(iter(load_dataset(small_dataset, scenarios="slow_0"))), seed=4)
    missing, noise = (damaged(given, Damage(kind, modality, 0.5)) for kind in KINDS)
    whole = given.table(modality)
    if len(whole) > 100:
        assert len(missing.table(modality)) == pytest.approx(len(whole) / 2, rel=0.3)
    assert noise.table(modality).shape == whole.shape
    assert len(whole) < 100 or not noise.table(modality).equals(whole)
    again = damaged(given, Damage("NM", modality, 0.5))
    assert again.table(modality).equals(noise.table(modality))
    other = "logs" if modality != "logs" else "traces"
    assert missing.table(other) is given.table(other)


def test_noise_lets_no_counter_fall():
    """One that falls would look like a restart."""
    given = evidence(Effect(), control=False, noise=QUIET)
    counters = given.metrics["metric_name"] == "container_cpu_usage_seconds_total"
    frame = given.metrics.assign(kind=counters.map({True: "counter", False: "gauge"}))
    noisy = damaged(given.replaced({"metrics": lambda: frame}), Damage("NM", "metrics", 1.0)).metrics
    for kind, falls in (("counter", False), ("gauge", True)):
        steps = noisy[noisy["kind"] == kind].groupby(["service_name", "metric_name"])["value"].diff()
        assert (steps < 0).any() == falls
        assert not noisy[noisy["kind"] == kind]["value"].equals(frame[frame["kind"] == kind]["value"])


@pytest.mark.parametrize(
    ("modality", "unit"), [("metrics", ["service_name", "time_unix_nano"]), ("traces", ["trace_id"])]
)
def test_what_belongs_together_is_lost_together(modality, unit):
    """Half a scrape, or half a trace, is no loss that happens."""
    given = evidence(Effect(), control=False, noise=QUIET)
    sizes = given.table(modality).groupby(unit).size()
    left = damaged(given, Damage("RMM", modality, 0.5)).table(modality).groupby(unit).size()
    assert 0.3 < len(left) / len(sizes) < 0.7
    assert (left == sizes[left.index]).all()


def test_robustness_is_tried_for_each_modality_and_severity(small_dataset):
    """And its table has a line for each."""
    results = evaluate(small_dataset, ["deepest_error"], Options(robustness=True))
    tried = {(row["damage"], row["damage_severity"]) for row in results.rows}
    assert tried == {("", 0.0), *((kind, severity) for kind in KINDS for severity in (0.25, 0.5, 0.75))}
    assert "AC@1 by damage and severity" in render(results, [])


def test_bins_are_labelled_by_the_windows_that_hold_them_whole(small_dataset):
    """History, onset, release and what is not yet steady are not scored."""
    case = next(iter(load_dataset(small_dataset, scenarios="slow_0")))
    evidence = detection_evidence(case, bin_s=0.5, history_s=2.0)
    labels = bin_labels(case, evidence)
    ends = evidence.bins + build.SECOND // 2
    label = case.label
    assert (ends[labels == 1] <= label.recover_start_unix_nano).all()
    assert (evidence.bins[labels == 1] >= label.seen_unix_nano).all()
    normal = evidence.bins[labels == 0]
    assert ((normal >= evidence.normal_until_ns) & (normal < label.inject_start_unix_nano)
            | (normal >= label.steady_again_unix_nano)).all()  # fmt: skip
    assert (labels == 1).sum() == 7
    assert (labels == -1).sum() > 4


def test_a_control_is_normal_to_its_end(small_dataset):
    """Nothing was done, so nothing has after-effects."""
    case = next(iter(load_dataset(small_dataset, scenarios="control")))
    labels = bin_labels(case, detection_evidence(case, bin_s=1.0, history_s=2.0))
    assert (labels == 1).sum() == 0
    assert (labels == 0).sum() >= 5


def test_detection_on_a_fault_that_shows_in_traces(small_dataset):
    """Every figure is what a perfect detector reaches; one control of two is for calibration."""
    results = run(small_dataset, slow_bins, "score")
    found = figures.detection_figures(figures.detections(results.rows), seed=1)
    assert (found.ap.value, found.auc.value, found.f1.value) == (1.0, 1.0, 1.0)
    assert (found.delay_s.value, found.found, found.false_alarms_per_hour.value) == (1.0, 1.0, 0.0)
    assert found.delay_s.low <= 1.0 <= found.delay_s.high
    assert found.cases == 6
    assert found.calibration_cases == 2
    assert results.options.history_s == 2.0  # half of the baseline of four seconds, which is less than five
    assert "Detection, bins of 1 s after a history of 2 s" in render(results, [])


def test_no_case_tells_by_its_length_that_it_is_a_control(small_dataset):
    """Onset and release make a case with a fault longer."""
    lengths = {(row["is_control"], len(row["scores"])) for row in run(small_dataset, slow_bins, "score").rows}
    assert lengths == {(True, 10), (False, 10)}


def test_severities_and_repetitions_are_on_one_side():
    """A threshold is not tried on what it was fixed on: two severities of six faults, three cases each."""
    rows = [
        _row(f"{fault}_s{severity}-{number}", fault, f"{fault}_s{severity}")
        for fault in "abcdef"
        for severity in (1, 3)
        for number in range(3)
    ]
    held = figures.calibration(rows, seed=2)
    assert len(held) == 12
    assert {len([row for row in rows if row["faults"] == name and row["case_id"] in held]) for name in "abcdef"} == {
        0,
        6,
    }


def _row(case_id, fault, scenario, **others):
    about = {"case_id": case_id, "system": "s", "scenario": scenario, "faults": fault, "target": "t"}
    return {**about, "is_control": False, "split": "", **others}


def test_thresholds_are_fixed_on_the_published_split(small_dataset, tmp_path):
    """Whatever the seed; where none, or all, are for calibration a third is drawn."""
    rows = [
        _row(f"case{number}", f"fault{number}", "x", split=split)
        for number, split in enumerate(["train", "calibration", "test", "train", "test", "calibration"])
    ]
    assert [figures.calibration(rows, seed) for seed in (1, 2, 3)] == [{"case1", "case5"}] * 3
    for split in ("", "train", "calibration"):
        assert len(figures.calibration([{**row, "split": split} for row in rows], 1)) == 2
    build.build_case(tmp_path, "labelled", split="calibration")
    assert {row["split"] for row in evaluate(tmp_path, ["random"]).rows} == {"calibration"}
    assert {row["split"] for row in run(small_dataset, culprit_first).rows} == {""}


def test_severities_of_one_fault_are_no_independent_cases(severities_dataset):
    """Four scenarios are two units to draw, as there are two pairs of fault and target."""
    rows = run(severities_dataset, culprit_first).rows
    assert {(row["faults"], row["target"]) for row in rows} == {(name, CULPRIT) for name in FAULTS[:2]}
    assert len({row["scenario"] for row in rows}) == 4
    assert len({figures.unit(row) for row in rows}) == 2


def test_two_processes_give_the_same_rows(small_dataset, tmp_path):
    """In the same order; methods are found by name there."""
    out = tmp_path / "many"
    hour = 3_600 * build.SECOND
    for number in range(16):
        build.build_case(out, f"slow_{number}", start_ns=build.START_NS + number * hour, per_s=4)
    write_index(out)
    here, there = (evaluate(out, ["deepest_error", "random"], jobs=jobs).rows for jobs in (1, 2))
    for rows in (here, there):
        for row in rows:
            row.pop("cpu_s")
    assert here == there


def test_cases_without_a_proven_fault_are_passed_over(tmp_path):
    """And said to be."""
    build.build_case(tmp_path, "spoiled", verdict="contaminated")
    with pytest.raises(EvaluationError, match="has no case to evaluate"):
        evaluate(tmp_path, ["baro"])
    build.build_case(tmp_path, "good", start_ns=build.START_NS + build.SECOND * 900)
    results = evaluate(tmp_path, ["random"])
    assert results.passed_over == {"contaminated": 1}
    assert "not evaluated: 1 contaminated" in render(results, [])


def test_trivial_rules_say_whether_it_is_too_easy(small_dataset):
    """A rule that solves all cases is above the bound."""
    results = run(small_dataset, culprit_first)
    assert "mine 100%; any of them 100% (above 40%: too easy)" in render(results, ["mine"])


def test_the_seed_decides_lots_and_nothing_else_does(small_dataset):
    """The same seed gives the same scores in another run."""
    first, again, other = (
        [
            row["scores"]
            for row in evaluate(small_dataset, ["random"], Options(seed=seed)).rows
            if row["task"] == "score"
        ]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert not np.allclose(first[0], other[0])
