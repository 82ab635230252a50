"""Readers, `anomod export` and evidence over a URL, with fsspec's store in memory; tests/readback asks an S3 server."""

import uuid

import fsspec
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.cli import main
from pytest_anomod.model.errors import DatasetError


@pytest.fixture
def url(whole_dataset):
    place = f"memory://{uuid.uuid4().hex}"
    fsspec.filesystem("memory").put(f"{whole_dataset}/", place, recursive=True)
    return place


def test_tables_labels_and_files_are_those_of_the_directory(whole_dataset, url):
    here, there = load_dataset(whole_dataset), load_dataset(url)
    assert there.cases.equals(here.cases)
    assert there.logs.equals(here.logs)
    for mine, theirs in zip(here, there, strict=True):
        assert theirs.timeline == mine.timeline
        assert theirs.traces.equals(mine.traces)


def test_cases_are_found_without_an_index(whole_dataset, url):
    fsspec.filesystem("memory").rm(f"{url}/cases.parquet")
    assert load_dataset(url).cases.equals(load_dataset(whole_dataset).cases)


def test_it_is_exported(url, tmp_path, capsys):
    assert main(["export", url, "--to", "croissant", "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.startswith("3 of 3 cases")


def test_it_is_audited_and_published(whole_dataset, url, tmp_path, capsys):
    assert main(["audit", url, "--rule", "duplicates", "--rule", "L7-label-column"]) in (0, 1)
    assert capsys.readouterr().out.startswith(f"{url}: 3 cases, 1 of them controls")
    published = []
    for place in (str(whole_dataset), url):
        out = tmp_path / str(len(published))
        assert main(["publish", place, str(out), "--anyway", "--title", "Three cases"]) == 0
        published.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert published[0] == published[1]


def test_methods_are_tested_on_it(url, pytester):
    pytester.makepyfile(
        """
        from pytest_anomod.evaluation import evaluation

        @evaluation(min={"AC@1": 0.9})
        def test_good(evidence):
            return ["text-service"]
        """
    )
    pytester.runpytest_inprocess("--anomod-replay", url, "-p", "no:xdist").assert_outcomes(passed=1)


def test_what_is_no_dataset_is_told():
    with pytest.raises(DatasetError, match="memory://nothing does not exist"):
        load_dataset("memory://nothing")
    with pytest.raises(DatasetError, match="can't be read: "):
        load_dataset("floppy://a")
