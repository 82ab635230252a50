"""Failures around a run: one clear message that names the thing, an exit status, never a case that looks complete."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from outside import HEADER, LONG, Belongings, case_directories, pytest_words, scenario, wait_until_in

from pytest_anomod.dataset.write import MINIMUM_FREE_BYTES
from pytest_anomod.model import clock

SHORT = "Durations(warmup_s=1, baseline_s=0.5, anomaly_s=1, recovery_s=0.5)"
CONTROL = "target='nginx-thrift'"
STOP = "fault=StopService(), target='user-service'"
WITHIN_S = 5.0
"""How soon nothing of a run that was interrupted may be left; it leaves in good order, and so takes its time."""


def write_test(directory, decorated=CONTROL, durations=SHORT):
    """A test file with one scenario."""
    directory.mkdir(exist_ok=True)
    (directory / "test_it.py").write_text(HEADER + scenario("test_it", decorated, durations))


def assert_no_case(out):
    """No case.json below a dataset's root, whatever else there is."""
    assert list(out.rglob("case.json")) == []


def reason(out):
    """Why the only case below a dataset's root is none, by its own word."""
    (directory,) = case_directories(out)
    return json.loads((directory / "incomplete.json").read_text())["reason"]


# What the command line of `anomod up` may be given.


def test_an_unknown_system_is_named_with_the_nearest():
    """Exit code 2, one line, no traceback."""
    words = [sys.executable, "-m", "pytest_anomod.cli", "up", "socal_network"]
    shown = subprocess.run(words, capture_output=True, text=True, check=False)
    assert shown.returncode == 2
    assert shown.stderr == "anomod: no system named 'socal_network'; did you mean social_network?\n"


