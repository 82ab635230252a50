"""The middle service of the demo system: counts in Redis, passes on to the back."""

from pytest_anomod.replicas.kit.service import Service, method


def shout(text: str) -> str:
    """Make a text loud."""
    return text.upper()


class Front(Service):
    """Counts reads and asks the back."""

    async def start(self) -> None:
        """Say hello, as services do."""
        self.log.info("Starting the front server...")

    @method("Read", span="read_server")
    async def read(self, ctx, name):
        """Count the read, then ask for the note."""
        with ctx.client_span("count_client", "counts", system="redis", operation="INCR"):
            count = await self.redis("counts").execute("INCR", f"reads:{name}")
        body = await self.rpc("back").call(ctx, "Find", span="find_client", name=name)
        ctx.log.info(f"read {name} ({count})")
        return {"name": name, "body": body, "count": count, "loud": shout(body)}

    @method("Write")
    async def write(self, ctx, name, body):
        """Pass the note on."""
        if not body:
            raise ValueError("empty note")
        return await self.rpc("back").call(ctx, "Keep", name=name, body=body)


SERVICE = Front
