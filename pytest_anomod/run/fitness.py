"""Whether tests can be run as they are declared, by this command line, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_anomod.declare import Declaration
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import AnomodError, ScenarioError
from pytest_anomod.run.choosing import runtime_name
from pytest_anomod.run.options import AUTO, out_directory, suite_workload


def check_run(config: pytest.Config, declarations: Sequence[Declaration]) -> None:
    """Raise AnomodError when this machine or command line is not fit for these: dataset, suite, runtime, injector.

    Each thing is looked at once, however many tests want it.
    """
    option = config.option
    if not option.collectonly:
        from pytest_anomod.dataset.write import check_out

        check_out(out_directory(config))
    systems = {declaration.system.name: declaration for declaration in declarations}
    for declaration in systems.values():
        suite_workload(config, declaration)
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


def check_runnable(config: pytest.Config, declaration: Declaration, test: str) -> None:
    """Raise ScenarioError when the runtime or injector can't do what a test declares."""
    if declaration.runtime and (why := _refusal_of_system(declaration.runtime, declaration)):
        msg = f"{test}: {why}; use another runtime than {declaration.runtime!r}"
        raise ScenarioError(msg)
    if declaration.unfit:
        return  # it is skipped
    try:
        lack = _lack(config, declaration)
    except AnomodError:
        return  # none takes the system, or an engine is out of order: `check_run` says so, once for all tests
    if declaration.injector and (why := _refusal_of_fault(config, declaration)):
        msg = f"{test}: injector {declaration.injector!r} can't do this scenario: {why}"
        raise ScenarioError(msg)
    if lack and not _is_asked_for(config, declaration):
        msg = f"{test}: {lack}"
        raise ScenarioError(msg)


def why_skipped(config: pytest.Config, declaration: Declaration) -> str:
    """Why the injector, or the runtime, that the command line names can't do a scenario; "" when they can.

    One that `auto` took is not the user's choice: what it can't do is an error, see `check_runnable`.
    """
    why = declaration.unfit or _refusal_of_fault(config, declaration)
    return why or (_lack(config, declaration) if _is_asked_for(config, declaration) else "")


def _is_asked_for(config: pytest.Config, declaration: Declaration) -> bool:
    """Whether the command line names the runtime of a test, or brings its system up from other files."""
    return not declaration.runtime and (config.option.anomod_runtime != AUTO or declaration.is_original)


def _lack(config: pytest.Config, declaration: Declaration) -> str:
    """Why the runtime of a test can't have its fault put in, and what to do; "" when it can."""
    runtime = catalog.find("runtimes", runtime_name(config, declaration))
    asked = getattr(runtime, "refusal_of_fault", None)
    if asked and (why := asked(declaration.system, declaration.target, declaration.fault.name)):
        return f"fault {why}"
    missing = runtime.lacks(declaration.system, declaration.target, declaration.fault.needs)
    if not missing:
        return ""
    nobody = missing - runtime.capabilities
    names = ", ".join(sorted(kind.__name__ for kind in nobody or missing))
    who = f"runtime {runtime.name!r}" if nobody else f"{declaration.target!r} on runtime {runtime.name!r}"
    other = "choose another with --anomod-runtime" if nobody else "aim at another service"
    if declaration.is_original:
        other = "the original's images have nothing of ours inside"
    return f"fault {declaration.fault.name!r} needs {names}, which {who} does not have; {other}"


def _refusal_of_system(runtime: str, declaration: Declaration) -> str:
    asked = getattr(catalog.find("runtimes", runtime), "refusal", None)
    return str(asked(declaration.system)) if asked else ""


def _check(offer: Any) -> None:
    """AnomodError when a runtime or an injector lacks something on this machine."""
    if hasattr(offer, "check"):
        offer.check()


def _refusal_of_fault(config: pytest.Config, declaration: Declaration) -> str:
    """Why the chosen injector can't carry a scenario's fault out on this machine; "" when it can."""
    injector = catalog.find("injectors", declaration.injector or config.option.anomod_injector)
    runtime = runtime_name(config, declaration)
    asked = getattr(injector, "refusal", None)
    return str(asked(declaration.fault, declaration.target, runtime)) if asked else ""
