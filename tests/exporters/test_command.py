"""`anomod export`: choosing cases, what it says of losses, and what it refuses."""

import pytest

from pytest_anomod import load_dataset
from pytest_anomod.cli import main
from pytest_anomod.exporters import Losses
from pytest_anomod.exporters.command import export, select
from pytest_anomod.model.errors import DatasetError


def test_it_says_what_the_format_could_not_hold(dataset, tmp_path, capsys):
    assert main(["export", str(dataset), "--to", "rcaeval", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 of 3 cases as rcaeval: ")
    assert "1 cases left out: no root cause (controls)" in said
    assert "coverage: 288 rows left out: the format has no such table" in said
    assert "traces: columns left out: attributes" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--to", "rceval"], "no format 'rceval'; formats are "),
        (["--to", "rcaeval", "--select", "verdict=silent"], "no case has verdict=silent; there are effective, normal"),
        (["--to", "rcaeval", "--select", "verdct=silent"], "such as verdict"),
        (["--to", "rcaeval", "--select", "level=code", "--select", "verdict=normal"], "meets all of level=code"),
        (["--to", "rcaeval", "--select", "level=normal"], "can hold none of the 1 cases: 1 cases left out: no root"),
    ],
)
def test_what_can_not_be_done_is_told_and_leaves_nothing(dataset, tmp_path, capsys, more, said):
    assert main(["export", str(dataset), "-o", str(tmp_path / "out"), *more]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["export", "{}", "--to", "rcaeval", "-o"], ["publish", "{}"]])
def test_a_url_is_no_place_to_write_to(dataset, tmp_path, capsys, monkeypatch, words):
    """It would become a directory of that name here."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([*(word.format(dataset) for word in words), "s3://bucket/there"])
    assert "s3://bucket/there is a URL: name a directory of this machine" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_output_that_exists_is_kept(dataset, tmp_path):
    with pytest.raises(DatasetError, match="exists; name a directory that does not"):
        export(load_dataset(dataset), "rcaeval", tmp_path)


def test_cases_are_chosen_by_any_column_of_the_index(dataset):
    data = load_dataset(dataset)
    assert len(select(data, ["system=train_ticket,social_network", "fault=none"])) == 1
    assert len(select(data, ["seed=1"])) == 3


def test_a_third_party_can_offer_a_format(dataset, tmp_path, monkeypatch):
    from pytest_anomod.model import catalog

    class Names:
        """Case ids, a line each."""

        name = "names"

        def export(self, data, out, losses):
            (out / "names.txt").write_text("".join(f"{case.case_id}\n" for case in data))
            losses.written = len(data)

    monkeypatch.setitem(catalog._registered, "exporters", {"names": (Names(), __file__)})
    catalog.offers.cache_clear()
    export(load_dataset(dataset), "names", tmp_path / "out")
    assert (tmp_path / "out" / "names.txt").read_text().count("\n") == 3
    catalog.offers.cache_clear()


def test_empty_columns_are_no_loss():
    import pandas as pd

    losses = Losses()
    losses.columns("logs", pd.DataFrame({"body": ["a"], "trace_id": ["1"], "observed": [None]}), ("body",))
    assert list(losses.lines()) == ["logs: columns left out: trace_id (1 values)"]
