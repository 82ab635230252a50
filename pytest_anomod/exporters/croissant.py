"""Croissant: a croissant.json by which `mlcroissant` reads the tables, and one Parquet file a table beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.exporters import Losses

if TYPE_CHECKING:
    from pytest_anomod.dataset.read import Dataset


class Croissant:
    """Croissant 1.1: croissant.json and data/<table>/train.parquet; `anomod publish` adds licence and citation."""

    name = "croissant"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write all tables with all columns, and the document that describes them."""
        from pytest_anomod.dataset import files
        from pytest_anomod.exporters import _croissant, _merged

        found = _merged.write(data, out, losses, by_split=False)
        objects, records = [], []
        for name, schema in _merged.schemas(data).items():
            ((path,),) = found[name].values()
            objects.append(_croissant.parquet(path, files.sha256(out / path), (out / path).stat().st_size))
            records.append(_croissant.record_set(name, schema, {"fileObject": {"@id": path}}))
        head = _croissant.metadata(
            data.path.absolute().name,
            f"{losses.written} labelled cases of anomalies in microservices: {', '.join(data.modalities)}.",
        )
        files.write_json(out / "croissant.json", {**head, "distribution": objects, "recordSet": records})


OFFERS = (Croissant(),)
