"""Playing an experiment on the real Chaos Toolkit: the normal case, and every known defect of the toolkit."""

from __future__ import annotations

import copy
import json
import threading

import pytest
from acting import ActingFault

from pytest_anomod.chaos import activities
from pytest_anomod.chaos.toolkit import play, problems
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import SafetyError, ScenarioError
from pytest_anomod.model.journal import read_journal
from pytest_anomod.model.timeline import Phase, derive
from pytest_anomod.testing import FakeFault, Lie


def _succeeded(journal, name):
    activity = journal.activity(name)
    return activity is not None and activity.succeeded


def test_a_case_passes_all_edges_and_ends_clean(player):
    journal = player.play()
    assert problems(journal) == ()
    assert player.edges == ["baseline", "onset", "anomaly", "release", "recovery", "end"]
    assert journal.deviated  # the symptom was there while the fault was held: the wanted answer
    assert journal.activity(names.HOLD).output["held_ratio"] == 1.0
    player.assert_clean()


def test_inject_says_what_where_and_which_instances(player):
    output = player.play(fault=FakeFault(text="x")).activity(names.INJECT).output
    assert output["text"] == "x"
    assert output["location"] == {"file": "app.py", "function": "App.handle", "first_line": 3, "last_line": 9}
    assert output["instances"] == ["app-1"]


def test_the_timeline_of_a_played_case_has_all_windows(player):
    journal = player.play()
    timeline = derive(journal, journal.before[0].output["workload_start_unix_nano"])
    assert [window.phase for window in timeline.windows] == [
        Phase.WARMUP,
        Phase.BASELINE,
        Phase.ONSET,
        Phase.ANOMALY,
        Phase.RELEASE,
        Phase.RECOVERY,
    ]


def test_a_control_touches_nothing(player):
    journal = player.play(control=True)
    assert problems(journal) == ()
    assert player.edges == ["baseline", "control", "recovery", "end"]
    assert not journal.deviated
    assert player.world["calls"] == []
    player.assert_clean()


def test_a_failed_inject_stops_the_method_and_is_undone(player):
    journal = player.play(fault=FakeFault(lie=Lie.INJECT_FAILS))
    assert journal.status == "completed"  # this is why nobody asks it
    assert journal.refused == (names.SEEN, names.HOLD, names.RECOVERY)
    assert _succeeded(journal, names.RECOVER)
    assert _succeeded(journal, names.GONE)
    assert "inject failed: pytest_anomod.model.errors.InjectionError: told to fail on app" in problems(journal)
    assert player.edges == ["baseline", "onset", "release", "recovery", "end"]
    player.assert_clean()


def test_a_failed_prepare_stops_before_the_baseline(player):
    journal = player.play(fault=FakeFault(lie=Lie.PREPARE_FAILS))
    assert "inject" not in player.world["calls"]
    assert "recover" in player.world["calls"]
    assert player.edges == []
    assert problems(journal)[0].startswith("prepare failed: ")


@pytest.mark.parametrize("lie", [Lie.NOT_PUT_IN, Lie.FLICKERS])
def test_a_fault_that_is_not_seen_is_not_held(player, lie):
    journal = player.play(fault=FakeFault(lie=lie))
    assert names.HOLD in journal.refused
    assert "anomaly" not in player.edges
    [why] = [line for line in problems(journal) if line.startswith("seen failed")]
    assert "fake_fault was not seen on app within 0.15 s" in why
    assert '"look": ' in why  # the last evidence


def test_an_unsteady_system_is_never_injected(player):
    player.deployment.world.write(fault_in=True)  # users wait, and so a limit on errors alone would not do
    experiment = player.compile()
    experiment["steady-state-hypothesis"]["probes"][1]["provider"]["arguments"]["window_s"] = 1e-9
    journal = read_journal(play(experiment, on_edge=player.edges.append))
    assert journal.status == "completed"
    assert "inject" not in player.world["calls"]
    assert player.edges == []
    assert problems(journal)[0].startswith("the system was not steady before the method: steady: 0 responses in")
    player.assert_clean()


def test_a_probe_that_raises_after_the_method_does_not_keep_the_fault_in(player, monkeypatch):
    look = activities.steadiness.look

    def look_once(records, window_s, before):
        if before is not None:
            raise OSError("the records are gone")
        return look(records, window_s, before)

    monkeypatch.setattr(activities.steadiness, "look", look_once)
    journal = player.play()
    assert journal.status == "failed"
    assert _succeeded(journal, names.GONE)
    assert problems(journal) == ("steady failed after the method: OSError: the records are gone",)
    player.assert_clean()


def test_a_fault_that_stays_is_told(player):
    journal = player.play(fault=FakeFault(lie=Lie.STAYS))
    assert [line for line in problems(journal) if line.startswith("gone failed")]
    assert "recovery" not in player.edges
    assert names.RECOVERY in journal.refused


