"""L4: a target that was prepared for its fault: its baseline differs from the same service's in other cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.audit.rules._figures import at_chance, growth
from pytest_anomod.model.modality import HOST
from pytest_anomod.model.timeline import Phase

LEAST_OTHERS = 4
"""Other cases of the system without a fault at this service, for a baseline to be odd among them."""
ODD = 4.0
SMALL = 0.05
AHEAD = 1.5
"""The oddest service is told by its baseline when it is so many times odder than the next."""
ADVICE = "bring every service into that state in every case, controls too, before the warm-up"


def find(material: Material) -> Iterator[Finding]:
    """Cases in which the root cause's baseline deviates more than the baselines of all other services."""
    firsts: list[tuple[str, float, float]] = []
    for system, cases in material.systems.items():
        known = [(case, level) for case in cases if (level := levels(case)) is not None]
        if len(known) <= LEAST_OTHERS:
            yield note(f"{system}: {len(known)} cases with a baseline in metrics; {LEAST_OTHERS + 1} are needed")
            continue
        values, errors = (pd.concat([level[key] for _, level in known], axis=1) for key in ("value", "error"))
        oddest: list[tuple[AuditCase, str]] = []
        for place, (case, _) in enumerate(known):
            others = [at for at, (other, _) in enumerate(known) if at != place and other.target != case.target]
            if len(others) < LEAST_OTHERS:
                continue
            odd = oddness(values, errors.iloc[:, place], place, others)
            worst = odd.groupby(level=0).max().sort_values(ascending=False)
            if len(worst) < 2:
                continue
            oddest.append((case, str(worst.index[0])))
            told = worst.iloc[0] >= max(ODD, AHEAD * worst.iloc[1])
            if told and not case.is_control and worst.index[0] == case.target:
                yield _told(case, values, odd, place, others)
        firsts += _firsts(oddest, len(values.index.unique(level=0)))
    said = at_chance("how odd a service's baseline is among other cases'", firsts, ADVICE)
    yield said or note("no case with a fault could be held against enough others")


def _firsts(oddest: Sequence[tuple[AuditCase, str]], services: int) -> Iterator[tuple[str, float, float]]:
    """By case with a fault whether its root cause is the oddest, and the chance of it.

    The chance is the share of cases without a fault there in which that service is the oddest, and 1/services at least:
    the baseline of a database that all services use deviates more often than others, whatever is broken.
    """
    for case, service in oddest:
        if case.target and not case.is_control:
            elsewhere = [one == case.target for other, one in oddest if other.target != case.target]
            usual = sum(elsewhere) / len(elsewhere) if elsewhere else 0.0
            yield case.case_id, float(service == case.target), max(usual, 1 / services)


def levels(case: AuditCase) -> pd.DataFrame | None:
    """By service and metric the growth a second of a counter, or the mean of a gauge, in the baseline; and its error.

    The error is one standard deviation: of a count of events, or of the mean of the samples. None without a baseline.
    """
    frame = case.table("metrics")
    if frame is None or Phase.BASELINE not in case.windows:
        return None
    names = frame["metric_name"].astype(str)
    frame = frame[~names.str.endswith("_bucket") & (frame["service_name"] != HOST)]
    counts = frame["kind"].astype(str).isin(("counter", "histogram"))
    grown = growth(frame[counts], *case.windows[Phase.BASELINE])
    seconds = ((grown["last_ns"] - grown["first_ns"]) / 1e9).clip(lower=1e-3)
    rates = pd.DataFrame({"value": grown["rate"], "error": grown["rise"].pow(0.5) / seconds})
    gauges = frame[~counts & case.within(frame, Phase.BASELINE)]
    samples = gauges.groupby(["service_name", "metric_name"], observed=True)["value"]
    means = pd.DataFrame({"value": samples.mean(), "error": (samples.std() / samples.size().pow(0.5)).fillna(0.0)})
    return pd.concat([rates, means]).groupby(level=[0, 1]).sum()


def oddness(table: pd.DataFrame, error: pd.Series, place: int, others: Sequence[int]) -> pd.Series:
    """How many spreads a case's figures lie from the median of other cases'.

    The spread is 1.4826 times the median deviation, a tenth of the median, the figure's own error, and SMALL times the
    highest value that any service has of the metric in any case: what is small beside that is no preparation. Metrics
    that fewer than LEAST_OTHERS others have are left out.
    """
    values = table.iloc[:, list(others)]
    mine = table.iloc[:, place].where(values.notna().sum(axis=1) >= LEAST_OTHERS)
    middle = values.median(axis=1)
    deviation = values.sub(middle, axis=0).abs().median(axis=1)
    highest = table.abs().max(axis=1).groupby(level=1).transform("max")
    spread = 1.4826 * deviation + 0.1 * middle.abs() + SMALL * highest + error.fillna(0.0) + 1e-9
    return ((mine - middle).abs() / spread).dropna()


def _told(case: AuditCase, table: pd.DataFrame, odd: pd.Series, place: int, others: Sequence[int]) -> Finding:
    mine = odd[case.target]
    metric = mine.idxmax()
    value, usual = table.loc[(case.target, metric)].iloc[place], table.loc[(case.target, metric)].iloc[list(others)]
    return Finding(
        severity=Severity.LEAK, cases=(case.case_id,), service=case.target,
        what=f"its baseline tells the root cause: {metric} is {value:.4g} before the fault, {usual.min():.4g} to "
        f"{usual.max():.4g} in {len(others)} other cases; {int((mine >= ODD).sum())} of its metrics are as odd",
        todo=ADVICE,
        figures={"metric": metric, "value": float(value), "least": float(usual.min()), "most": float(usual.max())},
    )  # fmt: skip


RULE = Rule(name="L4-prepared-baseline", looks_for="targets that were prepared before the baseline", find=find)
