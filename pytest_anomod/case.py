"""One case from deployment to verdict: the one place that knows the order of events."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.host.waits import waits
from pytest_anomod.model import clock
from pytest_anomod.model import journal as names
from pytest_anomod.model import timeline as timelines
from pytest_anomod.model.errors import AnomodError, DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.journal import Journal, read_journal
from pytest_anomod.model.label import Label
from pytest_anomod.model.labelling import Provenance, make_label
from pytest_anomod.model.propagation import Propagation
from pytest_anomod.model.quiet import quietly
from pytest_anomod.model.source import ResponseRecord
from pytest_anomod.model.timeline import Timeline
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, Verdict, is_expected

if TYPE_CHECKING:
    from pytest_anomod.collecting import Collecting
    from pytest_anomod.dataset.write import CaseWriter
    from pytest_anomod.model.runtime import Deployment, Runtime, Session
    from pytest_anomod.model.scenario import Scenario
    from pytest_anomod.model.system import System


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
    spread: Propagation | None = None
    """How the fault spread; None where that could not be worked out."""
    superseded: tuple[CaseResult, ...] = ()
    """The attempts before this one, which something else had spoiled."""

    @property
    def scenario(self) -> Scenario:
        """What was declared."""
        return self.view.scenario

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one that the scenario declares; see `is_expected`."""
        unasked = any(one.question == "mechanism" and one.outcome is Outcome.NOT_ASKED for one in self.findings)
        return is_expected(self.verdict, self.scenario.expects, unasked=unasked)

    def explain(self) -> str:
        """The verdict with its numbers, one line per question."""
        from pytest_anomod.checks import explain

        lines = [f"attempt {one.label.attempt} was {one.verdict}: {one.directory}" for one in self.superseded]
        suite = [f"suite: {self.label.suite['why']}"] if self.label.suite else []
        return "\n".join([explain(self.view, self.findings, self.verdict), *suite, *lines, f"case: {self.directory}"])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How long an attempt may wait for a calm machine, and how often a contaminated case is played again."""

    patience_s: float = 60.0
    attempts: int = 2


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
        allowance: Allowance | None = None,
        draw: Callable[[CaseResult], Any] | None = None,
        earlier: tuple[str, int] | None = None,
        is_warm: Callable[[Deployment], bool] = lambda _: False,
    ) -> None:
        """`earlier` is the spoiled case of another run to replace (case_id, attempt); what `is_warm` served a case."""
        self.scenario = scenario
        self.system = system
        self.runtime = runtime
        self.injector = injector
        self.session = session
        self.allowance = allowance or Allowance()
        self.result: CaseResult | None = None
        self.drawn: Any = None
        """What `draw` made of the result."""
        self._waits_at_start_s = waits.seconds
        self._used_cores = 0.0
        self._waited_before_s = 0.0
        self._deploy = deploy
        self._discard = discard
        self._hook = hook
        self._draw = draw
        self._earlier = earlier
        self._is_warm = is_warm
        self._begun = False

    @property
    def waited_s(self) -> float:
        """Seconds that this case, its boots and its attempts have waited for others on this machine so far."""
        return waits.seconds - self._waits_at_start_s

    @cached_property
    def deployment(self) -> Deployment:
        """The system of this case, up and healthy; deployed when first asked for."""
        return self._deploy()

    def run(self) -> CaseResult:
        """Run the case: warm-up, baseline, fault, recovery; write it; judge it.

        A contaminated case is kept and played again by itself, a limited number of times.
        """
        if self._begun:
            msg = f"case.run() was called twice in {self.scenario.name}: one test is one case"
            raise AnomodError(msg)
        self._begun = True
        superseded: list[CaseResult] = []
        while True:
            result = dataclasses.replace(self._attempt(superseded), superseded=tuple(superseded))
            self.result = result
            self._hook.pytest_anomod_case_finished(result=result)
            spoiled = result.verdict is Verdict.CONTAMINATED and not result.as_expected
            if not spoiled or len(superseded) >= self.allowance.attempts:
                self._finish(result)
                return result
            superseded.append(result)
            self.__dict__.pop("deployment", None)  # it may have been taken down: the next attempt asks again

    def _finish(self, result: CaseResult) -> None:
        """Have the last attempt drawn, on a core that no window needs."""
        draw = self._draw
        if draw is not None:
            with self._spare_cores():
                self.drawn = quietly(lambda: draw(result))

    def _attempt(self, before: Sequence[CaseResult]) -> CaseResult:
        """One attempt at the scenario, on a healthy system; its directory becomes a case, or says why it is none."""
        from pytest_anomod.dataset.write import CaseWriter
        from pytest_anomod.host.leases import learn_demand

        self._waited_before_s, deployment = self.waited_s, self.deployment
        writer = CaseWriter(self.session.out, self.system.name, self.scenario.name)
        self._hook.pytest_anomod_case_starting(scenario=self.scenario, deployment=deployment)
        replaces, attempts = self._earlier or (None, 0)
        made = Provenance(
            runtime=deployment.runtime,
            injector=self.injector.name,
            attempt=attempts + len(before) + 1,
            replaces=before[-1].view.case_id if before else replaces,
        )
        try:
            result = self._play(deployment, writer, made)
        except BaseException as error:
            # an interrupt too: the directory must say that it is no case, and the deployment is not used again
            self._abandon(writer, deployment, error)
            raise
        if any(one.question == "calm" and one.outcome is Outcome.PROVEN for one in result.findings):
            learn_demand(self.system.name, self._used_cores)  # on a busy machine it may have got less than it wanted
        if not _left_clean(result, deployment):
            self._discard(deployment)
        return result

    def properties(self) -> dict[str, str]:
        """The headline of the case for reports: flat, text only."""
        scenario = self.scenario
        rows = {
            "anomod_system": scenario.system,
            "anomod_scenario": scenario.name,
            "anomod_level": str(scenario.level),
            "anomod_fault": " + ".join(one.fault.name for one in scenario.injections),
            "anomod_target": " + ".join(scenario.targets),
            "anomod_expects": scenario.expects,
            "anomod_verdict": "none",
            "anomod_waited_s": f"{self.waited_s:.1f}",
        }
        if self.result is not None:
            rows["anomod_verdict"] = str(self.result.verdict)
            rows["anomod_case"] = self.result.view.case_id
            through = self.result.label.target_rps
            rows["anomod_target_rps"] = "" if through is None else f"{through:.1f}"
            rows["anomod_attempt"] = str(self.result.label.attempt)
            rows["anomod_absent"] = ", ".join(self.result.view.absent)
            for finding in self.result.findings:
                rows.setdefault(f"anomod_{finding.question}", finding.message)
        return rows

    def _play(self, deployment: Deployment, writer: CaseWriter, made: Provenance) -> CaseResult:
        from pytest_anomod.chaos.compile import compile_experiment, usual
        from pytest_anomod.chaos.toolkit import play

        records = self.session.directory / writer.case_id / "responses.jsonl"
        records.parent.mkdir()
        experiment = compile_experiment(
            self.scenario,
            deployment.ref,
            injector=self.injector.name,
            records=str(records),
            tempo=usual(self.allowance.patience_s, is_warm=self._is_warm(deployment)),
        )
        writer.write_json("scenario.json", self.scenario.to_json())
        writer.write_json("experiment.json", experiment)
        with self._machine(deployment), self._collecting(deployment, records) as collecting:
            raw = play(experiment, on_edge=collecting.edge)
            collecting.settle()
        writer.write_json("journal.json", raw)
        timeline = _timeline(read_journal(raw))
        writer.write_json("timeline.json", timeline.to_json())
        meanwhile = _mishaps(deployment, timeline)
        with self._spare_cores():
            result = quietly(lambda: self._harvest(writer, collecting, timeline, experiment, raw, made, meanwhile))
        shutil.rmtree(records.parent)
        return result

    def _harvest(
        self,
        writer: CaseWriter,
        collecting: Collecting,
        timeline: Timeline,
        experiment: Mapping[str, Json],
        raw: Mapping[str, Json],
        made: Provenance,
        meanwhile: Sequence[str],
    ) -> CaseResult:
        """Write the tables, then judge what was written; `meanwhile` went wrong with the system's surroundings."""
        from pytest_anomod.chaos.toolkit import problems

        journal = read_journal(raw)
        known = (*problems(journal), *meanwhile)
        frames = _write_tables(writer, collecting, timeline, known)
        view = CaseView(
            case_id=writer.case_id,
            scenario=self.scenario,
            system=self.system,
            journal=journal,
            timeline=timeline,
            frames=frames,
            dropped=collecting.dropped(),
            problems=known,
            absent=dict(collecting.absent),
            may_be_silent=collecting.may_be_silent(),
        )
        return self._judge(writer, view, collecting.told(), experiment, raw, made)

    def _judge(
        self,
        writer: CaseWriter,
        view: CaseView,
        told: Mapping[str, Json],
        experiment: Mapping[str, Json],
        raw: Mapping[str, Json],
        made: Provenance,
    ) -> CaseResult:
        from pytest_anomod.checks import judge, request_labels, run_checks, spread_of, steady_again

        findings = run_checks(view)
        verdict, spread, again_ns = judge(view, findings), spread_of(view, findings), steady_again(view)
        label = make_label(view, verdict, findings, again_ns, made, spread)
        writer.write_label_tables(spread, request_labels(view))
        writer.write_label(label)
        writer.write_json("timeline.json", dataclasses.replace(view.timeline, steady_again_ns=again_ns).to_json())
        writer.complete(
            {
                "verdict": str(verdict),
                "expects": self.scenario.expects,
                "dropped": dict(view.dropped),
                **told,
                "waited_s": round(self.waited_s - self._waited_before_s, 3),
                "problems": [*view.problems, *view.kept.get("label problems", ())],
                "findings": [dataclasses.asdict(finding) for finding in findings],
                "versions": dict(label.versions),
            }
        )
        return CaseResult(
            view=view,
            spread=spread,
            label=label,
            findings=findings,
            verdict=verdict,
            directory=writer.directory,
            experiment=experiment,
            raw_journal=raw,
        )

    @contextlib.contextmanager
    def _machine(self, deployment: Deployment) -> Iterator[None]:
        """Lease the cores that this case needs (a second attempt leases all), while no system is coming up.

        A fault that reaches beyond its target's boundary does not run beside another such fault (`host_wide_lock`).
        """
        from pytest_anomod.host.leases import demand, lease
        from pytest_anomod.host.locks import case_lock, host_wide_lock

        purpose = f"{self.scenario.name} ({self.session.worker})"
        host = host_wide_lock(purpose) if self.scenario.host_wide else contextlib.nullcontext()
        cores = demand(self.system.name)
        with host, case_lock(purpose), lease(cores, purpose, alone=self.result is not None):
            before, start_s = _cpu_s(deployment), clock.monotonic_s()
            yield
            used_s = sum(max(0.0, used - before.get(name, 0.0)) for name, used in _cpu_s(deployment).items())
            self._used_cores = used_s / (clock.monotonic_s() - start_s)

    def _spare_cores(self) -> contextlib.AbstractContextManager[None]:
        """Lease a core that no window of another case needs."""
        from pytest_anomod.host.leases import WORK_CORES, lease

        return lease(WORK_CORES, f"harvest of {self.scenario.name} ({self.session.worker})")

    @contextlib.contextmanager
    def _collecting(self, deployment: Deployment, records: Path) -> Iterator[Collecting]:
        """Start the collectors; whatever happens, end the workload, take the fault out and stop the collectors."""
        from pytest_anomod.collecting import Collecting

        sources = (*deployment.sources(), *self.system.telemetry, ResponseRecord(path=records))
        collecting = Collecting.of(deployment, tuple(dict.fromkeys(sources)))
        with contextlib.ExitStack() as stack:
            for collector in collecting.collectors.values():
                collector.start()
                stack.callback(collector.stop)
            if not self.scenario.is_control:
                # idempotent, and in addition to the experiment's own rollback: no path may leave a fault in
                for one in self.scenario.injections:
                    stack.callback(self.injector.recover, one.fault, deployment, one.target)
            yield collecting

    def _abandon(self, writer: CaseWriter, deployment: Deployment, error: BaseException) -> None:
        with contextlib.suppress(Exception):  # a cleanup error never replaces the cause
            writer.abandon(f"{type(error).__name__}: {error}")
        try:
            self._discard(deployment)
        except Exception as second:  # the same: it is added to the cause as a note
            error.add_note(f"and taking the system down failed: {second}")


