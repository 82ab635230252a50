"""The table of verdicts of suites as the only workload: suite by system, controls and faults.

    python benchmarks/suite_verdicts.py [--generated DIR] [--controls 5] [--only TEXT] [--out DIR]

Plays, for each suite, so many controls in a row and two faults of its system, on the process runtime, and one control
of a suite without its login. DIR holds suites that EvoMaster wrote, in folders named after the systems
(em_test_utils.py is put beside them where it lacks).
Prints the table, what the reference rounds chose, and why a case was contaminated.
Fails unless all controls are normal, all faults effective, and the missing login was warned of. One suite takes some
six minutes on a quiet machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.dataset.read import load_dataset
from pytest_anomod.dataset.read_case import DatasetCase

HERE = Path(__file__).parents[1]
SUITES = HERE / "experiments" / "suites"
FAULTS = {
    "social_network": ("svc_kill_media", "code_stop_userservice"),
    "train_ticket": ("lv_s_httpabort_preserve", "lv_c_security_check"),
}
CONTROLS = {"social_network": "normal_baseline", "train_ticket": "normal_case"}
EM_UTILS = '''"""Stands in for the module that EvoMaster writes beside its suites."""

import rfc3986


def is_valid_uri_or_empty(uri):
    return not uri or rfc3986.is_valid_uri(uri)


def resolve_location(location, expected_template):
    return location or expected_template
'''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One suite on one system; `faults` are tests of experiments/SYSTEM."""

    title: str
    system: str
    suite: Path
    controls: int
    faults: tuple[str, ...]
    warned: bool = False


def main() -> int:
    """Play, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generated", type=Path, help="folder with suites that EvoMaster wrote, by system")
    parser.add_argument("--controls", type=int, default=5, help="controls in a row (%(default)s)")
    parser.add_argument("--only", default="", help="rows whose title has this text")
    parser.add_argument("--attempts", type=int, default=0, help="as --anomod-attempts (%(default)s)")
    parser.add_argument("--out", type=Path, help="where to keep the cases; default: nowhere")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="suites-") as scratch:
        chosen = [row for row in rows(arguments, Path(scratch)) if arguments.only in row.title]
        out = (arguments.out or Path(scratch, "cases")).absolute()
        print(f"{'suite':32} {'controls':28} faults", flush=True)
        bad = sum(not played(row, out / f"row-{number}", arguments.attempts) for number, row in enumerate(chosen))
    print(f"\n{bad} of {len(chosen)} rows are not as they must be")
    return 1 if bad else 0


def rows(arguments: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    """All suites: those of experiments/suites, one without a login, and generated ones."""
    for system, faults in FAULTS.items():
        for suite in sorted(SUITES.glob(f"{system}_*.py")):
            yield Row(title=suite.stem, system=system, suite=suite, controls=arguments.controls, faults=faults)
        if arguments.generated is not None and (arguments.generated / system).is_dir():
            folder = scratch / f"generated_{system}"
            shutil.copytree(arguments.generated / system, folder)
            if not (folder / "em_test_utils.py").exists():
                (folder / "em_test_utils.py").write_text(EM_UTILS, encoding="utf-8")
            yield Row(title=folder.name, system=system, suite=folder, controls=arguments.controls, faults=faults)
    unlogged = scratch / "train_ticket_without_login.py"
    text = (SUITES / "train_ticket_unittest.py").read_text(encoding="utf-8")
    unlogged.write_text(text.replace("headers=HEADERS, ", ""), encoding="utf-8")
    yield Row(title=unlogged.stem, system="train_ticket", suite=unlogged, controls=1, faults=(), warned=True)


def played(row: Row, out: Path, attempts: int) -> bool:
    """Play a row, print it, and whether it is as it must be."""
    shutil.rmtree(out, ignore_errors=True)
    control = CONTROLS[row.system]
    _play(row, control, out, "--anomod-repeat", str(row.controls), "--anomod-attempts", str(attempts))
    if row.faults:
        _play(row, " or ".join(row.faults), out, "--anomod-attempts", str(attempts))
    cases = list(load_dataset(out)) if (out / "dataset.json").exists() else []
    controls = [case for case in cases if case.label.scenario == control]
    faults = {case.label.scenario: case for case in cases if case.label.scenario != control}
    verdicts = Counter(case.verdict for case in controls)
    told = ", ".join(f"{name} {faults[name].verdict if name in faults else 'none'}" for name in row.faults)
    warnings = [finding["message"] for case in controls for finding in _findings(case, "suite")]
    said = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()) or "none"
    print(f"{row.title:32} {said:28} {told or '-'}", flush=True)
    for case in cases:
        print(f"    {case.label.scenario} {case.verdict}: {case.label.suite.get('why', 'no reference round')}")
        if case.verdict in ("contaminated", "broken", "silent", "tolerated"):
            remarks = [f"{one['question']} {one['outcome']}: {one['message'][:200]}" for one in _findings(case)]
            print("\n".join(f"        {remark}" for remark in remarks), flush=True)
    print("".join(f"    warned: {warning}\n" for warning in warnings), end="", flush=True)
    good = verdicts == {"normal": row.controls} and len(faults) == len(row.faults)
    good &= all(case.verdict == "effective" for case in faults.values())
    return good and bool(warnings) == row.warned


def _play(row: Row, tests: str, out: Path, *options: str) -> None:
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "experiments" / row.system),
        "-k", tests, "--anomod-suite", str(row.suite), "--anomod-runtime", "process", "--anomod-out", str(out),
        *options,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if done.returncode > 1:
        print(done.stdout[-3000:], done.stderr[-1000:])


def _findings(case: DatasetCase, question: str = "") -> list[Mapping[str, Any]]:
    return [finding for finding in case.manifest["findings"] if question in ("", finding["question"])]


if __name__ == "__main__":
    sys.exit(main())
