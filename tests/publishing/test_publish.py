"""`anomod publish`: what comes out, that equal datasets give equal bytes, and what is refused."""

import hashlib
import shutil
import zipfile

import dataset_builder as build
import pytest
import yaml

from pytest_anomod import load_dataset
from pytest_anomod.cli import main
from pytest_anomod.dataset.index import write_index
from pytest_anomod.dataset.validate import validate
from pytest_anomod.publishing import sample


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two cases and a control, without problems; don't change it."""
    out = tmp_path_factory.mktemp("publishing") / "shop-cases"
    build.build_case(out, "perf_cpu_contention", case_id="20261122T0425Z-aaaa", per_s=5)
    hour = 3_600 * build.SECOND
    train_ticket = {"system": "train_ticket", "start_ns": build.START_NS + hour, "per_s": 5}
    build.build_case(out, "lv_p_cpu", case_id="20261122T0525Z-bbbb", **train_ticket)
    build.build_case(out, "control", case_id="20261122T0625Z-cccc", control=True, start_ns=build.START_NS + 2 * hour)
    write_index(out)
    return out


@pytest.fixture(scope="module")
def published(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("published") / "out"
    assert main(["publish", str(dataset), str(out), "--author", "Ada Lovelace", "--anyway"]) == 0
    return out


def tree(root):
    return {
        path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_equal_datasets_give_equal_bytes(dataset, published, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "elsewhere" / "shop-cases")
    assert main(["publish", str(copy), str(tmp_path / "out"), "--author", "Ada Lovelace", "--anyway"]) == 0
    assert tree(tmp_path / "out") == tree(published)


def test_unpacked_it_is_the_dataset_again(dataset, published, tmp_path):
    for path in published.iterdir():
        if path.suffix == ".zip":
            zipfile.ZipFile(path).extractall(tmp_path)
        elif path.is_file():
            shutil.copy(path, tmp_path)
    assert [str(problem) for problem in validate(tmp_path)] == [str(problem) for problem in validate(dataset)]
    assert load_dataset(tmp_path).cases.equals(load_dataset(dataset).cases)
    assert len(load_dataset(published / "sample")) == 3


def test_every_file_has_its_checksum(published):
    told = dict(line.split("  ")[::-1] for line in (published / "SHA256SUMS").read_text().splitlines())
    found = {str(path): digest for path, digest in tree(published).items() if path.name != "SHA256SUMS"}
    assert told == found


def test_the_card_counts_and_machines_can_read_it(published):
    _, front, page = (published / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["license"] == "cc-by-4.0"
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "cases.parquet"}]
    assert "| social_network | 2 | 1 | 1 | 1 | 1 |" in page
    assert "- `verdict`: effective 2, normal 1" in page
    assert "- no split is told" in page
    citation = yaml.safe_load((published / "CITATION.cff").read_text())
    assert citation["authors"] == [{"name": "Ada Lovelace"}]
    assert str(citation["date-released"]) == "2026-11-22"
    assert (published / "LICENSE").read_text().startswith("Creative Commons Attribution 4.0 International")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "problems; see to them (`anomod validate`), or say --anyway"),
        (("--anyway", "--license", "MIT"), "no text of the licence 'MIT'"),
        (("--anyway", "--license", "MIT", "--license-file", "nowhere.txt"), "name a file by --license-file"),
    ],
)
def test_what_is_refused_leaves_nothing(dataset, tmp_path, capsys, options, said):
    copy = shutil.copytree(dataset, tmp_path / "dataset")
    build.build_case(copy, "half_written", complete=False, per_s=2)
    assert main(["publish", str(copy), str(tmp_path / "out"), *options]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_sample_has_each_scenario_once_as_long_as_there_is_room():
    def row(system, scenario, size, **more):
        return {"system": system, "scenario": scenario, "bytes": size, "case_id": scenario, "verdict": "silent", **more}

    rows = [
        row("a", "one", 9_000_000), row("a", "one", 8_000_000), row("a", "two", 45_000_000),
        row("b", "three", 30_000_000), row("b", "four", 1_000, verdict="contaminated"),
        row("b", "five", 1_000, usable=False),
    ]  # fmt: skip
    assert [(found["scenario"], found["bytes"]) for found in sample.choose(rows)] == [
        ("one", 8_000_000),
        ("three", 30_000_000),
    ]
