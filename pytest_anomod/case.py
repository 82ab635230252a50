"""One case from deployment to verdict: the one place that knows the order of events."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.model import catalog, clock
from pytest_anomod.model import journal as names
from pytest_anomod.model import timeline as timelines
from pytest_anomod.model.errors import AnomodError, CaptureError
from pytest_anomod.model.fault import Json, parameters
from pytest_anomod.model.journal import Journal, read_journal
from pytest_anomod.model.label import Label
from pytest_anomod.model.quiet import quietly
from pytest_anomod.model.timeline import Phase, Timeline
from pytest_anomod.model.verdict import CaseView, Finding, Verdict

if TYPE_CHECKING:
    from pytest_anomod.dataset.write import CaseWriter
    from pytest_anomod.model.modality import Collector
    from pytest_anomod.model.runtime import Deployment, Runtime, Session
    from pytest_anomod.model.scenario import Scenario
    from pytest_anomod.model.system import System

MODALITIES = ("logs", "metrics", "traces", "api_responses", "coverage")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaseResult:
    """A finished case: what was declared, what was found, where it lies. `raw_journal` is Chaos Toolkit's own."""

    view: CaseView
    label: Label
    findings: tuple[Finding, ...]
    verdict: Verdict
    directory: Path
    experiment: Mapping[str, Json]
    raw_journal: Mapping[str, Json]

    @property
    def scenario(self) -> Scenario:
        """What was declared."""
        return self.view.scenario

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one that the scenario declares."""
        return str(self.verdict) == self.scenario.expects

    def explain(self) -> str:
        """The verdict with its numbers, one line per question."""
        from pytest_anomod.checks import explain

        return f"{explain(self.view, self.findings, self.verdict)}\ncase: {self.directory}"


class Case:
    """What the `case` fixture hands to a test; `run` may be called once."""

    def __init__(
        self,
        *,
        scenario: Scenario,
        system: System,
        runtime: Runtime,
        injector: Any,
        session: Session,
        deploy: Callable[[], Deployment],
        discard: Callable[[Deployment], None],
        hook: Any,
    ) -> None:
        self.scenario = scenario
        self.system = system
        self.runtime = runtime
        self.injector = injector
        self.session = session
        self.result: CaseResult | None = None
        self._deploy = deploy
        self._discard = discard
        self._hook = hook
        self._begun = False

    @cached_property
    def deployment(self) -> Deployment:
        """The system of this case, up and healthy; deployed when first asked for."""
        return self._deploy()

    def run(self) -> CaseResult:
        """Run the case: warm-up, baseline, fault, recovery; write it; judge it."""
        if self._begun:
            msg = f"case.run() was called twice in {self.scenario.name}: one test is one case"
            raise AnomodError(msg)
        self._begun = True
        from pytest_anomod.dataset.write import CaseWriter

        deployment = self.deployment
        writer = CaseWriter(self.session.out, self.system.name, self.scenario.name)
        self._hook.pytest_anomod_case_starting(scenario=self.scenario, deployment=deployment)
        try:
            self.result = self._play(deployment, writer)
        except BaseException as error:
            # an interrupt too: the directory must say that it is no case, and the system is not to be trusted
            self._abandon(writer, deployment, error)
            raise
        if not _left_clean(self.result, deployment):
            self._discard(deployment)
        self._hook.pytest_anomod_case_finished(result=self.result)
        return self.result

    def properties(self) -> dict[str, str]:
        """The headline of the case for reports: flat, text only."""
        scenario = self.scenario
        rows = {
            "anomod_system": scenario.system,
            "anomod_scenario": scenario.name,
            "anomod_level": str(scenario.level),
            "anomod_fault": scenario.fault.name,
            "anomod_target": scenario.target,
            "anomod_expects": scenario.expects,
            "anomod_verdict": "none",
        }
        if self.result is not None:
            rows["anomod_verdict"] = str(self.result.verdict)
            rows["anomod_case"] = self.result.view.case_id
            through = self.result.label.target_rps
            rows["anomod_target_rps"] = "" if through is None else f"{through:.1f}"
            for finding in self.result.findings:
                rows.setdefault(f"anomod_{finding.question}", finding.message)
        return rows

    def _play(self, deployment: Deployment, writer: CaseWriter) -> CaseResult:
        from pytest_anomod.chaos.compile import compile_experiment
        from pytest_anomod.chaos.toolkit import play

        records = self.session.directory / writer.case_id / "responses.jsonl"
        records.parent.mkdir()
        experiment = compile_experiment(
            self.scenario, deployment.ref, injector=self.injector.name, records=str(records)
        )
        writer.write_json("scenario.json", self.scenario.to_json())
        writer.write_json("experiment.json", experiment)
        with self._host(), self._collecting(deployment, records) as collectors:
            raw = play(experiment, on_edge=lambda edge: _pass_edge(collectors, edge))
        writer.write_json("journal.json", raw)
        timeline = _timeline(read_journal(raw))
        writer.write_json("timeline.json", timeline.to_json())
        result = quietly(lambda: self._harvest(deployment, writer, collectors, timeline, experiment, raw))
        shutil.rmtree(records.parent)
        return result

    def _harvest(
        self,
        deployment: Deployment,
        writer: CaseWriter,
        collectors: Mapping[str, Collector],
        timeline: Timeline,
        experiment: Mapping[str, Json],
        raw: Mapping[str, Json],
    ) -> CaseResult:
        """Write the tables, then judge what was written."""
        from pytest_anomod.chaos.toolkit import problems

        journal = read_journal(raw)
        known = problems(journal)
        frames, dropped = _write_tables(writer, collectors, timeline, known)
        view = CaseView(
            case_id=writer.case_id,
            scenario=self.scenario,
            system=self.system,
            journal=journal,
            timeline=timeline,
            frames=frames,
            dropped=dropped,
            problems=known,
        )
        return self._judge(deployment, writer, view, experiment, raw)

    def _judge(
        self,
        deployment: Deployment,
        writer: CaseWriter,
        view: CaseView,
        experiment: Mapping[str, Json],
        raw: Mapping[str, Json],
    ) -> CaseResult:
        from pytest_anomod.checks import judge, run_checks, steady_again

        findings = run_checks(view)
        verdict = judge(view, findings)
        label = _label(view, verdict, deployment, self.injector.name, steady_again(view))
        label = dataclasses.replace(label, target_rps=_through_target(findings))
        writer.write_label(label)
        writer.complete(
            {
                "verdict": str(verdict),
                "expects": self.scenario.expects,
                "dropped": dict(view.dropped),
                "problems": list(view.problems),
                "findings": [dataclasses.asdict(finding) for finding in findings],
                "versions": dict(label.versions),
            }
        )
        return CaseResult(
            view=view,
            label=label,
            findings=findings,
            verdict=verdict,
            directory=writer.directory,
            experiment=experiment,
            raw_journal=raw,
        )

    @contextlib.contextmanager
    def _host(self) -> Iterator[None]:
        """Have the calm of a case, and the host for oneself if the fault reaches beyond its target's boundary."""
        from pytest_anomod.runtimes.locks import case_lock, host_wide_lock

        purpose = f"{self.scenario.name} ({self.session.worker})"
        host = host_wide_lock(purpose) if self.scenario.fault.host_wide else contextlib.nullcontext()
        with host, case_lock(purpose):
            yield

    @contextlib.contextmanager
    def _collecting(self, deployment: Deployment, records: Path) -> Iterator[dict[str, Collector]]:
        """Start the collectors; whatever happens, end the workload, take the fault out and stop the collectors."""
        collectors: dict[str, Collector] = {}
        with contextlib.ExitStack() as stack:
            for name in MODALITIES:
                collector = catalog.find("modalities", name).collector(deployment, {"responses": str(records)})
                collector.start()
                collectors[name] = collector
                stack.callback(collector.stop)
            if not self.scenario.is_control:
                # idempotent, and in addition to the experiment's own rollback: no path may leave a fault in
                stack.callback(self.injector.recover, self.scenario.fault, deployment, self.scenario.target)
            yield collectors

    def _abandon(self, writer: CaseWriter, deployment: Deployment, error: BaseException) -> None:
        with contextlib.suppress(Exception):  # a cleanup error never replaces the cause
            writer.abandon(f"{type(error).__name__}: {error}")
        try:
            self._discard(deployment)
        except Exception as second:  # the same: it is added to the cause as a note
            error.add_note(f"and taking the system down failed: {second}")


