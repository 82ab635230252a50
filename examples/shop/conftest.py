"""The shop as a system under test: what starts its services, and what customers do.

`--anomod-runtime=compose` starts compose.yaml (COMPOSE_FILE names others), `--anomod-runtime=commands` the Procfile.
"""

import os
import shutil
import subprocess
import sys

from pytest_anomod import Agents, Journey, compose_system, procfile, procfile_system

PASSWORD = "only-for-tests"
PROCESSES = {
    "PYTHON": sys.executable,
    "gateway": {"CATALOG_URL": "http://127.0.0.1:{catalog}", "ORDERS_URL": "http://127.0.0.1:{orders}"},
    "catalog": {"DATABASE_URL": f"postgresql://shop:{PASSWORD}@127.0.0.1:{{db}}/shop"},
    "orders": {"PRICING_URL": "http://127.0.0.1:{pricing}"},
    "pricing": {"REDIS_ADDR": "127.0.0.1:{cache}"},
    "db": {"POSTGRES_PASSWORD": PASSWORD},
}
LOGINS = {"db": f"postgresql://shop:{PASSWORD}@127.0.0.1:{{db}}/shop"}
AGENTS = os.environ.get("AGENTS", "")
"""Set it to have traces, lines and faults in code, after `anomod agents fetch`; build.sh builds pricing with it."""
INSIDE = {"catalog": "python", "orders": "java", "gateway": "node", "pricing": "go"} if AGENTS else {}
BESIDE = {**INSIDE, "catalog": Agents("python", source="catalog")} if AGENTS else {}
"""The same where catalog is started in another directory than its own."""


async def look(client, random):
    """A customer looks at a product."""
    return await client.request("GET", f"/products/{random.randint(1, 100)}", route="/products/{id}")


async def buy(client, random):
    """A customer buys some pieces of one."""
    order = {"product": random.randint(1, 100), "count": random.randint(1, 20)}
    return await client.request("POST", "/orders", json=order)


CUSTOMERS = [Journey(name="look", weight=0.7, play=look), Journey(name="buy", weight=0.3, play=buy)]


def has_compose():
    """Whether there is a docker compose on this machine."""
    commands = (["docker", "compose"], ["docker-compose"])
    return any(
        subprocess.run([*words, "version"], capture_output=True).returncode == 0
        for words in commands
        if shutil.which(words[0])
    )


if has_compose():
    shop = compose_system(
        *os.environ.get("COMPOSE_FILE", "compose.yaml").split(os.pathsep),
        name="shop",
        journeys=CUSTOMERS,
        otlp=["catalog"],
        agents=INSIDE,
        deploys=[procfile("Procfile", env=PROCESSES, logins=LOGINS, otlp=True, agents=BESIDE)],
    )
else:
    shop = procfile_system(
        "Procfile",
        name="shop",
        env=PROCESSES,
        logins=LOGINS,
        engines={"cache": "redis", "db": "postgresql"},
        journeys=CUSTOMERS,
        otlp=True,
        agents=BESIDE,
    )
