"""What the agent does to resolver and database pools: names one service can't resolve, connections that are kept."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from host_program import wait_for

from pytest_anomod.replicas.kit.errors import TransportError
from pytest_anomod.replicas.kit.http import Request, Response
from pytest_anomod.replicas.kit.http_client import HttpPeer
from pytest_anomod.replicas.kit.http_server import HttpServer
from pytest_anomod.replicas.kit.net import NameTable

SIZE = 4
UNRESOLVED = "Could not resolve host for client socket."


@pytest.fixture
def unknown(deployment: Any) -> Iterator[Callable[..., None]]:
    """Say which names a service can't resolve; afterwards all can be again."""
    changed: set[str] = set()

    def write(service: str, *names: str) -> None:
        changed.add(service)
        path = deployment.directory / "names" / f"{service}.json"
        path.with_suffix(".new").write_text(json.dumps(names))
        path.with_suffix(".new").replace(path)

    yield write
    for service in changed:
        (deployment.directory / "names" / f"{service}.json").unlink()


def figure(deployment: Any, name: str, service: str = "back") -> float:
    """A metric of a service's only pool."""
    page = deployment.request(deployment.value["services"][service]["metrics_url"])[2]
    return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(f'{name}{{store="notes"}} '))


def test_a_name_is_unknown_to_one_service_alone(deployment: Any, unknown: Callable[..., None]) -> None:
    """A kept connection still serves, as under a real resolver; once it is dropped calls fail, others are not hurt."""
    assert deployment.note("seeded")[0] == 200
    unknown("front", "back")
    assert deployment.agent("front", "/names/look", {"names": ["back"]})[1]["back"]["kept"] > 0
    assert deployment.note("seeded")[0] == 200
    deployment.agent("front", "/names/refresh")
    status, body = deployment.note("seeded")
    assert (status, UNRESOLVED in body) == (500, True)
    names = {"names": ["back", "counts"]}
    seen, elsewhere = (deployment.agent(service, "/names/look", names)[1] for service in ("front", "gate"))
    assert seen["back"] == {"port": None, "kept": 0}
    assert seen["counts"]["port"] == elsewhere["counts"]["port"] == deployment.value["services"]["counts"]["port"]
    assert elsewhere["back"]["port"] == deployment.value["services"]["back"]["port"]
    unknown("front")
    assert deployment.note("seeded")[0] == 200


def test_it_stays_unknown_to_the_next_process(deployment: Any, unknown: Callable[..., None]) -> None:
    """The list is the service's, not its process's."""
    unknown("front", "back")
    deployment.control("/services/front/stop")
    deployment.control("/services/front/start")
    assert UNRESOLVED in deployment.note("seeded")[1]


@pytest.mark.parametrize(
    ("service", "store", "text"),
    [
        ("front", "counts", "Failed to connect to Redis: Name or service not known"),
        ("back", "notes", "could not translate host name"),
    ],
)
def test_stores_have_names_too(
    deployment: Any, unknown: Callable[..., None], service: str, store: str, text: str
) -> None:
    """Their clients say it in their own words."""
    assert deployment.note("seeded")[0] == 200
    unknown(service, store)
    deployment.agent(service, "/names/refresh")
    assert deployment.agent(service, "/names/look", {"names": [store]})[1] == {store: {"port": None, "kept": 0}}
    assert text in deployment.note("seeded")[1]


def test_a_connection_at_work_is_not_kept_once_it_was_dropped(tmp_path: Path) -> None:
    """Its answer still arrives; the next call asks the resolver."""

    async def run() -> None:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def slow(request: Request) -> Response:
            asked.set()
            await answer.wait()
            return Response(200, b"late")

        server = HttpServer(slow)
        await server.start(0)
        (tmp_path / "hosts.json").write_text(json.dumps({"peer": server.port}))
        names = NameTable(tmp_path / "hosts.json", tmp_path / "unknown.json")
        peer = HttpPeer(names, "peer")
        call = asyncio.create_task(peer.request("GET", "/"))
        await asked.wait()
        (tmp_path / "unknown.json").write_text('["peer"]')
        names.refresh()
        answer.set()
        assert (await call).body == b"late"
        assert peer.kept == 0
        with pytest.raises(TransportError, match=UNRESOLVED):
            await peer.request("GET", "/")
        await server.close()

    asyncio.run(run())


def test_borrowed_connections_are_missing_to_everyone_else(deployment: Any) -> None:
    """Requests wait for a connection, and go on as soon as there is one."""
    assert figure(deployment, "db_pool_size") == SIZE
    for _ in range(2):  # borrowing again is no different
        answer = deployment.agent("back", "/pools/borrow", {"seconds": 60})
        assert answer == (200, {"notes": {"size": SIZE, "borrowed": SIZE}})
        assert figure(deployment, "db_pool_in_use") == SIZE
    with ThreadPoolExecutor(1) as pool:
        body = {"name": "seeded"}
        url = f"http://127.0.0.1:{deployment.value['services']['back']['port']}/Find"
        asked = pool.submit(deployment.request, url, "POST", body)
        wait_for(lambda: figure(deployment, "db_pool_waiting") == 1, "it to wait")
        for _ in range(2):
            assert deployment.agent("back", "/pools/return") == (200, {})
        assert asked.result()[0] == 200
    assert figure(deployment, "db_pool_in_use") == figure(deployment, "db_pool_waiting") == 0


def test_some_connections_can_be_left(deployment: Any) -> None:
    """The pool is tight, and works."""
    answer = deployment.agent("back", "/pools/borrow", {"leave": 1, "seconds": 60})[1]
    assert answer["notes"]["borrowed"] == figure(deployment, "db_pool_in_use") == SIZE - 1
    assert deployment.note("seeded")[0] == 200
    deployment.agent("back", "/pools/return")


def test_borrowed_connections_come_back_by_themselves(deployment: Any) -> None:
    """When their time is over, whatever became of who borrowed them."""
    deployment.agent("back", "/pools/borrow", {"seconds": 0.1})
    wait_for(lambda: figure(deployment, "db_pool_in_use") == 0, "them to come back")
    assert deployment.note("seeded")[0] == 200


@pytest.mark.parametrize(
    ("service", "path", "body", "text"),
    [
        ("front", "/pools/borrow", {"seconds": 1}, "no database pool"),
        ("back", "/pools/borrow", {}, "seconds None"),
        ("back", "/pools/borrow", {"seconds": 1, "leave": -1}, "leave -1"),
        ("back", "/names/look", {"names": "notes"}, "names 'notes'"),
    ],
)
def test_what_the_agent_can_not_do_is_said(
    deployment: Any, service: str, path: str, body: dict[str, Any], text: str
) -> None:
    """With the value that does not fit; nothing is done."""
    status, answer = deployment.agent(service, path, body)
    assert (status, text in answer["error"]) == (400, True)


def test_a_service_without_a_database_has_no_pool_figures(deployment: Any) -> None:
    """Not even their names."""
    assert "db_pool" not in deployment.request(deployment.value["services"]["front"]["metrics_url"])[2]
