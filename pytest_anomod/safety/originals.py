"""What was changed and must be put back, in a file that any process can read: `Originals` of a deployment."""

from __future__ import annotations

from pathlib import Path

from pytest_anomod.host import files
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json


class OriginalsFile:
    """Values by key in one JSON file; its directory is that of the deployment's own things, and goes with it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def remember(self, key: str, value: Json) -> None:
        """Write an original down; the first value stays. DeploymentError when the deployment is gone."""
        if not self._path.parent.is_dir():
            msg = f"{self._path.parent} is gone with its deployment: there is nothing to remember {key!r} for"
            raise DeploymentError(msg)
        with files.edited(self._path) as originals:
            originals.setdefault(key, value)

    def recall(self, key: str) -> Json:
        """The remembered value, or None."""
        return files.read_json(self._path).get(key)

    def forget(self, key: str) -> None:
        """Drop a remembered value; idempotent."""
        if self._path.parent.is_dir():
            with files.edited(self._path) as originals:
                originals.pop(key, None)
