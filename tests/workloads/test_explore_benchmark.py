"""benchmarks/explore.py: who explores TrainTicket must cover enough and book a ticket."""

from __future__ import annotations

import argparse

import benchmark_modules
import pytest


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark as a module."""
    return benchmark_modules.load("explore")


@pytest.mark.parametrize(
    ("system", "booked", "lines", "enough"),
    [
        ("train_ticket", [], 9, False),
        ("train_ticket", ["order-1"], 9, True),
        ("train_ticket", ["order-1"], 4, False),
        ("social_network", [], 9, True),
    ],
)
def test_no_ticket_is_not_enough(benchmark, monkeypatch, system, booked, lines, enough):
    monkeypatch.setitem(benchmark._handlers, "a.py", set())

    def result(name: str, count: int, booked: list[str]) -> object:
        covered = [["one", "a.py", line] for line in range(count)]
        functions = [["one", "a.py", line, "f"] for line in range(9)]
        return benchmark.Result(
            name=name, curve=[[1.0, count]], outcomes=[], requests=1, covered=covered, functions=functions, load=0.1,
            booked=booked,
        )  # fmt: skip

    results = {"explore": result("explore", lines, booked), "suite": result("suite", 3, [])}
    assert benchmark.report(system, results, argparse.Namespace(seconds=12.0)) is enough
