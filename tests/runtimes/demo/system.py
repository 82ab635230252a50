"""The declaration of the demo replica."""

from pytest_anomod.replicas.kit.system import ReplicaSystem, ServiceSpec, StoreSpec

SYSTEM = ReplicaSystem(
    name="demo",
    package="demo",
    services=(
        ServiceSpec(name="front", module="front", kind="gateway", calls=("back",)),
        ServiceSpec(name="back", module="back", calls=("notes", "cache")),
    ),
    stores=(
        StoreSpec(name="notes", engine="postgres", kind="docstore", schema="CREATE TABLE notes (text text);"),
        StoreSpec(name="cache", engine="redis", kind="cache"),
    ),
    entry="front",
)
