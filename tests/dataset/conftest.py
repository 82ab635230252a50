"""Fixtures of the dataset's tests: a dataset of three cases on disk, made once and copied for tests that change it."""

import shutil

import dataset_builder as build
import pytest

from pytest_anomod.dataset.write import write_index


@pytest.fixture(scope="session")
def whole_dataset(tmp_path_factory):
    """A sound, indexed dataset: a fault that showed, one that did nothing, and a control; don't change it."""
    out = tmp_path_factory.mktemp("datasets") / "whole"
    hour = 3_600 * build.SECOND
    build.build_case(out, "perf_cpu_contention", case_id="20261122T0425Z-aaaa")
    build.build_case(
        out,
        "service_kill_text",
        case_id="20261122T0525Z-bbbb",
        start_ns=build.START_NS + hour,
        fault="process_kill",
        level="service",
        verdict="silent",
    )
    build.build_case(out, "control", case_id="20261122T0625Z-cccc", start_ns=build.START_NS + 2 * hour, control=True)
    write_index(out)
    return out


@pytest.fixture
def dataset(whole_dataset, tmp_path):
    """A copy of the whole dataset to break."""
    return shutil.copytree(whole_dataset, tmp_path / "dataset")


@pytest.fixture
def case_directory(dataset):
    """The directory of the effective case in the copy."""
    return next(dataset.glob("*/scenario=perf_cpu_contention/*"))
