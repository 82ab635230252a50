"""`anomod import`: the test files that it writes are collected by pytest and are as ruff wants them."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from without_engine import no_container_engine

from pytest_anomod import cli

FILES = Path(__file__).parent / "files"
ROOT = Path(__file__).parents[2]


def run_import(capsys, *words):
    """The command's exit code and what it said."""
    code = cli.main(["import", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out + said.err


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All files of Chaos Mesh, Litmus and AnoMod, imported into a directory; and what was said."""
    out, said = tmp_path_factory.mktemp("imported") / "chaos", io.StringIO()
    files = [path for kind in ("chaos_mesh", "litmus", "anomod") for path in sorted((FILES / kind).iterdir())]
    files.append(FILES / "toxiproxy/toxicity_half.json")
    with no_container_engine(), contextlib.redirect_stdout(said):
        assert cli.main(["import", *map(str, files), "--system", "train_ticket", "-o", str(out)]) == 1, (
            "some are refused"
        )
    return out, said.getvalue()


def test_what_is_written_is_collected_and_formatted(written, pytester):
    directory, said = written
    ruff = [sys.executable, "-m", "ruff"]
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(directory)]
    for command in (["check", *config], ["format", "--check", *config]):
        done = subprocess.run([*ruff, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    # tests of ours that are loaded in this process may be called the same
    words = ("--collect-only", "-q", "-p", "no:cacheprovider", "--import-mode=importlib")
    collected = pytester.runpytest_inprocess(*words, directory)
    collected.assert_outcomes()
    tests = [line for line in collected.outlines if "::test_" in line]
    assert len(tests) == sum(path.read_text().count("\ndef test_") for path in directory.glob("test_*.py"))
    assert f"{len(tests)} tests of " in said


def test_a_test_is_six_lines_below_where_it_comes_from(written):
    directory, _ = written
    assert (directory / "test_no_duration.py").read_text() == (
        '"""Scenarios that `anomod import` made of no_duration.yaml (Chaos Mesh), which is kept beside."""\n'
        "\n"
        "from pytest_anomod import anomaly\n"
        "from pytest_anomod.faults import NetworkDelay\n"
        "\n"
        "\n"
        "# no_duration.yaml:1\n"
        '@anomaly(system="train_ticket", fault=NetworkDelay(delay_ms=45), target="ts-order-service")\n'
        "def test_no_duration(case):\n"
        '    """NetworkChaos no-duration."""\n'
        "    case.run()\n"
    )
    assert (directory / "no_duration.yaml").read_text() == (FILES / "chaos_mesh/no_duration.yaml").read_text()


def test_what_is_done_otherwise_stands_above_the_test(written):
    directory, _ = written
    text = (directory / "test_fixed_percent.py").read_text()
    assert "# mode: fixed-percent: 70 % of the pods and not of requests; a service here has one instance" in text
    assert "duration" not in text, "what is done as there needs no words"
    assert 'expects="tolerated"' in (directory / "test_probes.py").read_text()


def test_what_this_machine_can_not_run_is_skipped_with_the_runtime_it_needs(written):
    directory, _ = written
    text = (directory / "test_partition.py").read_text()
    assert "@pytest.mark.skip(reason=\"needs runtime 'docker'\")\n" in text
    assert '    runtime="docker",\n)\n' in text


def test_refused_files_leave_nothing(written):
    directory, said = written
    assert not list(directory.glob("*jvm*"))
    assert not list(directory.glob("*unmapped*"))
    assert "write CodeException(function=" in " ".join(said.split())  # a narrow terminal breaks lines


def test_nothing_is_written_over_without_force(tmp_path, capsys):
    words = [FILES / "chaos_mesh/paused.yaml", FILES / "chaos_mesh/duration.yaml", "--system", "train_ticket"]
    assert run_import(capsys, *words, "-o", tmp_path)[0] == 0
    (tmp_path / "test_paused.py").write_text("mine")
    (tmp_path / "test_duration.py").unlink()
    code, said = run_import(capsys, *words, "-o", tmp_path)
    assert code == 2
    assert f"{tmp_path / 'test_paused.py'} is there already" in said
    assert (tmp_path / "test_paused.py").read_text() == "mine"
    assert not (tmp_path / "test_duration.py").exists(), "nothing is written when one file is in the way"
    assert run_import(capsys, *words, "-o", tmp_path, "--force")[0] == 0
    assert "def test_paused" in (tmp_path / "test_paused.py").read_text()


def test_an_original_that_lies_there_is_left_alone(tmp_path, capsys):
    original = tmp_path / "duration.yaml"
    original.write_text((FILES / "chaos_mesh/duration.yaml").read_text())
    assert run_import(capsys, original, "--system", "train_ticket", "-o", tmp_path)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["duration.yaml", "test_duration.py"]


def test_two_files_of_one_name_are_not_written_over_each_other(tmp_path, capsys):
    other = tmp_path / "duration.yml"
    other.write_text((FILES / "chaos_mesh/paused.yaml").read_text())
    code, said = run_import(
        capsys, FILES / "chaos_mesh/duration.yaml", other, "--system", "train_ticket", "-o", tmp_path
    )
    assert code == 2
    assert "two files would be written to" in said


def test_a_label_can_be_told_its_service(tmp_path, capsys):
    words = [FILES / "chaos_mesh/unmapped.yaml", "--system", "train_ticket", "-o", tmp_path]
    assert run_import(capsys, *words, "--target", "ts-ordr-service=ts-order-service")[0] == 0
    assert 'target="ts-order-service"' in (tmp_path / "test_unmapped.py").read_text()
    code, said = run_import(capsys, *words, "--target", "ts-ordr-service")
    assert code == 2
    assert "'ts-ordr-service' is no LABEL=SERVICE" in said


def test_a_file_in_no_known_format_is_said_to_be_none(tmp_path, capsys):
    path = tmp_path / "experiment.json"
    path.write_text('{"title": "a", "description": "b", "method": []}')
    code, said = run_import(capsys, path, "--system", "train_ticket", "-o", tmp_path)
    assert code == 1
    assert "no file of Chaos Mesh, Litmus, ChaosBlade or Toxiproxy" in said


def test_an_unknown_system_is_said_with_the_nearest(tmp_path, capsys):
    code, said = run_import(capsys, FILES / "chaos_mesh/paused.yaml", "--system", "train_tiket", "-o", tmp_path)
    assert code == 2
    assert "train_ticket" in said


OWN = """
from pytest_anomod import running_system

shop = running_system(
    "shop_of_importers",
    entry="http://127.0.0.1:9",
    entry_service="ts-order-service",
    pids={"ts-order-service": 1},
    ports={"ts-order-service": 9},
)
"""


@pytest.mark.usefixtures("nothing_registered")
def test_a_system_of_the_users_own_is_found_in_their_conftest(tmp_path, capsys, monkeypatch):
    (tmp_path / "conftest.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    files = [FILES / "chaosblade/two_on_one.yaml", FILES / "chaos_mesh/duration.yaml"]
    code, said = run_import(capsys, *files, "--system", "shop_of_importers", "-o", "chaos")
    assert code == 1, "a process that we did not start is not stopped"
    assert "a process that we did not start we can't start again" in " ".join(said.split())
    text = (tmp_path / "chaos/test_two_on_one.py").read_text()
    assert '@anomaly(system="shop_of_importers", fault=PauseService(), target="ts-order-service")' in text
