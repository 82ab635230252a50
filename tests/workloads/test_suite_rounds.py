"""What a round of a suite plays: enough of what reaches the target, not too long, spread evenly."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from suite_plays import BASE

from pytest_anomod.model.errors import CaptureError, ScenarioError
from pytest_anomod.workloads import suite, suite_reference
from pytest_anomod.workloads.suite_rounds import LEAST_SHARE, Looked, choose, shuffled

MANY = f"""
    import pytest, requests
    BASE_URL = "{BASE}"

    @pytest.mark.parametrize("n", range(6))
    def test_many(n):
        assert requests.get(BASE_URL + f"/many/{{n}}").status_code == 200

    def test_wrong():
        assert requests.get(BASE_URL + "/wrong").status_code == 404
"""


def looked(reaching: int, others: int, seconds: float = 0.0) -> list[Looked]:
    names = [f"r{n}" for n in range(reaching)] + [f"o{n}" for n in range(others)]
    return [Looked(test=name, seconds=seconds, reaches=name.startswith("r")) for name in names]


def test_a_suite_that_fits_is_played_whole():
    rounds = choose(looked(10, 10), window_s=10, rate_rps=60, seed=1)
    assert Counter(rounds.reaching + rounds.others) == Counter(one.test for one in looked(10, 10))
    assert rounds.seconds == pytest.approx(20 / 60)


@pytest.mark.parametrize(("reaching", "others", "seconds"), [(1, 255, 0.0), (37, 340, 0.01), (2, 30, 0.2), (1, 5, 0.9)])
def test_a_third_of_the_plays_reach_the_target_and_a_round_fits(reaching, others, seconds):
    rounds = choose(looked(reaching, others, seconds), window_s=10, rate_rps=60, seed=1)
    assert rounds.share >= LEAST_SHARE - 1e-9
    assert rounds.seconds <= 2 + 1e-9 or rounds.plays == 2
    assert {test[0] for test in rounds.reaching} == {"r"}


def test_a_part_is_drawn_by_the_seed_and_good_answers_come_first():
    tests = looked(400, 400)
    good = {f"r{n}" for n in range(0, 400, 20)}
    tests = [Looked(test=one.test, seconds=0, reaches=one.reaches, is_good=one.test in good) for one in tests]
    first, again, other = (choose(tests, window_s=10, rate_rps=60, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert good <= {*first.reaching}
    assert first.plays == 120


def test_where_nobody_knows_what_reaches_all_are_alike():
    assert choose(looked(0, 500), window_s=10, rate_rps=60, seed=1).plays == 120


def test_no_test_is_no_round():
    with pytest.raises(ValueError, match="at least one test"):
        choose([], window_s=10, rate_rps=60, seed=1)


def test_both_kinds_are_spread_evenly_over_a_round():
    reaching, others = [f"r{n}" for n in range(20)], [f"o{n}" for n in range(40)]
    order = shuffled(reaching, others, Random("1"))
    assert sorted(order) == sorted(reaching + others) != order
    shares = [sum(test[0] == "r" for test in order[at : at + 15]) for at in range(0, 60, 15)]
    assert all(4 <= share <= 6 for share in shares)
    assert order != shuffled(reaching, others, Random("2"))


@pytest.fixture
def referenced(begin):
    """A suite that waits after its reference round; its handle, spec and what the round was like."""

    def start(text: str, **wish):
        reference = {"target": "media-service", "instead": [], "window_s": 10, **wish}
        handle = begin(text, reference=reference)
        spec = {"reference": reference, "rate_rps": 100.0, "seed": 7}
        return handle, spec, suite_reference.wait_for_round(handle)

    return start


def reach_of(handle, *journeys: str) -> dict[str, set[str]]:
    """Traces: requests of these journeys reach the media service, all reach the gateway."""
    found = {}
    for line in Path(handle["records"]).read_text("utf-8").splitlines():
        row = json.loads(line)
        found[row["trace_id"]] = {"nginx-thrift"} | ({"media-service"} if row["journey"] in journeys else set())
    return found


def test_tests_that_reach_the_target_get_their_share_in_every_round(entry, referenced):
    handle, spec, told = referenced(MANY)
    assert sorted(one["outcome"] for one in told["looked"]) == ["failed", *["passed"] * 6]
    assert len(entry.requests) == 7
    chosen = suite_reference.choose_plays(handle, spec, told, reach_of(handle, "test_wrong"))
    assert (chosen["tests"], chosen["tests_that_reach_the_target"], chosen["tests_that_fail"]) == (7, 1, 1)
    assert chosen["plays_a_round"] == 9
    assert chosen["why"] == "1 of 7 tests reach media-service, 33% of the plays are theirs"
    entry.wait_for(7 + 3 * 9)
    suite.stop(handle)
    played = [path for _, path, _, _ in entry.requests[7 : 7 + 27]]
    for at in (0, 9, 18):
        assert Counter(played[at : at + 9]) == {"/wrong": 3, **{f"/many/{n}": 1 for n in range(6)}}


def test_a_suite_that_reaches_nothing_of_the_target_is_not_played(entry, referenced):
    handle, spec, told = referenced(MANY)
    with pytest.raises(ScenarioError, match="no test of the suite reaches media-service"):
        suite_reference.choose_plays(handle, spec, told, reach_of(handle))
    assert suite.stop(handle)["end_reason"] == "stopped"
    assert len(entry.requests) == 7


def test_where_only_bad_requests_reach_the_target_it_is_said(entry, referenced):
    entry.mode = "error"
    handle, spec, told = referenced(MANY)
    chosen = suite_reference.choose_plays(handle, spec, told, reach_of(handle, "test_wrong"))
    assert chosen["tests_that_get_errors"] == 7
    assert chosen["why"].endswith("; all of these get errors there even while all is well")


def test_without_traces_all_are_played_and_it_is_said(entry, referenced):
    handle, spec, told = referenced(MANY)
    chosen = suite_reference.choose_plays(handle, spec, told, None)
    assert chosen["tests_that_reach_the_target"] is None
    assert chosen["why"] == "no trace says which tests reach media-service"
    entry.wait_for(14)


def test_the_same_test_twice_in_a_row_is_set_up_twice(entry, referenced):
    text = f"""
        import unittest, requests
        class OneTest(unittest.TestCase):
            def setUp(self):
                requests.get("{BASE}/setUp")
            def test_one(self):
                requests.get("{BASE}/one")
    """
    handle, _, _ = referenced(text)
    from pytest_anomod.workloads.record import plays_path, write_json

    test = "suite_0.py::OneTest::test_one"
    write_json(plays_path(Path(handle["records"])), {"reaching": [test, test], "others": []})
    entry.wait_for(12)
    paths = [path for _, path, _, _ in entry.requests]
    assert all(one != after for one, after in pairwise(paths))


def test_a_suite_that_ends_in_its_reference_round_is_an_error(entry, begin):
    text = f"""
        import requests, time
        def test_one():
            requests.get("{BASE}/one")
            time.sleep(60)
    """
    handle = begin(text, reference={"target": "media-service", "instead": [], "window_s": 10})
    suite.stop(handle)
    with pytest.raises(CaptureError, match="the workload ended in its reference round: stopped"):
        suite_reference.wait_for_round(handle)
