"""Decides the outcome of a scenario's test: by the verdict it declares, and by the baseline if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.run.baseline import HELD, UPDATE, Baseline, Entry
from pytest_anomod.run.command_line import REPETITION

if TYPE_CHECKING:
    from pytest_anomod.case import Case

baseline_key = pytest.StashKey[Baseline]()
"""The baseline of this run, in the stash of the configuration; there is none without --anomod-baseline."""


def settle(item: pytest.Item, case: Case, failure: BaseException | None) -> None:
    """After the body of a scenario's test: raise what pytest is to report; return if the body's own outcome stands.

    `failure` is the failed assertion that the body ended with. Where the verdict is not the declared one but is the
    baseline's, the test is an expected failure (xfail), however it failed; so it is when the baseline is being written.
    """
    result, updating = case.result, item.config.option.anomod_baseline_update
    if result is None:
        if failure is None:
            pytest.fail(f"{item.nodeid} never called case.run(): nothing was tested", pytrace=False)
        return
    scenario, verdict = result.scenario, str(result.verdict)
    entry = entry_of(item)
    if entry is not None and entry.verdict != verdict and not updating:
        changed = (
            f"{scenario.name} ({scenario.what}): was {entry.verdict}, is now {verdict}; the "
            f"baseline is {item.config.option.anomod_baseline}: if this is to be, write it anew with {UPDATE}"
        )
        raise pytest.fail.Exception(f"{changed}\n{result.explain()}", pytrace=False) from None
    if result.as_expected:
        return
    if updating and verdict in HELD:
        pytest.xfail(f"{verdict}, expected {scenario.expects}; written to the baseline")
    elif entry is not None and not updating:
        pytest.xfail(f"{verdict} as in the baseline, expected {scenario.expects}" + (entry.why and f": {entry.why}"))
    if failure is None:  # with --runxfail too, which makes pytest.xfail do nothing
        pytest.fail(result.explain(), pytrace=False)


def entry_of(item: pytest.Item) -> Entry | None:
    """What the baseline of this run holds of a test."""
    return item.config.stash.get(baseline_key, {}).get(scenario_key(item))


def scenario_key(item: pytest.Item) -> str:
    """The node id of a test as baselines have it: all cases of --anomod-repeat are one test."""
    callspec: Any = getattr(item, "callspec", None)
    if callspec is None or REPETITION not in callspec.params:
        return item.nodeid
    repetition, test = f"r{callspec.params[REPETITION] + 1}", item.nodeid.removesuffix(f"[{callspec.id}]")
    if callspec.id == repetition:
        return test
    first = callspec.id.startswith(f"{repetition}-")
    others = callspec.id.removeprefix(f"{repetition}-") if first else callspec.id.removesuffix(f"-{repetition}")
    return f"{test}[{others}]"
