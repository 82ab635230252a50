"""Judging stored cases again: the verdicts of our regression data, what is said of a change, what is refused."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from pytest_anomod import cli
from pytest_anomod.checks import statistics
from pytest_anomod.judge_again import cases_at, judge_case

CASES = Path(__file__).parent / "data" / "cases"
VERDICTS = {
    "normal_baseline": "normal",
    "code_exception_userservice": "effective",
    "db_redis_cachelimit_hometimeline": "tolerated",
}


def named(scenario):
    """A case of the regression data."""
    return next(case for case in cases_at(CASES) if case.label.scenario == scenario)


@pytest.mark.parametrize("scenario", VERDICTS)
def test_real_cases_still_have_their_verdict(scenario):
    judged = judge_case(named(scenario))
    assert list(judged.changes()) == []
    assert str(judged.verdict) == VERDICTS[scenario]


@pytest.fixture
def stored(tmp_path):
    """A copy of the case with a fault that users felt, to change."""
    source = next(CASES.glob("*/scenario=code_exception*/*"))
    return shutil.copytree(source, tmp_path / source.relative_to(CASES))


def test_a_case_and_a_dataset_are_judged_in_a_store_too(stored, tmp_path, capsys):
    store, root = fsspec.filesystem("memory"), f"memory://{uuid.uuid4().hex}"
    url = f"{root}/{stored.relative_to(tmp_path).as_posix()}"
    store.put(f"{stored}/", url, recursive=True)
    assert cli.main(["judge", root, url]) == 0
    assert "2 cases judged again, 0 with another verdict" in capsys.readouterr().out


def test_a_change_of_verdict_is_told_and_fails(stored, capsys):
    """Users whose errors are taken out of the record felt nothing."""
    path = stored / "api_responses.parquet"
    frame = pd.read_parquet(path, partitioning=None).assign(status_code=200)
    frame["status_code"] = frame["status_code"].astype("int32")
    frame["response_body"] = "ok"
    frame.to_parquet(path)
    before = {file: file.read_bytes() for file in stored.iterdir()}
    assert cli.main(["judge", str(stored)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "code_exception_userservice: was effective, now tolerated" in said
    assert "impact was proven: users were hit in" in said
    assert "impact is now absent: " in said
    assert "1 cases judged again, 1 with another verdict" in said
    assert {file: file.read_bytes() for file in stored.iterdir()} == before, "something was rewritten"


def _edit_json(path, change):
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("case.json", lambda it: it.pop("problems"), "of pytest-anomod 0.1.0, does not say problems; record it again"),
        ("scenario.json", lambda it: it["fault"].update(name="code_rust"), "no fault named 'code_rust'"),
        ("scenario.json", lambda it: it["fault"]["parameters"].update(speed=1), "can't be made with parameters"),
        ("scenario.json", lambda it: it.update(system="shop"), "no system named 'shop'"),
    ],
)
def test_what_lacks_what_the_checks_need_is_refused(stored, capsys, name, change, said):
    _edit_json(stored / name, change)
    assert cli.main(["judge", str(stored)]) == 2
    out = capsys.readouterr().out
    assert said in out
    assert "effective, not judged again" in out
    assert "0 cases judged again, 0 with another verdict, 1 could not be judged" in out


def test_a_table_without_a_column_that_a_check_reads_gives_no_verdict(stored, capsys):
    """As a case of an older version: the check crashes, which says nothing of the case."""
    path = stored / "traces.parquet"
    pd.read_parquet(path, partitioning=None).drop(columns="span_kind").to_parquet(path)
    assert cli.main(["judge", str(stored)]) == 2
    assert "can't be judged by this one: the check " in capsys.readouterr().out


def test_what_is_no_case_is_refused(tmp_path, capsys):
    assert cli.main(["judge", str(tmp_path / "case=1")]) == 2
    assert "is no complete case" in capsys.readouterr().err
    assert cli.main(["judge", str(tmp_path)]) == 2
    assert "is not a dataset" in capsys.readouterr().err


def test_a_weaker_statistic_would_show(monkeypatch):
    """The regression data can fail: with a bar that nothing reaches, the effective case is none."""
    monkeypatch.setattr(statistics, "ALPHA", 1e-15)
    assert str(judge_case(named("code_exception_userservice")).verdict) != "effective"
