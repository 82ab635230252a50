"""ChaosBlade as injector, against a blade that keeps the real one's contract: what it says is never evidence."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
from types import SimpleNamespace
from typing import ClassVar

import psutil
import pytest
from injectors.blade_home import EXECUTORS, real_executors

from pytest_anomod import faults
from pytest_anomod.injectors.chaosblade import ChaosBladeInjector
from pytest_anomod.injectors.chaosblade import blade as blade_program
from pytest_anomod.injectors.chaosblade.blade import Blade, find_home, lacks, new_uid, read_answer
from pytest_anomod.injectors.chaosblade.injector import create_words
from pytest_anomod.injectors.chaosblade.means import Create, means, values
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError, ScenarioError
from pytest_anomod.model.fault import FaultDefaults, Level, Observation
from pytest_anomod.testing import FAKE_SYSTEM, fake_deployment

INJECTOR = ChaosBladeInjector()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frozen(FaultDefaults):
    """A process that is stopped; `host` are the words for blade, by default those that do it."""

    name: ClassVar[str] = "frozen"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset] = frozenset()
    pid: int
    host: tuple[str, ...] = ("process", "stop", "--pid", "{pid}")

    def active(self, deployment, target):
        return Observation(active=psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)

    def recover(self, deployment, target):
        if self.host[0] == "process":
            return  # left to blade, so that it is seen to undo
        os.kill(self.pid, signal.SIGCONT)


@means.register
def _frozen_means(fault: Frozen) -> Create | str:
    return Create(words=fault.host)


@values.register
def _frozen_values(fault: Frozen, deployment, target):
    return {"pid": fault.pid}


@pytest.fixture
def victim():
    """A process to be hit."""
    process = subprocess.Popen(["sleep", "300"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def deployment(tmp_path, blade_home):
    """A deployment without processes, taken for one whose processes are this machine's; blade_home is the home here."""
    deployment = fake_deployment(tmp_path / "world")
    deployment.runtime = "process"
    yield deployment
    for process in psutil.process_iter():  # what a test that failed has left
        with contextlib.suppress(psutil.Error):
            if str(tmp_path) in " ".join(process.cmdline()):
                process.kill()


def open_entries(deployment) -> list[dict]:
    return [entry for entry in deployment.world.read()["undo"].values() if entry is not None]


def refusal(fault, runtime: str) -> str:
    """What blade's injector says of a fault on a runtime of that name, which has all capabilities."""
    able = SimpleNamespace(name=runtime, lacks=lambda system, service, needs: frozenset())
    return INJECTOR.refusal(fault, "app", FAKE_SYSTEM, able)


def known_by(uid: str) -> list[str]:
    """Command lines of the processes that have the uid in them."""
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if uid in line]


GOOD = '{"code":200,"success":true,"result":"05d252fb97ae548c"}'
BAD = '{"code":67002,"success":false,"error":"`record not found`"}'
DIED = '{"code":200,"success":true,"result":"u","error":"it is gone"}'


@pytest.mark.parametrize(
    ("code", "out", "errors", "success", "text"),
    [
        (0, GOOD + "\n", "", True, ""),
        (0, GOOD, "a warning\n", True, ""),
        (1, "", BAD, False, "record not found"),
        (1, "", f"Usage:\n  blade create\n{BAD}\n", False, "record not found"),
        (1, "", "Error: unknown flag: --x\n", False, "unknown flag: --x"),
        (0, "An easy to use toolkit\n\nUsage:\n", "", False, "is the command known in this home"),
        (0, DIED, "", False, "it is gone"),
        (2, "", "", False, "exit code 2"),
        (1, GOOD, "", False, "no answer of an action"),
    ],
)
def test_an_answer_is_a_success_only_if_it_is_a_whole_one(code, out, errors, success, text):
    """Help with exit code 0, a success with an error, a usage error in plain text: none of these is one."""
    answer = read_answer(code, out, errors)
    assert answer.success is success
    assert text in answer.error


