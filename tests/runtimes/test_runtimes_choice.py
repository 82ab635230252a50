"""What `auto` takes, and that it says so: containers where an engine of this machine has our image, else processes."""

from __future__ import annotations

import fcntl
import socket
import sys
import threading
import types

import pytest
from fake_engine import FakeEngine

from pytest_anomod import cli
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.system import System
from pytest_anomod.runtimes import choice
from pytest_anomod.runtimes.choice import Choice
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker import image as docker_image

NOWHERE = "unix:///nonexistent/docker.sock"
SCENARIO = """
from pytest_anomod import anomaly

@anomaly(system="social_network")
def test_scenario():
    pass

def test_ordinary():
    pass
"""


@pytest.fixture(autouse=True)
def _world(monkeypatch, tmp_path):
    """Nobody else's image or locks."""
    monkeypatch.delenv(docker_image.IMAGE, raising=False)
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """An engine of this machine without an image, which DOCKER_HOST names."""
    fake = FakeEngine(tmp_path / "e.sock")
    monkeypatch.setenv("DOCKER_HOST", fake.url)
    yield fake
    fake.close()


@pytest.fixture
def silent(monkeypatch, tmp_path):
    """Something that takes connections and keeps still; the URL of it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.sock"))
        listener.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s.sock")
        yield listener


@pytest.fixture
def buildable(monkeypatch):
    """Whether an image can be built here is up to the test: it can."""
    monkeypatch.setattr(docker_image, "obstacle", lambda client: "")


def with_image(engine):
    engine.images[docker_image.image_name()] = {docker_image.CONTENT: docker_image.content_hash()}


def is_free(file) -> bool:
    """Whether nobody holds a lock on the file; ours is taken then."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_without_a_daemon_it_takes_processes(monkeypatch):
    """And says where none answers."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    found = choice.look()
    assert (found.runtime, found.to_build) == ("process", False)
    assert f"no Docker daemon answers at {NOWHERE}" in found.why


def test_a_daemon_that_does_not_answer_counts_as_none(silent, monkeypatch):
    """Within a bound, without the engine's library, which would wait for a minute."""
    monkeypatch.setattr(choice, "ANSWER_S", 0.1)
    monkeypatch.setattr(docker_engine, "connect", lambda url: pytest.fail("the engine was spoken to"))
    found = choice.look()
    assert found.runtime == "process"
    assert "within 0.1 s" in found.why


def test_what_is_no_daemon_counts_as_none(silent):
    """It answers, but not as an engine does."""

    def answer():
        taken, _ = silent.accept()  # by the look whether anyone listens
        taken.close()
        taken, _ = silent.accept()
        taken.recv(1_000)
        taken.sendall(b"SSH-2.0-other\r\n")
        taken.close()

    thread = threading.Thread(target=answer)
    thread.start()
    found = choice.look()
    thread.join()
    assert (found.runtime, "is no Docker daemon" in found.why) == ("process", True)


@pytest.mark.parametrize("host", ["ssh://someone@elsewhere.example", "fd://"])
def test_other_ways_to_an_engine_lead_elsewhere(monkeypatch, host):
    """Only a socket of this machine is looked at."""
    monkeypatch.setenv("DOCKER_HOST", host)
    found = choice.look()
    assert (found.runtime, host in found.why) == ("process", True)


def test_an_engine_of_another_machine_is_not_taken(engine):
    """Its containers' processes, ports and files are not here; who wants it names it."""
    with_image(engine)
    engine.name = "docker-desktop"
    found = choice.look()
    assert found.runtime == "process"
    assert "another machine; --anomod-runtime=docker" in found.why


def test_an_engine_with_the_image_is_taken(engine):
    """With its place and the image's name as the reason."""
    with_image(engine)
    found = choice.look()
    assert (found.runtime, found.to_build) == ("docker", False)
    assert engine.url in found.why
    assert docker_image.image_name() in found.why


def test_an_image_that_cannot_be_built_is_told_with_what_to_do(engine, monkeypatch):
    """Processes it is."""
    monkeypatch.setattr(docker_image.shutil, "which", lambda program: None)
    found = choice.look()
    assert found.runtime == "process"
    assert "anomod image build" in found.why
    assert "there is no mmdebstrap" in found.why


def test_an_image_that_a_variable_names_is_not_built(engine, monkeypatch):
    """It is somebody's own."""
    monkeypatch.setenv(docker_image.IMAGE, "registry.example/mine:1")
    found = choice.look()
    assert found.runtime == "process"
    assert f"{docker_image.IMAGE} names it" in found.why


