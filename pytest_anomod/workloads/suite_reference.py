"""Chooses by a reference round what is played: which tests or journeys reach the target, which are meant to fail."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, ScenarioError
from pytest_anomod.model.failure import ERROR_STATUS
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.record import plays_path, reference_path, write_json
from pytest_anomod.workloads.sender import is_running, summary
from pytest_anomod.workloads.suite_rounds import REFERENCE_S, Looked, Rounds, choose

PATIENCE_S = 30.0
"""How much longer than REFERENCE_S its last test may take."""

Reach = Mapping[str, Collection[str]]
"""The services of a trace, by trace id."""


def wait_for_round(handle: Mapping[str, Json]) -> dict[str, Json]:
    """What the reference round was like, once it is over; CaptureError when it never is, or its process ended."""
    records = Path(handle["records"])
    path = reference_path(records)
    try:
        clock.wait_until(
            lambda: path.exists() or not is_running(handle),
            timeout_s=REFERENCE_S + PATIENCE_S,
            what="the workload's reference round to be over",
        )
    except TimeoutError as error:
        raise CaptureError(str(error)) from error
    if not is_running(handle):
        reason = str(summary(records).get("end_reason", "")).removeprefix("error: ")
        msg = f"the workload ended in its reference round: {reason or 'nothing says why'}"
        raise CaptureError(msg)
    found: dict[str, Json] = json.loads(path.read_text(encoding="utf-8"))
    return found


def choose_plays(
    handle: Mapping[str, Json], spec: Mapping[str, Json], told: Mapping[str, Json], reach: Reach | None
) -> dict[str, Json]:
    """Choose what a round plays, have the suite begin with it, and answer what was chosen and why: the label's `suite`.

    An open loop has no rounds (`window_s` is None): it plays all, each as often as it would stand in a round of all.
    `told` is what `wait_for_round` gave. `reach` are the services of each trace; None where nobody knows. ScenarioError
    when the traces are known and none reaches the target: nothing is played then.
    """
    wish, records = spec["reference"], Path(handle["records"])
    aims = {wish["target"], *wish["instead"]}
    looked = list(_looked(told["looked"], _requests(records), reach or {}, aims))
    if reach is not None and not any(one.reaches for one in looked):
        kind = "test of the suite" if _has_rounds(wish) else "journey of the file"
        raise ScenarioError(f"no {kind} reaches {wish['target']}")
    window_s = wish["window_s"] if _has_rounds(wish) else math.inf
    rounds = choose(looked, window_s=window_s, rate_rps=spec["rate_rps"], seed=spec["seed"])
    write_json(plays_path(records), rounds.to_json())
    return _summary(told, looked, rounds, spec, aimed=reach is not None)


def _has_rounds(wish: Mapping[str, Json]) -> bool:
    return wish["window_s"] is not None


def _summary(
    told: Mapping[str, Json], looked: list[Looked], rounds: Rounds, spec: Mapping[str, Json], *, aimed: bool
) -> dict[str, Json]:
    wish = spec["reference"]
    outcomes = [one["outcome"] for one in told["looked"]]
    return {
        "tests": told["of"],
        "tests_played": len({*rounds.reaching, *rounds.others}),
        "tests_that_reach_the_target": sum(one.reaches for one in looked) if aimed else None,
        "tests_that_get_errors": sum(one.gets_errors for one in looked),
        "tests_that_fail": outcomes.count("failed"),
        "plays_a_round": rounds.plays,
        "share_that_reaches_the_target": round(rounds.share, 3) if aimed else None,
        "round_s": round(rounds.seconds, 3),
        "whole_round_s": round(sum(max(one.seconds, 1 / spec["rate_rps"]) for one in looked), 3),
        "window_s": wish["window_s"],
        "why": _why(told, looked, rounds, wish, aimed=aimed),
    }


def _why(
    told: Mapping[str, Json], looked: list[Looked], rounds: Rounds, wish: Mapping[str, Json], *, aimed: bool
) -> str:
    """One sentence for people."""
    played = len({*rounds.reaching, *rounds.others})
    reaching = sum(one.reaches for one in looked)
    noun = "tests" if _has_rounds(wish) else "journeys"
    parts = [
        f"{reaching} of {len(looked)} {noun} reach {wish['target']}, {rounds.share:.0%} of the plays are theirs"
        if aimed
        else f"no trace says which {noun} reach {wish['target']}"
    ]
    if reaching and not any(one.is_good for one in looked):
        parts.append("all of these get errors there even while all is well")
    if len(looked) < told["of"]:
        missed = told["of"] - len(looked)
        parts.append(f"the reference round was left after {REFERENCE_S:g} s, {missed} {noun} before its end")
    if played < len(looked):
        parts.append(f"a round is {played} of {len(looked)} {noun}, to fit a fifth of a window")
    return "; ".join(parts)


def _looked(
    told: list[Mapping[str, Json]], requests: Mapping[str, list[Mapping[str, Json]]], reach: Reach, aims: set[str]
) -> Iterator[Looked]:
    for one in told:
        sent = requests.get(one["journey"], [])
        there = [row for row in sent if not aims.isdisjoint(reach.get(row["trace_id"], ()))]
        yield Looked(
            test=one["test"],
            seconds=one["seconds"],
            reaches=bool(there),
            is_good=any(not _is_error(row) for row in there),
            gets_errors=any(map(_is_error, sent)),
        )


def _requests(records: Path) -> dict[str, list[Mapping[str, Json]]]:
    """The exchanges of the reference round, by journey."""
    found: dict[str, list[Mapping[str, Json]]] = {}
    for line in records.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["journey"], []).append(row)
    return found


def _is_error(row: Mapping[str, Json]) -> bool:
    return bool(row["error_kind"]) or row["status_code"] >= ERROR_STATUS
