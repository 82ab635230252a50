"""Two faults in one experiment: at once or in turn, each seen by itself, none left in whatever fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from pytest_anomod.chaos.toolkit import play, problems
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Observation
from pytest_anomod.model.journal import read_journal
from pytest_anomod.model.scenario import Injection
from pytest_anomod.model.timeline import Phase, derive
from pytest_anomod.testing import FakeFault, fake_scenario, offered


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Flag(FakeFault):
    """A flag of its own in the fake world, which another fault leaves alone; `wrong` is what it does not do."""

    name: ClassVar[str] = "flag"

    flag: str = "a"
    wrong: str = ""

    def prepare(self, deployment: Any, target: str) -> None:
        deployment.world.call(f"prepare {self.flag}")

    def inject(self, deployment: Any, target: str) -> Mapping[str, Any]:
        deployment.world.call(f"inject {self.flag}")
        if self.wrong == "inject":
            raise InjectionError("told to fail")
        deployment.world.write(**{f"in_{self.flag}": True, "fault_in": True})
        return {"flag": self.flag}

    def active(self, deployment: Any, target: str) -> Observation:
        there = bool(deployment.world.read().get(f"in_{self.flag}")) and self.wrong != "seen"
        return Observation(active=there, evidence={"flag": self.flag})

    def recover(self, deployment: Any, target: str) -> None:
        deployment.world.call(f"recover {self.flag}")
        deployment.world.write(**{f"in_{self.flag}": False})
        left = any(value for key, value in deployment.world.read().items() if key.startswith("in_"))
        deployment.world.write(fault_in=left)


@pytest.fixture
def pair(player):
    """Plays two flags, by what the first or the second does wrong; the journal."""

    def started(*, in_turn: bool, wrong: tuple[str, str] = ("", "")):
        first, second = Flag(flag="a", wrong=wrong[0]), Flag(flag="b", wrong=wrong[1])
        further = (Injection(fault=second, target="app"),)
        return player.play(fault=first, further=further, in_turn=in_turn)

    with offered(Flag):
        yield started


def _done(player: Any) -> list[str]:
    return [call for call in player.world["calls"] if call.startswith(("inject", "recover"))]


def test_at_once_both_are_in_before_the_window_opens(player, pair):
    journal = pair(in_turn=False)
    assert problems(journal) == ()
    assert player.edges == ["baseline", "onset", "anomaly", "release", "recovery", "end"]
    assert _done(player) == ["inject a", "inject b", "recover b", "recover a"]
    for number, flag in ((1, "a"), (2, "b")):
        alone = journal.alone(number)
        assert alone.activity(names.SEEN).output["evidence"] == {"flag": flag}
        assert alone.activity(names.HOLD).output["evidence"] == {"flag": flag}
        assert alone.activity(names.HOLD).output["held_ratio"] == 1.0
    player.assert_clean()


def test_in_turn_each_has_its_windows_and_is_out_before_the_next(player, pair):
    journal = pair(in_turn=True)
    assert problems(journal) == ()
    one = ["onset", "anomaly", "release", "recovery"]
    assert player.edges == ["baseline", *one, *one, "end"]
    assert _done(player) == ["inject a", "recover a", "inject b", "recover b"]
    timeline = derive(journal, journal.before[0].output["workload_start_unix_nano"])
    fault = [Phase.ONSET, Phase.ANOMALY, Phase.RELEASE, Phase.RECOVERY]
    assert [window.phase for window in timeline.windows] == [Phase.WARMUP, Phase.BASELINE, *fault, *fault]
    first, second = timeline.alone(1), timeline.alone(2)
    assert first.windows == timeline.windows[:6]
    assert [window.phase for window in second.windows] == [Phase.WARMUP, Phase.BASELINE, Phase.RECOVERING, *fault]
    assert second.window(Phase.ANOMALY) == timeline.last(Phase.ANOMALY)
    assert second.window(Phase.ONSET).start_ns == journal.alone(2).activity(names.INJECT).start_ns
    player.assert_clean()


@pytest.mark.parametrize("in_turn", [False, True])
@pytest.mark.parametrize("wrong", [("seen", ""), ("", "seen"), ("inject", ""), ("", "inject")])
def test_whatever_goes_wrong_none_is_left_in(player, pair, in_turn, wrong):
    journal = pair(in_turn=in_turn, wrong=wrong)
    assert "recover a" in _done(player)
    assert not player.world.get("in_a")
    assert not player.world.get("in_b")
    what, number = next((what, number) for number, what in enumerate(wrong, start=1) if what)
    assert problems(journal)[0].startswith(f"{names.numbered(what, number)} failed: ")
    if number == 1:
        assert "inject b" not in _done(player)
    player.assert_clean()


def test_a_history_comes_before_the_baseline(player):
    scenario = fake_scenario()
    journal = player.play(durations=dataclasses.replace(scenario.durations, history_s=0.05))
    assert problems(journal) == ()
    assert player.edges == ["history", "baseline", "onset", "anomaly", "release", "recovery", "end"]
    timeline = derive(journal, journal.before[0].output["workload_start_unix_nano"])
    phases = [window.phase for window in timeline.windows]
    assert phases[:3] == [Phase.WARMUP, Phase.HISTORY, Phase.BASELINE]
    assert timeline.normal_from_ns == timeline.windows[1].start_ns
    assert timeline.window(Phase.HISTORY).length_s >= 0.05


def test_what_is_played_again_from_its_file_is_the_same(player):
    with offered(Flag):
        document = player.compile(fault=Flag(), further=(Injection(fault=Flag(flag="b"), target="app"),))
        journal = read_journal(play(document, on_edge=player.edges.append))
    assert journal.faults == 2
    assert document["extensions"][0]["scenario"]["further"][0]["fault"]["parameters"]["flag"] == "b"
