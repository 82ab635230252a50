"""The kinds of --anomod-workload that play a file of another tool: openapi, har, postman, locust, k6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_anomod.declare import Declaration

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Workload
    from pytest_anomod.run.deployments import Deployments

KINDS = ("openapi", "har", "postman", "locust", "k6")


def checking(kind: str) -> Callable[[pytest.Config, Declaration, str], None]:
    """What raises ScenarioError at collection for a file of a kind that can't be played."""

    def check(config: pytest.Config, declaration: Declaration, file: str) -> None:
        _named(config, f"{kind}:{file}")

    return check


def making(kind: str) -> Callable[[Deployments, Declaration, str], Workload]:
    """What makes the workload that plays a file of a kind."""

    def make(deployments: Deployments, declaration: Declaration, file: str) -> Workload:
        return _named(deployments.config, f"{kind}:{file}")

    return make


def _named(config: pytest.Config, name: str) -> Workload:
    from pytest_anomod.workloads.named import named_workload

    bases = config.option.anomod_suite_base or ()
    deletions = bool(config.option.anomod_deletions)
    return named_workload(name, Path(config.invocation_params.dir), bases=bases, deletions=deletions)
