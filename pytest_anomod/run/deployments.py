"""The deployments and the session of one pytest process; an xdist worker is one."""

from __future__ import annotations

import os
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.declare import Declaration
from pytest_anomod.host.waits import waits
from pytest_anomod.model import catalog
from pytest_anomod.run.choosing import runtime_name
from pytest_anomod.run.keys import deployments_key
from pytest_anomod.run.options import out_directory
from pytest_anomod.run.telling import tell, tell_once

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Runtime
    from pytest_anomod.model.system import System


class Deployments:
    """The deployments of one pytest process (an xdist worker is one); made when the first case begins."""

    def __init__(self, config: pytest.Config) -> None:
        from pytest_anomod.dataset.write import check_out
        from pytest_anomod.safety.guardian import ensure_guardian
        from pytest_anomod.safety.sessions import new_session

        check_out(out_directory(config))  # before a system is brought up for nothing
        self.config = config
        worker = getattr(config, "workerinput", {})
        run_id = worker.get("testrunuid") or uuid.uuid4().hex
        self.session = new_session(
            out_directory(config), run_id=run_id, worker=worker.get("workerid", f"main-{os.getpid()}")
        )
        ensure_guardian(self.session.directory)
        waits.say = partial(tell, config)
        self._up: dict[tuple[str, str], Deployment] = {}
        self._swept: set[str] = set()
        self._kept: Deployment | None = None

    @classmethod
    def of(cls, config: pytest.Config) -> Deployments:
        """Those of this process, made when first asked for."""
        if deployments_key not in config.stash:
            config.stash[deployments_key] = cls(config)
        return config.stash[deployments_key]

    def runtime(self, declaration: Declaration) -> Runtime:
        """The runtime a test runs on; what dead sessions left on it is swept away the first time."""
        runtime: Any = catalog.find("runtimes", runtime_name(self.config, declaration))
        if runtime.name not in self._swept:
            self._swept.add(runtime.name)
            runtime.sweep()
        return runtime

    def deployment(self, runtime: Runtime, system: System) -> Deployment:
        """The system, up and healthy: the one this process has already, or a new one.

        A process has one system up at a time: another would take memory and CPU from the one that is looked at.
        """
        key = (runtime.name, system.name)
        for other in [other for other in self._up if other != key]:
            self.discard(catalog.find("runtimes", other[0]), self._up[other])
        kept = self._up.get(key)
        if kept is not None and not kept.unhealthy():
            self._kept = kept
            return kept
        if kept is not None:
            self.discard(runtime, kept)
        deployment = runtime.up(system, self.session, seed=self.config.option.anomod_seed)
        self._up[key] = deployment
        for note in getattr(deployment, "notes", ()):
            tell_once(self.config, note)
        self.config.hook.pytest_anomod_deployment_ready(deployment=deployment)
        return deployment

    def is_warm(self, deployment: Deployment) -> bool:
        """Whether a case of this process had it before."""
        return deployment is self._kept

    def discard(self, runtime: Runtime, deployment: Deployment) -> None:
        """Take a deployment down, because it must not be used again or the session is over."""
        self._up = {key: kept for key, kept in self._up.items() if kept is not deployment}
        runtime.down(deployment)

    def close(self) -> None:
        """Take everything down and leave no directory behind."""
        from pytest_anomod.safety.sessions import end_session

        for (runtime, _), deployment in list(self._up.items()):
            self.discard(catalog.find("runtimes", runtime), deployment)
        end_session(self.session)
