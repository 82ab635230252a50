"""Follows the progress of a campaign by the logs of its pods and the status of its Job."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_anomod.host import cluster
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.spreading.job import CAMPAIGN, CONTAINER, Campaign
from pytest_anomod.spreading.runner import MARK

EVERY_S = 5.0
_INDEX = "batch.kubernetes.io/job-completion-index"
_LINE = re.compile(rf"^{MARK} (\d+)/(\d+) ?(.*)$", re.MULTILINE)
_TAIL = 60


@dataclasses.dataclass(kw_only=True)
class Share:
    """What is known of an index: `state` waiting, running, again (its pod was lost), played or failed.

    `all` is None until a pod of it has said how many tests it has.
    """

    index: int
    state: str = "waiting"
    done: int = 0
    all: int | None = None
    verdicts: str = ""
    why: str = ""
    pods: set[str] = dataclasses.field(default_factory=set)

    def __str__(self) -> str:
        count = f" {self.done}/{self.all}" if self.all else ""
        return f"{self.index}: {self.state}{count}{f' ({self.why})' if self.why else ''}"


class Watch:
    """Looks at a campaign from here; what is gone from the cluster meanwhile is remembered."""

    def __init__(self, campaign: Campaign, where: Mapping[str, Json]) -> None:
        from kubernetes import client

        api = cluster.connect(where)
        self._watch(campaign, client.BatchV1Api(api), client.CoreV1Api(api))

    def _watch(self, campaign: Campaign, batch: Any, core: Any) -> None:
        self.campaign = campaign
        self.shares = [Share(index=index) for index in range(campaign.indexes)]
        self._batch, self._core = batch, core

    def until_the_end(self, say: Callable[[str], None], every_s: float = EVERY_S) -> bool:
        """Say what changes until all indexes are over, API server away or not; whether all were played."""
        said = ""
        while True:
            try:
                over = self.look()
                line = f"{sum(share.done for share in self.shares)} tests done; {', '.join(map(str, self.shares))}"
            except DeploymentError as error:
                over, line = False, f"{error}; it is asked again"
            if line != said:
                say(f"{clock.ns_to_iso(clock.now_ns())[11:19]}  {line}")
                said = line
            if over:
                return all(share.state == "played" for share in self.shares)
            clock.sleep(every_s)

    def look(self) -> bool:
        """Bring `shares` up to date; whether the Job is over. DeploymentError when that can't be told now."""
        name, namespace = self.campaign.name, self.campaign.namespace
        with cluster.translated(f"campaign {name} can't be watched"):
            job = self._batch.read_namespaced_job(name, namespace)
            pods = self._core.list_namespaced_pod(namespace, label_selector=f"{CAMPAIGN}={name}").items
        for share in self.shares:
            mine = [pod for pod in pods if (pod.metadata.annotations or {}).get(_INDEX) == str(share.index)]
            self._update(share, sorted(mine, key=lambda pod: pod.metadata.creation_timestamp))
        for share in self.shares:
            if share.index in numbers(job.status.completed_indexes):
                share.state, share.why = "played", ""
            elif share.index in numbers(job.status.failed_indexes):
                share.state = "failed"
        return any(one.type in ("Complete", "Failed") and one.status == "True" for one in job.status.conditions or ())

    def _update(self, share: Share, pods: list[Any]) -> None:
        share.pods |= {pod.metadata.uid for pod in pods}
        if not pods:
            share.state = "again" if share.pods else "waiting"
            return
        pod = pods[-1]
        phase = pod.status.phase
        share.why = "" if phase in ("Running", "Succeeded") else _why(pod)
        if phase == "Pending":
            share.state = "again" if len(share.pods) > 1 else "waiting"
        elif phase == "Failed" or pod.metadata.deletion_timestamp is not None:
            share.state = "again"
        else:
            share.state = "running"
        if phase in ("Running", "Succeeded", "Failed"):
            self._read(share, pod.metadata.name)

    def _read(self, share: Share, pod: str) -> None:
        """The last line of ours in a pod's log; of a share that is played again it begins anew."""
        try:
            with cluster.translated(f"the log of {pod}"):
                text = self._core.read_namespaced_pod_log(
                    pod, self.campaign.namespace, container=CONTAINER, tail_lines=_TAIL
                )
        except DeploymentError:
            return  # it is not there yet, or no longer
        if found := _LINE.findall(text):
            done, count, share.verdicts = found[-1]
            share.done, share.all = int(done), int(count)


def numbers(text: str | None) -> frozenset[int]:
    """The indexes in a text such as 0,2-4."""

    def each() -> Iterator[int]:
        for part in filter(None, (text or "").split(",")):
            first, _, last = part.partition("-")
            yield from range(int(first), int(last or first) + 1)

    return frozenset(each())


def table(watch: Watch) -> str:
    """A line an index: state, tests, pods it took, verdicts."""
    rows = [("index", "state", "tests", "pods", "verdicts")]
    for share in watch.shares:
        counts = f"{share.done}/{share.all or 0}"
        rows.append((str(share.index), share.state, counts, str(len(share.pods)), share.verdicts or share.why))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _why(pod: Any) -> str:
    """Why a pod does not run, in a few words: what its container waits for, or what the scheduler misses."""
    for one in pod.status.container_statuses or ():
        ended, waits = one.state.terminated, one.state.waiting
        if ended is not None:
            reason = f", {ended.reason}" if ended.reason not in (None, "Error") else ""
            last = ["", *(ended.message or "").strip().splitlines()][-1]
            return f"ended with {ended.exit_code}{reason}{f': {last[:160]}' if last else ''}"
        if waits is not None and waits.reason not in (None, "ContainerCreating"):
            return f"{waits.reason}: {waits.message or ''}".strip(": ")[:160]
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return str(condition.message or condition.reason)[:160]
    return str(pod.status.reason or "")
