"""Makes the case of a test, and finishes a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod.case import Allowance, Case, CaseResult
from pytest_anomod.declare import Declaration
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.redact import redact_text
from pytest_anomod.run.deployments import Deployments
from pytest_anomod.run.options import chosen, dataset_place, durations, store_url
from pytest_anomod.run.workload_choice import chosen_workload


def begin_case(
    deployments: Deployments,
    declaration: Declaration,
    test: str,
    *,
    repetition: int,
    earlier: tuple[str, int] | None = None,
) -> Case:
    """The case of one test, ready to run; `earlier` is the spoiled one that it replaces (sharding.skip_done)."""
    config = deployments.config
    scenario = declaration.scenario(
        declaration.name or scenario_name(test),
        durations=durations(config),
        rate_rps=config.option.anomod_rate,
        seed=run_seed(config, repetition),
        workload=chosen_workload(deployments, declaration),
    )
    runtime = deployments.runtime(declaration)
    return Case(
        scenario=scenario,
        system=declaration.system,
        runtime=runtime,
        injector=catalog.find("injectors", declaration.injector or config.option.anomod_injector),
        session=deployments.session,
        deploy=lambda: deployments.deployment(runtime, declaration.system),
        discard=lambda deployment: deployments.discard(runtime, deployment),
        hook=config.hook,
        allowance=Allowance(patience_s=config.option.anomod_patience, attempts=config.option.anomod_attempts),
        draw=_drawing(config),
        earlier=earlier,
        is_warm=deployments.is_warm,
    )


def run_seed(config: pytest.Config, repetition: int) -> int:
    """The seed of all first, second ... cases of a run."""
    return int(config.option.anomod_seed) + 1_000_003 * repetition


def _drawing(config: pytest.Config) -> Callable[[CaseResult], Any] | None:
    """What draws a case, once for --alluredir and --anomod-report; without either nothing is drawn."""
    if not config.getoption("allure_report_dir", None) and not config.option.anomod_report:
        return None
    from pytest_anomod.report.page import draw

    return draw


def scenario_name(test: str) -> str:
    """The scenario's name from the test function's: test_perf_cpu_contention is perf_cpu_contention."""
    return test.removeprefix("test_").lower()


def send(case: Case, config: pytest.Config) -> None:
    """After a case's test: send it to the object store that the dataset goes to, with the attempts that it replaces.

    A case that the store does not take stays here, and is sent again at the end of the run.
    """
    url = store_url(config)
    if not url or case.result is None:
        return
    from pytest_anomod.dataset.store import send_case
    from pytest_anomod.run.telling import tell_once

    try:
        for result in (*case.result.superseded, case.result):
            send_case(result.directory, url)
    except DatasetError as error:
        tell_once(config, redact_text(f"{error}; the case waits in {case.session.out}"))


def finish_run(config: pytest.Config) -> None:
    """At the end of a run: the dataset's index, and the Allure report's categories and environment if there is one.

    What an object store has not taken yet is sent first.
    """
    from pytest_anomod.dataset.write import write_index

    if url := store_url(config):
        from pytest_anomod.dataset.store import send_all

        send_all(url)
    write_index(dataset_place(config))
    directory = config.getoption("allure_report_dir", None)
    if directory:
        from pytest_anomod.report.allure import write_run_files

        write_run_files(Path(directory), chosen(config))