def test_a_busy_port_is_named_with_who_has_it(start):
    """Before anything is started; and nothing is left of the attempt."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        run = start("up", "social_network", "--runtime=process", "--port", port, program="pytest_anomod.cli")
        assert run.wait() == 2
        assert re.fullmatch(
            rf"anomod: port {port} on 127.0.0.1 is taken by pid {os.getpid()} \(.+\); end it or choose another port\n",
            run.output,
        )
        assert not Belongings.of(run, []).left()


# Where a dataset may have to be written.


def test_an_output_directory_that_is_a_file_is_named(start, tmp_path):
    """The message says what to do; no system is brought up for it."""
    write_test(tmp_path)
    (tmp_path / "taken").write_text("mine")
    run = start(*pytest_words("test_it.py", "--anomod-out=taken"))
    assert run.wait() == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {tmp_path}/taken can't hold a dataset: {tmp_path}/taken is a file" in run.output
    assert (tmp_path / "taken").read_text() == "mine"
    assert not Belongings.of(run, []).left()


def behind_a_mount(options: str, directory: Path) -> list[str]:
    """Words before a command that give it a volume of its own at a directory; skips where there can be none."""
    directory.mkdir()
    mount = f"mount -t tmpfs -o {options} tmpfs '{directory}'"
    private = ["unshare", "-m" if os.getuid() == 0 else "-rm", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*private, mount], check=False).returncode:
        pytest.skip("no private mounts here")
    return [*private, f'{mount} && exec "$@"', "sh"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("ro", r"dataset can't be written: Read-only file system; make the directory writable for this user"),
        ("size=1m", rf"dataset has [\d,]+ bytes free, a case needs at least {MINIMUM_FREE_BYTES:,}; free some space"),
    ],
    ids=["read-only", "full"],
)
def test_an_output_directory_that_takes_nothing_is_named(options, says, start, tmp_path):
    """A real volume, read-only or full."""
    write_test(tmp_path)
    words = pytest_words("test_it.py", "--anomod-out=dataset")
    run = start(*words, prefix=behind_a_mount(options, tmp_path / "dataset"))
    assert run.wait() == pytest.ExitCode.USAGE_ERROR, run.output
    assert re.search(f"^ERROR: .*{says}", run.output, re.MULTILINE), run.output
    assert not Belongings.of(run, []).left()


def test_a_volume_that_fills_up_meanwhile_leaves_no_case(start, tmp_path):
    """There is room when the case begins, and none when its tables are written."""
    write_test(tmp_path)
    (tmp_path / "glutton.py").write_text(GLUTTON)
    words = pytest_words("-p", "glutton", "test_it.py", "--anomod-out=dataset")
    run = start(*words, prefix=behind_a_mount("size=40m", tmp_path / "dataset"))
    assert run.wait() == pytest.ExitCode.TESTS_FAILED, run.output
    said = r"^E .*DatasetError: .*/\w+\.parquet can't be written: No space left on device, [\d,]+ bytes free"
    assert re.search(said, run.output, re.MULTILINE), run.output
    assert "whole: []" in run.output
    assert not Belongings.of(run, []).left()


GLUTTON = '''
"""Fills the volume of the dataset but for some kB once a case has begun; says at the end which cases look whole."""

from pathlib import Path

LEFT = 100_000


def pytest_anomod_case_starting(scenario, deployment):
    with open("dataset/ballast", "wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(1 << 16)):
                pass
        except OSError:
            ballast.truncate(ballast.tell() - LEFT)


def pytest_unconfigure(config):
    print("whole:", [str(path) for path in Path("dataset").rglob("case.json")])
'''


# What may go wrong in a system and beside it.

SICK_SERVICE = '''
"""A service whose start never ends."""

import asyncio

from pytest_anomod.replicas.kit.service import Service


class Sleeper(Service):
    """Waits for what never comes."""

    async def start(self):
        """Never come up."""
        self.log.info("waiting for the cellar to dry")
        await asyncio.Event().wait()


SERVICE = Sleeper
'''
SICK_REPLICA = '''
"""A replica of that one service."""

from pytest_anomod.replicas.kit import supervisor
from pytest_anomod.replicas.kit.system import ReplicaSystem, ServiceSpec

supervisor.HEALTHY_WITHIN_S = 2.0
SYSTEM = ReplicaSystem(
    name="sickly",
    package="sickly",
    services=(ServiceSpec(name="cellar-service", module="sleeper", kind="gateway"),),
    entry="cellar-service",
)
'''
SICK_SYSTEM = '''
"""The system of that replica, as a third party offers one."""

from pytest_anomod import Replica, Service, ServiceKind, System

SICKLY = System(
    name="sickly",
    services=(Service(name="cellar-service", kind=ServiceKind.GATEWAY),),
    entry="cellar-service",
    journeys=(),
    deploys=(Replica(package="sickly.replica"),),
)
'''


def test_a_service_that_never_gets_healthy_is_named(start, tmp_path):
    """With how long was waited and where its log is; what had come up is taken down."""
    (tmp_path / "sickly").mkdir()
    (tmp_path / "sickly-1.dist-info").mkdir()
    for name, text in {
        "sickly/__init__.py": "",
        "sickly/sleeper.py": SICK_SERVICE,
        "sickly/replica.py": SICK_REPLICA,
        "sickly_system.py": SICK_SYSTEM,
        "sickly-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: sickly\nVersion: 1\n",
        "sickly-1.dist-info/entry_points.txt": "[pytest_anomod.systems]\nsickly = sickly_system:SICKLY\n",
    }.items():
        (tmp_path / name).write_text(text)
    text = HEADER + "@anomaly(system='sickly')\ndef test_it(case):\n    case.run()\n"
    (tmp_path / "test_it.py").write_text(text)
    run = start(*pytest_words("test_it.py"))
    assert run.wait() == pytest.ExitCode.TESTS_FAILED
    said = (
        r"^E .*DeploymentError: system 'sickly' did not come up \(exit code \d+\): .*cellar-service: was not up in time"
    )
    assert re.search(said, run.output, re.MULTILINE), run.output
    assert_no_case(tmp_path / "anomod-dataset")
    assert not Belongings.of(run, []).left()


DYING_COLLECTOR = '''
"""A collector that dies in the middle of a case, and one that has nothing to give at its end."""

from pytest_anomod.model import catalog

METHOD, MODALITY = {which!r}


def pytest_configure(config):
    modality = type(catalog.find("modalities", MODALITY))
    collector_of = modality.collector

    def collector(self, deployment, sources):
        made = collector_of(self, deployment, sources)

        def die(*_):
            raise RuntimeError(f"the {{MODALITY}} collector lost its source")

        setattr(made, METHOD, die)
        return made

    modality.collector = collector
'''


@pytest.mark.parametrize("which", [("start", "traces"), ("edge", "metrics"), ("columns", "coverage")], ids="-".join)
def test_a_collector_that_dies_leaves_no_case(which, start, tmp_path):
    """When it starts, at an edge of the fault, or when asked for its rows: fault out, system gone, reason written."""
    write_test(tmp_path, STOP)
    (tmp_path / "dying.py").write_text(DYING_COLLECTOR.format(which=which))
    run = start(*pytest_words("-p", "dying", "test_it.py"))
    assert run.wait() == pytest.ExitCode.TESTS_FAILED
    message = f"RuntimeError: the {which[1]} collector lost its source"
    assert re.search(f"^E .*{message}", run.output, re.MULTILINE), run.output
    assert_no_case(tmp_path / "anomod-dataset")
    assert message in reason(tmp_path / "anomod-dataset")
    assert not Belongings.of(run, []).left()


# Who wants it to end.

WITNESS = '''
"""Notes when a fault was taken out, which the injector makes sure of itself, and when its system was taken down."""

from pathlib import Path

from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.runtimes.process.runtime import ProcessRuntime


def after(kind, name, word):
    method = getattr(kind, name)

    def noted(*arguments):
        answer = method(*arguments)
        with Path("order").open("a") as order:
            print(word, file=order)
        return answer

    setattr(kind, name, noted)


after(NativeInjector, "recover", "recovered")
after(ProcessRuntime, "down", "down")
'''


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_case_is_undone_in_good_order(number, start, tmp_path, timed):
    """The fault is taken out before its system is; nothing is left; the directory says that it is no case, and why."""
    write_test(tmp_path, STOP, LONG)
    (tmp_path / "witness.py").write_text(WITNESS)
    run = start(*pytest_words("-p", "witness", "test_it.py"))
    had = Belongings.of(run, wait_until_in(run))
    run.signal_group(number)
    began = clock.monotonic_s()
    assert run.wait(60) == pytest.ExitCode.INTERRUPTED, run.output
    had.gone_within(WITHIN_S)
    timed(f"{number.name} in a case", clock.monotonic_s() - began)
    order = (tmp_path / "order").read_text().split()
    assert order[0] == "recovered"
    assert order[-1] == "down"
    assert_no_case(tmp_path / "anomod-dataset")
    assert ("SIGTERM" if number == signal.SIGTERM else "Ctrl-C") in reason(tmp_path / "anomod-dataset")


def test_ctrl_c_ends_workers_too(start, tmp_path, timed):
    """As a terminal sends it: to the controller and its xdist workers at once."""
    write_test(tmp_path, STOP, LONG)
    run = start(*pytest_words("-n", 1, "test_it.py"))
    had = Belongings.of(run, wait_until_in(run))
    run.signal_group(signal.SIGINT)
    began = clock.monotonic_s()
    assert run.wait(60) == pytest.ExitCode.INTERRUPTED, run.output
    had.gone_within(WITHIN_S)
    timed("SIGINT with a worker", clock.monotonic_s() - began)
    assert_no_case(tmp_path / "anomod-dataset")
    assert "Ctrl-C" in reason(tmp_path / "anomod-dataset")
