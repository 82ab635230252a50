"""The public fakes conform to the protocols and do what they are told, also when told to lie."""

from __future__ import annotations

import inspect
import json

import pytest

from pytest_anomod import testing
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Lifecycle, Programs
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import Fault
from pytest_anomod.model.runtime import Deployment, Runtime, Session, instance_of, need
from pytest_anomod.testing import FakeClock, FakeDeployment, FakeFault, FakeRuntime, Lie, fake_deployment, offered


def _methods(protocol: type) -> dict[str, inspect.Signature]:
    functions = inspect.getmembers(protocol, inspect.isfunction)
    return {name: inspect.signature(function) for name, function in functions if not name.startswith("_")}


@pytest.mark.parametrize(
    ("fake", "protocol"), [(FakeDeployment, Deployment), (FakeRuntime, Runtime), (FakeFault, Fault)], ids=str
)
def test_a_fake_has_every_method_of_its_protocol_with_its_arguments(fake, protocol):
    for name, signature in _methods(protocol).items():
        assert list(inspect.signature(getattr(fake, name)).parameters) == list(signature.parameters), name


def test_a_deployment_has_every_attribute_of_its_protocol(tmp_path):
    deployment = fake_deployment(tmp_path)
    assert [name for name in inspect.get_annotations(Deployment) if not hasattr(deployment, name)] == []


def test_every_attach_sees_the_same_world(tmp_path):
    session = Session(run_id="r", worker="main", directory=tmp_path, out=tmp_path)
    deployment = FakeRuntime().up(testing.FAKE_SYSTEM, session)
    FakeFault().inject(deployment, "app")
    other = FakeRuntime().attach(json.loads(json.dumps(deployment.ref)))
    assert FakeFault().active(other, "app")
    FakeFault().recover(other, "app")
    assert not FakeFault().active(deployment, "app")


def test_orders_change_the_world_and_can_be_taken_back(tmp_path):
    deployment = fake_deployment(tmp_path)
    need(deployment, Lifecycle, "app").kill()
    assert instance_of(deployment, "app").instance_id == "app-2"
    need(deployment, Lifecycle, "app").stop()
    assert deployment.unhealthy() == ("app",)
    assert instance_of(deployment, "app").state == "stopped"
    need(deployment, Lifecycle, "app").start()
    assert deployment.answers("app")
    pid = need(deployment, Programs, "app").run(["burn"], name="burn", deadline_s=1)
    assert need(deployment, Programs, "app").running() == {"burn": pid}
    need(deployment, Programs, "app").end("burn")
    assert need(deployment, Programs, "app").running() == {}


def test_the_first_remembered_value_stays(tmp_path):
    deployment = fake_deployment(tmp_path)
    deployment.originals.remember("limit", 1)
    deployment.originals.remember("limit", 2)
    assert deployment.originals.recall("limit") == 1
    deployment.originals.forget("limit")
    assert deployment.originals.recall("limit") is None


def test_an_unknown_service_is_an_error(tmp_path):
    with pytest.raises(DeploymentError, match="no service 'nowhere'; it has gateway, app"):
        fake_deployment(tmp_path).capability(Lifecycle, "nowhere")


def test_lies(tmp_path):
    deployment = fake_deployment(tmp_path)
    FakeFault(lie=Lie.NOT_PUT_IN).inject(deployment, "app")
    assert not FakeFault().active(deployment, "app")
    FakeFault().inject(deployment, "app")
    FakeFault(lie=Lie.STAYS).recover(deployment, "app")
    assert FakeFault().active(deployment, "app")
    looks = {FakeFault(lie=Lie.FLICKERS).active(deployment, "app").active for _ in range(2)}
    assert looks == {True, False}
    with pytest.raises(InjectionError, match="told to fail to recover app"):
        FakeFault(lie=Lie.RECOVER_FAILS).recover(deployment, "app")


def test_offered_is_all_there_is_while_it_lasts():
    before = catalog.offers
    with offered():
        assert catalog.find("faults", "fake_fault") is FakeFault
        assert set(catalog.offers("systems")) == {"fake_system"}
        assert catalog.offers("modalities") == {}
    assert catalog.offers is before


def test_the_workload_is_slow_while_the_fault_is_in(tmp_path):
    deployment, records = fake_deployment(tmp_path), tmp_path / "r.jsonl"
    deployment.world.write(fault_in=True)
    handle = testing.start({"entry_url": deployment.entry_url, "rate_rps": 500}, records)
    clock.wait_until(lambda: records.exists() and records.stat().st_size, timeout_s=5, what="a record")
    testing.stop(handle)
    testing.stop(handle)
    first = json.loads(records.read_text().splitlines()[0])
    assert first["duration_ns"] == testing.ILL_MS * 1e6


def test_the_clock_moves_only_when_someone_sleeps(monkeypatch):
    fake = FakeClock().install(monkeypatch.setattr)
    begin = clock.now_ns()
    clock.sleep(90)
    assert clock.now_ns() == begin + 90 * clock.NS_PER_S
    assert fake.slept == [90]
