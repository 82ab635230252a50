"""Hugging Face: a folder to upload as it is, one Parquet file a table and split, and the README.md that names them.

A dataset of ours can be loaded in place, `datasets.load_dataset(DIR, "logs")`: its index writes the README.md.
This one is for uploads: a few large files instead of several for each case, divided by the labels' split.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.exporters import Losses

if TYPE_CHECKING:
    from pytest_anomod.dataset.read import Dataset


class HuggingFace:
    """Hugging Face `datasets`: data/<table>/<split>.parquet and a README.md with a configuration a table."""

    name = "huggingface"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write all tables with all columns; journal, timeline and experiment of a case are no tables, so not here."""
        from pytest_anomod.dataset import card
        from pytest_anomod.exporters import _merged

        found = _merged.write(data, out, losses, by_split=True)
        lines = ["---", *card.configs(found), "---", "", f"# {data.path.absolute().name}", ""]
        (out / card.README).write_text("\n".join(lines), encoding="utf-8")


OFFERS = (HuggingFace(),)