def test_an_image_that_can_be_built_is_built_and_its_seconds_are_told(engine, buildable, monkeypatch):
    """Only when it comes to it: looking does not build."""
    monkeypatch.setattr(docker_image, "build", lambda client, say: with_image(engine))
    found, said = choice.look(), []
    assert (found.runtime, found.to_build) == ("docker", True)
    settled = choice.settle(found, said.append)
    assert (settled.runtime, settled.to_build) == ("docker", False)
    assert f"{docker_image.image_name()} was built in 0 s" in settled.why
    assert len(said) == 1
    assert choice.settle(settled, said.append) == settled


@pytest.mark.parametrize("error", [DeploymentError("mmdebstrap failed (1): no mirror"), OSError(28, "no mirror")])
def test_a_build_that_fails_leads_to_processes_with_the_reason(engine, buildable, monkeypatch, error):
    """The session goes on."""

    def fail(client, say):
        raise error

    monkeypatch.setattr(docker_image, "build", fail)
    settled = choice.settle(choice.look(), lambda line: None)
    assert (settled.runtime, settled.to_build) == ("process", False)
    assert "no mirror" in settled.why


def test_a_program_of_the_build_that_hangs_is_ended_with_its_children(monkeypatch, tmp_path):
    """Nothing of it runs on."""
    monkeypatch.setattr(docker_image, "PROGRAM_LIMIT_S", 0.5)
    held = tmp_path / "held"
    with pytest.raises(DeploymentError, match=r"sleeper did not end within 0\.5 s"):
        docker_image._run(["sh", "-c", f"exec 9>{held}; flock 9; sleep 600 & sleep 600"], "sleeper")
    with held.open("w") as file:
        clock.wait_until(lambda: is_free(file), timeout_s=10, what="the last of them to be gone")


