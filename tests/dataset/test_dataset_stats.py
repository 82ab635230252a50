"""The figures of a dataset: counted from the tables, beside the paper's own."""

import dataset_builder as build
import pytest

from pytest_anomod.dataset.stats import render, stats
from pytest_anomod.dataset.write import CaseWriter
from pytest_anomod.model.errors import DatasetError


def test_a_system_is_counted_over_all_its_cases(whole_dataset):
    (row,) = stats(whole_dataset).systems
    assert row["cases"] == 3
    assert row["log lines"] == row["samples"] == row["API requests"] == 141 + 141 + 111
    assert row["spans"] == 3 * row["API requests"]
    assert row["traces"] == 141 + 141 + 111
    assert row["metrics"] == 2
    assert row["templates"] == 2
    assert row["coverage"] == pytest.approx(0.75)
    on_disk = sum(path.stat().st_size for path in whole_dataset.glob("*/*/*/*") if path.name != "case.json")
    assert row["size"] == on_disk


def test_a_case_shows_what_its_users_felt(whole_dataset):
    rows = {row["scenario"]: row for row in stats(whole_dataset).cases}
    shown = rows["perf_cpu_contention"]
    assert shown["failed %"] == (0.0, 25.0)
    assert shown["p95 ms"] == (6.0, 90.0)
    assert shown["target p95 ms"] == (5.0, 80.0)
    assert shown["seen s"] == pytest.approx(1.5, abs=0.01)
    assert rows["control"]["failed %"] == (0.0, 0.0)
    assert rows["control"]["seen s"] is None
    assert rows["service_kill_text"]["verdict"] == "silent (not effective)"


def test_the_text_stands_beside_the_papers_figures(whole_dataset):
    text = render(whole_dataset)
    ours, paper = (line.split() for line in text.splitlines() if "0.750" in line or "published" in line)
    assert ours[:3] == ["social_network", "3", "393"]
    assert "3,958,500" in paper
    assert "0.682" in paper
    assert "0.0 -> 25.0" in text


def test_coverage_counts_a_line_once_whatever_the_windows(tmp_path):
    """Services weigh the same, however many lines they have; a line covered in one window is covered."""

    def edit(name, columns):
        if name == "coverage":
            count = len(columns["line"])
            columns["service_name"] = ["text-service" if line < 12 else "user-service" for line in columns["line"]]
            columns["covered"] = [index == 0 for index in range(count)]

    build.build_case(tmp_path, edit=edit)
    (row,) = stats(tmp_path).systems
    assert row["coverage"] == pytest.approx((1 / 2 + 0) / 2)


def test_a_dataset_without_complete_cases_says_so(tmp_path):
    CaseWriter(tmp_path, "social_network", "killed")
    assert render(tmp_path).endswith("no complete case")
    with pytest.raises(DatasetError, match="does not exist"):
        render(tmp_path / "none")


@pytest.mark.parametrize(("workload", "shown"), [("open_loop", (100.0, 100.0)), ("suite:users.py", (0.0, 25.0))])
def test_a_404_is_a_failure_unless_a_suite_means_it(tmp_path, workload, shown):
    def edit(name, columns):
        if name == "api_responses":
            columns["status_code"] = [404 if status == 200 else status for status in columns["status_code"]]

    build.build_case(tmp_path, edit=edit, workload=workload)
    (row,) = stats(tmp_path).cases
    assert row["failed %"] == shown
