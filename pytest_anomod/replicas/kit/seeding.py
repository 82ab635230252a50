"""Filling the stores: in a process of its own, so that the host stays small and services start meanwhile."""

import asyncio
import importlib
import random
from collections.abc import Mapping

from pytest_anomod.replicas.kit.net import Login, NameTable
from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.processes import set_title
from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.service_process import new_event_loop
from pytest_anomod.replicas.kit.system import ReplicaSystem, SeedContext


def run_seed(system: ReplicaSystem, seed: int, names: NameTable, logins: Mapping[str, Login]) -> None:
    """Run the seed function of a system; whatever it raises ends this process with its traceback."""
    set_title("seed")
    function = system.seed
    if isinstance(function, str):
        module, _, name = function.partition(":")
        function = getattr(importlib.import_module(f"{system.package}.{module}"), name)
    if function is None:
        return
    context = _context(seed, names, logins)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(function(context))


def _context(seed: int, names: NameTable, logins: Mapping[str, Login]) -> SeedContext:
    redis: dict[str, RedisClient] = {}
    postgres: dict[str, PostgresClient] = {}

    def redis_client(name: str) -> RedisClient:
        return redis.setdefault(name, RedisClient(names, name, timeout_s=60.0))

    def postgres_client(name: str) -> PostgresClient:
        return postgres.setdefault(name, PostgresClient(names, name, logins[name], timeout_s=60.0))

    return SeedContext(seed, random.Random(seed), redis_client, postgres_client)
