"""Replaces a test's workload by that of the command line: a suite of the user, a generated one, or a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_anomod.declare import Declaration
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.run import file_workloads
from pytest_anomod.run.telling import tell_once

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Workload
    from pytest_anomod.run.deployments import Deployments

Check = Callable[[pytest.Config, Declaration, str], None]
"""ScenarioError at collection, when an argument of `--anomod-workload KIND:ARGUMENT` can't be played here."""
Make = Callable[["Deployments", Declaration, str], "Workload"]
"""The workload, when a case is made."""


def check_workload(config: pytest.Config, declaration: Declaration) -> None:
    """ScenarioError when what the command line asks for can't be played."""
    kind, argument = _asked(config)
    if kind:
        KINDS[kind][0](config, declaration, argument)
    else:
        _suite(config, declaration)


def chosen_workload(deployments: Deployments, declaration: Declaration) -> Workload | None:
    """The workload in the place of a test's own; None leaves that. It may have to be made first."""
    kind, argument = _asked(deployments.config)
    if kind:
        return KINDS[kind][1](deployments, declaration, argument)
    return _suite(deployments.config, declaration)


def _asked(config: pytest.Config) -> tuple[str, str]:
    """Kind and argument of --anomod-workload; ("", "") without it."""
    given = config.option.anomod_workload
    if given is None:
        return "", ""
    kind, _, argument = given.partition(":")
    if kind not in KINDS:
        msg = f"--anomod-workload {given}: {kind!r} is none of {', '.join(KINDS)}"
        raise ScenarioError(msg)
    if config.option.anomod_suite is not None:
        msg = f"--anomod-workload {given} and --anomod-suite {config.option.anomod_suite}: a case has one workload"
        raise ScenarioError(msg)
    return kind, argument


def _suite(config: pytest.Config, declaration: Declaration) -> Workload | None:
    """The suite of --anomod-suite, or None; ScenarioError if it can't be."""
    option = config.option
    if option.anomod_suite is None:
        if option.anomod_suite_once or option.anomod_suite_base:
            msg = (
                "--anomod-suite-once and --anomod-suite-base say how to play a suite: name it with --anomod-suite PATH"
            )
            raise ScenarioError(msg)
        return None
    from pytest_anomod.workloads.suite import AUTO, prepare

    return prepare(
        Path(config.invocation_params.dir, option.anomod_suite),
        once=option.anomod_suite_once,
        bases=option.anomod_suite_base or (AUTO,),
        system=declaration.system,
    )


def _check_evomaster(config: pytest.Config, declaration: Declaration, argument: str) -> None:
    from pytest_anomod.workloads import evomaster

    evomaster.seconds(argument)
    evomaster.find()


def _evomaster(deployments: Deployments, declaration: Declaration, argument: str) -> Workload:
    """The suite that EvoMaster writes for the system; written once for a system, a document, a version, a seed, a time.

    The document is that of the case's own deployment; EvoMaster gets a second deployment, because its requests change
    it.
    """
    from pytest_anomod.host.leases import demand, lease
    from pytest_anomod.host.locks import generator_lock
    from pytest_anomod.workloads import evomaster
    from pytest_anomod.workloads.suite import prepare

    config, system = deployments.config, declaration.system
    search_s, seed, program = evomaster.seconds(argument), int(config.option.anomod_seed), evomaster.find()
    runtime = deployments.runtime(declaration)
    deployment = deployments.deployment(runtime, system)
    path, document = evomaster.document_of(deployment.entry_url)
    folder = evomaster.place(system, document, program, seed=seed, search_s=search_s)
    if not evomaster.is_made(folder):
        tell_once(config, f"evomaster searches for {search_s} s, on a deployment of its own ({program.found})")
        deployments.discard(runtime, deployment)
        with generator_lock(f"a suite for {system.name}"):
            if not evomaster.is_made(folder):
                own = deployments.deployment(runtime, system)
                try:
                    with lease(demand(system.name), f"evomaster on {system.name}", alone=True):
                        evomaster.generate(
                            program, system, own.entry_url, folder, path=path, seed=seed, search_s=search_s
                        )
                finally:
                    deployments.discard(runtime, own)
    return prepare(folder, system=system)


KINDS: Mapping[str, tuple[Check, Make]] = {"evomaster": (_check_evomaster, _evomaster)} | {
    kind: (file_workloads.checking(kind), file_workloads.making(kind)) for kind in file_workloads.KINDS
}
"""The kinds of --anomod-workload."""