def test_without_a_blade_it_is_said_what_to_do(monkeypatch, tmp_path):
    """At collection, before anything is touched."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ANOMOD_BLADE_HOME", raising=False)
    with pytest.raises(ScenarioError, match="needs ChaosBlade: put `blade` on PATH or set ANOMOD_BLADE_HOME"):
        INJECTOR.check()
    monkeypatch.setenv("ANOMOD_BLADE_HOME", str(tmp_path))
    assert find_home() is None


def test_the_home_may_be_behind_a_link_on_the_path(blade_home, monkeypatch, tmp_path):
    """`blade` on PATH is often a link to where it was unpacked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "blade").symlink_to(blade_home / "blade")
    monkeypatch.delenv("ANOMOD_BLADE_HOME")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_home() == blade_home
    INJECTOR.check()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (faults.CpuContention(), "fills the cores of this whole machine"),
        (faults.DiskStress(), "writes on after its end"),
        (faults.NetworkLoss(), "queue of a whole interface"),
        (faults.StopService(), "leaves its name and its port"),
        (faults.RedisMemoryLimit(policy="allkeys-lru"), "no policy"),
        (faults.HttpAbort(), "ChaosBlade has no http_abort"),
        (faults.KillService(), ""),
        (faults.KillService(once=True), ""),
        (faults.PauseService(), ""),
        (faults.RedisMemoryLimit(), ""),
        (faults.NoFault(), ""),
    ],
)
def test_what_blade_can_not_do_truly_is_refused_with_the_reason(blade_home, fault, why):
    """Rather than carried out in a way that hits everybody, or nobody."""
    assert why in refusal(fault, "process")
    assert bool(refusal(fault, "process")) is bool(why)


def test_a_runtime_whose_processes_are_elsewhere_is_refused(blade_home):
    """blade hits processes of this machine."""
    assert "not on 'kubernetes'" in refusal(faults.KillService(), "kubernetes")


def test_containers_need_root(blade_home, monkeypatch):
    """Their processes are processes of this machine, but not ours."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert refusal(faults.KillService(), "docker") == ""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "only root" in refusal(faults.KillService(), "docker")
    assert refusal(faults.KillService(), "process") == ""


def test_a_home_that_lacks_a_part_is_refused(blade_home):
    """Without its specification a family of commands is silently not there."""
    assert lacks(blade_home, "redis") == ""
    (blade_home / "bin" / "chaos_middleware").unlink()
    assert "no bin/chaos_middleware" in refusal(faults.RedisMemoryLimit(), "process")
    next((blade_home / "yaml").glob("chaosblade-os-*")).unlink()
    assert "no yaml/chaosblade-os-spec" in refusal(faults.KillService(), "process")


def test_a_fault_goes_in_and_out(deployment, victim, blade_home):
    """Seen by its probe, undone by blade, its record closed, no process of it left, and the common home untouched."""
    fault = Frozen(pid=victim)
    done = INJECTOR.inject(fault, deployment, "app")
    assert json.loads(json.dumps(done)) == done
    assert INJECTOR.active(fault, deployment, "app")
    own = Blade(deployment.directory / "undo" / "blade")
    assert own.status(done["uid"]) == "Success"
    assert any("sleep" in line for line in known_by(done["uid"])), "blade's own time limit"
    INJECTOR.recover(fault, deployment, "app")
    assert not INJECTOR.active(fault, deployment, "app")
    assert own.status(done["uid"]) == "Destroyed"
    assert known_by(done["uid"]) == []
    assert open_entries(deployment) == []
    assert not (blade_home / "chaosblade.dat").exists()


def test_a_target_without_a_process_can_not_be_hit(deployment):
    """It may have died just now."""
    with pytest.raises(InjectionError, match="'app' has no pid on this machine now"):
        create_words(Frozen(pid=0), deployment, "app")


def test_what_to_undo_is_written_down_first(deployment, victim, monkeypatch):
    """Which creation in which home, and the fault as such: whoever finds them needs nobody's memory."""
    monkeypatch.setattr(Blade, "create", lambda *_, **__: pytest.fail("begun", pytrace=False))
    with pytest.raises(pytest.fail.Exception):
        INJECTOR.inject(Frozen(pid=victim), deployment, "app")
    fault, injector = open_entries(deployment)
    assert fault["op"] == "fault"
    assert (injector["op"], injector["injector"]) == ("injector", "chaosblade")
    assert len(injector["entry"]["uid"]) == 32
    INJECTOR.undo(json.loads(json.dumps(injector["entry"])))  # nothing was done, and that is fine


