"""The last service of the demo system: keeps notes in PostgreSQL."""

from pytest_anomod.replicas.kit.errors import ServiceException
from pytest_anomod.replicas.kit.service import Service, method


class Back(Service):
    """Finds and keeps notes."""

    @method("Find", span="find_server")
    async def find(self, ctx, name):
        """The body of a note; declared failure 4 when there is none."""
        row = await self.pg("notes").fetchrow("SELECT body FROM note WHERE name = $1", name)
        if row is None:
            ctx.log.warning(f"no note {name}")
            raise ServiceException(4, f"no note {name}")
        return row["body"]

    @method("Keep")
    async def keep(self, ctx, name, body):
        """Insert or replace a note."""
        await self.pg("notes").execute(
            "INSERT INTO note VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body", name, body
        )
        return True


SERVICE = Back
