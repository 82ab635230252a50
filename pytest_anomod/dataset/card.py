"""The README.md of a dataset: front matter by which Hugging Face's `load_dataset(DIR, "logs")` finds each table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_anomod.dataset import files, layout
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import in_order

README = "README.md"
BEGIN = "# begin: written anew with the index"
END = "# end"
"""Comments of the front matter; what lies between is ours, the rest of the file belongs to whoever edits it."""

SPLIT = "train"
"""What Hugging Face calls the only split of what is not divided."""

TEXT = """# Dataset of pytest-anomod

One directory a case, `system=*/scenario=*/case=*`. `cases` has a row a case with its label; `case_id` joins the other
tables with it. Each table has one split, `{split}`, which is all there is.

```python
import datasets

cases = datasets.load_dataset("{name}", "cases", split="{split}")
logs = datasets.load_dataset("{name}", "logs", split="{split}")
```
"""


def write_readme(out: Path, rows: Sequence[Mapping[str, Json]]) -> None:
    """Write or update README.md for the complete cases of the index; one that has no block of ours is left alone."""
    path = out / README
    block = "\n".join([BEGIN, *configs(data_files(out, rows)), END])
    if path.exists():
        text = path.read_text(encoding="utf-8")
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(f"\n{END}")
        if not (begin and end):
            return
        wanted = before + block + after
        if wanted == text:
            return
    else:
        body = TEXT.format(name=out.resolve().name, split=SPLIT)
        wanted = f"---\n{block}\n---\n\n{body}"
    with files.atomic(path) as file:
        file.write(wanted.encode("utf-8"))


def data_files(out: Path, rows: Sequence[Mapping[str, Json]]) -> dict[str, dict[str, list[str]]]:
    """By table and split the files that hold it, below `out`: a pattern, or each by name where that takes too much.

    It does while a case is being written, or was never finished: readers pass over it.
    """
    complete = {row["path"] for row in rows}
    unfinished = [path for path in layout.case_directories(out) if path.relative_to(out).as_posix() not in complete]
    found: dict[str, dict[str, list[str]]] = {"cases": {SPLIT: [layout.CASES_FILE]}}
    for name in in_order(_tables(rows)):
        if any((path / f"{name}.parquet").exists() for path in unfinished):
            paths = [f"{row['path']}/{name}.parquet" for row in rows if row.get(f"rows_{name}") is not None]
        else:
            paths = [f"{layout.CASE_PATTERN}/{name}.parquet"]
        found[name] = {SPLIT: paths}
    return found


def configs(tables: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    """The lines of `configs:` of a dataset card; names are quoted as JSON, which YAML understands."""
    lines = ["configs:"]
    for name, splits in tables.items():
        lines += [f"- config_name: {json.dumps(name)}", "  data_files:"]
        for split, paths in splits.items():
            shown = paths[0] if len(paths) == 1 else list(paths)
            lines += [f"  - split: {json.dumps(split)}", f"    path: {json.dumps(shown)}"]
    return lines


def _tables(rows: Iterable[Mapping[str, Json]]) -> set[str]:
    return {
        key.removeprefix("rows_")
        for row in rows
        for key, value in row.items()
        if key.startswith("rows_") and value is not None
    }
