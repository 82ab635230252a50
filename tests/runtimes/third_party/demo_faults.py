"""Two faults of a third party: one that changes a file outside the deployment, one whose recovery never ends."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import ClassVar

from pytest_anomod.model.fault import FaultDefaults, Level, Observation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scribble(FaultDefaults):
    """Overwrites a file; the original is remembered in the deployment."""

    name: ClassVar[str] = "scribble"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset[type]] = frozenset()
    path: str

    def inject(self, deployment, target):
        """Overwrite it."""
        deployment.originals.remember(f"scribble {self.path}", Path(self.path).read_text())
        Path(self.path).write_text("scribble")
        return {"path": self.path}

    def active(self, deployment, target):
        """Whether it is overwritten."""
        return Observation(active=Path(self.path).read_text() == "scribble")

    def recover(self, deployment, target):
        """Write the original back."""
        original = deployment.originals.recall(f"scribble {self.path}")
        if original is not None:
            Path(self.path).write_text(original)
            deployment.originals.forget(f"scribble {self.path}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hang(Scribble):
    """Can't be taken out: its recovery waits for ever."""

    name: ClassVar[str] = "hang"

    def recover(self, deployment, target):
        """Wait for what never comes."""
        threading.Event().wait()
