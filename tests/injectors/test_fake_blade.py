"""The fake blade keeps the real one's contract: each of these was read in the real one's source or seen of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess

import psutil
import pytest
from injectors.blade_home import make_home, make_home_around, real_executors

from pytest_anomod.model import clock

UNKNOWN = "`nobody` record not found, if it's k8s experiment, please add --target k8s flag to retry"


@pytest.fixture(params=["fake", "real"])
def home(request, tmp_path):
    """The fake with its own executors, and with real ones where they are."""
    if request.param == "fake":
        return make_home(tmp_path / "kit")
    executors = real_executors()
    if executors is None:
        pytest.skip("no real executors here: set ANOMOD_BLADE_EXECUTORS (scripts/build_blade.py --no-cli)")
    return make_home_around(executors, tmp_path / "kit")


def run(home, *words):
    """Exit code, stdout, stderr."""
    done = subprocess.run([home / "blade", *map(str, words)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def good(home, *words):
    """The result of a success."""
    code, out, errors = run(home, *words)
    assert (code, errors) == (0, "")
    said = json.loads(out)
    assert (said["code"], said["success"]) == (200, True)
    return said["result"]


def bad(home, *words):
    """Code and error of a failure: on stderr alone, in its last line."""
    code, out, errors = run(home, *words)
    assert (code, out) == (1, "")
    said = json.loads(errors.splitlines()[-1])
    assert said["success"] is False
    return said["code"], said["error"]


def end_timers(words):
    """End blade's timers with these words in them, and what they have started; how many processes that were."""
    ended = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if words in " ".join(process.cmdline()):
                for one in (process, *process.children()):
                    one.kill()
                    ended += 1
    return ended


@pytest.fixture
def victim():
    """A process to be hit."""
    process = subprocess.Popen(["sleep", "300"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize("words", [("destroy", "nobody"), ("status", "nobody")])
def test_an_unknown_uid_is_named(home, words):
    """In the same words by both commands."""
    assert bad(home, *words) == (67002, UNKNOWN)


def test_a_target_without_a_known_action_is_an_illegal_command(home):
    """Of an action that it does not know it says only that one is missing; of such a target, nothing: help, and 0."""
    for words in ((), ("nap",)):
        assert bad(home, "create", "process", *words) == (49000, "illegal command, err: less action command")
    code, out, errors = run(home, "create", "gpu", "load")
    assert (code, "Usage:" in out, errors) == (0, True, "")


def test_an_unknown_flag_or_command_is_plain_text(home):
    """No JSON: these are words of its command line parser."""
    assert run(home, "create", "process", "stop", "--when", "now") == (1, "", "unknown flag: --when\n")
    assert run(home, "nonsense") == (1, "", 'unknown command "nonsense" for "blade"\n')


def test_a_chosen_uid_and_the_time_limit_are_part_of_the_record(home, victim):
    """And so of what is undone; the executor is not told of the time limit."""
    good(home, "create", "process", "stop", "--pid", victim, "--uid", "u1u1", "--timeout", "60")
    flag = good(home, "status", "u1u1")["Flag"]
    assert set(flag.split()) == {f"--pid={victim}", "--uid=u1u1", "--timeout=60"}
    undone = good(home, "destroy", "u1u1")
    assert undone["flags"] == {"pid": str(victim), "uid": "u1u1", "timeout": "60"}
    assert good(home, "destroy", "u1u1").startswith("command: process stop ")
    assert end_timers("destroy u1u1")


def test_a_uid_of_its_own_is_no_flag(home, victim):
    """Sixteen hexadecimal digits."""
    uid = good(home, "create", "process", "stop", "--pid", victim)
    assert len(bytes.fromhex(uid)) == 8
    assert good(home, "destroy", uid)["flags"] == {"pid": str(victim)}


def test_a_used_uid_is_refused_by_the_records(home, victim):
    """With the database's own words."""
    words = ("create", "process", "kill", "--pid", victim, "--signal", "0", "--uid", "u2u2")
    good(home, *words)
    code, error = bad(home, *words)
    assert (code, error.startswith("`insert`: failed to execute, err: ")) == (67001, True)
    assert "UNIQUE constraint failed: experiment.uid" in error


def test_an_executor_that_fails_makes_a_failed_creation(home, victim):
    """On record with its error."""
    words = ("create", "process", "kill", "--pid", victim, "--uid", "u3u3")
    assert bad(home, *words) == (45000, "less parameter: `signal`")
    record = good(home, "status", "u3u3")
    assert (record["Status"], record["Error"]) == ("Error", "less parameter: `signal`")


def test_a_process_that_is_gone_can_be_neither_stopped_nor_continued(home, victim):
    """63063 and the shell's complaint; the creation stays a success on record."""
    good(home, "create", "process", "stop", "--pid", victim, "--uid", "u4u4")
    os.kill(victim, signal.SIGKILL)
    dead = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    clock.wait_until(lambda: psutil.Process(victim).status() in dead, timeout_s=10, what="its death")
    good(home, "destroy", "u4u4")  # of a zombie, which takes signals still
    assert bad(home, "create", "process", "stop", "--pid", 2**22 + 1)[0] == 63063


def test_a_detached_program_is_undone_by_its_executor(home):
    """By its uid; a second time there is none, and the record of a dead one can't be closed."""
    good(home, "create", "cpu", "fullload", "--cpu-percent", "1", "--cpu-count", "1", "--uid", "u5u5")
    assert good(home, "destroy", "u5u5")["ActionProcessHang"] is False
    good(home, "create", "cpu", "fullload", "--cpu-percent", "150", "--uid", "u6u6")
    error = "destory experiment failed, cannot get the chaos_os program"
    assert bad(home, "destroy", "u6u6") == (63063, error)
    assert good(home, "status", "u6u6")["Status"] == "Success"


@pytest.mark.parametrize(
    ("text", "code", "error"),
    [
        (None, 63063, "no such file or directory"),
        ("#!/bin/sh\nexit 2\n", 63063, "command exec failed, exit status 2"),
        ("#!/bin/sh\necho panic >&2\n", 60000, "`panic\n`: exec result unmarshal failed"),
    ],
)
def test_an_executor_without_an_answer_is_a_failure(tmp_path, victim, text, code, error):
    """Absent, dead, or with something else to say."""
    home = make_home(tmp_path / "kit")
    program = home / "bin" / "chaos_os"
    program.unlink()
    if text:
        program.write_text(text)
        program.chmod(0o755)
    said = bad(home, "create", "process", "stop", "--pid", victim)
    assert said[0] == code
    assert error in said[1]
