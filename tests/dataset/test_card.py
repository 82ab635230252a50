"""README.md of a dataset: which files each table is, and whose the rest of the page is."""

import dataset_builder as build
import yaml

from pytest_anomod.dataset.index import write_index


def front_matter(root):
    return yaml.safe_load((root / "README.md").read_text().split("---\n")[1])


def test_each_table_is_a_configuration(whole_dataset):
    found = {config["config_name"]: config["data_files"] for config in front_matter(whole_dataset)["configs"]}
    assert found["cases"] == [{"split": "train", "path": "cases.parquet"}]
    assert found["logs"] == [{"split": "train", "path": "system=*/scenario=*/case=*/logs.parquet"}]
    assert set(found) == {"cases", "logs", "metrics", "traces", "api_responses", "coverage"}


def test_tables_of_a_case_that_was_never_finished_are_not_named(dataset):
    build.build_case(dataset, "service_kill_text", case_id="20261122T0725Z-dddd", complete=False)
    write_index(dataset)
    (logs,) = next(c["data_files"] for c in front_matter(dataset)["configs"] if c["config_name"] == "logs")
    assert len(logs["path"]) == 3
    assert not any("dddd" in path for path in logs["path"])


def test_what_people_write_into_it_stays(dataset):
    path = dataset / "README.md"
    path.write_text(path.read_text().replace("---\n#", "---\nlicense: cc0-1.0\n#", 1) + "\nOur own words.\n")
    build.build_case(dataset, "service_kill_text", case_id="20261122T0725Z-dddd", complete=False)
    write_index(dataset)
    assert front_matter(dataset)["license"] == "cc0-1.0"
    assert path.read_text().endswith("Our own words.\n")
    path.write_text("A page of somebody's own.\n")
    write_index(dataset)
    assert path.read_text() == "A page of somebody's own.\n"
