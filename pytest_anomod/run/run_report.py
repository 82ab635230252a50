"""Writes the HTML report of a run, in the process that hears of all tests, again after each case."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_anomod.model import clock
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.report.overview import PAGE, Failed, Run, Tested, begin, first_line, write_overview
from pytest_anomod.run.carrying import report_directory
from pytest_anomod.run.options import chosen


class RunReport:
    """Hears of each test on the controller (or in the only process) and writes the page anew after each case."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.run = Run()
        self.directory = report_directory(config)
        self.began_ns = clock.now_ns()
        self.trouble = ""

    def pytest_sessionstart(self) -> None:
        """Refuse a directory that can't be had, before workers are started."""
        if self.config.option.collectonly:
            return
        try:
            begin(self.directory)
        except ScenarioError as error:
            msg = f"--anomod-report={self.config.option.anomod_report}: {error}"
            raise pytest.UsageError(msg) from None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep a file that could not be collected."""
        if report.failed:
            self._failed(report, "collection")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a case, or what went wrong without one."""
        headline = {str(key): str(value) for key, value in report.user_properties if str(key).startswith("anomod_")}
        carried = getattr(report, "anomod", None)
        if report.when == "call" and carried is not None:
            tested = Tested(
                nodeid=report.nodeid,
                outcome=_outcome(report),
                headline=headline,
                seconds=report.duration,
                line=first_line(report) if report.longrepr else "",
                text=report.longreprtext if report.longrepr else "",
                why=getattr(report, "wasxfail", "").removeprefix("reason: "),
                kept=carried["page"],
            )
            self.run.tested.append(tested)
            self._write()
        elif report.failed:
            self._failed(report, str(report.when))
        elif report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            self.run.skipped.append((report.nodeid, reason.removeprefix("Skipped: ")))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the page for good."""
        if self.config.option.collectonly:
            return
        self.run.finished = exitstatus != pytest.ExitCode.INTERRUPTED
        self._write()
        if self.trouble:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Where the page is."""
        if self.trouble:
            terminalreporter.write_line(f"the report was not written: {self.trouble}", red=True)
        elif not self.config.option.collectonly:
            terminalreporter.write_line(f"report: {self.directory / PAGE}")

    def _failed(self, report: pytest.TestReport | pytest.CollectReport, when: str) -> None:
        failure = Failed(nodeid=report.nodeid, when=when, line=first_line(report), text=report.longreprtext)
        self.run.failures.append(failure)

    def _write(self) -> None:
        """Write the page; an error of the disk is reported at the end and stops nothing."""
        minutes, seconds = divmod((clock.now_ns() - self.began_ns) // clock.NS_PER_S, 60)
        began = clock.ns_to_iso(self.began_ns)[:16].replace("T", " ")
        times = {"Began": f"{began} UTC", "Took": f"{minutes} min {seconds} s"}
        self.run.facts = [*times.items(), *chosen(self.config).items()]
        try:
            write_overview(self.directory, self.run)
            self.trouble = ""
        except OSError as error:
            self.trouble = str(error)


def _outcome(report: pytest.TestReport) -> str:
    """The outcome with the two words that pytest has for tests that are expected to fail."""
    if not hasattr(report, "wasxfail"):
        return report.outcome
    return "xfailed" if report.skipped else "xpassed"
