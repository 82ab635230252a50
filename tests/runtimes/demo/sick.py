"""A service that fails when it starts, and says why."""

from pytest_anomod.replicas.kit.service import Service


class Sick(Service):
    """Never comes up."""

    async def start(self):
        """Fail."""
        raise RuntimeError("the cellar is flooded")


SERVICE = Sick
