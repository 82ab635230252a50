"""pytest's hooks: options, the `case` fixture, outcomes; heavy modules are imported when the first case needs them."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.run.command_line import (
    DECLARED,
    EXPERIMENTS,
    REPETITION,
    add_options,
    declaration_of,
    declared_by,
    given_options,
    repetition_of,
)
from pytest_anomod.run.keys import case_key, deployments_key

if TYPE_CHECKING:
    from pytest_anomod.case import Case

pytest_plugins = ("pytest_anomod.distribution",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of ours."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register our hooks."""
    from pytest_anomod import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Keep a place for the summary, the report and the baseline; nothing else happens without an anomaly."""
    config.pluginmanager.register(Summary(config), "anomod-summary")
    option = config.option
    if config.getini("anomod_experiments"):
        from pytest_anomod.run.experiment_files import add_patterns

        add_patterns(config)
    if option.anomod_report and not hasattr(config, "workerinput"):
        from pytest_anomod.run.run_report import RunReport

        config.pluginmanager.register(RunReport(config), "anomod-report")
    if option.anomod_baseline or option.anomod_baseline_update:
        from pytest_anomod.run.keeping import Keeper

        config.pluginmanager.register(Keeper(config), "anomod-baseline")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse values on the command line that no run can have, before workers are started."""
    option = session.config.option
    given = given_options(option)
    if given and not hasattr(session.config, "workerinput"):
        from pytest_anomod.run.mistakes import check_options

        check_options(option, given)
    if option.anomod_compose:
        from pytest_anomod.run.originals import originals

        originals(session.config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Chaos Toolkit experiments are tests where the user names them, on the command line or by a pattern."""
    if file_path.suffix not in EXPERIMENTS:
        return None
    from pytest_anomod.run import experiment_files

    return experiment_files.collect(file_path, parent)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Report a mistake in a test file in one line, without a traceback through code that is not the user's."""
    report = yield
    call = getattr(report, "call", None)
    if report.failed and call is not None and "pytest_anomod.model.errors" in sys.modules:
        from pytest_anomod.run.mistakes import in_file

        line = "" if collector.config.option.fulltrace else in_file(collector, call.excinfo.value)
        report.longrepr = line or report.longrepr
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse at collection what this command line can't run; a test for each scenario, repeated when asked to."""
    declared = declared_by(metafunc.function)
    if declared is None:
        return
    if not metafunc.definition.get_closest_marker("skip"):
        from pytest_anomod.run.fitness import checked

        declared = checked(metafunc.config, metafunc.function)
    if isinstance(declared, tuple):
        metafunc.fixturenames.append(DECLARED)
        metafunc.parametrize(DECLARED, declared, ids=lambda declaration: declaration.name)
    if metafunc.config.option.anomod_repeat > 1:
        metafunc.fixturenames.append(REPETITION)
        metafunc.parametrize(REPETITION, range(metafunc.config.option.anomod_repeat), ids=lambda n: f"r{n + 1}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For the selected tests: refuse a run that can't work; settle what `auto` takes; skip what the injector can't do.

    That is for the injector and the runtime of the command line; those that a test names were checked before.
    """
    if config.option.anomod_shard:
        from pytest_anomod.run.sharding import keep_shard

        keep_shard(config, items)
    wanted = [item for item in items if not item.get_closest_marker("skip")]  # what is skipped needs nothing
    found = [(item, declaration_of(item)) for item in wanted]
    scenarios = [(item, declaration) for item, declaration in found if declaration is not None]
    if not scenarios:
        return
    from pytest_anomod.model.errors import AnomodError
    from pytest_anomod.run.choosing import settle_runtime
    from pytest_anomod.run.fitness import check_run, why_skipped
    from pytest_anomod.run.mistakes import refuse_run

    declarations = [declaration for _, declaration in scenarios]
    try:
        check_run(config, declarations)
    except AnomodError as error:
        refuse_run(config, items, str(error))
        return
    settle_runtime(config, declarations)
    for item, declaration in scenarios:
        if why := why_skipped(config, declaration):
            item.add_marker(pytest.mark.skip(reason=why))
    if config.option.anomod_resume:
        from pytest_anomod.run.sharding import skip_done

        skip_done(config, items)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Which runtime `auto` took, and why, before the first case; with xdist the controller says it."""
    why = _runtime_taken(config)
    return [f"anomod {why}"] if why else []


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """The case of this scenario; `case.run()` deploys, breaks, watches, heals, writes and judges."""
    from pytest_anomod.run.cases import begin_case
    from pytest_anomod.run.deployments import Deployments
    from pytest_anomod.run.sharding import earlier_key

    declaration = declaration_of(request.node)
    if declaration is None:
        pytest.fail(
            f"{request.node.nodeid} asks for the fixture 'case' but declares no anomaly: "
            "put @anomaly(system=..., fault=..., target=...) on it",
            pytrace=False,
        )
    test, repetition = request.function.__name__, repetition_of(request.node)
    earlier = request.node.stash.get(earlier_key, None)
    begun = begin_case(Deployments.of(request.config), declaration, test, repetition=repetition, earlier=earlier)
    request.node.stash[case_key] = begun
    return begun


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """After a scenario's body: its case must have been run, and its verdict must be the expected one."""
    begun = pyfuncitem.stash.get(case_key, None)
    if begun is None:
        return (yield)
    from pytest_anomod.run.outcomes import settle

    try:
        outcome = yield
    except (AssertionError, pytest.fail.Exception) as failure:
        settle(pyfuncitem, begun, failure)
        raise
    settle(pyfuncitem, begun, None)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Carry the case's headline into the report, and so into JUnit XML and over to the xdist controller."""
    report = yield
    begun = item.stash.get(case_key, None)
    if report.when == "call" and begun is not None:
        from pytest_anomod.run.carrying import carry

        carry(item, begun, report)
        if "://" in item.config.option.anomod_out:
            from pytest_anomod.run.cases import send

            send(begun, item.config)
    if report.when == "teardown" and begun is not None:
        del item.stash[case_key]  # its tables are tens of megabytes
    return report


def pytest_fixture_post_finalizer(request: pytest.FixtureRequest) -> None:
    """Keep a tear-down step without an end off a case's Allure page."""
    if case_key in request.node.stash and request.config.getoption("allure_report_dir", None):
        from pytest_anomod.report.allure import drop_unended

        drop_unended(request.config)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take down what this process brought up."""
    cases = session.config.stash.get(deployments_key, None)
    if cases is not None:
        cases.close()


class Summary:
    """Gathers each case's headline on the controller (or in the only process) and writes the index at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.rows: list[dict[str, str]] = []
        self.trouble = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the headline of a case."""
        row = {str(key): str(value) for key, value in report.user_properties if str(key).startswith("anomod_")}
        if report.when == "call" and row:
            outcome = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
            self.rows.append(row | {"seconds": f"{report.duration:.1f}", "outcome": outcome})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Finish the dataset's index and the report's run files, once: workers leave it to the controller."""
        if hasattr(self.config, "workerinput") or not any("anomod_case" in row for row in self.rows):
            return
        from pytest_anomod.model.errors import AnomodError
        from pytest_anomod.run.cases import finish_run

        try:
            finish_run(self.config)
        except AnomodError as error:
            self.trouble = str(error)
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line per case: verdict, proof, where it is."""
        if self.rows:
            from pytest_anomod.model.redact import redact_text
            from pytest_anomod.report.terminal import write_summary
            from pytest_anomod.run.options import dataset_place

            place = redact_text(str(dataset_place(self.config)))
            write_summary(terminalreporter, self.rows, place)
            why = _runtime_taken(self.config)
            if why:
                terminalreporter.write_line(why)
        if self.trouble:
            terminalreporter.write_line(f"the dataset's index was not written: {self.trouble}", red=True)


def _runtime_taken(config: pytest.Config) -> str:
    """One line that says what `auto` took; "" when it was not asked."""
    option = config.option
    took = getattr(option, "anomod_runtime_took", "")
    return f"runtime: {took}, for {option.anomod_runtime_why}" if took else ""
