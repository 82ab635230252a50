"""The file of a baseline: what may stand in it, what is said of one that is wrong, and how it changes."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.run.baseline import Entry, lost_keys, read_baseline, updated, write_baseline

WRONG = {
    "{": "line 1, column 2: not JSON (*); mend it, or remove the file and run --anomod-baseline-update",
    "[]": "must be an object*not list",
    '{"format": 1, "verdict": {}}': "key 'verdict' is none of 'format', 'verdicts'; remove it",
    '{"format": 2, "verdicts": {}}': "key 'format' is 2, not 1; remove the file and run --anomod-baseline-update",
    '{"verdicts": {}}': "key 'format' is None, not 1;*",
    '{"format": 1}': "key 'verdicts' must be an object*",
    '{"format": 1, "verdicts": ["a"]}': "key 'verdicts' must be an object*",
    '{"format": 1, "verdicts": {"a": "tolerate"}}': "key 'a': 'tolerate' is no verdict*; did you mean tolerated?",
    '{"format": 1, "verdicts": {"a": "broken"}}': "*'broken' is no verdict*; it must be one of effective, tolerated, "
    "silent, ineffective, normal",
    '{"format": 1, "verdicts": {"a": null}}': "key 'a': None is no verdict*",
    '{"format": 1, "verdicts": {"a": {"verdict": "silent", "reason": ""}}}': "key 'a': 'reason' is none of 'verdict', "
    "'why'; remove it",
    '{"format": 1, "verdicts": {"a": {"verdict": "silent", "why": 7}}}': "key 'a': 'why' must be text, not 7",
    '{"format": 1, "verdicts": {"a": "silent", "a": "silent"}}': "key 'a' stands there 2 times; leave one of them",
    "\udcff": "can't be read: *; name a JSON file",
    None: "there is no such file; --anomod-baseline-update writes it",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_one_usage_error(pytester, text):
    """With the file, the key and what to do, before any test runs."""
    pytester.makepyfile("def test_it(): pass")
    if text is not None:
        (pytester.path / "chaos.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    result = pytester.runpytest("--anomod-baseline=chaos.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --anomod-baseline=chaos.json: {WRONG[text]}"])


def test_with_workers_too(pytester):
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("-n2", "--anomod-baseline=chaos.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("ERROR: ") == 1


def test_an_update_wants_a_file_to_write(pytester):
    pytester.makepyfile("def test_it(): pass")
    for words, line in (
        ("--anomod-baseline-update", "*name its file with --anomod-baseline FILE"),
        ("--anomod-baseline=not/there.json", "*there is no directory */not to write it to; make it first"),
    ):
        result = pytester.runpytest("--anomod-baseline-update", words)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {line}"])


def test_what_is_written_is_read_again(tmp_path):
    entries = {'b.py::test["ü\n\x7f🙂"]': Entry("silent", 'because "x"'), "a.py::test": Entry("effective")}
    write_baseline(tmp_path / "chaos.json", entries)
    assert read_baseline(tmp_path / "chaos.json", update=False) == entries
    lines = (tmp_path / "chaos.json").read_text("utf-8").splitlines()
    assert lines[3] == '  "a.py::test": "effective",'
    assert [path.name for path in tmp_path.iterdir()] == ["chaos.json"]


def test_an_empty_baseline_is_one(tmp_path):
    write_baseline(tmp_path / "chaos.json", {})
    assert json.loads((tmp_path / "chaos.json").read_text()) == {"format": 1, "verdicts": {}}


def test_what_a_run_did_not_see_stays():
    old = {"a": Entry("tolerated", "so"), "b": Entry("tolerated", "so"), "c": Entry("silent"), "d": Entry("silent")}
    new = [("b", "effective"), ("e", "silent"), ("f", "silent"), ("f", "tolerated"), ("c", "broken")]
    entries, said = updated(old, [("a", "tolerated"), *new], ["d"])
    assert entries == {"a": old["a"], "b": Entry("effective"), "c": old["c"], "e": Entry("silent")}
    assert said == [
        "f had several verdicts in this run: silent, tolerated", "c was broken, which says nothing of the system",
    ]  # fmt: skip


def test_a_test_is_lost_only_where_one_has_looked(tmp_path):
    """Not in a file that this run left out, nor in one of which it was asked for single tests."""
    for name in ("a.py", "b.py", "c.py", "empty.py"):
        (tmp_path / name).touch()
    keys = ["a.py::here", "a.py::lost", "b.py::single", "c.py::left_out", "gone.py::any", "empty.py::lost"]
    files = {"a.py", "b.py", "empty.py"}
    known = {"a.py::here", "b.py::asked_for"}
    lost = lost_keys(keys, known, files, ["a.py", "b.py::asked_for"], tmp_path)
    assert lost == ["a.py::lost", "gone.py::any", "empty.py::lost"]
