"""Defects of datasets in our own form: faults without effect, contents twice, clocks."""

from __future__ import annotations

import shutil

import dataset_builder as build
import made
import pandas as pd
import pytest

from pytest_anomod.audit import our_form
from pytest_anomod.audit.audit import audit
from pytest_anomod.audit.rules import two_sample
from pytest_anomod.dataset.write import write_index


def still(name, columns, about):
    """Nothing is slow and nothing fails, whatever the label says."""
    if name in ("traces", "api_responses"):
        columns["duration_ns"] = [5_000_000 + length % 1_000_000 for length in columns["duration_ns"]]
    if name == "api_responses":
        columns["status_code"] = [200] * len(columns["status_code"])


def test_a_fault_without_effect_is_found(tmp_path):
    found = audit(made.dataset(tmp_path, still), only=["no-effect"]).findings
    assert len(found) == made.FAULTS
    assert all("figures of any service differs between baseline and anomaly window" in one.what for one in found)


def test_contents_that_come_twice_are_found(tmp_path):
    for number in range(2):
        build.build_case(tmp_path, f"twice_{number}", case_id=f"20261122T0{number}25Z-aaaa")
    write_index(tmp_path)
    said = {finding.what for finding in audit(tmp_path, only=["duplicates"]).findings}
    assert said == {
        f"social_network: {name} is the same in 2 of 2 cases" for name in ("logs", "metrics", "traces", "api_responses")
    }


def test_clocks_that_disagree_are_found(sound, tmp_path):
    """The spans of one service are 50 ms too early."""
    path = shutil.copytree(sound, tmp_path / "out")
    file = next(path.glob("*/scenario=slow_1/*/traces.parquet"))
    frame = pd.read_parquet(file, partitioning=None)
    frame["time_unix_nano"] -= 50_000_000 * (frame["service_name"] == "user-timeline-service")
    frame.to_parquet(file, index=False)
    (found,) = audit(path, only=["clock"]).findings
    assert found.service == "user-timeline-service"
    assert found.what.endswith(
        "spans below text-service begin before their caller, by 50 ms at most: the clocks disagree"
    )


@pytest.mark.parametrize(
    ("modality", "change", "said"),
    [
        ("logs", lambda times: times.where(times.index != 90, times - 2_000_000_000), "logs goes back in time 1 times"),
        (
            "metrics",
            lambda times: times + (times > times.median()) * 30_000_000_000,
            "no service was scraped for 31.0 s",
        ),
    ],
)
def test_a_step_of_the_clock_is_found(sound, tmp_path, modality, change, said):
    path = shutil.copytree(sound, tmp_path / "out")
    file = next(path.glob(f"*/scenario=slow_1/*/{modality}.parquet"))
    frame = pd.read_parquet(file, partitioning=None)
    frame.assign(time_unix_nano=change(frame["time_unix_nano"])).to_parquet(file, index=False)
    found = audit(path, only=["clock"]).findings
    assert len(found) == 1, [one.what for one in found]
    assert said in found[0].what


@pytest.mark.parametrize(("workload", "share"), [("open_loop", 1.0), ("suite:shop.py", 0.0)])
def test_an_error_that_a_suite_means_is_no_failure(tmp_path, workload, share):
    """In the windows of a control too, where the baseline that shows it is cut off."""

    def edit(name, columns):
        if name == "api_responses":
            columns["status_code"] = [404] * len(columns["status_code"])

    build.build_case(tmp_path, "control", control=True, edit=edit, workload=workload)
    write_index(tmp_path)
    (case,) = our_form.read(tmp_path).cases
    assert case.failed().mean() == share
    figures, _ = two_sample._samples(case, "api_responses")
    assert (figures["nginx-thrift failed"] == share * figures["nginx-thrift rows"]).all()
