"""A system from a compose file: what is up, where it is, what is known of it, and which secrets stay private."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from pytest_anomod.faults import DnsFailure
from pytest_anomod.host import processes
from pytest_anomod.host.engine import output as engine_output
from pytest_anomod.modalities.metrics import Metrics
from pytest_anomod.model import clock
from pytest_anomod.model.capability import NetNamespace, Resolver
from pytest_anomod.model.source import EngineOutput, MetricsPage, OtlpInbox, ResourceFigures
from pytest_anomod.runtimes.compose import ComposeRuntime
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.sources.otlp.receiver import receiver_in


def get(deployment, path: str) -> str:
    """What a user gets."""
    with urllib.request.urlopen(deployment.entry_url + path, timeout=5) as answer:
        return answer.read().decode()


def test_it_is_up_and_serves(live):
    """Every service runs, is known by its process, and answers; the job that others waited for is none."""
    assert live.unhealthy() == ()
    assert get(live, "/x") == "hello /x\n"
    found = {one.service: one for one in live.instances()}
    assert set(found) == {"front", "middle", "back"}
    assert {one.state for one in found.values()} == {"running"}
    assert {one.instance_id for one in found.values()} == {"front-1", "middle-1", "back-1"}
    assert len({one.pid for one in found.values()}) == 3
    assert all(processes.is_same(one.pid, one.start_time) for one in found.values())
    assert {one.inner_address[1] for one in found.values()} == {8000}


def test_what_is_published_is_so_on_loopback_and_labelled_as_ours(live, engine):
    """No fixed port of the file is taken, and nobody outside this machine reaches it."""
    rows = engine.containers.list(all=True, filters={"label": f"{docker_engine.DEPLOYMENT}={live.ref['id']}"})
    assert {one.labels[docker_engine.SERVICE] for one in rows} == {"front", "middle", "back", "prepare"}
    for one in rows:
        assert processes.owner_alive(one.labels[docker_engine.OWNER])
        published = [place for places in one.ports.values() for place in places or ()]
        assert all(place["HostIp"] == "127.0.0.1" and place["HostPort"] != "8080" for place in published)
    assert live.urls["front"] == live.entry_url


def test_sources_and_figures(live):
    """The engine's output of each container, and figures from its control group."""
    sources = live.sources()
    outputs = {source.service: source for source in sources if isinstance(source, EngineOutput)}
    assert set(outputs) == {"front", "middle", "back"}
    text = live.client.api.logs(outputs["front"].container).decode()
    assert "listening on 8000" in text
    assert {source.service for source in sources if isinstance(source, ResourceFigures)} == set(outputs)
    stats = live.stats("front")
    assert stats.memory_bytes > 1 << 20
    assert stats.cpu_s > 0
    assert not stats.stopped


def test_another_process_finds_it_by_its_ref(live):
    """The guardian, helper programs, a replayed experiment."""
    ref = json.loads(json.dumps(dict(live.ref)))
    assert "never-to-be-seen" not in json.dumps(ref)
    again = ComposeRuntime().attach(ref)
    assert again.instances() == live.instances()
    assert again.entry_url == live.entry_url


def test_passwords_are_in_the_one_file_that_only_we_can_read(live):
    """And nowhere else of what we keep."""
    holding = [
        path for path in live.directory.rglob("*") if path.is_file() and b"never-to-be-seen" in path.read_bytes()
    ]
    assert [path.name for path in holding] == ["compose.json"]
    assert {path.stat().st_mode & 0o077 for path in [*holding, *holding[0].parents[:1]]} == {0}


def test_two_are_up_side_by_side(live, defined, compose_session):
    """As under xdist: each with ports, networks and volumes of its own."""
    runtime = ComposeRuntime()
    other = runtime.up(defined, compose_session)
    try:
        assert other.entry_url != live.entry_url
        assert get(other, "/y") == get(live, "/y")
        assert {one.pid for one in other.instances()}.isdisjoint(one.pid for one in live.instances())
    finally:
        runtime.down(other)
    assert not Path(other.directory).exists()
    assert live.unhealthy() == ()


