"""Methods of others: by name, as a function, as a command that reads Parquet and writes JSON; and their mistakes."""

from __future__ import annotations

import json
import sys

import pytest
from cases import culprit_first, slow_bins

from pytest_anomod import cli, load_dataset
from pytest_anomod.dataset.evidence import alarm_evidence
from pytest_anomod.evaluation import external
from pytest_anomod.evaluation import method as answers
from pytest_anomod.evaluation.external import find_method
from pytest_anomod.evaluation.run import evaluate
from pytest_anomod.model.errors import EvaluationError

PROGRAM = """
import json, sys
import pyarrow.parquet as pq
folder, answer = sys.argv[-2:]
about = json.load(open(folder + "/evidence.json"))
if about["task"] == "score":
    json.dump({"scores": [0.0] * len(about["bins_unix_nano"])}, open(answer, "w"))
else:
    times = pq.read_table(folder + "/traces.parquet")["time_unix_nano"].to_pylist()
    assert min(times) < about["alarm_unix_nano"] <= max(times)
    names = ["text-service"] + [name for name in about["services"] if name != "text-service"]
    finer = {"code": [["a.py", "f", 1.0]], "instances": {"text-service-1": 1.0}}
    finer |= {"edges": [["nginx-thrift", "text-service", 1.0]], "path": [["text-service", "nginx-thrift"]]}
    json.dump({"services": names, **finer}, open(answer, "w"))
"""


def program(tmp_path, text=PROGRAM):
    """The word that names a command with this text."""
    path = tmp_path / "rank.py"
    path.write_text(text)
    return f"command:{sys.executable} {path}"


def test_a_command_ranks(small_dataset, tmp_path):
    """It is given a directory and a file, and nothing of the label; it may name instances, edges and a path."""
    data = load_dataset(small_dataset, scenarios="slow_0")
    rows = evaluate(data, [program(tmp_path)], jobs=1).rows
    assert [(row["AC@1"], row["instance AC@1"]) for row in rows] == [(1.0, 1.0)]
    found = answers.rank(find_method(program(tmp_path)), alarm_evidence(next(iter(data))))
    assert found.edges == {("nginx-thrift", "text-service"): 1.0}
    assert found.path == [("text-service", "nginx-thrift")]


def test_a_command_detects(small_dataset, tmp_path):
    """With score: before it."""
    data = load_dataset(small_dataset, scenarios="control")
    assert [row["task"] for row in evaluate(data, ["score:" + program(tmp_path)], jobs=1).rows] == ["score"] * 2


BROKEN = {
    "it fails": ("import sys; sys.exit('no model here')", "ended with 1: no model here"),
    "it writes nothing": ("print('done')", "wrote no JSON to its last argument"),
    "it writes no ranking": ("import sys; open(sys.argv[2], 'w').write('{}')", 'wrote no "services" but {}'),
    "it writes a list": ("import sys; open(sys.argv[2], 'w').write('[1]')", "wrote [1], which is no JSON object"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_command_that_goes_wrong_is_told_in_one_line(small_dataset, tmp_path, what):
    """With what it said last."""
    text, message = BROKEN[what]
    word = program(tmp_path, text)
    assert message in evaluate(small_dataset, [word], jobs=1).left_out[word]


def test_a_command_that_hangs_is_ended(small_dataset, tmp_path, monkeypatch):
    """It waits for what never comes; nothing of it is left."""
    monkeypatch.setattr(external, "TIMEOUT_S", 0.5)
    word = program(tmp_path, "import threading; threading.Event().wait()")
    assert "took over 0.5 s" in evaluate(small_dataset, [word], jobs=1).left_out[word]


def test_a_command_that_is_not_there(small_dataset):
    """One line with the system's reason."""
    assert (
        "can't be started"
        in evaluate(small_dataset, ["command:/no/such/program"], jobs=1).left_out["command:/no/such/program"]
    )


def test_a_function_is_found_by_module_and_name(tmp_path, monkeypatch):
    """From the directory that one is in, as with python -m."""
    (tmp_path / "my_methods.py").write_text(
        "class Mine:\n    name = 'mine'\n    modalities = ('logs',)\n    def rank(self, evidence):\n        return {}\n"
        "def ranker(evidence):\n    return {}\nvalue = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert find_method("my_methods:Mine").modalities == ("logs",)
    assert find_method("my_methods:ranker").name == "my_methods:ranker"
    assert not hasattr(find_method("score:my_methods:ranker"), "rank")
    for word, message in {
        "my_methods:rankr": "has no attribute 'rankr'",
        "my_metods:ranker": "module 'my_metods' can't be imported",
        "my_methods:value": "has neither rank nor score and is no function",
        "baroo": "no method named 'baroo'; did you mean baro",
    }.items():
        with pytest.raises(EvaluationError, match=message):
            find_method(word)


def test_functions_of_the_tests_are_methods_too():
    """A function says its modalities in an attribute."""
    assert external.as_method(slow_bins, "slow", "score").modalities == ("traces",)
    assert external.as_method(culprit_first, "first", "rank").rank is culprit_first


def test_the_command_line(small_dataset, tmp_path, capsys):
    """Tables on stdout, progress on stderr, rows in the file; 1 when a method was left out."""
    out = tmp_path / "rows.parquet"
    words = ["evaluate", str(small_dataset), "--method", "random", "--method", "deepest_error", "--out", str(out)]
    assert cli.main(words) == 0
    shown = capsys.readouterr()
    assert "Root cause, service level: 4 cases with a proven fault" in shown.out
    assert "6 of 6 cases" in shown.err
    import pandas as pd

    rows = pd.read_parquet(out)
    assert set(rows["method"]) == {"random", "deepest_error"}
    assert len(rows[rows["task"] == "score"]) == 6
    assert (
        cli.main(["evaluate", str(small_dataset), "--method", "command:false", "--method", "random", "--jobs", "1"])
        == 1
    )
    assert "command:false was left out" in capsys.readouterr().out


def test_mistakes_on_the_command_line(small_dataset, tmp_path, capsys):
    """One line on stderr, exit code 2."""
    (tmp_path / "dataset.json").write_text(json.dumps({"format_version": 99}))
    for words, message in {
        ("evaluate", str(tmp_path)): "format version 99",
        ("evaluate", str(small_dataset), "--method", "baroo"): "did you mean baro",
        ("evaluate", str(small_dataset), "--method", "baro", "--modalities", "logs"): "only logs is granted",
        (
            "evaluate",
            str(small_dataset),
            "--method",
            "random",
            "--out",
            "/no/such/f.parquet",
        ): "--out /no/such/f.parquet",
    }.items():
        assert cli.main(words) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("anomod: ")
        assert message in error
