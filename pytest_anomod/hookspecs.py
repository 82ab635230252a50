"""The hooks that a conftest.py or a plug-in can implement: they are told what happens, and decide nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_anomod.case import CaseResult
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.scenario import Scenario


@pytest.hookspec
def pytest_anomod_deployment_ready(deployment: Deployment) -> None:
    """A system came up in this process and is healthy; called once per deployment, before its first case."""


@pytest.hookspec
def pytest_anomod_case_starting(scenario: Scenario, deployment: Deployment) -> None:
    """A case is about to run; its directory does not exist yet."""


@pytest.hookspec
def pytest_anomod_case_finished(result: CaseResult) -> None:
    """A case is complete on disk and judged, whatever its verdict; called in the process that ran it."""
