"""Checks whether tests can be run as they are declared, with this command line, on this machine."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod.declare import ATTRIBUTE, Declaration
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import AnomodError, ScenarioError
from pytest_anomod.model.injector import Injector
from pytest_anomod.run.choosing import runtime_name
from pytest_anomod.run.command_line import declared_by, given_options
from pytest_anomod.run.mistakes import at_test
from pytest_anomod.run.options import AUTO, out_directory, store_url
from pytest_anomod.run.originals import with_original
from pytest_anomod.run.workload_choice import check_workload


def check_run(config: pytest.Config, declarations: Sequence[Declaration]) -> None:
    """Raise AnomodError when this machine or command line is not fit for these: dataset, suite, runtime, injector.

    Each thing is looked at once, however many tests want it.
    """
    option = config.option
    if not option.collectonly:
        from pytest_anomod.dataset.write import check_out

        check_out(out_directory(config))
        if store_url(config) and not hasattr(config, "workerinput"):
            from pytest_anomod.dataset.store import check_store, send_all

            check_store(store_url(config))
            send_all(store_url(config))  # cases that an earlier run could not send
    systems = {declaration.system.name: declaration for declaration in declarations}
    for declaration in systems.values():
        check_workload(config, declaration)
    runtimes = {
        (runtime_name(config, declaration), declaration.system.name): declaration for declaration in declarations
    }
    for (name, _), declaration in runtimes.items():
        if why := _refusal_of_system(name, declaration):
            msg = f"--anomod-runtime={name}: {why}; use another runtime"
            raise ScenarioError(msg)
    # what `auto` takes was looked at
    named = {declaration.runtime or option.anomod_runtime for declaration in declarations} - {AUTO}
    for runtime in sorted(named):
        _check(catalog.find("runtimes", runtime))
    for injector in sorted({declaration.injector or option.anomod_injector for declaration in declarations}):
        _check(catalog.find("injectors", injector))


def checked(config: pytest.Config, function: Any) -> Declaration | tuple[Declaration, ...]:
    """What a test function declares, as this command line would run it; one line of an error where it can't be.

    --anomod-compose puts another system in the place of a declared one.
    """
    declared: Declaration | tuple[Declaration, ...] = declared_by(function)
    several = declared if isinstance(declared, tuple) else (declared,)
    if config.option.anomod_compose:
        several = tuple(with_original(config, declaration) for declaration in several)
    several = tuple(_calibrated(function, declaration) for declaration in several)
    if isinstance(declared, tuple):
        return several  # of a matrix what can't be run is skipped
    try:
        check_runnable(config, several[0], function.__name__)
    except ScenarioError as error:
        raise at_test(config, function, error) from None
    setattr(function, ATTRIBUTE, several[0])
    return several[0]


def _calibrated(function: Any, declaration: Declaration) -> Declaration:
    """The declaration with severities as they were calibrated beside the test's file, if they were."""
    if declaration.severity is None and not declaration.further:
        return declaration
    from pytest_anomod.run.calibrations import applied

    return applied(declaration, Path(inspect.unwrap(function).__code__.co_filename).parent)


def check_runnable(config: pytest.Config, declaration: Declaration, test: str) -> None:
    """Raise ScenarioError when the runtime or injector can't do what a test declares.

    If the command line chose the runtime or injector, the test is not wrong: it is skipped, see `why_skipped`.
    """
    if declaration.runtime and (why := _refusal_of_system(declaration.runtime, declaration)):
        msg = f"{test}: {why}; use another runtime than {declaration.runtime!r}"
        raise ScenarioError(msg)
    try:
        why = why_skipped(config, declaration)
    except AnomodError:
        return  # none takes the system, or an engine is out of order: `check_run` says so, once for all tests
    if why and not declaration.unfit and not _is_chosen_for(config, declaration):
        who = f"injector {declaration.injector!r} can't do this scenario: " if declaration.injector else ""
        msg = f"{test}: {who}{why}"
        raise ScenarioError(msg)


def why_skipped(config: pytest.Config, declaration: Declaration) -> str:
    """Why a scenario's fault can't be put in by its injector on its runtime; "" when it can."""
    if declaration.unfit:
        return declaration.unfit
    runtime = catalog.find("runtimes", runtime_name(config, declaration))
    asked = getattr(runtime, "refusal_of_fault", None)
    injector: Injector = catalog.find("injectors", declaration.injector or config.option.anomod_injector)
    for one in declaration.injections:
        if asked and (why := asked(declaration.system, one.target, one.fault.name)):
            return f"fault {why}"
        if why := injector.refusal(one.fault, one.target, declaration.system, runtime):
            return f"{why} (the original's images have nothing of ours inside)" if declaration.is_original else why
    return ""


def _is_chosen_for(config: pytest.Config, declaration: Declaration) -> bool:
    """Whether the command line names what a test leaves open, or brings its system up from other files.

    `auto` and the default injector name nothing. A test that names its injector must be one that this can do.
    """
    given = given_options(config.option)
    chosen = "injector" in given or ("runtime" in given and not declaration.runtime) or declaration.is_original
    return not declaration.injector and chosen


def _refusal_of_system(runtime: str, declaration: Declaration) -> str:
    asked = getattr(catalog.find("runtimes", runtime), "refusal", None)
    return str(asked(declaration.system)) if asked else ""


def _check(offer: Any) -> None:
    """AnomodError when a runtime or an injector lacks something on this machine."""
    if hasattr(offer, "check"):
        offer.check()
