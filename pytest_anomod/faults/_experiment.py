"""What a Chaos Toolkit experiment of a file does to a system; it is carried out by injectors/_chaostoolkit.py alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import FaultDefaults, Json, Level, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(FaultDefaults):
    """The method of an experiment: `file` is its path from the root directory, `actions` what its actions call.

    `seen_by` says who can see it: "restarted", "down", "refused" (looks of ours), "probe:NAME" (one of the file's),
    "hypothesis" (that it does not hold), or "" for nobody. `kind` is the fault of ours that its first action is like,
    "load" or "roll-out" for an anomaly that is no fault of ours, "" for what is not known.
    """

    name: ClassVar[str] = "experiment"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset[type]] = frozenset()

    file: str
    title: str
    actions: tuple[str, ...] = ()
    kind: str = ""
    seen_by: str = ""

    def prepare(self, deployment: Deployment, target: str) -> None:
        raise InjectionError(self._not_alone())

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        raise InjectionError(self._not_alone())

    def active(self, deployment: Deployment, target: str) -> Observation:
        raise InjectionError(self._not_alone())

    def recover(self, deployment: Deployment, target: str) -> None:
        raise InjectionError(self._not_alone())

    def _not_alone(self) -> str:
        return f"the experiment of {self.file} is played from its file: name it on the command line of pytest"


OFFER = Experiment
