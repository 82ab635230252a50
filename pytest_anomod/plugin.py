"""The rim of the plugin: options, the `case` fixture, outcomes; everything heavy is imported when a case first asks."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_anomod.case import Case
    from pytest_anomod.run.deployments import Deployments

pytest_plugins = ("pytest_anomod.distribution",)

_DECLARATION = "__anomod_declaration__"  # the same word as declare.ATTRIBUTE, which is too heavy to import here
_REPETITION = "_anomod_repetition"

_CHECKED: dict[str, object] = {
    "scale": 1.0,
    "rate": None,
    "repeat": 1,
    "patience": 60.0,
    "attempts": 2,
    "runtime": "auto",
    "injector": "native",
}
"""Options whose values are looked at when they are not these, their defaults."""

_session_key = pytest.StashKey["Deployments"]()
_case_key = pytest.StashKey["Case"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """All options of ours, in one group."""
    group = parser.getgroup("anomod", "chaos scenarios and their dataset (pytest-anomod)")
    group.addoption("--anomod-out", metavar="DIR", default="anomod-dataset", help="root of the dataset (%(default)s)")
    group.addoption(
        "--anomod-durations",
        metavar="PROFILE",
        default="quick",
        choices=("quick", "standard", "paper"),
        help="lengths of the windows: quick (10 s), standard (60 s) or paper (300 s); default %(default)s",
    )
    group.addoption(
        "--anomod-scale", metavar="F", type=float, default=1.0, help="factor on all window lengths (%(default)s)"
    )
    group.addoption(
        "--anomod-rate", metavar="RPS", type=float, help="journeys a second; default: the system's own rate"
    )
    group.addoption(
        "--anomod-suite",
        metavar="PATH",
        help="replay this Python HTTP test suite (a file or folder) as the workload of every scenario",
    )
    group.addoption(
        "--anomod-suite-once",
        action="store_true",
        help="play the suite once; default: over and over until the case ends",
    )
    group.addoption(
        "--anomod-suite-base",
        metavar="[SERVICE=]URL",
        action="append",
        help="URL written into the suite that means the system (or one of its services), such as "
        "http://localhost:8080; 'auto', the default, finds it; may be given more than once",
    )
    group.addoption("--anomod-seed", metavar="N", type=int, default=1, help="seed of workloads and data (%(default)s)")
    group.addoption(
        "--anomod-repeat", metavar="N", type=int, default=1, help="cases per scenario, each with its own seed"
    )
    group.addoption(
        "--anomod-patience",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="how long a case may wait in all for a calm machine and for users to be served again (%(default)s)",
    )
    group.addoption(
        "--anomod-attempts",
        metavar="N",
        type=int,
        default=2,
        help="how often a case that something else spoiled (contaminated) is played again, by itself (%(default)s)",
    )
    group.addoption(
        "--anomod-runtime",
        metavar="NAME",
        default="auto",
        help="what brings systems up: process, docker, or auto, which takes docker where an engine of this machine "
        "answers and the image is there or can be built here, else process; default %(default)s",
    )
    group.addoption("--anomod-injector", metavar="NAME", default="native", help="who carries faults out (%(default)s)")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register our hooks."""
    from pytest_anomod import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Keep a place for the summary; nothing else happens in a suite that declares no anomaly."""
    config.pluginmanager.register(Summary(config), "anomod-summary")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse values on the command line that no run can have, before workers are started."""
    option = session.config.option
    given = [name for name, default in _CHECKED.items() if getattr(option, f"anomod_{name}") != default]
    if given and not hasattr(session.config, "workerinput"):
        from pytest_anomod.run.mistakes import check_options

        check_options(option, given)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A mistake in a test file is told in one line, without a traceback through code that is none of the user's."""
    report = yield
    call = getattr(report, "call", None)
    if report.failed and call is not None and "pytest_anomod.model.errors" in sys.modules:
        from pytest_anomod.run.mistakes import in_file

        line = "" if collector.config.option.fulltrace else in_file(collector, call.excinfo.value)
        report.longrepr = line or report.longrepr
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse at collection what this command line can't run; repeat scenarios when asked to."""
    declaration = getattr(metafunc.function, _DECLARATION, None)
    if declaration is None:
        return
    from pytest_anomod.model.errors import ScenarioError
    from pytest_anomod.run.fitness import check_runnable
    from pytest_anomod.run.mistakes import at_test

    try:
        check_runnable(metafunc.config, declaration, metafunc.function.__name__)
    except ScenarioError as error:
        raise at_test(metafunc.config, metafunc.function, error) from None
    if metafunc.config.option.anomod_repeat > 1:
        metafunc.fixturenames.append(_REPETITION)
        metafunc.parametrize(_REPETITION, range(metafunc.config.option.anomod_repeat), ids=lambda n: f"r{n + 1}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of what is left to run: refuse the run if it can't be; settle what `auto` takes; skip what the injector can't do.

    Those are the injector and the runtime of the command line; what a test names itself was checked.
    """
    found = [(item, getattr(getattr(item, "function", None), _DECLARATION, None)) for item in items]
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


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Which runtime `auto` took, and why, before the first case; with xdist the controller says it."""
    why = _runtime_taken(config)
    return [f"anomod {why}"] if why else []


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """The case of this scenario; `case.run()` deploys, breaks, watches, heals, writes and judges."""
    from pytest_anomod.run.cases import begin_case

    declaration = getattr(request.function, _DECLARATION, None)
    if declaration is None:
        pytest.fail(
            f"{request.node.nodeid} asks for the fixture 'case' but declares no anomaly: "
            "put @anomaly(system=..., fault=..., target=...) on it",
            pytrace=False,
        )
    callspec = getattr(request.node, "callspec", None)
    repetition = callspec.params.get(_REPETITION, 0) if callspec is not None else 0
    begun = begin_case(_session(request.config), declaration, request.function.__name__, repetition=repetition)
    request.node.stash[_case_key] = begun
    return begun


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """After a scenario's body: its case must have been run, and its verdict must be the expected one."""
    outcome = yield
    begun = pyfuncitem.stash.get(_case_key, None)
    if begun is None:
        return outcome
    if begun.result is None:
        pytest.fail(f"{pyfuncitem.nodeid} never called case.run(): nothing was tested", pytrace=False)
    if not begun.result.as_expected:
        pytest.fail(begun.result.explain(), pytrace=False)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Carry the case's headline into the report, and so into JUnit XML and over to the xdist controller."""
    report = yield
    begun = item.stash.get(_case_key, None)
    if report.when == "call" and begun is not None:
        headline = begun.properties().items()
        report.user_properties.extend(headline)
        item.user_properties.extend(headline)  # JUnit XML takes them from the report of the teardown, made after this
        _show(item, begun)
    if report.when == "teardown" and begun is not None:
        del item.stash[_case_key]  # its tables are tens of megabytes
    return report


def pytest_fixture_post_finalizer(request: pytest.FixtureRequest) -> None:
    """Keep a tear-down that can't end off a case's Allure page."""
    if _case_key in request.node.stash and request.config.getoption("allure_report_dir", None):
        from pytest_anomod.report.allure import drop_unended

        drop_unended(request.config)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take down what this process brought up."""
    cases = session.config.stash.get(_session_key, None)
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
            self.rows.append(row | {"seconds": f"{report.duration:.1f}", "outcome": report.outcome})

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
            from pytest_anomod.report.terminal import write_summary
            from pytest_anomod.run.options import out_directory

            write_summary(terminalreporter, self.rows, out_directory(self.config))
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


def _session(config: pytest.Config) -> Deployments:
    if _session_key not in config.stash:
        from pytest_anomod.run.deployments import Deployments

        config.stash[_session_key] = Deployments(config)
    return config.stash[_session_key]


def _show(item: pytest.Item, begun: Case) -> None:
    """Put a drawn case on its Allure page."""
    if begun.drawn is not None and begun.result is not None:
        from pytest_anomod.report.allure import attach_case

        attach_case(item.config, begun.result, begun.drawn)
