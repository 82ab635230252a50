"""The table of runs, as Markdown: a row a scenario, a column a run; or, with --controls, a row a system.

    python benchmarks/runs.py DATASET... [--controls]

DATASET is what one run wrote (--anomod-out). A cell says whether the verdict is as declared (else which it is),
attempts if there were several, seconds from the first request until the case was written (with those of earlier
attempts, without boots), and pressure: the share of its busiest window, of any attempt, in which a task waited for a
core. Below stand the sums of each run; "-" is what an older dataset does not tell. --controls counts the controls of
all runs together: a finding is an attempt in which a symptom or an impact was found, though nothing was done, of the
attempts that came to the window in which it could be; its interval is the exact one (Clopper and Pearson, 95 %).
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from scipy.stats import binomtest

from pytest_anomod.dataset import index, layout, tables
from pytest_anomod.dataset.read import load_dataset
from pytest_anomod.dataset.read_case import read_timeline
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.timeline import Phase, Timeline
from pytest_anomod.model.verdict import Outcome, Verdict, is_expected

STALLED = "host_cpu_stalled_ratio"
WINDOWS = [str(phase) for phase in (Phase.BASELINE, Phase.CONTROL, Phase.ANOMALY, Phase.RECOVERY)]
NOTHING = "-"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one complete case tells: its row of the index, its case.json, its windows, the busiest (None: not known)."""

    row: Mapping[str, Any]
    manifest: Mapping[str, Any]
    timeline: Timeline
    pressure: float | None

    @property
    def found(self) -> bool:
        """Whether a symptom or an impact was found."""
        return any(
            one["question"] in ("symptom", "impact") and one["outcome"] == Outcome.PROVEN
            for one in self.manifest["findings"]
        )

    @property
    def busy(self) -> bool:
        """Whether the machine was found to be too busy."""
        return any(one["question"] == "calm" and one["outcome"] != Outcome.PROVEN for one in self.manifest["findings"])

    @property
    def as_declared(self) -> bool:
        """Whether its verdict is the one that was declared."""
        return is_expected(self.row["verdict"], self.row["expects"], unasked=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Played:
    """A scenario as one run played it: its attempts in order, none where no case got complete; and the reason."""

    name: str
    attempts: tuple[Attempt, ...] = ()
    why_none: str = ""

    @property
    def as_declared(self) -> bool:
        """Whether the last attempt was."""
        return bool(self.attempts) and self.attempts[-1].as_declared

    @property
    def seconds(self) -> float:
        """Of all attempts, from the first request until the case was written."""
        manifests = [one.manifest for one in self.attempts]
        return sum((each["completed_unix_nano"] - each["started_unix_nano"]) / NS_PER_S for each in manifests)

    @property
    def cell(self) -> str:
        """The cell of the table."""
        if not self.attempts:
            return f"**no case**: {self.why_none:.60}"
        several = f", {len(self.attempts)} attempts" if len(self.attempts) > 1 else ""
        said = "ok" if self.as_declared else f"**{self.attempts[-1].row['verdict']}**"
        known = [one.pressure for one in self.attempts if one.pressure is not None]
        return f"{said}{several}, {self.seconds:.0f} s, {f'{max(known):.0%}' if known else NOTHING}"


def main() -> None:
    """Print the table of the runs."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("dataset", nargs="+", type=Path)
    arguments.add_argument("--controls", action="store_true", help="count the controls of all runs, by system")
    asked = arguments.parse_args()
    runs = [read_run(place) for place in asked.dataset]
    names = [place.name for place in asked.dataset]
    if len(set(names)) < len(names):
        names = [str(place) for place in asked.dataset]
    lines = controls(runs) if asked.controls else [*table(names, runs), "", *sums(names, runs)]
    print("\n".join(lines))


def read_run(out: Path) -> dict[str, Played]:
    """All that a run played, by system and scenario; one that was played with several seeds is numbered from #2 on."""
    attempts = {row["case_id"]: _attempt(out, row) for row in load_dataset(out, superseded=True).rows}
    replaced = {one.row["replaces"] for one in attempts.values()}
    found: dict[str, Played] = {}
    for last in (one for case_id, one in attempts.items() if case_id not in replaced):
        chain = [last]
        while (before := attempts.get(chain[0].row["replaces"] or "")) is not None:
            chain.insert(0, before)
        name = _free(f"{last.row['system']} {last.row['scenario']}", found)
        found[name] = Played(name=name, attempts=tuple(chain))
    for each in index.build_index(out)[1]["incomplete"]:
        system, scenario = (part.partition("=")[2] for part in Path(each["path"]).parts[:2])
        name = f"{system} {scenario}"
        found.setdefault(name, Played(name=name, why_none=each["reason"].splitlines()[0]))
    return found


def table(names: Sequence[str], runs: Sequence[Mapping[str, Played]]) -> Iterator[str]:
    """A row a scenario, a column a run."""
    yield from _rows(["case", *names])
    for case in sorted({case for run in runs for case in run}):
        yield _row([case, *(run[case].cell if case in run else NOTHING for run in runs)])


def sums(names: Sequence[str], runs: Sequence[Mapping[str, Played]]) -> Iterator[str]:
    """What each run comes to, and all together."""
    yield from _rows(["run", "as declared", "at first attempt", "played again", "seconds", "waited for leases"])
    for name, run in zip(names, runs, strict=True):
        yield _row([name, *_sum(run)])
    if len(runs) > 1:
        every = {f"{number} {name}": played for number, run in enumerate(runs) for name, played in run.items()}
        yield _row(["all", *_sum(every)[:3], f"{sum(map(_length_s, runs)):.0f}", _sum(every)[4]])
    yield ""
    yield "Seconds: from the run's first request until its last case was written. Waited: all cases together."
    for name, run in zip(names, runs, strict=True):
        for played in run.values():
            if len(played.attempts) > 1:
                why = "; then ".join(_why(one) for one in played.attempts[:-1])
                yield f"- {name}, {played.name}: played again, {why}"


def controls(runs: Sequence[Mapping[str, Played]]) -> Iterator[str]:
    """What the controls of all runs come to, a row a system."""
    heads = ["system", "controls", "normal", "contaminated first attempts", "findings (on a busy machine)"]
    yield from _rows([*heads, "95 % interval", "pressure p50", "p95"])
    of_system: dict[str, list[Played]] = collections.defaultdict(list)
    for played in (played for run in runs for played in run.values() if played.attempts):
        if played.attempts[0].row["level"] == "normal":
            of_system[played.attempts[0].row["system"]].append(played)
    for system, several in sorted(of_system.items()):
        attempts = [one for played in several for one in played.attempts]
        compared = [one for one in attempts if one.timeline.window(Phase.CONTROL)]
        found = [one for one in compared if one.found]
        exact = binomtest(len(found), len(compared)).proportion_ci(0.95, method="exact") if compared else None
        first = sum(played.attempts[0].row["verdict"] == Verdict.CONTAMINATED for played in several)
        known = [one.pressure for one in attempts if one.pressure is not None]
        yield _row(
            [
                system,
                str(len(several)),
                str(sum(played.as_declared for played in several)),
                str(first),
                f"{len(found)} of {len(compared)} attempts ({sum(one.busy for one in found)})",
                f"{exact.low:.2%} to {exact.high:.2%}" if exact else NOTHING,
                *(f"{np.percentile(known, share):.0%}" if known else NOTHING for share in (50, 95)),
            ]
        )


def _attempt(out: Path, row: Mapping[str, Any]) -> Attempt:
    directory = out / row["path"]
    return Attempt(
        row=row,
        manifest=layout.read_manifest(directory),
        timeline=read_timeline(directory / layout.TIMELINE_FILE),
        pressure=_pressure(directory),
    )


def _pressure(directory: Path) -> float | None:
    """The share of the busiest window in which some task waited for a core; None where nobody measured it."""
    file = directory / "metrics.parquet"
    if not file.exists():
        return None
    rows = tables.read_parquet(file, ["metric_name", "phase", "value"])
    rows = rows.filter(pc.equal(pc.cast(rows["metric_name"], "string"), STALLED))
    means = rows.group_by("phase").aggregate([("value", "mean")]).to_pylist()
    return max((row["value_mean"] for row in means if row["phase"] in WINDOWS), default=None)


def _sum(run: Mapping[str, Played]) -> list[str]:
    """As declared in all and at first, how many were played again, seconds, seconds waited."""
    first = sum(played.as_declared and len(played.attempts) == 1 for played in run.values())
    again = sum(len(played.attempts) > 1 for played in run.values())
    waits = [one.manifest.get("waited_s") for played in run.values() for one in played.attempts]
    waited = NOTHING if None in waits or not waits else f"{sum(waits):.0f} s"
    declared = sum(played.as_declared for played in run.values())
    return [f"{declared} of {len(run)}", f"{first} of {len(run)}", str(again), f"{_length_s(run):.0f}", waited]


def _length_s(run: Mapping[str, Played]) -> float:
    manifests = [one.manifest for played in run.values() for one in played.attempts]
    if not manifests:
        return 0.0
    end_ns = max(each["completed_unix_nano"] for each in manifests)
    return (end_ns - min(each["started_unix_nano"] for each in manifests)) / NS_PER_S


def _why(attempt: Attempt) -> str:
    """Why an attempt was played again: what was found in a control, or what was not proven; the machine first."""
    control = attempt.found and attempt.row["level"] == "normal"
    asked = ("symptom", "impact") if control else ("calm", "steady", "symptom")
    wanted = (Outcome.PROVEN,) if control else (Outcome.ABSENT, Outcome.BROKEN)
    said = [one for one in attempt.manifest["findings"] if one["question"] in asked and one["outcome"] in wanted]
    said.sort(key=lambda one: asked.index(one["question"]))
    return f"{said[0]['question']}: {said[0]['message'].splitlines()[0]}" if said else "for no reason that it names"


def _free(name: str, taken: Iterable[str]) -> str:
    count = sum(each == name or each.startswith(f"{name} #") for each in taken)
    return f"{name} #{count + 1}" if count else name


def _rows(heads: Sequence[str]) -> list[str]:
    return [_row(heads), _row(["---"] * len(heads))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    main()
