"""Containers that run already, by their names: what is done to them is undone, and they are never taken down.

They need an engine of this machine and the image of the replicas, for its Python; else these tests are skipped.
"""

from __future__ import annotations

import uuid

import pytest
from tiny_server import SERVER

from pytest_anomod.define.running import running_system
from pytest_anomod.faults import NetworkLoss, PauseService, StopService
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle, LocalProcess
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.source import EngineOutput
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker.image import require_image
from pytest_anomod.runtimes.running import RunningRuntime

PORT = 8000


@pytest.fixture(scope="module")
def container():
    """A container of somebody else's, which must live on."""
    why = docker_engine.why_not()
    if why:
        pytest.skip(f"no containers here: {why}")
    client = docker_engine.connect(docker_engine.engine_url())
    if not docker_engine.is_local(client):
        pytest.skip("the engine runs on another machine")
    try:
        image = require_image(client)
    except DeploymentError as error:
        pytest.skip(f"no image with a Python here: {error}")
    name = f"theirs-{uuid.uuid4().hex[:8]}"
    network = client.networks.create(name)
    server = SERVER.replace('("127.0.0.1", int', '("0.0.0.0", int')
    made = client.containers.run(
        image, entrypoint=["python3", "-u", "-c", server, "stock"], environment={"PORT": str(PORT)},
        name=name, network=name, detach=True,
    )  # fmt: skip
    made.reload()
    before = made.attrs["State"]["StartedAt"]
    yield made
    made.reload()
    after = made.attrs["State"]
    made.remove(force=True)
    network.remove()
    assert (after["Status"], after["StartedAt"]) == ("running", before), "it is not as it was"


def theirs(container, **more):
    """The system of that one container."""
    address = next(iter(container.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    return running_system(
        "theirs",
        entry=f"http://{address}:{PORT}",
        containers={"stock": container.name},
        ports={"stock": PORT},
        **more,
    )


@pytest.fixture
def deployment(container, session):
    """It, taken hold of."""
    runtime = RunningRuntime()
    deployment = runtime.up(theirs(container), session)
    yield deployment
    runtime.down(deployment)
    assert not deployment.directory.exists()


def test_it_is_known_by_its_id(deployment, container):
    stock = instance_of(deployment, "stock")
    assert (stock.state, stock.pid is not None) == ("running", True)
    outputs = [source for source in deployment.sources() if isinstance(source, EngineOutput)]
    assert [source.container for source in outputs] == [container.id]
    assert deployment.unhealthy() == ()
    assert deployment.stats("stock").memory_bytes > 0
    assert deployment.capability(LocalProcess, "stock") is not None
    assert deployment.capability(Lifecycle, "stock") is None, "its owner did not allow it"


@pytest.mark.parametrize("fault", [PauseService(), NetworkLoss(percent=50)], ids=lambda fault: fault.name)
def test_a_fault_that_leaves_no_trace(deployment, fault):
    missing = [kind.__name__ for kind in fault.needs if deployment.capability(kind, "stock") is None]
    if missing:
        pytest.skip(f"this machine gives no {', '.join(missing)} of containers")
    before, carrier = instance_of(deployment, "stock"), NativeInjector()
    carrier.inject(fault, deployment, "stock")
    clock.wait_until(lambda: fault.active(deployment, "stock"), timeout_s=30.0, what="the fault to be seen")
    carrier.recover(fault, deployment, "stock")
    assert instance_of(deployment, "stock") == before


def test_stopping_it_must_be_allowed(container):
    """At collection."""
    runtime = RunningRuntime()
    needs = frozenset({Lifecycle})
    assert runtime.lacks(theirs(container), "stock", needs) == needs
    allowed = theirs(container, allow=["stop_service"])
    assert runtime.lacks(allowed, "stock", needs) == frozenset()
    assert runtime.refusal_of_fault(allowed, "stock", StopService().name) == ""


def test_a_name_that_is_none_is_told(container, session):
    system = running_system("theirs", entry="http://127.0.0.1:1", containers={"stock": "no-such-container"})
    with pytest.raises(
        DeploymentError, match=r"service 'stock': the engine at .* has no container 'no-such-container'"
    ):
        RunningRuntime().up(system, session)
