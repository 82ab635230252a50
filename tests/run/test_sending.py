"""--anomod-out with a URL: what is done after a case, at the end of a run, and by --anomod-resume."""

from __future__ import annotations

import types
import uuid

import dataset_builder as build
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.dataset import store
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.run import cases, telling
from pytest_anomod.run.options import dataset_place, out_directory
from pytest_anomod.run.sharding import cases_there


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The configuration of a run whose dataset is in a store."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    option = types.SimpleNamespace(anomod_out=f"memory://{uuid.uuid4().hex}")
    return types.SimpleNamespace(option=option, getoption=lambda *_: None)


def case_of(config, *earlier):
    """A case that was run, with the attempts before it."""
    session = types.SimpleNamespace(out=out_directory(config))
    *before, last = (types.SimpleNamespace(directory=one, superseded=()) for one in earlier)
    last.superseded = tuple(before)
    return types.SimpleNamespace(result=last, session=session)


def test_a_case_and_its_earlier_attempts_are_sent_and_counted_at_the_end(config):
    room = out_directory(config)
    one = build.build_case(room, case_id="20261122T0425Z-aaaa", verdict="contaminated").directory
    two = build.build_case(room, case_id="20261122T0425Z-bbbb", replaces="20261122T0425Z-aaaa").directory
    cases.send(case_of(config, one, two), config)
    assert not one.exists()
    assert not two.exists()
    late = build.build_case(room, "late").directory
    cases.finish_run(config)  # what could not be sent before is sent now
    assert not late.exists()
    place = dataset_place(config)
    assert len(load_dataset(place, superseded=True).cases) == 3
    assert sorted(name for _, name, _ in cases_there(place)) == ["late", "perf_cpu_contention"]


def test_a_store_that_is_away_is_told_and_the_case_stays(config, monkeypatch):
    def away(*_):
        msg = "s3://key:hidden@a can't be written"
        raise DatasetError(msg)

    said = []
    monkeypatch.setattr(store, "send_case", away)
    monkeypatch.setattr(telling, "tell_once", lambda _, line: said.append(line))
    cases.send(case_of(config, build.build_case(out_directory(config)).directory), config)
    (line,) = said
    assert "hidden" not in line
    assert line.endswith(f"the case waits in {out_directory(config)}")
