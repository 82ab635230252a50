"""The database pools of a service: their figures as metrics, and connections that are taken and not given back."""

import asyncio
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.postgres_client import PostgresClient

RETRY_S = 0.05
TAKEN_WITHIN_S = 10.0

Pools = Mapping[str, PostgresClient]
"""The pools of a service, by store."""


class PoolFigures:
    """A collector of metrics over all pools of a service; none for a service without one."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """Size, connections in use, requests that wait, and time-outs, by store."""
        if not self._pools:
            return
        size = GaugeMetricFamily("db_pool_size", "Connections the pool may hold.", labels=("store",))
        in_use = GaugeMetricFamily("db_pool_in_use", "Connections at work.", labels=("store",))
        waiting = GaugeMetricFamily("db_pool_waiting", "Requests that wait for a connection.", labels=("store",))
        timeouts = CounterMetricFamily(
            "db_pool_timeouts", "Requests that got no connection in time.", labels=("store",)
        )
        for store, pool in self._pools.items():
            size.add_metric((store,), pool.size)
            in_use.add_metric((store,), pool.in_use)
            waiting.add_metric((store,), pool.waiting)
            timeouts.add_metric((store,), pool.timeouts)
        yield from (size, in_use, waiting, timeouts)


class PoolLoans:
    """Connections that are borrowed from all pools of a service and kept, as by code that forgets to close them.

    They come back when they are asked for, or by themselves when their time is over.
    """

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def borrow(self, leave: int, seconds: float) -> dict[str, dict[str, int]]:
        """Take all but `leave` connections of each pool for so many seconds, in turn with those who wait for one.

        Answers the size of each pool and how many were "borrowed"; what was borrowed before is given back first.
        ValueError when there is no pool or its connections were not to be had.
        """
        if not self._pools:
            raise ValueError("the service has no database pool")
        await self.give_back()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._cancel)
        counts = {store: max(0, pool.size - leave) for store, pool in self._pools.items()}
        taken = [self._take(self._pools[store]) for store, count in counts.items() for _ in range(count)]
        _, missing = await asyncio.wait(taken, timeout=TAKEN_WITHIN_S) if taken else ((), ())
        if missing:
            await self.give_back()
            raise ValueError(f"{len(missing)} of {len(taken)} connections were not to be had in {TAKEN_WITHIN_S:g} s")
        return {store: {"size": self._pools[store].size, "borrowed": count} for store, count in counts.items()}

    async def give_back(self) -> None:
        """Give back what was borrowed; with nothing borrowed nothing happens."""
        self._cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _take(self, pool: PostgresClient) -> "asyncio.Future[None]":
        """Begin to take one connection; done as soon as it is ours."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(_keep(pool, taken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return taken

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()


async def _keep(pool: PostgresClient, taken: "asyncio.Future[None]") -> None:
    """Take one connection, however long that takes, and keep it until the task is cancelled."""
    while True:
        try:
            async with pool.connection():
                taken.set_result(None)
                await asyncio.get_running_loop().create_future()
        except StoreError:
            # the pool was busy or the store not there: try again
            await asyncio.sleep(RETRY_S)
