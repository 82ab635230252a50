"""ts-config-service: configuration by name."""

from typing import Any

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import CONFIG, CONFIGS
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]


class ConfigService(Backend):
    """A table by its name column."""

    base = "/api/v1/configservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Config Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.configs = self.repository(CONFIGS)
        await super().start()

    @endpoint("GET", "/configs")
    async def query_all(self, call: Call) -> Envelope:
        """Every configuration."""
        return found(await self.configs.find(call), "Find all  config success", "No content")

    @endpoint("GET", "/configs/{name}")
    async def query(self, call: Call, name: str) -> Envelope:
        """One by name."""
        return found(await self.configs.one(call, name=name), "Success", "No content")

    @endpoint("POST", "/configs", body=CONFIG, status=201)
    async def create(self, call: Call, config: Row) -> Envelope:
        """A new one; a known name is refused."""
        if await self.configs.one(call, name=config["name"]) is not None:
            return refused(f"Config {config['name']} already exists.")
        return ok("Create success", await self.configs.save(call, config))

    @endpoint("PUT", "/configs", body=CONFIG)
    async def update(self, call: Call, config: Row) -> Envelope:
        """Another value and description; an unknown name is refused."""
        if await self.configs.one(call, name=config["name"]) is None:
            return refused(f"Config {config['name']} doesn't exist.")
        await self.configs.update(call, config)
        return ok("Update success", config)

    @endpoint("DELETE", "/configs/{name}")
    async def delete(self, call: Call, name: str) -> Envelope:
        """Delete one and return what it was."""
        config = await self.configs.one(call, name=name)
        if config is None:
            return refused(f"Config {name} doesn't exist.")
        await self.configs.delete(call, name=name)
        return ok("Delete success", config)


SERVICE = ConfigService
