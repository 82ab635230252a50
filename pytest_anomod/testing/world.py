"""The state of a fake deployment: one small JSON file, the same for every process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model.fault import Json


class World:
    """The state of a fake deployment: a JSON object in a file, replaced whole."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "world.json"

    def read(self) -> dict[str, Any]:
        """The world now."""
        try:
            world: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"calls": [], "fault_in": False, "prepared": False, "unhealthy": [], "remembered": {}, "undo": {}}
        return world

    def write(self, **changes: Json) -> None:
        """Change some of it."""
        fresh = self.path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        fresh.write_text(json.dumps({**self.read(), **changes}), encoding="utf-8")
        fresh.replace(self.path)

    def call(self, name: str) -> int:
        """Note that something was called; how often it was by now."""
        calls = [*self.read()["calls"], name]
        self.write(calls=calls)
        return calls.count(name)


class FakeUndo:
    """An undo log in the fake world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def record(self, entry: Mapping[str, Json]) -> str:
        undo = self._world.read()["undo"]
        name = f"entry-{len(undo)}"
        self._world.write(undo={**undo, name: dict(entry)})
        return name

    def done(self, entry_id: str) -> None:
        self._world.write(undo={**self._world.read()["undo"], entry_id: None})


class FakeOriginals:
    """Originals in the fake world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def remember(self, key: str, value: Json) -> None:
        self._world.write(remembered={key: value, **self._world.read()["remembered"]})

    def recall(self, key: str) -> Json:
        return self._world.read()["remembered"].get(key)

    def forget(self, key: str) -> None:
        remembered = self._world.read()["remembered"]
        self._world.write(remembered={name: value for name, value in remembered.items() if name != key})
