"""What a case holds of the machine: cores for its windows and its harvest, all of them for a second attempt."""

from __future__ import annotations

import contextlib
import os
import threading
import types

import pytest

from pytest_anomod import case as module
from pytest_anomod.case import Allowance, Case, CaseResult
from pytest_anomod.chaos import compile as compiling
from pytest_anomod.chaos import toolkit
from pytest_anomod.host import leases
from pytest_anomod.host.waits import waits
from pytest_anomod.model import clock, quiet
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.verdict import Finding, Outcome, Verdict
from pytest_anomod.testing import FAKE_SYSTEM, fake_scenario

KNOWN = 0.3
LOWEST = 19
"""A niceness that no test run has by itself."""


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A case whose attempts have these verdicts and outcomes of `calm`, and what was leased during each step."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(quiet, "NICENESS", LOWEST)
    monkeypatch.setattr(leases, "usable_cores", lambda: 4)
    monkeypatch.setattr(leases, "meter", lambda: types.SimpleNamespace(foreign=types.SimpleNamespace(now=float)))
    monkeypatch.setattr(leases, "demand", lambda system: KNOWN)
    seen = []

    def look(step):
        is_low = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == LOWEST
        held = leases._Table(leases._demands_file().parent)._living()
        seen.append((step, [(one["cores"], one["alone"], one["granted"]) for one in held], is_low))

    nothing = types.SimpleNamespace(edge=None, settle=lambda: None, to_json=dict, start_ns=0, end_ns=0)
    monkeypatch.setattr(compiling, "compile_experiment", lambda *_, **__: {})
    monkeypatch.setattr(toolkit, "play", lambda *_, **__: look("window") or {})
    monkeypatch.setattr(module, "read_journal", lambda raw: nothing)
    monkeypatch.setattr(module, "_timeline", lambda journal: nothing)
    monkeypatch.setattr(module, "_left_clean", lambda result, deployment: True)
    monkeypatch.setattr(Case, "_collecting", lambda *_: contextlib.nullcontext(nothing))

    def make(*attempts, deploy=lambda: None):
        results = iter(attempts)

        def harvest(*_):
            look("harvest")
            verdict, calm = next(results)
            found = Finding(check="calm", question="calm", outcome=calm, message="")
            view = types.SimpleNamespace(case_id="fake-1", scenario=case.scenario)
            return CaseResult(
                view=view, label=None, findings=(found,), verdict=verdict, directory=tmp_path, experiment={},
                raw_journal={},
            )  # fmt: skip

        monkeypatch.setattr(Case, "_harvest", harvest)
        (tmp_path / "session").mkdir()
        deployment = types.SimpleNamespace(ref={"system": "fake"}, runtime="fake", instances=list)
        case = Case(
            scenario=fake_scenario(control=True), system=FAKE_SYSTEM, runtime=None,
            injector=types.SimpleNamespace(name="native"),
            session=Session(run_id="run", worker="gw0", directory=tmp_path / "session", out=tmp_path / "out"),
            deploy=lambda: deploy() or deployment, discard=lambda deployment: None,
            hook=types.SimpleNamespace(
                pytest_anomod_case_starting=lambda **_: None, pytest_anomod_case_finished=lambda **_: None
            ),
            allowance=Allowance(attempts=1), draw=lambda result: look("drawing"),
        )  # fmt: skip
        return case, seen

    return make


CONTAMINATED, NORMAL = (Verdict.CONTAMINATED, Outcome.ABSENT), (Verdict.NORMAL, Outcome.PROVEN)


def test_windows_harvest_and_drawing_lease_cores_and_a_second_attempt_all_of_them(stage):
    case, seen = stage(CONTAMINATED, NORMAL)
    case.run()
    work = [(leases.WORK_CORES, False, True)]
    assert seen == [
        ("window", [(KNOWN, False, True)], False),
        ("harvest", work, True),
        ("window", [(KNOWN, True, True)], False),
        ("harvest", work, True),
        ("drawing", work, True),
    ]


@pytest.mark.parametrize(("attempt", "learnt"), [(NORMAL, [FAKE_SYSTEM.name]), ((Verdict.NORMAL, Outcome.ABSENT), [])])
def test_what_a_case_needs_is_learnt_on_a_calm_machine(stage, monkeypatch, attempt, learnt):
    """On a busy one it gets less than it wants."""
    told = []
    monkeypatch.setattr(leases, "learn_demand", lambda system, cores: told.append(system))
    case, _ = stage(attempt)
    case.run()
    assert told == learnt


def test_the_waits_of_a_boot_are_the_case_s(stage, monkeypatch):
    """And those of a case before it are not."""
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    monkeypatch.setattr(clock, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def wait(seconds):
        end_s = now[0] + seconds
        waits.until(lambda: now[0] >= end_s, "a turn", str, give_up_s=float("inf"), every_s=1.0)

    wait(5.0)
    case, _ = stage(NORMAL, deploy=lambda: wait(3.0))
    monkeypatch.setattr(toolkit, "play", lambda *_, **__: clock.sleep(25.0) or {})
    case.run()
    assert case.waited_s == pytest.approx(3.0)
