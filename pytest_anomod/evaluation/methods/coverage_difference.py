"""Names services and functions whose lines ran on one side of the alarm only."""

from __future__ import annotations

from typing import Any

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.method import Ranking


class CoverageDifference:
    """The share of lines that ran on one side of the alarm only, by service and by function."""

    name = "coverage_difference"
    modalities = ("coverage",)

    def rank(self, evidence: Evidence) -> Ranking:
        """The share of the lines that ran at all, by service; by function the share of its lines."""
        frame = evidence.coverage
        keys = ["service_name", "file", "function", "line"]
        sides = frame.assign(late=frame["time_unix_nano"] >= evidence.normal_until_ns)
        table = sides.pivot_table(index=keys, columns="late", values="covered", aggfunc="max", observed=True)
        table = table.reindex(columns=[False, True]).fillna(False).astype(bool)
        differs, ran = table[False] != table[True], table[False] | table[True]
        services = _shares(differs[ran], ["service_name"])
        functions = _shares(differs, ["file", "function"])
        return Ranking(
            services={name: value for name, value in services.items() if name in evidence.services},
            code={name: value for name, value in functions.items() if value > 0 and name[1] != "<module>"},
        )


def _shares(differs: Any, keys: list[str]) -> dict[Any, float]:
    means = differs.groupby(level=keys, observed=True).mean()
    return dict(zip(means.index.to_list(), means.to_numpy(dtype=float).tolist(), strict=True))


OFFERS = (CoverageDifference(),)
