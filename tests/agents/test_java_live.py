"""A service in Java with our agents and one of its own: lines in each window, faults in its code, a death."""

import contextlib
import itertools
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from pytest_anomod.agents import cache
from pytest_anomod.agents.java import LANGUAGE
from pytest_anomod.agents.language import Place, Reach
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.source import LineCounter
from pytest_anomod.model.system import Agents
from pytest_anomod.workloads.guided_lines import Meter

SOURCES = Path(__file__).with_name("java_service")
AGENTS = Agents("java", packages=("shop",))
pytestmark = [
    pytest.mark.skipif(shutil.which("javac") is None, reason="no JDK on this machine"),
    pytest.mark.skipif(cache.ready(LANGUAGE) is None, reason="no agents on this machine: anomod agents fetch java"),
    pytest.mark.xdist_group("java_live"),
]


class Service:
    """The probe in a process, and its agent."""

    def __init__(self, directory, classes):
        self.run = directory / ("long" * 30) / "run"  # longer than the kernel takes for the address of a socket
        self.run.mkdir(parents=True, exist_ok=True)
        library = cache.ready(LANGUAGE)
        own = {"JAVA_TOOL_OPTIONS": f"-Down=kept -javaagent:{directory}/own.jar=here"}
        place = Place(service="p", asked=AGENTS, ours="", library=str(library), run=str(self.run), own=own)
        self.process = subprocess.Popen(
            ["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", str(classes), "shop.Probe"],
            env={**os.environ, **LANGUAGE.environment(place)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.heard() == "ready"
        reach = Reach(
            service="p", asked=AGENTS, library=library, run=self.run, pid=lambda: self.process.pid, host=lambda: ""
        )
        self.ask = LANGUAGE.agent(reach).ask

    def heard(self):
        return self.process.stdout.readline().rstrip("\n")

    def says(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def calls(self, name):
        self.says(name)
        return self.heard()

    def end(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    directory = tmp_path_factory.mktemp("java")
    classes = directory / "classes"
    subprocess.run(["javac", "-d", classes, *SOURCES.glob("*.java")], check=True)
    with zipfile.ZipFile(directory / "own.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nPremain-Class: own.Own\r\n\r\n")
        jar.write(classes / "own" / "Own.class", "own/Own.class")
    return directory, classes


@pytest.fixture(scope="module")
def service(built):
    made = Service(*built)
    yield made
    made.end()


def lines(text):
    """Lines of the probe's source that hold a text."""
    source = (SOURCES / "Probe.java").read_text().splitlines()
    found = {number for number, line in enumerate(source, 1) if text in line}
    assert found
    return found


def test_an_agent_of_somebody_else_goes_on_working(service):
    assert service.calls("own") == "kept here"
    assert service.ask("/hello")["absent"] == {}


def test_each_window_has_the_lines_that_ran_in_it_and_no_others(service):
    snapshots = [service.ask("/coverage/snapshot", {"reset": True, "full": True})]
    for name in ("read", "empty", "unknown"):
        service.calls(name)
        snapshots.append(service.ask("/coverage/snapshot", {"reset": True, "full": False}))
    assert all(after["since_unix_nano"] == before["at_unix_nano"] for before, after in itertools.pairwise(snapshots))
    files = service.ask("/coverage/lines", {"snapshots": [one["raw"] for one in snapshots]})
    ran = [set(one.get("shop/Probe.java", {"covered": []})["covered"]) for one in files]
    text, nothing = lines('return "read " + what'), lines('return "nothing"')
    both = text | nothing
    assert [both & one for one in ran[1:]] == [text, nothing, set()]
    whole = files[0]["shop/Probe.java"]
    assert lines("swallowed") <= set(whole["executable"])
    assert whole["functions"]["Probe.read"] == [*lines("what.isEmpty()"), *lines("swallowed")]
    assert "Probe.total(int,int)" in whole["functions"]


def test_exploring_is_guided_by_lines_of_java(service):
    class Deployment:
        system, runtime = "probe", "commands"

        def sources(self):
            return (LineCounter(service="p"),)

        def capability(self, kind, name):
            return service

    meter = Meter(Deployment())
    service.calls("read")
    ran = {line for _, file, line in meter.after("00") if file == "shop/Probe.java"}
    assert ran >= lines('return "read " + what')
    assert not ran & lines('return "nothing"')
    (remark,) = meter.remarks()
    assert remark.startswith("lines of p are made after each request")
    meter.close()


def test_what_the_first_change_costs_is_spent_at_the_start(service):
    """The same in all services of all cases: the processor time of a service does not tell that it gets a fault."""

    def has_byteman():
        with contextlib.suppress(FileNotFoundError):  # one that was closed as we looked
            return any("byteman" in os.readlink(one) for one in Path(f"/proc/{service.process.pid}/fd").iterdir())

    clock.wait_until(
        has_byteman,
        timeout_s=30,
        what="Byteman to be there before any fault is asked for",
    )
    assert service.ask("/code/patched") == []


RAISED = {"action": "raise", "exception": "RuntimeError", "message": 'it\'s "odd" \\ é\t$1'}
CHECKED = {**RAISED, "exception": "FileNotFoundException"}


@pytest.mark.parametrize(
    ("function", "call", "change", "seen"),
    [
        ("shop.Probe:read", "read", RAISED, "java.lang.RuntimeException: {message} at shop.Probe.read{line}"),
        ("shop.Probe:read", "read", CHECKED, "java.io.FileNotFoundException: {message} at shop.Probe.read{line}"),
        ("shop.Probe.Part:<init>", "part", RAISED, "java.lang.RuntimeException: {message} at shop.Probe$Part.<init>"),
        ("shop.Probe:lambda$main$0", "lambda", RAISED, "java.lang.RuntimeException: {message} at shop.Probe.lambda$"),
        ("shop.Probe:total(int,int)", "total", {"action": "return", "value": -4}, "-4"),
        ("shop.Probe:total(long)", "long", {"action": "return", "value": 5_000_000_000}, "5000000000"),
        ("shop.Probe:kind", "kind", {"action": "return", "value": "BAD"}, "BAD"),
        ("shop.Probe:kind", "kind", {"action": "return", "value": None}, "null"),
        ("shop.Probe:price", "price", {"action": "return", "value": 1.5}, "1.5"),
        ("shop.Probe$Part:twice", "part", {"action": "delay", "delay_s": 0.4}, "8 late"),
    ],
)
def test_a_change_is_seen_while_it_is_in(service, function, call, change, seen):
    before = service.calls(call)
    where = service.ask("/code/patch", {"function": function, **change})
    assert where == service.ask("/code/locate", {"function": function})
    assert where["file"] == "shop/Probe.java"
    (number,) = lines('return "read " + what')
    line = f"(Probe.java:{number})"
    assert service.calls(call).startswith(seen.format(message=RAISED["message"], line=line))
    assert service.ask("/code/restore", {"function": function}) == []
    assert service.calls(call) == before


@pytest.mark.parametrize(
    ("function", "change", "why"),
    [
        ("shop.Probe:kind", CHECKED, "java.io.FileNotFoundException is checked, and Probe.kind declares nothing"),
        ("shop.Probe:kind", {**RAISED, "exception": "NoSuch"}, "'NoSuch' is not known to shop.Probe"),
        ("shop.Probe:kind", {**RAISED, "exception": "String"}, "java.lang.String, which can't be thrown"),
        ("shop.Probe:total", RAISED, r"several methods of that name.*: total\(int,int\), total\(long\)"),
        ("shop.Probe:none", RAISED, "no such method with code: <clinit>"),
        ("Probe:kind", RAISED, "no class 'Probe' is loaded; there are shop.Probe"),
        ("shop.Probe:kind", {"action": "return", "value": "WORSE"}, r"returns shop.Probe\$Kind: text WORSE is none"),
        ("shop.Probe:main", {"action": "return", "value": 1}, "returns nothing"),
        ("shop.Probe:kind", {"action": "burn"}, "none of raise, return, delay"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(service, function, change, why):
    with pytest.raises(DeploymentError, match=why):
        service.ask("/code/patch", {"function": function, **change})
    assert service.ask("/code/patched") == []


def test_a_call_that_is_under_way_at_recovery_ends_as_it_began(service):
    service.ask("/code/patch", {"function": "shop.Probe:slow", **RAISED})
    assert service.calls("begin") == "began"
    service.ask("/code/restore", {"function": None})
    service.says("end")
    assert service.heard().startswith("slow")


def test_an_agent_that_fails_says_so_in_one_line_and_the_service_runs(built):
    place = Place(
        service="p", asked=Agents("java", coverage=False), ours="", library=str(cache.ready(LANGUAGE)), run="/nowhere"
    )
    ended = subprocess.run(
        ["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", built[1], "shop.Probe"],
        env={**os.environ, **LANGUAGE.environment(place)},
        input="total\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "ready\n3\n"
    said = [line for line in ended.stderr.splitlines() if not line.startswith("Picked up JAVA_TOOL_OPTIONS")]
    assert [line.partition(" in Java")[0] for line in said] == ["pytest-anomod: no coverage and no code faults"]


def test_after_a_death_the_window_is_not_exact(service, built):
    before = service.ask("/coverage/snapshot", {"reset": True})
    service.end()
    with pytest.raises(DeploymentError, match="no process of it answers"):
        service.ask("/coverage/snapshot", {"reset": True})
    again = Service(*built)
    try:
        assert again.ask("/coverage/snapshot", {"reset": True})["since_unix_nano"] != before["at_unix_nano"]
    finally:
        again.end()
