"""The page of an evaluation (--html): heat map, subsets, curves and detection, whole or not at all."""

from __future__ import annotations

import re

import pytest

from pytest_anomod.evaluation import page, table
from pytest_anomod.evaluation.run import evaluate
from pytest_anomod.evaluation.trials import Options
from pytest_anomod.model.errors import DatasetError


@pytest.fixture(scope="module")
def results(small_dataset):
    """A method of one modality and one of several, with subsets and damage, and one that detects."""
    return evaluate(small_dataset, ["deepest_error", "mean_rank", "user_edge"], Options(subsets=True, robustness=True))


def test_the_page_has_every_part(results):
    text = page.render(results, ["deepest_error"])
    heads = re.findall("<h2>(.*?)</h2>", text)
    assert heads == [
        "Root cause, by service",
        "Which scenario each method solves",
        "With fewer modalities",
        "With damaged telemetry",
        "Detection",
        "Notes",
    ]
    assert "Is it too easy? Trivial rules solve, of 4 cases: deepest_error" in text
    scenarios = {row["scenario"] for row in results.rows if row["task"] == "rank"}
    assert all(f"<th>{name}</th>" in text for name in scenarios)
    damaged = {(row["task"], row["damaged_modality"], row["damage"]) for row in results.rows if row["damage"]}
    assert {task for task, *_ in damaged} == {"rank", "score"}
    assert text.count("<figcaption>") == len(damaged)
    assert text.count("<polyline") >= len(damaged)
    assert "http" not in re.sub(r"<!doctype html>", "", text)  # it loads nothing


def test_a_page_of_detection_alone_has_no_ranking(small_dataset):
    rows = evaluate(small_dataset, ["user_edge"])
    scored = [row for row in rows.rows if row["task"] == "score"]
    text = page.render(type(rows)(**{**vars(rows), "rows": scored}), [])
    assert re.findall("<h2>(.*?)</h2>", text) == ["Detection", "Notes"]


def test_of_a_detector_it_says_what_each_modality_adds(small_dataset):
    """And the terminal does; shares add up to the gain over the share of anomalous bins."""
    found = evaluate(small_dataset, ["nsigma_detector"], Options(subsets=True, robustness=True))
    detection = page.render(found, []).partition("<h2>Detection</h2>")[2]
    assert re.findall("<h3>(.*?)</h3>", detection) == [
        "With fewer modalities",
        "What each modality adds",
        "With damaged telemetry",
    ]
    said = table.render(found, [])
    gain = float(re.search(r"gain of nsigma_detector over chance \(([-+.\d]+)\)", said)[1])
    shares = re.search(r"over chance \(.*?\): (.*)", said)[1]
    assert sum(map(float, re.findall(r" ([-+][.\d]+)", shares))) == pytest.approx(gain, abs=0.004)
    assert "EMM of nsigma_detector" in said
    assert "AP by damage and severity" in said


def test_where_it_can_not_be_written_that_is_told(results, tmp_path):
    with pytest.raises(DatasetError, match=r"--html .*none/page\.html: No such file"):
        page.write(results, [], tmp_path / "none" / "page.html")
    page.write(results, [], tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
