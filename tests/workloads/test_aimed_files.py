"""Journeys of a file are aimed: those whose traces reach the target are played often enough."""

from __future__ import annotations

import collections
import json

import pytest
from shop_entry import DOCUMENT, define_shop, open_shop

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.workloads import scripted
from pytest_anomod.workloads.named import named_workload
from pytest_anomod.workloads.suite_reference import choose_plays, wait_for_round

WISH = {"target": "orders", "instead": [], "window_s": None}


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """The workload of the shop's document, waiting after its reference round; its handle, spec and records."""
    monkeypatch.setenv(catalog.DEFINED_IN, str(define_shop(tmp_path)))
    (tmp_path / "shop.json").write_text(json.dumps(DOCUMENT))
    records = tmp_path / "records.jsonl"
    with open_shop() as shop:
        spec = {"system": "little-shop", "entry_url": shop.url, "seed": 3, "deadline_s": 60.0, "rate_rps": 60.0}
        spec |= {**named_workload("openapi:shop.json", tmp_path).spec(), "reference": WISH}
        handle = scripted.start(spec, records)
        try:
            yield handle, spec, records
        finally:
            scripted.stop(handle)


def rows_of(records):
    return [json.loads(line) for line in records.read_text().splitlines()]


def test_a_third_of_the_plays_reach_the_target(begun):
    """Each journey is played once before, and nothing more until it is said how often."""
    handle, spec, records = begun
    told = wait_for_round(handle)
    looked = rows_of(records)
    assert sorted(row["journey"] for row in looked) == sorted(one["journey"] for one in told["looked"])
    assert told["of"] == len(looked) == 3
    reach = {row["trace_id"]: {"gateway", "orders"} if row["method"] == "POST" else {"gateway"} for row in looked}
    chosen = choose_plays(handle, spec, told, reach)
    assert chosen["tests_that_reach_the_target"] == 1
    assert chosen["why"].startswith("1 of 3 journeys reach orders, ")
    clock.wait_until(lambda: len(rows_of(records)) >= 123, timeout_s=20, what="requests to be recorded")
    played = collections.Counter(row["method"] for row in rows_of(records)[3:])
    assert played["POST"] >= played.total() / 5  # of a third, drawn at random
    assert len({row["journey"] for row in rows_of(records)[3:]}) == 3


def test_a_rare_journey_is_played_more_often(begun):
    """Once in 30 by its share; all others are still played alike."""
    handle, spec, records = begun
    told = wait_for_round(handle)
    more = [{**told["looked"][0], "test": f"other-{number}", "journey": f"other-{number}"} for number in range(27)]
    rows = rows_of(records)
    (post,) = [row for row in rows if row["method"] == "POST"]
    told = {"looked": [*told["looked"], *more], "of": 30}
    chosen = choose_plays(handle, spec, told, {post["trace_id"]: {"orders"}})
    assert chosen["share_that_reaches_the_target"] >= 1 / 3
    assert (chosen["tests_played"], chosen["window_s"]) == (30, None)


def test_without_traces_all_are_alike(begun):
    handle, spec, records = begun
    chosen = choose_plays(handle, spec, wait_for_round(handle), None)
    assert chosen["why"] == "no trace says which journeys reach orders"
    clock.wait_until(lambda: len(rows_of(records)) >= 40, timeout_s=20, what="requests to be recorded")


def test_a_file_that_does_not_reach_the_target_is_not_played(begun):
    handle, spec, records = begun
    told = wait_for_round(handle)
    reach = {row["trace_id"]: {"gateway"} for row in rows_of(records)}
    with pytest.raises(ScenarioError, match="no journey of the file reaches orders"):
        choose_plays(handle, spec, told, reach)
    assert len(rows_of(records)) == 3
