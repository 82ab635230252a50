"""The Hugging Face and Croissant exports; tests/readback loads them with `datasets` and `mlcroissant`."""

import hashlib
import json

import pyarrow.parquet as pq
import yaml

from pytest_anomod import load_dataset
from pytest_anomod.exporters import Losses, _merged
from pytest_anomod.exporters.command import export

TABLES = ["cases", "logs", "metrics", "traces", "api_responses", "coverage"]


def test_hugging_face_finds_all_rows_of_each_table(dataset, tmp_path):
    data = load_dataset(dataset)
    losses = export(data, "huggingface", tmp_path / "out")
    assert losses.written == 3
    assert not list(losses.lines())
    configs = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---\n")[1])["configs"]
    assert [config["config_name"] for config in configs] == TABLES
    for config in configs:
        (files,) = config["data_files"]
        rows = pq.read_table(tmp_path / "out" / files["path"]).num_rows
        assert rows == len(data.cases if config["config_name"] == "cases" else data.table(config["config_name"]))


def test_a_split_of_the_labels_divides_the_files(dataset, tmp_path):
    import dataclasses

    data = load_dataset(dataset)
    splits = ("train", "test", "train")
    rows = tuple({**row, "split": split} for row, split in zip(data.rows, splits, strict=True))
    found = _merged.write(dataclasses.replace(data, rows=rows), tmp_path, Losses(), by_split=True)
    assert found["logs"] == {"test": ["data/logs/test.parquet"], "train": ["data/logs/train.parquet"]}
    assert pq.read_table(tmp_path / "data/cases/test.parquet")["case_id"].to_pylist() == [data.rows[1]["case_id"]]
    assert set(pq.read_table(tmp_path / "data/logs/test.parquet")["case_id"].to_pylist()) == {data.rows[1]["case_id"]}


def test_croissant_describes_each_column_and_each_file(dataset, tmp_path):
    export(load_dataset(dataset), "croissant", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert [record["name"] for record in document["recordSet"]] == TABLES
    for record, file in zip(document["recordSet"], document["distribution"], strict=True):
        path = tmp_path / "out" / file["contentUrl"]
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert [field["name"] for field in record["field"]] == pq.read_schema(path).names
    body = next(field for field in document["recordSet"][1]["field"] if field["name"] == "body")
    assert body["description"] == "the body"
    assert body["dataType"] == "sc:Text"
