"""A replica of three services and two stores, small enough to start in each test that needs a whole deployment."""

from pytest_anomod.replicas.kit.system import ReplicaSystem, SeedContext, ServiceSpec, StoreSpec


async def seed(context: SeedContext) -> None:
    """Put one known row and one known key into the stores."""
    await context.pg("notes").execute("INSERT INTO note VALUES ('seeded', $1)", str(context.seed))
    await context.redis("counts").execute("SET", "seeded", context.random.randint(1, 10**6))


SYSTEM = ReplicaSystem(
    name="demo_system",
    package=__name__,
    services=(
        ServiceSpec(name="gate", module="gate", kind="gateway", calls=("front",)),
        ServiceSpec(name="front", module="front", calls=("back", "counts")),
        ServiceSpec(name="back", module="back", calls=("notes",)),
    ),
    stores=(
        StoreSpec(name="counts", engine="redis", kind="cache", settings={"maxmemory-policy": "noeviction"}),
        StoreSpec(
            name="notes",
            engine="postgres",
            kind="docstore",
            schema="CREATE TABLE note (name text PRIMARY KEY, body text NOT NULL)",
        ),
    ),
    entry="gate",
    seed=seed,
)