def test_recover_is_tried_once_more_when_its_rollback_failed(player):
    journal = player.play(fault=FakeFault(lie=Lie.RECOVER_FAILS_ONCE))
    recovers = [activity.succeeded for activity in journal.played if activity.name == names.RECOVER]
    assert recovers == [False, True]
    assert problems(journal)[0].startswith("recover failed: ")
    player.assert_clean()


def test_a_recover_that_fails_for_good_does_not_keep_the_workload_going(player):
    journal = player.play(fault=FakeFault(lie=Lie.RECOVER_FAILS))
    assert sum(line.startswith("recover failed: ") for line in problems(journal)) == 2
    assert _succeeded(journal, names.END_WORKLOAD)


def test_an_outcome_of_pytest_flies_through_and_recover_has_run(player):
    with pytest.raises(pytest.fail.Exception, match=r"said by pytest\.fail"):
        player.play(fault=ActingFault(act="pytest.fail"))
    assert "recover" in player.world["calls"]
    player.assert_clean()


def test_an_outcome_of_pytest_in_a_rollback_flies_through_and_recover_is_done_again(player):
    with pytest.raises(pytest.fail.Exception):
        player.play(fault=ActingFault(act="pytest.fail", during="recover"))
    player.assert_clean()


def test_what_fails_while_undoing_is_a_note_of_the_cause(player):
    with pytest.raises(pytest.fail.Exception) as caught:
        player.play(fault=ActingFault(act="pytest.fail", during="recover", times=2))
    assert any("and recover failed: Failed: said by pytest.fail" in note for note in caught.value.__notes__)


def test_system_exit_in_an_activity_is_raised_after_the_rollbacks(player):
    with pytest.raises(SystemExit) as caught:
        player.play(fault=ActingFault(act="SystemExit"))
    assert caught.value.code == 3
    player.assert_clean()


@pytest.mark.parametrize("edge", ["baseline", "onset", "anomaly", "release", "recovery", "end"])
def test_an_error_at_an_edge_is_raised_once_all_is_undone(player, edge):
    def on_edge(name):
        player.edges.append(name)
        if name == edge:
            raise LookupError(f"at {name}")

    with pytest.raises(LookupError, match=f"at {edge}"):
        play(player.compile(), on_edge=on_edge)
    player.assert_clean()


def test_an_error_at_the_first_edge_keeps_the_fault_out(player):
    with pytest.raises(ZeroDivisionError):
        play(player.compile(), on_edge=lambda edge: 1 / 0)
    assert "inject" not in player.world["calls"]


def test_only_the_main_thread_may_play(player):
    raised = []

    def other():
        try:
            player.play()
        except SafetyError as error:
            raised.append(str(error))

    thread = threading.Thread(target=other, name="side")
    thread.start()
    thread.join()
    assert "only be played in the main thread, and this is 'side'" in raised[0]
    assert player.world["calls"] == []


def test_one_experiment_at_a_time(player):
    raised = []

    def on_edge(edge):
        try:
            play(player.compile(), on_edge=print)
        except SafetyError as error:
            raised.append(str(error))

    journal = play(player.compile(), on_edge=on_edge)
    assert len(raised) == 6
    assert journal["run"][0]["status"] == "succeeded"


def test_the_experiment_given_stays_as_it_is(player):
    experiment = player.compile(name="costs $5")
    before = copy.deepcopy(experiment)
    play(experiment, on_edge=lambda edge: None)
    assert experiment == before


def test_the_journal_is_plain_json(player):
    journal = play(player.compile(), on_edge=lambda edge: None)
    assert json.loads(json.dumps(journal)) == journal


def test_dollars_reach_the_fault_as_they_are(player):
    journal = player.play(fault=FakeFault(text="${name} $5"), name="$HOME")
    assert journal.activity(names.INJECT).output["text"] == "${name} $5"


def test_the_toolkit_keeps_quiet(player, caplog, capfd):
    player.play(fault=FakeFault(lie=Lie.INJECT_FAILS))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_the_same_experiment_can_be_played_again(player):
    assert problems(player.play()) == ()
    assert problems(player.play()) == ()


def _broken(experiment, how):
    action = experiment["method"][1]
    if how == "process":
        action["provider"] = {"type": "process", "path": "true"}
    elif how == "background":
        action["background"] = True
    elif how == "secrets":
        experiment["secrets"] = {"store": {"password": "x"}}
    elif how == "argument":
        action["provider"]["arguments"]["surplus"] = 1
    elif how == "function":
        action["provider"]["func"] = "nowhere"
    elif how == "ref":
        experiment["method"][1] = {"ref": "inject"}
    return experiment


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("process", "no python provider"),
        ("background", "in the background"),
        ("secrets", "has secrets"),
        ("argument", "surplus"),
        ("function", "nowhere"),
        ("ref", "no python provider"),
    ],
)
def test_what_can_not_be_played_safely_is_refused_before_anything_is_touched(player, how, message):
    with pytest.raises(ScenarioError, match=message):
        play(_broken(player.compile(), how), on_edge=player.edges.append)
    assert player.world["calls"] == []
    assert not player.records.exists()