def _write_tables(
    writer: CaseWriter, collecting: Collecting, timeline: Timeline, known: Sequence[str]
) -> dict[str, Any]:
    """Write each modality's rows of the case; return them as frames.

    CaptureError for a modality without any row that must have some; what is known to have gone wrong before is said
    with it.
    """
    tables = collecting.tables(timeline.start_ns, timeline.end_ns, known)
    return {modality.name: writer.write_table(modality, columns, timeline) for modality, columns in tables}


def _timeline(journal: Journal) -> Timeline:
    """The timeline from the first request on; the gate's first probe starts the workload and says when that was."""
    for activity in journal.before:
        if activity.name == names.WARM_UP and isinstance(activity.output, Mapping):
            return timelines.derive(journal, int(activity.output.get("workload_start_unix_nano") or activity.start_ns))
    return timelines.derive(journal, journal.start_ns)


def _mishaps(deployment: Deployment, timeline: Timeline) -> Sequence[str]:
    """What of the system's surroundings spoils the case, as far as its runtime tells."""
    asked = getattr(deployment, "mishaps", None)
    return asked(timeline.start_ns, timeline.end_ns) if asked else ()


def _left_clean(result: CaseResult, deployment: Deployment) -> bool:
    """Whether the system can serve another case: the fault was seen to be gone, and every service answers."""
    if result.scenario.is_control:
        return not deployment.unhealthy()
    gone = [view.journal.activity(names.GONE) for view in result.view.each]
    return all(one is not None and one.succeeded for one in gone) and not deployment.unhealthy()


def _cpu_s(deployment: Deployment) -> dict[str, float]:
    """CPU seconds so far of each service, and of this process with all it has ended."""
    found = {"": sum(os.times()[:4])}
    for instance in deployment.instances():
        with contextlib.suppress(DeploymentError):  # it is down now: its CPU time does not count
            stats = deployment.stats(instance.service)
            if stats is not None:
                found[instance.service] = stats.cpu_s
    return found