def test_workers_agree_and_one_of_them_builds(tmp_path):
    """Whoever comes second waits for the first and takes what it chose."""
    done = []

    def decide(before):
        if before is None:
            done.append("looked")
            before = Choice(runtime="docker", why="it can be built", to_build=True)
        if before.to_build:
            done.append("built")
            before = Choice(runtime="docker", why="it was built")
        return before

    found = []
    threads = [threading.Thread(target=lambda: found.append(choice.agree(tmp_path, decide))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["looked", "built"]
    assert found == [Choice(runtime="docker", why="it was built")] * 4
    assert choice.agreed(tmp_path) == found[0]


def test_who_cannot_reach_the_shared_directory_decides_alone(tmp_path):
    """A worker on another machine."""
    found = Choice(runtime="process", why="x")
    assert choice.agree(tmp_path / "nowhere", lambda before: before or found) == found
    assert choice.agree(None, lambda before: before or found) == found
    assert choice.agreed(tmp_path / "nowhere") is None


def runtimes(monkeypatch, **refusals):
    """A catalog with these runtimes only; each refuses with its text, None has no way to."""
    offers = {}
    for name, why in refusals.items():
        asked = {"refusal": lambda system, why=why: why} if why is not None else {}
        offers[name] = types.SimpleNamespace(name=name, **asked)
    monkeypatch.setattr(choice.catalog, "offers", lambda group: offers)


OWN = System(name="own", services=(), entry="", journeys=())


@pytest.mark.parametrize("taken", ["docker", "process"])
def test_what_refuses_a_system_is_not_taken_for_it(monkeypatch, taken):
    """It goes to the first that does not refuse it, and never to containers where none are."""
    runtimes(monkeypatch, docker="no replica" if taken == "docker" else "", process="no replica", cluster="", other="")
    assert choice.runtime_for(Choice(runtime=taken, why="x"), OWN) == "cluster"


def test_the_runtime_that_was_taken_is_asked_first(monkeypatch):
    runtimes(monkeypatch, cluster="", docker="", process="")
    assert choice.runtime_for(Choice(runtime="process", why="x"), OWN) == "process"


def test_a_runtime_that_never_refuses_takes_what_others_refuse(monkeypatch):
    runtimes(monkeypatch, docker="no", process="no", theirs=None)
    assert choice.runtime_for(Choice(runtime="docker", why="x"), OWN) == "theirs"


def test_where_all_refuse_every_reason_is_given():
    """Of our own runtimes, which want a replica."""
    with pytest.raises(
        ScenarioError, match=r"no runtime takes system 'own': process: .*no replica.*; give it a replica"
    ):
        choice.runtime_for(Choice(runtime="process", why="x"), OWN)


@pytest.mark.parametrize("words", [(), ("-n2",)])
def test_a_run_says_once_what_was_taken_and_why_before_its_first_case(pytester, monkeypatch, words):
    """With xdist too, where the workers know and the controller says it."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    pytester.makepyfile(SCENARIO)
    result = pytester.runpytest_subprocess("--anomod-runtime=auto", *words)
    result.assert_outcomes(passed=2)
    line = f"anomod runtime: process, for no Docker daemon answers at {NOWHERE} (No such file or directory)"
    assert result.outlines.count(line) == 1


@pytest.mark.parametrize("words", [(), ("-n2",)])
def test_a_run_whose_systems_go_elsewhere_says_where(pytester, monkeypatch, words):
    """Processes were taken, and nothing of the run goes there."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    pytester.makeconftest(
        """
        from pytest_anomod import procfile_system
        procfile_system("Procfile", name="own")
        """
    )
    (pytester.path / "Procfile").write_text("web: python -m http.server $PORT\n")
    pytester.makepyfile(SCENARIO.replace("social_network", "own"))
    result = pytester.runpytest_subprocess("--anomod-runtime=auto", *words)
    result.assert_outcomes(passed=2)
    assert result.outlines.count("anomod runtime: commands, for no other takes these systems") == 1
    assert "runtime: process" not in result.stdout.str()


def test_the_default_is_auto(pytester, engine, monkeypatch):
    """Containers for who has them."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
    with_image(engine)
    pytester.makepyfile(SCENARIO)
    result = pytester.runpytest()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"anomod runtime: docker, for a Docker daemon answers at {engine.url} and has *"])


def test_an_image_is_built_before_the_first_case_and_only_for_cases(pytester, engine, buildable, monkeypatch):
    """Not to list tests, nor for ordinary ones; and it is said while it is done."""
    built = []

    def build(client, say):
        built.append(client)
        with_image(engine)

    monkeypatch.setattr(docker_image, "build", build)
    pytester.makepyfile(SCENARIO)
    for words in (("--collect-only",), ("-k", "ordinary")):
        result = pytester.runpytest("--anomod-runtime=auto", *words)
        assert (result.ret, built) == (0, [])
        assert "anomod runtime" not in result.stdout.str()
    result = pytester.runpytest("--anomod-runtime=auto")
    result.assert_outcomes(passed=2)
    assert len(built) == 1
    result.stdout.fnmatch_lines(["anomod runtime: docker, for *was built in * s"])
    result.stderr.fnmatch_lines(["anomod: building pytest-anomod:*"])


def test_explicit_docker_builds_nothing_and_names_the_command(pytester, engine, buildable):
    """Who names a runtime gets it, or is told what is missing."""
    pytester.makepyfile(SCENARIO)
    result = pytester.runpytest("--anomod-runtime=docker")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *the engine has no image *; make it: anomod image build*"])


def test_without_anomalies_no_engine_is_asked(pytester, engine):
    """Nor is anything of ours, or the engine's library, imported for it."""
    pytester.makepyfile(
        """
        import sys

        def test_ordinary():
            assert not {"docker", "testcontainers", "pytest_anomod.runtimes"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("--anomod-runtime=auto").assert_outcomes(passed=1)
    pytester.runpytest_subprocess("--anomod-runtime=auto", "-n1").assert_outcomes(passed=1)
    assert engine.asked == []


def test_up_says_what_it_takes(engine, monkeypatch, capsys):
    """`anomod up` understands `auto`, which is its default."""
    taken = []

    class Runtime:
        def __init__(self, name):
            self.name = name

        def up_in_foreground(self, system, *, port, say):
            taken.append(self.name)
            return 0

    def find(group, name):
        return Runtime(name) if group == "runtimes" else System(name="it", services=(), entry="", journeys=())

    monkeypatch.setattr(cli.catalog, "find", find)
    with_image(engine)
    assert cli.main(["up", "it"]) == 0
    assert cli.main(["up", "it", "--runtime=process"]) == 0
    assert taken == ["docker", "process"]
    assert capsys.readouterr().out.splitlines() == [
        f"runtime: docker, for a Docker daemon answers at {engine.url} and has {docker_image.image_name()}"
    ]


if sys.platform != "linux":
    pytestmark = pytest.mark.skip(reason="engines of this machine are told apart on Linux only")
