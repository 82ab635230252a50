"""How often the checks are wrong: many synthetic cases with known truth, and the table of verdicts they get.

Run `python benchmarks/verdicts.py [CASES] [FIRST_SEED] [negatives|positives]`: CASES of each negative and half as many
of each positive; 80 take about ten minutes on one idle core.
Negatives are cases in which nothing was done; each carries the noise of a busy machine, most a neighbour's stall too.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "checks"))

from small_system import QUIET, Effect, Noise
from synthetic import make_case

from pytest_anomod.checks import judge, run_checks
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

ROWS: dict[str, dict[str, Any]] = {
    "control, quiet machine": {"noise": QUIET},
    "control, busy machine": {},
    "control, 20/s": {"rate": 20.0},
    "control, stall in the baseline": {"noise": Noise(stall="baseline")},
    "control, stall in its window": {"noise": Noise(stall="control")},
    "control, stall with failed requests": {"noise": Noise(stall="control", stall_errors=True)},
    "fault without effect": {"effect": Effect()},
    "fault without effect, stall in the baseline": {"effect": Effect(), "noise": Noise(stall="baseline")},
    "fault without effect, stall in the anomaly": {"effect": Effect(), "noise": Noise(stall="anomaly")},
    "total outage": {"effect": Effect(gone=True), "target": "gateway"},
    "outage of 10 % of requests": {"effect": Effect(gone=True), "target": "text"},
    "outage of 10 % of requests, 20/s": {"effect": Effect(gone=True), "target": "text", "rate": 20.0},
    "outage of 5 % of requests": {"effect": Effect(gone=True), "target": "graph"},
    "outage of 5 % of requests, 20/s": {"effect": Effect(gone=True), "target": "graph", "rate": 20.0},
    "half the calls of 10 % fail": {"effect": Effect(errors=0.5), "target": "text"},
    "latency 2 times, 85 % of requests": {"effect": Effect(slower=5.6), "target": "posts"},
    "latency 2 times, 85 %, stall in the baseline": {
        "effect": Effect(slower=5.6), "target": "posts", "noise": Noise(stall="baseline")},
    "latency 5 times, 10 % of requests": {"effect": Effect(slower=25), "target": "text"},
    "200 ms on a tenth of the calls": {"effect": Effect(share=0.1, delay_ms=200), "target": "posts"},
    "empty answers, 55 % of requests": {"effect": Effect(wrong=True), "target": "home"},
}  # fmt: skip
"""What is simulated; those with an effect should be effective, all others should find nothing."""


def main(cases: int, first_seed: int, only: str = "") -> None:
    """Print one line per kind of case: verdicts, how often anything was found, and the time the checks took."""
    print(f"{cases} cases of each negative, {cases // 2} of each positive, from seed {first_seed}")
    print(f"{'truth':46} {'found':>16} {'ms':>5}  verdicts; what was found wrongly")
    rows = {name: row for name, row in ROWS.items() if only in ("", "negatives" if _is_negative(row) else "positives")}
    for row, (name, arguments) in enumerate(rows.items()):
        verdicts: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        found, spent_s = 0, 0.0
        negative = _is_negative(arguments)
        count = cases if negative else cases // 2
        begin = first_seed + row * 100_000  # no two rows share a draw
        for seed in range(begin, begin + count):
            view = make_case(seed, **arguments)
            start = time.process_time()
            findings = run_checks(view)
            spent_s += time.process_time() - start
            verdicts[str(judge(view, findings))] += 1
            found += _something(findings)
            if negative:
                wrong.update(_first_figures(view, findings))
        share = f"{found}/{count} ({found / count:.0%})"
        tally = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common())
        print(f"{name:46} {share:>16} {spent_s / count * 1e3:5.0f}  {tally} {dict(wrong) or ''}", flush=True)


def _is_negative(arguments: dict[str, Any]) -> bool:
    """Whether nothing is done in the cases of a row."""
    return bool(arguments.get("effect", Effect()) == Effect())


def _something(findings: tuple[Finding, ...]) -> bool:
    """Whether symptom or impact was found."""
    return any(f.outcome is Outcome.PROVEN for f in findings if f.question in ("symptom", "impact"))


def _first_figures(view: CaseView, findings: tuple[Finding, ...]) -> list[str]:
    return [
        f"{f.question}: {f.message[:150]}"
        for f in findings
        if (f.question in ("symptom", "impact") and f.outcome is Outcome.PROVEN)
        or (f.question in ("steady", "healed", "complete", "aligned") and f.outcome is not Outcome.PROVEN)
    ]


if __name__ == "__main__":
    CASES, SEED, ONLY = [*sys.argv[1:], *("50", "1", "")[len(sys.argv) - 1 :]]
    main(int(CASES), int(SEED), ONLY)
