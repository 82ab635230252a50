"""A case on a busy machine is contaminated, not broken: one sentence says so; it is kept, played again and linked."""

from __future__ import annotations

import re

import pytest
from outside import HEADER, case_directories, scenario, verdicts

import pytest_anomod
from pytest_anomod.model.verdict import Verdict

SHORT = "Durations(warmup_s=2, baseline_s=4, anomaly_s=2, recovery_s=2)"
BUSY = '''
"""This machine looks busy until so many cases are finished."""

from pytest_anomod.host import pressure
from pytest_anomod.host.pressure import Pressure

finished = []
UNTIL = {until}


def too_busy(self):
    return len(finished) < UNTIL and self.length_s >= pressure.LEAST_S


Pressure.too_busy = property(too_busy)


def pytest_anomod_case_finished(result):
    finished.append(result)
'''
WORDS = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "busy", "--anomod-runtime=process")


@pytest.fixture
def play(start, tmp_path):
    """Runs a control on a machine that looks busy until so many cases are finished."""

    def run(until, *words):
        (tmp_path / "busy.py").write_text(BUSY.format(until=until))
        test = scenario("test_it", "target='nginx-thrift'", SHORT)
        (tmp_path / "test_it.py").write_text(HEADER + test)
        begun = start(*WORDS, "--anomod-out=dataset", "--junitxml=junit.xml", *words, tmp_path / "test_it.py")
        return begun.wait(180), begun.output

    return run


def test_a_machine_that_never_gets_calm_ends_in_one_clear_sentence(play, tmp_path):
    """As contaminated, within patience, each time; all attempts are kept and linked, the last one is what is read."""
    code, output = play(99, "--anomod-patience=4", "--anomod-attempts=1")
    assert code == pytest.ExitCode.TESTS_FAILED, output
    row = verdicts(tmp_path / "junit.xml")["it"]
    assert row["anomod_verdict"] == "contaminated"
    assert re.search(r"> calm: absent: the machine was too busy for a baseline of 4 s, \d+ s long: .+", row["failure"])
    assert "attempt 1 was contaminated: " in row["failure"]
    assert len(case_directories(tmp_path / "dataset")) == 2
    every = pytest_anomod.load_dataset(tmp_path / "dataset", superseded=True).cases.sort_values("attempt")
    assert every["verdict"].tolist() == [Verdict.CONTAMINATED] * 2
    assert every["attempt"].tolist() == [1, 2]
    assert every["replaces"].tolist()[1] == every["case_id"].tolist()[0]
    (left,) = pytest_anomod.load_dataset(tmp_path / "dataset").cases["attempt"].tolist()
    assert left == 2


def test_a_second_attempt_on_a_calm_machine_passes_and_is_told(play, tmp_path):
    """The table says which attempt it is; a control of such short windows may still find something."""
    code, output = play(1, "--anomod-patience=4", "--anomod-attempts=1")
    data = pytest_anomod.load_dataset(tmp_path / "dataset")
    (verdict,) = data.cases["verdict"].tolist()
    assert (code == 0) is (verdict == Verdict.NORMAL), output
    assert "(attempt 2; the earlier ones are kept)" in output
    assert verdicts(tmp_path / "junit.xml")["it"]["anomod_attempt"] == "2"


def test_without_more_attempts_there_is_one_case(play, tmp_path):
    code, output = play(99, "--anomod-patience=0", "--anomod-attempts=0")
    assert code == pytest.ExitCode.TESTS_FAILED, output
    assert len(case_directories(tmp_path / "dataset")) == 1
