"""A replica whose service can't start."""

from pytest_anomod.replicas.kit.system import ReplicaSystem, ServiceSpec

SYSTEM = ReplicaSystem(
    name="broken",
    package="demo",
    services=(ServiceSpec(name="sick-service", module="sick", kind="gateway"),),
    entry="sick-service",
)
