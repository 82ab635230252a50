"""Makes whole cases out of a seed: a small system under a Poisson load on a noisy machine, with a fault or without.

The noise is what four busy systems on two cores do to each other (measured: the median of four seconds varies by 8 to
14 %, the 95th percentile by 14 to 40 %): a slowly wandering level, short bursts, heavy tails, a stall of 1.5 s. Rows
have the columns of real tables. Not a model of any system: only of what the checks must not be fooled by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from small_system import SERVICES, STORES, SYSTEM, TREES, Dummy, Effect, Noise

from pytest_anomod.model.fault import Level
from pytest_anomod.model.journal import Activity, Journal
from pytest_anomod.model.scenario import Durations, Scenario
from pytest_anomod.model.timeline import Phase, Timeline, derive
from pytest_anomod.model.verdict import CaseView
from pytest_anomod.model.workload import OpenLoop

SECOND = 1_000_000_000
START_NS = 1_795_321_500 * SECOND
ONSET_S = RELEASE_S = 1.3


def make_case(
    seed: int = 1,
    *,
    effect: Effect | None = None,
    target: str = "text",
    rate: float = 30.0,
    noise: Noise | None = None,
    window_s: float = 10.0,
    control: bool | None = None,
    fault: Any = None,
    held_ratio: float = 1.0,
) -> CaseView:
    """A case with the effect between seen and recover; a control when there is no effect (unless said otherwise)."""
    rng = np.random.default_rng(seed)
    control = effect is None if control is None else control
    effect, noise = effect or Effect(), noise or Noise()
    durations = Durations(warmup_s=3, baseline_s=window_s, anomaly_s=window_s, recovery_s=window_s / 2)
    scenario = Scenario(
        name="synthetic_case", system="synthetic", fault=fault or Dummy(), target=target,
        level=Level.NORMAL if control else Level.SERVICE, workload=OpenLoop(rate_rps=rate), durations=durations,
        seed=seed, expects="normal" if control else "effective",
    )  # fmt: skip
    journal = _journal(durations, control, held_ratio)
    timeline = derive(journal, START_NS)
    frames = _frames(rng, timeline, rate, noise, effect, target)
    dropped = dict.fromkeys(frames, 0)
    return CaseView(
        case_id="case-1", scenario=scenario, system=SYSTEM, journal=journal, timeline=timeline, frames=frames,
        dropped=dropped,
    )  # fmt: skip


def _journal(durations: Durations, control: bool, held_ratio: float) -> Journal:
    """What a completed run leaves behind."""
    lengths = [("baseline", durations.baseline_s)]
    if not control:
        lengths += [("inject", 0.1), ("seen", ONSET_S - 0.1)]
    lengths += [("hold", durations.anomaly_s)]
    if not control:
        lengths += [("recover", 0.1), ("gone", RELEASE_S - 0.1)]
    lengths += [("recovery", durations.recovery_s)]
    outputs = {"seen": {"evidence": {"figure": 1}}, "hold": {} if control else {"held_ratio": held_ratio}}
    now, played = START_NS + int(durations.warmup_s * SECOND), []
    for name, length_s in lengths:
        end = now + int(length_s * SECOND)
        played.append(Activity(name=name, start_ns=now, end_ns=end, succeeded=True, output=outputs.get(name)))
        now = end
    return Journal(
        start_ns=START_NS, end_ns=now, status="completed", deviated=True, steady_before=True, before=(), after=(),
        played=tuple(played),
    )  # fmt: skip


def _frames(
    rng: np.random.Generator, timeline: Timeline, rate: float, noise: Noise, effect: Effect, target: str
) -> dict[str, pd.DataFrame]:
    length_s = (timeline.end_ns - timeline.start_ns) / SECOND
    arrivals = np.sort(rng.uniform(0, length_s - 0.01, rng.poisson(rate * length_s)))
    active = _active(timeline, arrivals, stays=effect.stays)
    level = _level(rng, timeline, arrivals, length_s, noise) * np.where(active, effect.all_slower, 1.0)
    waiting = _stalled(rng, timeline, arrivals, noise)
    names = list(TREES)
    which = rng.choice(len(names), size=len(arrivals), p=[TREES[name][0] for name in names])
    spans: list[pd.DataFrame] = []
    answers: list[pd.DataFrame] = []
    for index, name in enumerate(names):
        mine = which == index
        parts = _play(
            rng, name, arrivals[mine], level[mine], waiting[mine], active[mine], effect, target, noise,
            base=index * 10_000_000,
        )  # fmt: skip
        spans.append(parts[0])
        answers.append(parts[1])
    traces, responses = pd.concat(spans), pd.concat(answers)
    frames = {
        "traces": traces,
        "api_responses": responses,
        "logs": _logs(traces, responses),
        "metrics": _metrics(rng, timeline, effect, target),
        "coverage": _coverage(rng, timeline, rate, effect, target),
    }
    return {name: _finish(frame, timeline) for name, frame in frames.items()}


def _active(timeline: Timeline, times_s: np.ndarray, *, stays: bool) -> np.ndarray:
    window = timeline.window(Phase.ANOMALY)
    if window is None:
        return np.zeros(len(times_s), dtype=bool)
    begin = (window.start_ns - START_NS) / SECOND - ONSET_S / 2
    end = (window.end_ns - START_NS) / SECOND + 0.1
    return (times_s >= begin) & ((times_s < end) | stays)


def _level(
    rng: np.random.Generator, timeline: Timeline, times_s: np.ndarray, length_s: float, noise: Noise
) -> np.ndarray:
    """How slow the machine is at each moment: a wandering level, a step per window, short bursts."""
    step = 0.1
    grid = np.arange(0, length_s + step, step)
    keep = np.exp(-step / noise.level_tau_s)
    shocks = rng.normal(0, noise.level_sd * np.sqrt(1 - keep**2), len(grid))
    wander = np.empty(len(grid))
    value = rng.normal(0, noise.level_sd)
    for index, shock in enumerate(shocks):
        value = value * keep + shock
        wander[index] = value
    for window in timeline.windows:
        inside = (grid >= (window.start_ns - START_NS) / SECOND) & (grid < (window.end_ns - START_NS) / SECOND)
        wander[inside] += rng.normal(0, noise.step_sd)
    factor = np.exp(wander)
    for begin in rng.uniform(0, length_s, rng.poisson(noise.burst_rate * length_s)):
        factor[(grid >= begin) & (grid < begin + rng.uniform(0.1, 0.4))] *= rng.uniform(2, 5)
    return factor[(times_s / step).astype(int)]


def _stalled(rng: np.random.Generator, timeline: Timeline, times_s: np.ndarray, noise: Noise) -> np.ndarray:
    """Seconds each request waits for a neighbour's stall to end; those after it find a queue."""
    windows = [window for window in timeline.windows if str(window.phase) == noise.stall]
    if not windows:
        return np.zeros(len(times_s))
    window = windows[0]
    begin = (window.start_ns - START_NS) / SECOND + rng.uniform(0, max(window.length_s - noise.stall_s, 0.1))
    end = begin + noise.stall_s
    waiting = np.where((times_s >= begin) & (times_s < end), end - times_s + 0.02, 0.0)
    return waiting + np.where((times_s >= end) & (times_s < end + 0.3), (end + 0.3 - times_s) * 0.2, 0.0)