@pytest.mark.parametrize("port", [28_999])
def test_the_entry_can_be_given_a_port(defined, compose_session, port):
    """For a person who wants to look."""
    runtime = ComposeRuntime()
    deployment = runtime.up(defined, compose_session, entry_port=port)
    try:
        assert deployment.entry_url == f"http://127.0.0.1:{port}"
        assert get(deployment, "/z") == "hello /z\n"
    finally:
        runtime.down(deployment)


@pytest.fixture
def fixed(tiny, compose_session, monkeypatch):
    """The tiny system in a network whose addresses its file fixes, with telemetry of two kinds asked for."""
    from pytest_anomod import compose_system
    from pytest_anomod.model import catalog

    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    (tiny / "fixed.yaml").write_text(FIXED)
    runtime = ComposeRuntime()
    files = tiny / "compose.yaml", tiny / "fixed.yaml"
    system = compose_system(*files, otlp=["middle"], metrics={"front": "/metrics", "middle": "/metrics"})
    deployment = runtime.up(system, compose_session)
    yield deployment
    runtime.down(deployment)
    catalog.offers.cache_clear()
    assert receiver_in(deployment.directory / "otlp") is None


FIXED = """
name: fixed
networks:
  default: {ipam: {config: [{subnet: 10.213.77.0/24}]}}
  inner: {}
services:
  front: {image: tiny-front}
  middle: {networks: {default: {ipv4_address: 10.213.77.9}, inner: }, tty: true}
  back: {networks: [inner]}
"""


def test_a_service_that_exports_is_told_to_export_to_us(fixed):
    """On the address of this machine in the private network; what comes there is in the inbox of the sources."""
    environment = fixed.seen("middle").environment
    url = environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert environment["OTEL_SERVICE_NAME"] == "middle"
    assert "OTEL_SERVICE_NAME" not in fixed.seen("front").environment
    (inbox,) = [source for source in fixed.sources() if isinstance(source, OtlpInbox)]
    assert receiver_in(inbox.directory).url == url
    host, _, port = url.removeprefix("http://").partition(":")
    assert fixed.spared_ports == (int(port),)
    space = fixed.capability(NetNamespace, "middle")
    assert space is None or space.reaches((host, int(port)), 2.0)

    # addresses are as the file has them, and so it is up alone
    assert fixed.seen("middle").address == "10.213.77.9"
    assert host == "10.213.77.1"
    assert [note for note in fixed.notes if "only one of it at a time" in note and "its address is fixed" in note]

    # what the front never knew is no sign of a name that is hidden, nor of one that is known again
    if fixed.capability(Resolver, "middle") is not None:
        fault = DnsFailure(peers=("back",))
        fault.inject(fixed, "middle")
        try:
            seen = fault.active(fixed, "middle")
            assert (bool(seen), seen.evidence["unresolved"]) == (True, ["back"]), seen
        finally:
            fault.recover(fixed, "middle")
        assert not fault.active(fixed, "middle")
        assert get(fixed, "/x") == "hello /x\n"

    # a terminal's output is no stream in frames
    (output,) = [one for one in fixed.sources() if isinstance(one, EngineOutput) and one.service == "middle"]
    lines = [line for _, line in engine_output(output.engine, output.container, 0)]
    assert any(b"listening on 8000" in line for line in lines)

    # pages for Prometheus are read beside what the engine measures
    pages = [source for source in fixed.sources() if isinstance(source, MetricsPage)]
    collector = Metrics().collector(fixed, pages)
    get(fixed, "/x")
    began = clock.now_ns()
    collector.start()
    clock.wait_until(lambda: collector.readers[0]._scrapes, timeout_s=10, what="a scrape")
    collector.stop()
    columns = collector.columns(began, clock.now_ns())
    rows = zip(columns["service_name"], columns["metric_name"], columns["value"], strict=True)
    asked = {service: value for service, name, value in rows if name == "requests_total"}
    assert set(asked) == {"front", "middle"}
    assert min(asked.values()) >= 1