def _pass_edge(collectors: Mapping[str, Collector], edge: str) -> None:
    for collector in collectors.values():
        collector.edge(edge)


def _write_tables(
    writer: CaseWriter, collectors: Mapping[str, Collector], timeline: Timeline, known: Sequence[str]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Write each modality's rows of the case; return them as frames, and what was dropped.

    CaptureError for a modality without any row; what is known to have gone wrong before is said with it.
    """
    frames: dict[str, Any] = {}
    dropped: dict[str, int] = {}
    for name, collector in collectors.items():
        columns = collector.columns(timeline.start_ns, timeline.end_ns)
        if not columns.get("time_unix_nano"):
            msg = f"the {name} collector has no record at all between the case's start and end; the case is no case"
            raise CaptureError("; ".join([*known, msg]))
        frames[name] = writer.write_table(catalog.find("modalities", name), columns, timeline)
        dropped[name] = collector.dropped
    return frames, dropped


def _timeline(journal: Journal) -> Timeline:
    """The timeline from the first request on; the gate's first probe starts the workload and says when that was."""
    for activity in journal.before:
        if activity.name == names.WARM_UP and isinstance(activity.output, Mapping):
            return timelines.derive(journal, int(activity.output.get("workload_start_unix_nano") or activity.start_ns))
    return timelines.derive(journal, journal.start_ns)


def _left_clean(result: CaseResult, deployment: Deployment) -> bool:
    """Whether the system can serve another case: the fault was seen to be gone, and every service answers."""
    if result.scenario.is_control:
        return not deployment.unhealthy()
    gone = result.view.journal.activity(names.GONE)
    return gone is not None and gone.succeeded and not deployment.unhealthy()


def _label(
    view: CaseView, verdict: Verdict, deployment: Deployment, injector: str, steady_again_ns: int | None
) -> Label:
    scenario, journal = view.scenario, view.journal
    inject, hold = journal.activity(names.INJECT), journal.activity(names.HOLD)
    done = inject.output if inject is not None and isinstance(inject.output, Mapping) else {}
    code = done.get("location") or {}
    held = hold.output.get("held_ratio") if hold is not None and isinstance(hold.output, Mapping) else None
    control = scenario.is_control

    def start_of(phase: Phase) -> int | None:
        window = view.timeline.window(phase)
        return window.start_ns if window is not None and not control else None

    return Label(
        case_id=view.case_id,
        scenario=scenario.name,
        system=scenario.system,
        runtime=deployment.runtime,
        injector=injector,
        level=str(scenario.level),
        fault=scenario.fault.name,
        parameters=parameters(scenario.fault),
        target=scenario.target,
        root_cause_service=None if control else scenario.target,
        root_cause_instances=tuple(done.get("instances") or ()),
        root_cause_code_file=code.get("file"),
        root_cause_code_function=code.get("function"),
        root_cause_code_first_line=code.get("first_line"),
        root_cause_code_last_line=code.get("last_line"),
        inject_start_unix_nano=start_of(Phase.ONSET),
        seen_unix_nano=start_of(Phase.ANOMALY),
        recover_start_unix_nano=start_of(Phase.RELEASE),
        gone_unix_nano=start_of(Phase.RECOVERY),
        steady_again_unix_nano=None if control else steady_again_ns,
        held_ratio=None if control else held,
        seed=scenario.seed,
        rate_rps=float(scenario.workload.rate_rps or 0),
        workload=scenario.workload.title,
        versions=_versions(),
        verdict=str(verdict),
        expects=scenario.expects,
    )


def _through_target(findings: tuple[Finding, ...]) -> float | None:
    """What the check of the baseline counted; None when it never came to that."""
    for finding in findings:
        counted = finding.evidence.get("requests_per_second_through_target")
        if counted is not None:
            return float(counted)
    return None


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("pytest-anomod", "chaostoolkit-lib", "pytest", "pyarrow", "pandas", "scipy")
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "written": clock.ns_to_iso(clock.now_ns())[:19] + "Z",
        **{package: version(package) for package in packages},
    }