def _play(
    rng: np.random.Generator, name: str, arrivals: np.ndarray, level: np.ndarray, waiting: np.ndarray,
    active: np.ndarray, effect: Effect, target: str, noise: Noise, *, base: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """All requests of one journey: their spans and answers."""
    spans, count = TREES[name][1], len(arrivals)
    own = np.array([work for *_, work in spans])[:, None] * level * rng.lognormal(0, noise.spread, (len(spans), count))
    own *= np.where(rng.random(own.shape) < noise.tail_share, rng.uniform(3, 10, own.shape), 1.0)
    own[rng.integers(0, len(spans), count), np.arange(count)] += waiting * 1e3
    hit = active & any(service == target for service, *_ in spans)
    failing = hit & ((rng.random(count) < effect.errors) | effect.gone)
    delayed = hit & (rng.random(count) < effect.share)
    for index, (service, *_) in enumerate(spans):
        if service == target:
            own[index] = np.where(hit, own[index] * effect.slower, own[index]) + np.where(delayed, effect.delay_ms, 0)
            own[index] = np.where(failing, 0.2, own[index])
    total = own.copy()
    for index in range(len(spans) - 1, 0, -1):
        total[spans[index][2]] += total[index] + 0.1
    if noise.stall_errors:
        failing = failing | (waiting > 0.5)
    trace = base + np.arange(count)
    rows = [_spans(spans, index, arrivals, total, failing, hit, effect, target, trace) for index in range(len(spans))]
    silent = hit & effect.gone & (target == "gateway")
    return pd.concat(rows), _answers(rng, name, arrivals, total[0], failing, hit & effect.wrong, silent, trace)


def _hex(numbers: np.ndarray, digits: int) -> list[str]:
    return [f"{number:0{digits}x}" for number in numbers.tolist()]


def _spans(
    spans: Any, index: int, arrivals: np.ndarray, total: np.ndarray, failing: np.ndarray, hit: np.ndarray,
    effect: Effect, target: str, trace: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    """The SERVER span of a call and, below the gateway, its caller's CLIENT span."""
    service, name, above, _ = spans[index]
    ids = trace * 100 + 1
    start = START_NS + (arrivals * SECOND).astype(np.int64) + index * 100_000
    common = {
        "time_unix_nano": start,
        "duration_ns": (total[index] * 1e6).astype(np.int64),
        "trace_id": _hex(trace, 32),
    }
    below = _under(spans, index, target)
    cut = failing & below
    parts = []
    if above >= 0:
        attributes = f'{{"peer.service": "{service}"}}'
        parts.append(pd.DataFrame(common | {
            "service_name": spans[above][0], "span_id": _hex(ids + 2 * index, 16), "span_kind": "CLIENT",
            "parent_span_id": _hex(ids + 2 * above + 1, 16), "span_name": f"{name} client",
            "attributes": attributes, "peer": service,
            "status_code": np.where(failing & _leads(spans, index, target), "ERROR", "UNSET"),
        })[~cut])  # fmt: skip
    if service not in STORES:
        missing = cut | (hit & effect.gone & (service == target))
        parts.append(pd.DataFrame(common | {
            "service_name": service, "span_id": _hex(ids + 2 * index + 1, 16), "span_kind": "SERVER", "span_name": name,
            "parent_span_id": _hex(ids + 2 * index, 16) if above >= 0 else "", "attributes": "{}", "peer": "",
            "status_code": np.where(failing & _leads(spans, index, target), "ERROR", "UNSET"),
        })[~missing])  # fmt: skip
    return pd.concat(parts)


def _under(spans: Any, index: int, target: str) -> bool:
    """Whether a span lies below one of the target: it does not happen when the target fails."""
    above = spans[index][2]
    return above >= 0 and (spans[above][0] == target or _under(spans, above, target))


def _leads(spans: Any, index: int, target: str) -> bool:
    """Whether a span is the target's or leads to it: it fails with it."""
    return spans[index][0] == target or any(
        span[2] == index and _leads(spans, number, target) for number, span in enumerate(spans)
    )


def _answers(
    rng: np.random.Generator, name: str, arrivals: np.ndarray, ms: np.ndarray, failing: np.ndarray, wrong: np.ndarray,
    silent: np.ndarray, trace: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    posts = rng.integers(3, 11, len(arrivals)).tolist()
    body = [
        '{"posts": [' + ", ".join('{"text": "words and words", "urls": []}' for _ in range(n)) + "]}" for n in posts
    ]
    if name in ("compose", "follow"):
        body = ["Success"] * len(arrivals)
    body = np.where(wrong, "{}", np.where(failing, "failure: connect() failed", body))
    return pd.DataFrame({
        "time_unix_nano": START_NS + (arrivals * SECOND).astype(np.int64), "duration_ns": (ms * 1e6).astype(np.int64),
        "service_name": "gateway", "journey": name, "step": 1, "method": "GET",
        "route": f"/{name}",
        "status_code": np.where(silent, 0, np.where(failing, 500, 200)),
        "error_kind": np.where(silent, "connect", ""), "response_body": body,
        "trace_id": _hex(trace, 32),
    })  # fmt: skip


def _logs(traces: pd.DataFrame, responses: pd.DataFrame) -> pd.DataFrame:
    servers = traces[traces["span_kind"] == "SERVER"]
    failed = (servers["status_code"] == "ERROR").to_numpy()
    own = servers["service_name"].to_numpy()
    return pd.DataFrame({
        "time_unix_nano": servers["time_unix_nano"].to_numpy(), "service_name": own,
        "severity_number": np.where(failed, 17, 9), "severity_text": np.where(failed, "ERROR", "INFO"),
        "body": np.where(failed, "call failed", "call served"), "trace_id": servers["trace_id"].to_numpy(),
        "span_id": servers["span_id"].to_numpy(), "attributes": "{}",
    })  # fmt: skip


def _metrics(rng: np.random.Generator, timeline: Timeline, effect: Effect, target: str) -> pd.DataFrame:
    """A scrape a second of every service."""
    times = np.arange(0.5, (timeline.end_ns - timeline.start_ns) / SECOND, 1.0)
    active = _active(timeline, times, stays=False)
    rows: list[tuple[int, str, str, str, float]] = []
    for service in SERVICES:
        on = active & (service == target)
        cpu = np.cumsum(np.abs(rng.normal(0.03, 0.015, len(times))) + effect.cpu * on)
        memory = 4e7 + np.cumsum(rng.normal(5e4, 5e4, len(times)))
        restarted = np.cumsum(np.diff(on.astype(int), prepend=0) == 1) if effect.restarts else np.zeros(len(times), int)
        figures = {
            "container_cpu_usage_seconds_total": cpu,
            "container_memory_working_set_bytes": memory,
            "up": 1.0 - on * effect.gone,
        }
        if service in STORES:
            figures["redis_maxmemory_bytes"] = np.where(on & effect.setting, 1e6, 0.0)
            figures["redis_keyspace_hits_total"] = np.cumsum(rng.poisson(np.where(on & effect.setting, 1, 20)))
            figures["redis_keyspace_misses_total"] = np.cumsum(rng.poisson(np.where(on & effect.setting, 20, 2)))
            figures["redis_evicted_keys_total"] = np.cumsum(rng.poisson(np.where(on & effect.setting, 30, 0)))
        at = START_NS + (times * SECOND).astype(np.int64)
        for metric, values in figures.items():
            rows += [
                (int(t), service, f"{service}-{number + 1}", metric, float(value))
                for t, number, value in zip(at, restarted, values, strict=True)
            ]
    columns = ["time_unix_nano", "service_name", "service_instance_id", "metric_name", "value"]
    return pd.DataFrame(rows, columns=columns).assign(unit="", kind="", attributes="{}")


def _coverage(rng: np.random.Generator, timeline: Timeline, rate: float, effect: Effect, target: str) -> pd.DataFrame:
    """Sixty lines a service in six functions; the last twelve are rare branches that run once in a while."""
    rows = []
    for window in timeline.windows:
        for service in SERVICES[: -len(STORES)]:
            often = np.concatenate((np.full(48, 2.0), rng.uniform(0.02, 0.5, 12)))
            covered = rng.random(60) < 1 - np.exp(-often * window.length_s * rate / 30)
            if service == target and window.phase is Phase.ANOMALY:
                covered[: effect.lost_lines] = False
            rows += [
                (
                    window.end_ns - 1,
                    service,
                    f"synthetic/{service}.py",
                    f"Handler.part_{line // 10}",
                    line + 1,
                    bool(on),
                )
                for line, on in enumerate(covered)
            ]
    columns = ["time_unix_nano", "service_name", "file", "function", "line", "covered"]
    return pd.DataFrame(rows, columns=columns)


def _finish(frame: pd.DataFrame, timeline: Timeline) -> pd.DataFrame:
    """Fill in what the writer of a case fills in: case, phases, instances; in time order."""
    frame = frame.sort_values("time_unix_nano", kind="stable").reset_index(drop=True)
    frame.insert(0, "case_id", "case-1")
    if "service_instance_id" not in frame:
        frame["service_instance_id"] = frame["service_name"] + "-1"
    frame["phase"] = _phases(frame["time_unix_nano"].to_numpy(), timeline)
    if "duration_ns" in frame:
        frame["phase_end"] = _phases((frame["time_unix_nano"] + frame["duration_ns"]).to_numpy(), timeline)
    return frame


def _phases(times: np.ndarray, timeline: Timeline) -> np.ndarray:
    starts = np.array([window.start_ns for window in timeline.windows])
    names = np.array([str(window.phase) for window in timeline.windows])
    return names[np.clip(np.searchsorted(starts, times, side="right") - 1, 0, None)]
