"""unique-id-service: makes 64-bit post ids from a machine id, the time and a counter."""

import os

from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from . import ids
from .backend import Backend, now_ms

ABORTED = 134  # exit code of a process that called abort()


class UniqueIdHandler(Backend):
    """Stateless apart from the counter of the running millisecond."""

    async def start(self) -> None:
        """Find out which machine this is."""
        mac = ids.mac_address(self.name)
        self._machine = ids.machine_id(mac)
        self._counter = ids.Counter()
        self.log.info(f"MAC address = {mac}")
        self.log.info(f"machine_id = {self._machine}")
        await super().start()

    @method("ComposeUniqueId", span="compose_unique_id_server")
    async def compose_unique_id(self, ctx: Context, req_id: int, post_type: int) -> int:
        """A new post id. A clock that steps backwards ends the process: its ids would no longer be unique."""
        ctx.log.info(f"Received ComposeUniqueId request [req_id={req_id}, post_type={post_type}]")
        timestamp = now_ms() - ids.EPOCH_MS
        try:
            counter = self._counter.next(timestamp)
        except ids.ClockStepsBackwardsError as error:
            ctx.log.fatal(str(error))
            os._exit(ABORTED)
        ctx.log.info(
            f"ComposeUniqueId timestamp and counter [req_id={req_id}, timestamp={timestamp}, counter={counter}]"
        )
        return ids.compose_id(self._machine, timestamp, counter)


SERVICE = UniqueIdHandler
