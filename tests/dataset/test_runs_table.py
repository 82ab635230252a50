"""benchmarks/runs.py: attempts are one cell, what broke off is no case, controls are counted with what they found."""

from __future__ import annotations

import benchmark_modules
import dataset_builder as build
import pytest

from pytest_anomod.model.timeline import Timeline


@pytest.fixture(scope="module")
def runs():
    """The benchmark as a module."""
    return benchmark_modules.load("runs")


def attempt(runs, verdict, *, level="normal", expects="normal", pressure=None, whole=True, **outcomes):
    """One attempt of ten seconds that waited two, with the outcome of each question that is named."""
    windows = build.case_timeline(control=level == "normal").windows
    findings = [{"question": name, "outcome": outcome, "message": f"{name}!"} for name, outcome in outcomes.items()]
    times = {"started_unix_nano": 0, "completed_unix_nano": 10 * build.SECOND}
    return runs.Attempt(
        row={"verdict": verdict, "expects": expects, "level": level, "system": "shop"},
        manifest={"findings": findings, "waited_s": 2.0, **times},
        timeline=Timeline(windows if whole else windows[:1]),
        pressure=pressure,
    )


def test_attempts_are_one_cell_and_one_line_says_why(runs):
    spoiled = attempt(runs, "contaminated", pressure=0.9, calm="absent")
    twice = runs.Played(name="a", attempts=(spoiled, attempt(runs, "normal", pressure=0.25)))
    fails = runs.Played(name="b", attempts=(attempt(runs, "silent", expects="effective", level="code"),))
    run = {"a": twice, "b": fails, "c": runs.Played(name="c", why_none="killed")}
    table = list(runs.table(["first"], [run]))
    assert table[2:] == [
        "| a | ok, 2 attempts, 20 s, 90% |",
        "| b | **silent**, 10 s, - |",
        "| c | **no case**: killed |",
    ]
    told = list(runs.sums(["first"], [run]))
    assert told[2] == "| first | 1 of 3 | 0 of 3 | 1 | 10 | 6 s |"
    assert told[-1] == "- first, a: played again, calm: calm!"


def test_findings_of_controls_are_counted_over_all_attempts(runs):
    found = attempt(runs, "contaminated", pressure=0.5, symptom="proven", calm="absent")
    several = [runs.Played(name="a", attempts=(found, attempt(runs, "normal", pressure=0.1)))]
    several += [runs.Played(name=str(number), attempts=(attempt(runs, "normal", pressure=0.1),)) for number in range(8)]
    several[1:2] = [runs.Played(name="0", attempts=(attempt(runs, "contaminated", whole=False), *several[1].attempts))]
    several.append(runs.Played(name="fault", attempts=(attempt(runs, "effective", level="code", symptom="proven"),)))
    (row,) = list(runs.controls([{one.name: one for one in several}]))[2:]
    # an attempt that never came to its window is none of the ten; the interval is that of Clopper and Pearson
    assert row == "| shop | 9 | 9 | 2 | 1 of 10 attempts (1) | 0.25% to 44.50% | 10% | 32% |"


def test_a_dataset_is_read_with_what_broke_off_and_what_was_played_twice(runs, tmp_path):
    first = build.build_case(tmp_path, "it", verdict="contaminated")
    build.build_case(tmp_path, "it", attempt=2, replaces=first.case_id)
    build.build_case(tmp_path, "it", seed=2)
    build.build_case(tmp_path, "broke_off", complete=False).abandon("a reason\nand more")
    run = runs.read_run(tmp_path)
    assert {name: len(played.attempts) for name, played in run.items()} == {
        "social_network it": 2, "social_network it #2": 1, "social_network broke_off": 0,
    }  # fmt: skip
    assert run["social_network broke_off"].why_none == "a reason"
