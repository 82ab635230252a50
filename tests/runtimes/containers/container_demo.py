"""The demo replica for containers, and a look at what an engine has of ours."""

from __future__ import annotations

from pytest_anomod.model.system import Journey, Replica, Service, ServiceKind, System


async def echo(client, random):
    """A user says something."""
    return await client.request("GET", f"/echo/{random.randrange(1000)}")


DEMO = System(
    name="demo",
    services=(
        Service(name="front", kind=ServiceKind.GATEWAY, calls=("back",)),
        Service(name="back", kind=ServiceKind.APP, calls=("notes", "cache")),
        Service(name="notes", kind=ServiceKind.DOCSTORE, engine="postgresql"),
        Service(name="cache", kind=ServiceKind.CACHE, engine="redis"),
    ),
    entry="front",
    journeys=(Journey(name="echo", weight=1.0, play=echo),),
    deploys=(Replica(package="demo.system"),),
)


def ours(engine, label: str) -> list[str]:
    """Names of all containers and networks with a label."""
    found = [thing["Names"][0] for thing in engine.api.containers(all=True, filters={"label": label})]
    return found + [thing["Name"] for thing in engine.api.networks(filters={"label": label})]
