"""The collectors of a case: one a modality that has a source, in their order; what there is not has its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_anomod.collecting import Collecting
from pytest_anomod.dataset import tables
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.modality import MODALITIES, in_order
from pytest_anomod.model.source import LineCounter, NoSource, ResponseRecord
from pytest_anomod.model.timeline import Phase, Timeline, Window

DOCS = Path(__file__).parents[1] / "docs" / "extending.md"


class Collector:
    """Gives as many rows as it is told."""

    def __init__(self, rows, *, may_be_silent=False):
        self.rows = rows
        self.may_be_silent = may_be_silent
        self.dropped = 3 if rows or not may_be_silent else 0
        self.noted = {"odd": 1} if rows else {}
        self.calls = []

    def settle(self, since_s):
        self.calls.append("settle")

    def edge(self, name):
        self.calls.append(name)

    def columns(self, start_ns, end_ns):
        return {"time_unix_nano": [start_ns] * self.rows}


class Unreadable(Collector):
    """Took nothing of what came."""

    def __init__(self):
        super().__init__(0, may_be_silent=True)
        self.dropped = 3
        self.noted = {"no time": 3}


class Deployment:
    """One without any telemetry."""

    system = "fake"


def test_ours_come_first_and_others_by_name():
    assert in_order(["zebra", "coverage", "ant", "logs"]) == ("logs", "coverage", "ant", "zebra")
    assert set(MODALITIES) <= set(catalog.offers("modalities"))


def test_a_system_without_telemetry_has_what_its_users_got(tmp_path):
    """All else is absent, each with its reason."""
    collecting = Collecting.of(Deployment(), [ResponseRecord(path=tmp_path / "responses")])
    assert list(collecting.collectors) == ["metrics", "api_responses"], "metrics of the machine are there always"
    assert list(collecting.absent) == ["logs", "traces", "coverage"]
    assert all(len(why) > 20 for why in collecting.absent.values())


def test_what_may_be_silent_and_was_is_absent():
    silent, other = Collector(0, may_be_silent=True), Collector(2)
    collecting = Collecting(collectors={"traces": silent, "logs": other}, absent={"coverage": "no agent"})
    collecting.edge("baseline")
    collecting.settle()
    found = [modality.name for modality, _ in collecting.tables(0, 42 * 10**9, [])]
    assert found == ["logs"]
    assert collecting.absent["traces"] == "nothing was sent or written, by any service, in the 42 s of the case"
    assert silent.calls == other.calls == ["baseline", "settle"]
    assert collecting.dropped() == {"logs": 3}
    told = collecting.told()
    assert list(told["absent"]) == ["coverage", "traces"]
    assert (told["noted"], told["may_be_silent"]) == ({"logs": {"odd": 1}}, [])


def test_what_came_and_could_not_be_read_is_no_silence():
    collecting = Collecting(collectors={"logs": Unreadable()}, absent={})
    assert list(collecting.tables(0, 10, [])) == []
    assert collecting.absent["logs"] == "none of 3 records of the case could be read (no time)"


def test_what_must_give_rows_and_gave_none_is_an_error_with_what_is_known():
    collecting = Collecting(collectors={"traces": Collector(0)}, absent={})
    with pytest.raises(CaptureError, match="inject failed; the traces collector has no record at all"):
        list(collecting.tables(0, 10, ["inject failed"]))


def test_what_an_agent_could_not_do_is_the_reason_why_a_modality_is_absent():
    sources = [NoSource(modality="coverage", why=f"{service}: no acorn") for service in ("gateway", "web")]
    assert Collecting.of(Deployment(), sources).absent["coverage"] == "gateway: no acorn; web: no acorn"
    some = Collecting.of(Deployment(), [*sources, LineCounter(service="catalog")])
    assert "coverage" in some.collectors
    assert some.told()["lacking"] == {"coverage": ["gateway: no acorn", "web: no acorn"]}


def test_the_modality_of_the_docs_is_collected_and_written(monkeypatch):
    """As an entry point of another package would be."""
    section = DOCS.read_text("utf-8").split("## A modality\n")[1]
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", section, re.S).group(1), names)
    edges = names["EDGES"]
    offers = {"edges": edges}
    monkeypatch.setattr(catalog, "offers", lambda group: offers)
    collecting = Collecting.of(Deployment(), [])
    assert list(collecting.collectors) == ["edges"]
    collector = collecting.collectors["edges"]
    collector.start()
    collecting.edge("baseline")
    ((modality, columns),) = collecting.tables(0, 2**62, [])
    timeline = Timeline((Window(phase=Phase.BASELINE, start_ns=0, end_ns=2**62),))
    table, written = tables.build(modality, columns, timeline, "20261122T0425Z-7f3a")
    assert table["edge"].to_pylist() == ["start", "baseline"]
    assert written.rows == 2
