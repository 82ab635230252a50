"""How long it takes to load 30 cases, and how that compares with reading the raw Parquet files by pyarrow alone.

    python benchmarks/load.py [--cases 30] [--rows 20000]

Prints, per modality: rows, seconds to load (best of 3, files cached), and the ratio to reading all columns with pyarrow
and turning them into pandas without any label. Before that: the labels of 1,000 cases, from rows of the index.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dataset"))

import dataset_builder as build

from pytest_anomod import load_dataset
from pytest_anomod.dataset.label_rows import row_label
from pytest_anomod.dataset.write import write_index
from pytest_anomod.model import clock
from pytest_anomod.model.modality import MODALITIES

LABELS = 1_000


def main() -> None:
    """Build a dataset, load it both ways, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=30, help="number of cases (%(default)s)")
    parser.add_argument("--rows", type=int, default=20_000, help="log lines per case; spans are three times as many")
    arguments = parser.parse_args()
    per_s = max(1, arguments.rows // 14)  # a built case lasts 14 s
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory)
        began = clock.monotonic_s()
        for number in range(arguments.cases):
            build.build_case(out, f"scenario_{number}", per_s=per_s)
        built_s = clock.monotonic_s() - began
        index_s = seconds(lambda: write_index(out))
        size = sum(path.stat().st_size for path in out.rglob("*.parquet")) / 2**20
        print(f"{arguments.cases} cases, {size:.1f} MiB; built in {built_s:.1f} s; index {index_s * 1e3:.0f} ms")
        print(f"load_dataset and .cases: {seconds(lambda: load_dataset(out).cases) * 1e3:.0f} ms")
        rows = [load_dataset(out).rows[0]] * LABELS
        print(f"{LABELS:,} labels: {seconds(lambda: [row_label(row) for row in rows]) * 1e3:.0f} ms")
        for name in MODALITIES:
            report(out, name)


def report(out: Path, name: str) -> None:
    """One line for one modality."""
    ours = seconds(lambda: load_dataset(out).table(name))
    raw = seconds(lambda: read_raw(out, name))
    rows = len(load_dataset(out).table(name))
    print(f"{name:14} {rows:>9,} rows  {ours:6.2f} s  pyarrow alone {raw:6.2f} s  ratio {ours / raw:.2f}")


def read_raw(out: Path, name: str) -> object:
    """The same rows without this package."""
    return pa.concat_tables(pq.ParquetFile(path).read() for path in out.glob(f"*/*/*/{name}.parquet")).to_pandas()


def seconds(what: object) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        began = clock.monotonic_s()
        what()
        best = min(best, clock.monotonic_s() - began)
    return best


if __name__ == "__main__":
    main()
