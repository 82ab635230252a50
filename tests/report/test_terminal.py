"""The table at the end of a run: what a line says of its case."""

from __future__ import annotations

import pytest

from pytest_anomod.report.terminal import write_summary


class Lines:
    """Takes what pytest's terminal reporter would write."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str) -> None:
        """Nothing of interest."""

    def write_line(self, line: str, **_: bool) -> None:
        """Keep a line."""
        self.lines.append(line)


def test_a_mostly_failing_suite_is_warned_of_below_its_case():
    warning = "over half of the answers are 401 or 403 (9 of 10 in the baseline): no login?"
    fine = {"anomod_system": "a", "anomod_scenario": "fine", "anomod_verdict": "normal", "anomod_expects": "normal"}
    refused = {**fine, "anomod_scenario": "refused", "anomod_suite": warning}
    reporter = Lines()
    write_summary(reporter, [refused, fine], "/out")
    assert [line.split()[1] for line in reporter.lines[1:3]] == ["fine", "refused"]
    assert reporter.lines[3:] == [f"  warning: {warning}", "2 cases; dataset: /out"]


@pytest.mark.parametrize(
    ("waited", "lines"),
    [
        (("0.3", "11.9", ""), ["cases waited 12 s for each other, all together", "3 cases; dataset: /out"]),
        (("0.3", "0.6", ""), ["3 cases; dataset: /out"]),
    ],
)
def test_the_summary_says_how_long_cases_waited(waited, lines):
    """From a second on; docs/proof.md shows these words."""
    reporter = Lines()
    write_summary(reporter, [{"anomod_waited_s": seconds} for seconds in waited], "/out")
    assert reporter.lines[-len(lines) :] == lines
    assert len(reporter.lines) == 4 + len(lines)
