"""Cases that are sent to an object store (fsspec's, in memory), and what is there twice; tests/readback asks S3's."""

import json
import uuid

import dataset_builder as build
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.cli import main
from pytest_anomod.dataset import layout, store
from pytest_anomod.dataset.validate import validate
from pytest_anomod.model.errors import DatasetError


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A store that is empty, with a waiting room of its own."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    return f"memory://{uuid.uuid4().hex}"


def test_a_case_is_in_the_store_as_a_whole_and_no_longer_here(url):
    room = store.waiting_room(url)
    case = build.build_case(room, case_id="20261122T0425Z-aaaa").directory
    half = build.build_case(room, "half", complete=False).directory
    names = {path.name for path in case.iterdir()}
    assert store.send_all(url) == 1
    there = layout.place(url) / case.relative_to(room).as_posix()
    assert {path.name for path in there.iterdir()} == names
    assert (case.exists(), half.exists()) == (False, True)
    assert not store.send_case(case, url)  # whoever comes second has nothing to do
    assert main(["index", url]) == 0
    assert [row.case_id for row in load_dataset(url)] == ["20261122T0425Z-aaaa"]
    assert validate(url, {table.name: table for table in build.TABLES}) == []


def test_what_the_store_does_not_take_stays_and_is_no_case_there(url, monkeypatch):
    """The head goes last: a case that broke off on its way is none to any reader."""
    case = build.build_case(store.waiting_room(url)).directory
    monkeypatch.setattr(store, "_send", _refusing(store._send, "label.parquet"))
    with pytest.raises(DatasetError, match=r"memory://.* can't be written: ConnectionError: the store is away"):
        store.send_case(case, url)
    assert case.is_dir()
    assert not [found for found in layout.case_directories(layout.place(url)) if layout.is_complete(found)]


def test_a_store_that_can_not_be_had_is_told_before_anything_is_done():
    with pytest.raises(DatasetError, match="floppy://a can't be read"):
        store.check_store("floppy://a")


def test_of_two_cases_of_one_seed_the_first_counts(tmp_path, capsys):
    """With it goes what the second replaced; a contaminated attempt of the first stays."""
    first = build.build_case(tmp_path, case_id="20261122T0425Z-aaaa").directory
    spoiled = build.build_case(tmp_path, case_id="20261122T0425Z-bbbb", verdict="contaminated").directory
    second = build.build_case(tmp_path, case_id="20261122T0425Z-cccc", replaces="20261122T0425Z-bbbb").directory
    other = build.build_case(tmp_path, "another", case_id="20261122T0425Z-dddd").directory
    assert main(["index", str(tmp_path), "--unique"]) == 0
    assert "2 cases; 2 incomplete" in capsys.readouterr().out
    assert [layout.is_complete(one) for one in (first, spoiled, second, other)] == [True, False, False, True]
    why = json.loads((second / layout.INCOMPLETE_FILE).read_text())["reason"]
    assert why == f"a double: {first.relative_to(tmp_path).as_posix()} has the same scenario and seed"
    assert main(["index", str(tmp_path), "--unique"]) == 0
    assert "not counted" not in capsys.readouterr().out


def _refusing(send, name):
    def refuse(here, there, size):
        if here.name == name:
            raise ConnectionError("the store is away")
        return send(here, there, size)

    return refuse
