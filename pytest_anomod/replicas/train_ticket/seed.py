"""Fills the database of a new deployment with the original's start-up rows; the queues are made by who uses them."""

import uuid

from pytest_anomod.replicas.kit.system import SeedContext

from . import population
from .entities import TABLES

DATABASE = "tsdb-mysql"


async def fill(ctx: SeedContext) -> None:
    """Load all rows by COPY; ids that are random in the original come from the seed."""
    rows = population.rows(lambda: str(uuid.UUID(int=ctx.random.getrandbits(128), version=4)))
    tables = {table.name: table for table in TABLES}
    for name, values in rows.items():
        table = tables[name]
        columns = [column.strip('"') for column in table.columns.values()]
        records = [table.values(row) for row in values]
        await ctx.pg(DATABASE).copy(name.strip('"'), columns, records)
