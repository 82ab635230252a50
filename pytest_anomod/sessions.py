"""One pytest process and its systems: which command line, which deployments are up, which case comes next."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.case import Allowance, Case, CaseResult
from pytest_anomod.declare import Declaration
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import AnomodError, ScenarioError
from pytest_anomod.model.scenario import PROFILES, Durations

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Runtime
    from pytest_anomod.model.system import System
    from pytest_anomod.model.workload import Suite

AUTO = "auto"  # the same word as choice.AUTO, whose module only those need who say it
NOTES = "anomod_notes"  # the same word as distribution.NOTES, which belongs to a layer above
_choice_key = pytest.StashKey[Any]()
_told_key = pytest.StashKey[set[str]]()


def out_directory(config: pytest.Config) -> Path:
    """The dataset's root; a relative one is taken from where pytest was called."""
    return Path(config.invocation_params.dir, config.option.anomod_out).absolute()


def durations(config: pytest.Config) -> Durations:
    """The window lengths that the command line asks for."""
    return PROFILES[config.option.anomod_durations].scaled(config.option.anomod_scale)


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
    try:
        runtime = catalog.find("runtimes", runtime_name(config, declaration))
        abilities = runtime.abilities
    except AnomodError:
        return  # none takes the system, or an engine is out of order: `check_run` says so, once for all tests
    if declaration.injector and (why := refusal(config, declaration)):
        msg = f"{test}: injector {declaration.injector!r} can't do this scenario: {why}"
        raise ScenarioError(msg)
    missing = declaration.fault.needs - abilities
    if missing:
        msg = (
            f"{test}: fault {declaration.fault.name!r} needs {', '.join(sorted(missing))} of the runtime, but runtime "
            f"{runtime.name!r} can only {', '.join(sorted(abilities))}; choose another with --anomod-runtime"
        )
        raise ScenarioError(msg)


def _refusal_of_system(runtime: str, declaration: Declaration) -> str:
    asked = getattr(catalog.find("runtimes", runtime), "refusal", None)
    return str(asked(declaration.system)) if asked else ""


def _check(offer: Any) -> None:
    """AnomodError when a runtime or an injector lacks something on this machine."""
    if hasattr(offer, "check"):
        offer.check()


def runtime_name(config: pytest.Config, declaration: Declaration) -> str:
    """The runtime of a test: its own, or the command line's, where `auto` makes up its mind for the whole run."""
    if declaration.runtime is not None or config.option.anomod_runtime != AUTO:
        return declaration.runtime or str(config.option.anomod_runtime)
    from pytest_anomod.runtimes.choice import agree, look, runtime_for

    if _choice_key not in config.stash:
        config.stash[_choice_key] = agree(_notes(config), lambda before: before or look())
    return runtime_for(config.stash[_choice_key], declaration.system)


def settle_runtime(config: pytest.Config, declarations: Iterable[Declaration]) -> None:
    """Before the first case: if `auto` is to run any of these, have the image made that it takes, unless it is there.

    The first worker does, the others wait for it; `--collect-only` makes nothing.
    """
    option = config.option
    if option.anomod_runtime != AUTO or option.collectonly:
        return
    from pytest_anomod.runtimes.choice import agree, look, runtime_for, settle

    taken = agree(_notes(config), lambda before: before or look())
    systems = [declaration.system for declaration in declarations if declaration.runtime is None]
    if not any(runtime_for(taken, system) == taken.runtime for system in systems):
        return
    found = agree(_notes(config), lambda before: settle(before or look(), lambda line: _tell(config, line)))
    config.stash[_choice_key] = found
    option.anomod_runtime_took, option.anomod_runtime_why = found.runtime, found.why


def _notes(config: pytest.Config) -> Path | None:
    """The directory that the workers of a run share; None without workers."""
    notes = getattr(config, "workerinput", {}).get(NOTES)
    return Path(notes) if notes else None


