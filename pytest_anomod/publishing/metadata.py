"""The machine-readable metadata of a published dataset: CITATION.cff and croissant.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.dataset import files, layout
from pytest_anomod.dataset.read import Dataset
from pytest_anomod.exporters import _croissant, _merged
from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    from pytest_anomod.publishing.publish import Terms

KEYWORDS = ("microservices", "anomaly detection", "root cause analysis", "multimodal", "logs", "metrics", "traces")


def authors(terms: Terms) -> tuple[str, ...]:
    """The names given, or the authors of the dataset as one."""
    return terms.authors or (f"the authors of {terms.title}",)


def cite_as(terms: Terms, released: str) -> str:
    """How to name the dataset in a text."""
    where = f" {terms.url}" if terms.url else ""
    return f"{', '.join(authors(terms))}: {terms.title}, version {terms.release} ({released[:4]}).{where}"


def citation(terms: Terms, released: str) -> str:
    """A CITATION.cff 1.2.0; text is quoted as JSON, which YAML understands."""
    lines = [
        "cff-version: 1.2.0",
        'message: "If you use this dataset, please cite it as below."',
        "type: dataset",
        f"title: {_quoted(terms.title)}",
        "authors:",
        *(f"  - name: {_quoted(name)}" for name in authors(terms)),
        f"version: {_quoted(terms.release)}",
        f"date-released: {released}",
        f"license: {_quoted(terms.license)}",
        f"keywords: {_quoted(KEYWORDS)}",
    ]
    if terms.url:
        lines.append(f"url: {_quoted(terms.url)}")
    return "\n".join(lines) + "\n"


def croissant(data: Dataset, out: Path, terms: Terms, released: str, packed: Mapping[str, str]) -> dict[str, Json]:
    """The Croissant document: archives and cases.parquet as files; record sets are `cases` and the sample's tables."""
    head = _croissant.metadata(
        terms.title,
        f"{len(data)} labelled cases of anomalies in microservices: {', '.join(data.modalities)}.",
        license=f"https://spdx.org/licenses/{terms.license}.html",
        url=terms.url or None,
        version=terms.release,
        datePublished=released,
        creator=[{"@type": "Organization", "name": name} for name in authors(terms)],
        citeAs=cite_as(terms, released),
        keywords=list(KEYWORDS),
    )
    cases = out / layout.CASES_FILE
    objects = [
        _croissant.file(name, "application/zip", files.sha256(out / name), (out / name).stat().st_size)
        for name in packed.values()
    ]
    objects.append(_croissant.parquet(cases.name, files.sha256(cases), cases.stat().st_size))
    records = []
    for name, schema in _merged.schemas(data).items():
        if name == _merged.CASES:
            records.append(_croissant.record_set(name, schema, {"fileObject": {"@id": cases.name}}))
            continue
        mine = sample_table(name)
        objects.append(_croissant.file_set(f"{mine}-files", f"sample/{layout.CASE_PATTERN}/{name}.parquet"))
        records.append(_croissant.record_set(mine, schema, {"fileSet": {"@id": f"{mine}-files"}}))
    told = {key: value for key, value in head.items() if value is not None}
    return {**told, "distribution": objects, "recordSet": records}


def sample_table(name: str) -> str:
    """What a table of the sample is called where all cases and the sample are side by side."""
    return f"sample_{name}"


def _quoted(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
