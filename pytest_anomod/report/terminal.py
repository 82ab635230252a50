"""The verdict table at the end of a pytest run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_anomod.model.verdict import is_expected

COLUMNS = ("system", "scenario", "fault", "target", "target_rps", "verdict", "seconds")
MARKUP = {"passed": {"green": True}, "failed": {"red": True}, "xfailed": {"yellow": True}}


def write_summary(reporter: Any, rows: Sequence[dict[str, str]], out: str) -> None:
    """Write one line per case, sorted by system and scenario, one more for a mostly failing suite; and the dataset.

    target_rps is how many requests a second passed through the target in the baseline.
    """
    reporter.section("anomaly cases")
    table = [[row.get(f"anomod_{name}") or row.get(name, "") for name in COLUMNS] for row in rows]
    order = sorted(range(len(rows)), key=lambda index: table[index][:2])
    widths = [max(len(COLUMNS[i]), *(len(line[i]) for line in table)) for i in range(len(COLUMNS))]
    reporter.write_line("  ".join(name.ljust(width) for name, width in zip(COLUMNS, widths, strict=True)).rstrip())
    for index in order:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(table[index], widths, strict=True)).rstrip()
        verdict, expected = rows[index].get("anomod_verdict", ""), rows[index].get("anomod_expects", "")
        baseline = rows[index].get("anomod_baseline", "")
        note = "" if is_expected(verdict, expected, unasked=True) else f"  (expected {expected})"
        if baseline and (note or verdict != baseline):
            note += f"  (in the baseline {baseline})"
        if (attempt := rows[index].get("anomod_attempt", "1")) != "1":
            note += f"  (attempt {attempt}; the earlier ones are kept)"
        reporter.write_line(cells + note, **MARKUP.get(rows[index].get("outcome", ""), {}))
        if warning := rows[index].get("anomod_suite"):
            reporter.write_line(f"  warning: {warning}", yellow=True)
    waited_s = sum(float(row.get("anomod_waited_s") or 0) for row in rows)
    if waited_s >= 1:
        reporter.write_line(f"cases waited {waited_s:.0f} s for each other, all together")
    reporter.write_line(f"{len(rows)} cases; dataset: {out}")