def test_a_stranger_undoes_it_by_the_entry_alone(deployment, victim):
    """As the guardian does, with the deployment perhaps dead; and twice."""
    fault = Frozen(pid=victim)
    INJECTOR.inject(fault, deployment, "app")
    entry = open_entries(deployment)[-1]["entry"]
    for _ in range(2):
        ChaosBladeInjector().undo(entry)
        assert not fault.active(deployment, "app")
    INJECTOR.recover(fault, deployment, "app")
    assert open_entries(deployment) == []


def test_recovering_twice_or_with_nothing_in_is_fine(deployment, victim):
    """Rollback, fixture and guardian may all recover."""
    fault = Frozen(pid=victim)
    INJECTOR.recover(fault, deployment, "app")
    INJECTOR.inject(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")
    assert open_entries(deployment) == []


def test_a_success_without_effect_is_no_fault(deployment, victim):
    """blade's word is kept for the journal; that nothing is seen is for the probe to say."""
    fault = Frozen(pid=victim, host=("process", "kill", "--pid", "{pid}", "--signal", "0"))
    assert INJECTOR.inject(fault, deployment, "app")["said"]["success"]
    assert not INJECTOR.active(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")


def test_a_failure_without_effect_is_an_error_that_says_both(deployment, victim):
    """What blade said, and that the probe saw nothing."""
    fault = Frozen(pid=victim, host=("process", "kill", "--pid", "{pid}"))
    with pytest.raises(InjectionError, match=r"less parameter: `signal`; and 'frozen' is not seen on 'app'"):
        INJECTOR.inject(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")
    assert open_entries(deployment) == []


def test_a_failure_after_the_deed_is_a_fault(deployment, victim, blade_home):
    """Some failures come when it is done: the fault is in, on record, and goes out again."""
    (blade_home / "bin" / "chaos_os").write_text(
        "#!/bin/sh\ncase $1 in create) kill -STOP " + str(victim) + ";; *) kill -CONT " + str(victim) + ";; esac\n"
        'echo \'{"code":44000,"success":false,"error":"after the deed"}\'\n'
    )
    fault = Frozen(pid=victim)
    done = INJECTOR.inject(fault, deployment, "app")
    assert done["said"] == {"success": False, "code": 44000, "error": "after the deed"}
    assert INJECTOR.active(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")  # destroying says that it failed, too
    assert not INJECTOR.active(fault, deployment, "app")


@pytest.mark.parametrize("words", [("gpu", "load"), ("process", "nap"), ("process", "stop", "--when", "now")])
def test_what_a_home_does_not_know_is_an_error(deployment, victim, words):
    """Of an unknown target blade prints its help and exits with 0."""
    with pytest.raises(InjectionError, match=r"blade create|unknown"):
        INJECTOR.inject(Frozen(pid=victim, host=words), deployment, "app")


def test_a_family_without_its_specification_is_not_there(deployment, victim, blade_home):
    """A specification of another version is passed over: exit code 0 and help."""
    path = next((blade_home / "yaml").glob("chaosblade-os-*"))
    path.rename(path.with_name("chaosblade-os-spec-1.8.0.yaml"))
    with pytest.raises(InjectionError, match="is the command known in this home"):
        INJECTOR.inject(Frozen(pid=victim), deployment, "app")


def test_a_detached_program_is_seen_to_live_and_to_end(deployment, victim):
    """Its own program goes on until blade ends it."""
    fault = Frozen(pid=victim, host=("cpu", "fullload", "--cpu-percent", "1"))
    done = INJECTOR.inject(fault, deployment, "app")
    assert any("chaos_os create cpu fullload" in line for line in known_by(done["uid"]))
    INJECTOR.recover(fault, deployment, "app")
    assert known_by(done["uid"]) == []


def test_every_detached_action_of_real_specifications_is_known():
    """Of each of them blade says success whatever becomes of it, so that its program has to be looked for."""
    home = real_executors() or find_home()
    if home is None:
        pytest.skip(f"no real specifications here: set {EXECUTORS} (scripts/build_blade.py --no-cli)")
    found, target, action = set(), "", ""
    for path in (home / "yaml").glob("chaosblade-*-spec-*.yaml"):
        for line in path.read_text().splitlines():
            word = line.rpartition(": ")[2]
            target = word if line.startswith("- target: ") else target
            action = word if line.startswith("  - action: ") else action
            if line.strip() == "actionProcessHang: true":
                found.add(f"{target} {action}")
    assert "cpu fullload" in found
    assert found <= blade_program.DETACHED


def test_a_detached_program_that_ends_at_once_is_an_error(deployment, victim):
    """blade asks only whether there is such a pid, and of a dead child there is."""
    fault = Frozen(pid=victim, host=("cpu", "fullload", "--cpu-percent", "150"))
    with pytest.raises(InjectionError, match="its program ended at once"):
        INJECTOR.inject(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")


@pytest.mark.parametrize("lost", ["program", "executor", "home", "records"])
def test_what_blade_can_not_destroy_any_more_is_ended_all_the_same(deployment, victim, lost):
    """Its own program killed, what would end it gone, its home or its records gone: nothing of it may stay."""
    fault = Frozen(pid=victim, host=("cpu", "fullload"))
    uid = INJECTOR.inject(fault, deployment, "app")["uid"]
    home = deployment.directory / "undo" / "blade"
    if lost == "program":
        blade_program._psutil().Process(next(blade_program._known_by(uid)).pid).kill()
    elif lost == "executor":
        (home / "bin" / "chaos_os").unlink()
    elif lost == "home":
        shutil.rmtree(home)
    else:
        (home / "chaosblade.dat").unlink()
    INJECTOR.recover(fault, deployment, "app")
    assert known_by(uid) == []
    assert open_entries(deployment) == []


def test_a_signal_to_our_group_does_not_reach_what_blade_left_running(deployment, victim):
    """Its timer is the last of three backstops, and would be the first to die."""
    fault = Frozen(pid=victim)
    uid = INJECTOR.inject(fault, deployment, "app")["uid"]
    groups = {os.getpgid(process.pid) for process in blade_program._known_by(uid)}
    assert groups
    assert os.getpgrp() not in groups
    INJECTOR.recover(fault, deployment, "app")


def test_blades_own_time_limit_ends_a_fault(blade_home, victim, tmp_path):
    """With everything of ours dead, blade's timer is left."""
    blade, uid = Blade.own(tmp_path / "own"), new_uid()
    assert blade.create(["process", "stop", "--pid", str(victim)], uid, timeout_s=1).success
    clock.wait_until(lambda: blade.status(uid) == "Destroyed", timeout_s=30, what="blade's timer")
    assert psutil.Process(victim).status() != psutil.STATUS_STOPPED
    blade.end(uid)


def test_a_uid_is_used_once(blade_home, victim, tmp_path):
    """The records refuse a second one, so a creation is never mistaken for another."""
    blade, uid = Blade.own(tmp_path / "own"), new_uid()
    words = ["process", "kill", "--pid", str(victim), "--signal", "0"]
    assert blade.create(words, uid).success
    again = blade.create(words, uid)
    assert (again.success, again.code) == (False, 67001)
    assert blade.status("nobody") == ""


def test_every_deployment_has_a_home_of_its_own(blade_home, tmp_path):
    """The records of one worker are not another's; and a common home that is read only will do."""
    first, second = Blade.own(tmp_path / "1" / "own"), Blade.own(tmp_path / "2" / "own")
    uid = new_uid()
    first.create(["process", "kill", "--pid", "1", "--signal", "0"], uid)
    assert first.status(uid)
    assert second.status(uid) == ""
    assert Blade.own(tmp_path / "1" / "own").status(uid) == first.status(uid)


def test_a_program_that_does_not_end_is_given_up(blade_home, tmp_path, monkeypatch):
    """A blade that hangs is a failure like any other."""
    monkeypatch.setattr(blade_program, "COMMAND_LIMIT_S", 0.1)
    (blade_home / "blade").write_text("#!/bin/sh\nsleep 5\n")
    answer = Blade.own(tmp_path / "own").create(["process", "stop"], new_uid())
    assert "did not end within 0.1 s" in answer.error
