"""Every modality on offer fits the dataset: its schema can be made, written and read back."""

import dataset_builder as build
import pyarrow.parquet as pq
import pytest

from pytest_anomod.dataset import tables
from pytest_anomod.dataset.write import CaseWriter
from pytest_anomod.model import catalog
from pytest_anomod.model.modality import COMMON_COLUMNS, MODALITIES

SAMPLES = {"int64": 7, "int32": 7, "float64": 0.5, "bool": True, "string": "text", "json": {"a": 1}}


@pytest.mark.parametrize("name", MODALITIES)
def test_a_row_of_each_modality_goes_in_and_comes_out(tmp_path, name):
    modality = catalog.find("modalities", name)
    windows = build.case_timeline()
    writer = CaseWriter(tmp_path, "social_network", "control")
    columns = {
        column.name: [windows.start_ns if column.name == "time_unix_nano" else SAMPLES[column.type]]
        for column in tables.table_columns(modality)
        if column.name not in tables.FILLED_IN
    }
    frame = writer.write_table(modality, columns, windows)
    schema = pq.read_schema(writer.directory / f"{name}.parquet")
    assert tuple(schema.names[:5]) == COMMON_COLUMNS
    assert ("phase_end" in schema.names) is modality.has_length
    assert all(field.metadata[b"doc"] for field in schema)
    assert frame.shape == (1, len(schema))
    assert frame["phase"].tolist() == ["warmup"]


def test_wholly_nullable_whole_numbers_keep_their_type_and_place(tmp_path):
    windows = build.case_timeline()
    writer = CaseWriter(tmp_path, "social_network", "control")
    frame = writer.write_table(build.COVERAGE, build.case_columns("coverage", windows, 1), windows)
    assert str(frame["hits"].dtype) == "Int64"
    assert frame["hits"].isna().all()
    assert list(frame.columns) == pq.read_schema(writer.directory / "coverage.parquet").names