def _tell(config: pytest.Config, line: str) -> None:
    """Say something at once, while tests are collected; of a worker only its standard error reaches the user."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        sys.stderr.write(f"\nanomod: {line}\n")
        sys.stderr.flush()


def _tell_once(config: pytest.Config, line: str) -> None:
    """The same, once a run: of the workers the first says it."""
    told = config.stash.setdefault(_told_key, set())
    if line in told:
        return
    told.add(line)
    notes = _notes(config)
    try:
        if notes is not None:
            Path(notes, f"told-{zlib.crc32(line.encode()):08x}").touch(exist_ok=False)
    except FileExistsError:
        return
    except OSError:
        pass  # a worker on another machine can't reach them: it speaks for itself
    _tell(config, line)


def suite_workload(config: pytest.Config, declaration: Declaration) -> Suite | None:
    """The suite that the command line puts in the place of a test's workload, or None; ScenarioError if it can't be."""
    option = config.option
    if option.anomod_suite is None:
        if option.anomod_suite_once or option.anomod_suite_base:
            msg = (
                "--anomod-suite-once and --anomod-suite-base say how to play a suite: name it with --anomod-suite PATH"
            )
            raise ScenarioError(msg)
        return None
    from pytest_anomod.workloads.suite import AUTO, prepare

    return prepare(
        Path(config.invocation_params.dir, option.anomod_suite),
        once=option.anomod_suite_once,
        bases=option.anomod_suite_base or (AUTO,),
        system=declaration.system,
    )


def refusal(config: pytest.Config, declaration: Declaration) -> str:
    """Why the chosen injector can't carry a scenario's fault out on this machine; "" when it can."""
    injector = catalog.find("injectors", declaration.injector or config.option.anomod_injector)
    runtime = runtime_name(config, declaration)
    asked = getattr(injector, "refusal", None)
    return str(asked(declaration.fault, declaration.target, runtime)) if asked else ""


def scenario_name(test: str) -> str:
    """The scenario's name from the test function's: test_perf_cpu_contention is perf_cpu_contention."""
    return test.removeprefix("test_").lower()


class CaseSession:
    """What one pytest process (an xdist worker is one) has up; made when the first case begins."""

    def __init__(self, config: pytest.Config) -> None:
        from pytest_anomod.dataset.write import check_out
        from pytest_anomod.safety.guardian import ensure_guardian
        from pytest_anomod.safety.sessions import new_session

        check_out(out_directory(config))  # before a system is brought up for nothing
        self.config = config
        worker = getattr(config, "workerinput", {})
        run_id = worker.get("testrunuid") or uuid.uuid4().hex
        self.session = new_session(
            out_directory(config), run_id=run_id, worker=worker.get("workerid", f"main-{os.getpid()}")
        )
        ensure_guardian(self.session.directory)
        self._up: dict[tuple[str, str], Deployment] = {}
        self._swept: set[str] = set()

    def runtime(self, declaration: Declaration) -> Runtime:
        """The runtime a test runs on; what dead sessions left on it is swept away the first time."""
        runtime: Any = catalog.find("runtimes", runtime_name(self.config, declaration))
        if runtime.name not in self._swept:
            self._swept.add(runtime.name)
            runtime.sweep()
        return runtime

    def deployment(self, runtime: Runtime, system: System) -> Deployment:
        """The system, up and healthy: the one this process has already, or a new one.

        A process has one system up at a time: another would take memory and CPU from the one that is looked at.
        """
        key = (runtime.name, system.name)
        for other in [other for other in self._up if other != key]:
            self.discard(catalog.find("runtimes", other[0]), self._up[other])
        kept = self._up.get(key)
        if kept is not None and not kept.unhealthy():
            return kept
        if kept is not None:
            self.discard(runtime, kept)
        deployment = runtime.up(system, self.session, seed=self.config.option.anomod_seed)
        self._up[key] = deployment
        for note in getattr(deployment, "notes", ()):
            _tell_once(self.config, note)
        self.config.hook.pytest_anomod_deployment_ready(deployment=deployment)
        return deployment

    def discard(self, runtime: Runtime, deployment: Deployment) -> None:
        """Take a deployment down for good: it is not trusted any more, or the session is over."""
        self._up = {key: kept for key, kept in self._up.items() if kept is not deployment}
        runtime.down(deployment)

    def close(self) -> None:
        """Take everything down and leave no directory behind."""
        from pytest_anomod.safety.sessions import end_session

        for (runtime, _), deployment in list(self._up.items()):
            self.discard(catalog.find("runtimes", runtime), deployment)
        end_session(self.session)


def finish_run(config: pytest.Config) -> None:
    """At the end of a run: the dataset's index, and the Allure report's categories and environment if there is one."""
    from pytest_anomod.dataset.write import write_index

    write_index(out_directory(config))
    directory = config.getoption("allure_report_dir", None)
    if directory:
        from pytest_anomod.report.allure import write_run_files

        option = config.option
        chosen = {
            "Runtime": getattr(option, "anomod_runtime_took", option.anomod_runtime),
            "Injector": option.anomod_injector,
            "Durations": f"{option.anomod_durations} x {option.anomod_scale:g}",
            "Seed": str(option.anomod_seed),
            "Dataset": option.anomod_out,
        }
        write_run_files(Path(directory), chosen)


def begin_case(session: CaseSession, declaration: Declaration, test: str, *, repetition: int) -> Case:
    """The case of one test, ready to run."""
    config = session.config
    scenario = declaration.scenario(
        scenario_name(test),
        durations=durations(config),
        rate_rps=config.option.anomod_rate,
        seed=config.option.anomod_seed + 1_000_003 * repetition,
        workload=suite_workload(config, declaration),
    )
    runtime = session.runtime(declaration)
    return Case(
        scenario=scenario,
        system=declaration.system,
        runtime=runtime,
        injector=catalog.find("injectors", declaration.injector or config.option.anomod_injector),
        session=session.session,
        deploy=lambda: session.deployment(runtime, declaration.system),
        discard=lambda deployment: session.discard(runtime, deployment),
        hook=config.hook,
        allowance=Allowance(patience_s=config.option.anomod_patience, attempts=config.option.anomod_attempts),
        draw=_drawing(config),
    )


def _drawing(config: pytest.Config) -> Callable[[CaseResult], Any] | None:
    """What draws the Allure page of a case, where results are asked for; without --alluredir nothing is drawn."""
    if not config.getoption("allure_report_dir", None):
        return None
    from pytest_anomod.report.page import draw

    return draw
