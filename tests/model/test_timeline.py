"""The windows of a case, derived from its journal: whole cases, controls, and every way to break off."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_anomod.model import journal as names
from pytest_anomod.model.journal import Activity, Journal
from pytest_anomod.model.timeline import Phase, Timeline, Window, derive

S = 1_000_000_000
ANOMALY = (names.BASELINE, names.INJECT, names.SEEN, names.HOLD, names.RECOVER, names.GONE, names.RECOVERY)
CONTROL = (names.BASELINE, names.HOLD, names.RECOVERY)


def played(name: str, start_s: float, end_s: float, *, succeeded: bool = True) -> Activity:
    return Activity(name=name, start_ns=int(start_s * S), end_ns=int(end_s * S), succeeded=succeeded)


def journal(*activities: Activity, planned: tuple[str, ...] = ANOMALY, end_s: float = 100) -> Journal:
    return Journal(
        start_ns=0,
        end_ns=int(end_s * S),
        status="completed",
        deviated=False,
        steady_before=True,
        before=(),
        after=(),
        played=activities,
        planned=planned,
    )


def windows(of: Journal, start_s: float = 1) -> list[tuple[Phase, float, float]]:
    return [(w.phase, w.start_ns / S, w.end_ns / S) for w in derive(of, int(start_s * S)).windows]


BASELINE = played(names.BASELINE, 10, 19)
INJECT = played(names.INJECT, 20, 21)
SEEN = played(names.SEEN, 21, 25)
HOLD = played(names.HOLD, 25, 40)
RECOVER = played(names.RECOVER, 42, 43)
GONE = played(names.GONE, 43, 47)
RECOVERY = played(names.RECOVERY, 47, 60)


def test_a_whole_case():
    assert windows(journal(BASELINE, INJECT, SEEN, HOLD, RECOVER, GONE, RECOVERY)) == [
        (Phase.WARMUP, 1, 10),
        (Phase.BASELINE, 10, 20),  # until the injection begins, not until the waiting ended
        (Phase.ONSET, 20, 25),
        (Phase.ANOMALY, 25, 42),
        (Phase.RELEASE, 42, 47),
        (Phase.RECOVERY, 47, 60),
    ]


def test_a_control():
    control = journal(BASELINE, played(names.HOLD, 20, 30), played(names.RECOVERY, 31, 40), planned=CONTROL)
    assert windows(control) == [
        (Phase.WARMUP, 1, 10),
        (Phase.BASELINE, 10, 20),
        (Phase.CONTROL, 20, 31),
        (Phase.RECOVERY, 31, 40),
    ]


def test_a_control_is_known_without_a_plan_too():
    control = journal(BASELINE, played(names.HOLD, 20, 30), played(names.RECOVERY, 31, 40), planned=())
    assert [phase for phase, _, _ in windows(control)][2:] == [Phase.CONTROL, Phase.RECOVERY]


def test_a_fault_that_was_not_seen_opens_no_anomaly():
    unseen = journal(BASELINE, INJECT, played(names.SEEN, 21, 29, succeeded=False), RECOVER, GONE)
    assert windows(unseen)[2:] == [(Phase.ONSET, 20, 42), (Phase.RELEASE, 42, 47), (Phase.RECOVERY, 47, 100)]


def test_a_failed_inject_may_have_left_something_and_is_an_onset():
    half = journal(BASELINE, played(names.INJECT, 20, 21, succeeded=False), RECOVER, GONE)
    assert windows(half)[2:] == [(Phase.ONSET, 20, 42), (Phase.RELEASE, 42, 47), (Phase.RECOVERY, 47, 100)]


def test_a_fault_that_is_not_gone_never_lets_recovery_begin():
    stays = journal(BASELINE, INJECT, SEEN, HOLD, RECOVER, played(names.GONE, 43, 53, succeeded=False))
    assert windows(stays)[-1] == (Phase.RELEASE, 42, 100)


def test_a_recover_done_again_began_with_the_first_try():
    twice = journal(
        BASELINE,
        INJECT,
        SEEN,
        HOLD,
        played(names.RECOVER, 42, 43, succeeded=False),
        GONE,
        played(names.RECOVER, 70, 71),
    )
    assert windows(twice)[-2:] == [(Phase.RELEASE, 42, 47), (Phase.RECOVERY, 47, 100)]


def test_what_broke_off_before_the_injection_has_nothing_to_release():
    broken = journal(played(names.BASELINE, 10, 12, succeeded=False), RECOVER, GONE)
    assert windows(broken) == [(Phase.WARMUP, 1, 10), (Phase.BASELINE, 10, 42)]


def test_a_gate_that_was_not_met_leaves_the_warm_up():
    assert windows(journal(RECOVER, GONE)) == [(Phase.WARMUP, 1, 42)]
    assert windows(journal(), start_s=0) == [(Phase.WARMUP, 0, 100)]


def test_a_workload_that_began_after_the_journals_end_gives_an_empty_window():
    assert windows(journal(), start_s=200) == [(Phase.WARMUP, 200, 200)]


def test_phase_at_is_half_open_and_none_outside():
    timeline = derive(journal(BASELINE, INJECT, SEEN, HOLD, RECOVER, GONE, RECOVERY), S)
    assert timeline.phase_at(S - 1) is None
    assert timeline.phase_at(S) is Phase.WARMUP
    assert timeline.phase_at(25 * S - 1) is Phase.ONSET
    assert timeline.phase_at(25 * S) is Phase.ANOMALY
    assert timeline.phase_at(60 * S) is None


def test_window_and_lengths():
    timeline = derive(journal(BASELINE, INJECT), S)
    assert timeline.window(Phase.BASELINE).length_s == 10
    assert timeline.window(Phase.RELEASE) is None
    assert (timeline.start_ns, timeline.end_ns) == (S, 100 * S)
    assert timeline.to_json()[0] == {"phase": "warmup", "start_unix_nano": S, "end_unix_nano": 10 * S}


def test_gaps_and_backward_windows_are_refused():
    first = Window(phase=Phase.WARMUP, start_ns=0, end_ns=5)
    with pytest.raises(ValueError, match="windows warmup and baseline don't touch: 5 != 6"):
        Timeline((first, Window(phase=Phase.BASELINE, start_ns=6, end_ns=7)))
    with pytest.raises(ValueError, match=r"window warmup ends 0\.000 s before it starts"):
        Timeline((Window(phase=Phase.WARMUP, start_ns=5, end_ns=0),))


def test_a_baseline_that_began_anew_counts_from_there():
    """What was measured on a busy machine is warm-up."""
    anew = dataclasses.replace(BASELINE, output={"from_unix_nano": 13 * S, "begun_anew": 1})
    assert windows(journal(anew, INJECT, SEEN))[:3] == [
        (Phase.WARMUP, 1, 13),
        (Phase.BASELINE, 13, 20),
        (Phase.ONSET, 20, 25),
    ]


def _with_recovery(again_s: float | None, *, control: bool = False) -> Timeline:
    phases = [Phase.BASELINE, Phase.CONTROL if control else Phase.ANOMALY, Phase.RECOVERY]
    windows = [
        Window(phase=phase, start_ns=number * 10_000_000_000, end_ns=(number + 1) * 10_000_000_000)
        for number, phase in enumerate(phases)
    ]
    return Timeline(tuple(windows), steady_again_ns=None if again_s is None else int(again_s * 1e9))


@pytest.mark.parametrize(
    ("again_s", "control", "parts"),
    [
        (23.0, False, [("recovering", 20, 23), ("recovered", 23, 30)]),
        (20.0, False, [("recovered", 20, 30)]),
        (None, False, [("recovering", 20, 30)]),
        (None, True, [("recovered", 20, 30)]),
    ],
)
def test_a_recovery_is_split_where_users_are_served_again(again_s, control, parts):
    timeline = _with_recovery(again_s, control=control)
    fine = timeline.fine.windows
    assert [(str(w.phase), w.start_ns // 10**9, w.end_ns // 10**9) for w in fine[2:]] == parts
    assert fine[:2] == timeline.windows[:2]


def test_the_moment_says_nothing_of_the_windows():
    """What the journal gives is compared with what was written, and it does not know the moment."""
    assert _with_recovery(23.0) == _with_recovery(None)
    assert [row.get("steady_again_unix_nano") for row in _with_recovery(23.0).to_json()] == [None, None, 23 * 10**9]
