"""One real run of a control and a fault: what is on disk, in the report and in JUnit XML, and what must be nowhere."""

from __future__ import annotations

import base64
import collections
import dataclasses
import itertools
import json
import re
import subprocess
import sys

import pandas as pd
import pytest
from outside import HEADER, ROOT, Belongings, Run, case_directories, pytest_words, scenario, verdicts

import pytest_anomod
from pytest_anomod.dataset import leaks
from pytest_anomod.model.journal import read_journal
from pytest_anomod.model.modality import MODALITIES

FILES = {
    "scenario.json", "experiment.json", "journal.json", "timeline.json", "label.parquet", "case.json",
    "propagation.parquet", "request_labels.parquet",
    *(f"{modality}.parquet" for modality in MODALITIES),
}  # fmt: skip
PHASES = {
    "normal_baseline": ["warmup", "baseline", "control", "recovery"],
    "code_exception_userservice": ["warmup", "baseline", "onset", "anomaly", "release", "recovery"],
}
FAULTY = "code_exception_userservice"
MOST_ATTACHED_BYTES = 1_500_000


@dataclasses.dataclass(frozen=True)
class Done:
    """The run that all tests of this file look at."""

    directory: object
    output: str
    left: list[str]
    exit_code: int

    @property
    def dataset(self):
        return self.directory / "dataset"

    def case(self, name):
        """The directory of a scenario's case."""
        (found,) = [path for path in case_directories(self.dataset) if f"scenario={name}" in path.parts]
        return found

    def json(self, name, file):
        return json.loads((self.case(name) / file).read_text())

    def result(self, name):
        """The Allure result of a scenario."""
        results = [json.loads(path.read_text()) for path in (self.directory / "allure").glob("*-result.json")]
        (found,) = [each for each in results if each["fullName"].endswith(f"#test_{name}")]
        return found


def play(directory):
    """Two scenarios of the experiments at half their lengths, one on each worker."""
    run = Run(
        directory,
        *pytest_words("-n", 2, "--anomod-scale=0.5", "-k", " or ".join(f"test_{name}" for name in PHASES)),
        "--anomod-out=dataset", "--alluredir=allure", "--junitxml=junit.xml", ROOT / "experiments/social_network",
        state=directory / "state",
    )  # fmt: skip
    try:
        code = run.wait()
        told = {"exit_code": code, "output": run.output, "left": Belongings.of(run, []).left()}
    finally:
        run.kill()
    (directory / "told.json").write_text(json.dumps(told))


@pytest.fixture(scope="session")
def done(once):
    directory = once("case", play)
    return Done(directory=directory, **json.loads((directory / "told.json").read_text()))


@pytest.fixture(scope="session")
def dataset(done):
    return pytest_anomod.load_dataset(done.dataset)


each_case = pytest.mark.parametrize("name", PHASES)


def test_the_run_passes_if_all_verdicts_are_the_expected_ones(done):
    """And only then: windows of five seconds are too short for a verdict to rely on when the machine is busy."""
    manifests = [done.json(name, "case.json") for name in PHASES]
    assert (done.exit_code == 0) is all(each["verdict"] == each["expects"] for each in manifests), done.output
    assert done.exit_code in (0, 1)


def test_the_fault_was_in(done):
    """Whatever users felt of it: the probe saw it and it was held."""
    (found,) = [each for each in done.json(FAULTY, "case.json")["findings"] if each["question"] == "mechanism"]
    assert found["outcome"] == "proven", found


def test_the_table_says_how_much_passed_through_the_target(done):
    """In a column of its own, between what was aimed at and what came of it."""
    assert re.search(r"^system +scenario +fault +target +target_rps +verdict +seconds", done.output, re.M)
    assert re.search(rf"{FAULTY} +code_exception +user-service +\d+\.\d ", done.output)


def test_nothing_is_left_of_it(done):
    """No process, lock or directory: the record files of the workload lay in it."""
    assert done.left == []


@each_case
def test_a_case_has_its_files_and_no_others(done, name):
    """What design calls a case; case.json lists all others with size and hash."""
    assert {path.name for path in done.case(name).iterdir()} == FILES
    assert set(done.json(name, "case.json")["files"]) == FILES - {"case.json"}


@each_case
@pytest.mark.parametrize("modality", MODALITIES)
def test_every_window_has_rows_of_every_modality(dataset, name, modality):
    """Onset and release too, short as they are."""
    rows = dataset.table(modality)
    rows = rows[rows["scenario"] == name]
    assert [phase for phase in PHASES[name] if not (rows["phase"] == phase).any()] == []
    assert set(rows["phase"].unique()) <= set(PHASES[name])


@each_case
def test_answers_join_to_traces(dataset, name):
    """By trace id, at least 99 of 100."""
    answers = dataset.api_responses[dataset.api_responses["scenario"] == name]
    answers = answers[(answers["status_code"] > 0) & (answers["phase"] != "warmup")]
    assert len(answers) > 100
    assert answers["trace_id"].isin(set(dataset.traces["trace_id"])).mean() >= 0.99


@each_case
@pytest.mark.parametrize("modality", MODALITIES)
def test_no_table_gives_the_label_or_a_secret_away(done, name, modality):
    """Every distinct text of every column that is telemetry."""
    import pyarrow.parquet as pq

    label = pq.read_table(done.case(name) / "label.parquet", columns=["scenario", "fault"]).to_pylist()[0]
    words = leaks.telling_words(*label.values())
    table = pq.read_table(done.case(name) / f"{modality}.parquet")
    ours = {"case_id", "phase", "phase_end"}
    texts = {str(text) for column in set(table.column_names) - ours for text in table[column].unique().to_pylist()}
    assert len(texts) > 50
    found = {text: leaks.find_leaks(text, words) or leaks.find_secrets(text) for text in texts}
    assert {text: what for text, what in found.items() if what} == {}


def test_no_file_holds_a_password_or_session_token(done):
    """Not the experiment, not the journal, not the report: what the seeding gave users, and the host's own token."""
    token = re.compile(r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]{4,}")
    for path in [*done.dataset.rglob("*.json"), *(done.directory / "allure").iterdir()]:
        text = path.read_bytes().decode("utf-8", "replace")
        assert not token.search(text), path
        assert "password_" not in text, path


@each_case
def test_timeline_and_journal_agree(done, name):
    """Windows are contiguous; the fault's edges are those of the journal's activities."""
    windows = done.json(name, "timeline.json")
    assert [window["phase"] for window in windows] == PHASES[name]
    for left, right in itertools.pairwise(windows):
        assert left["end_unix_nano"] == right["start_unix_nano"]
    journal = read_journal(done.json(name, "journal.json"))
    starts = {window["phase"]: window["start_unix_nano"] for window in windows}
    assert starts["baseline"] == journal.activity("baseline").start_ns
    if name == FAULTY:
        assert starts["onset"] == journal.activity("inject").start_ns
        assert starts["anomaly"] == journal.activity("seen").end_ns
        assert starts["release"] == journal.activity("recover").start_ns
        assert starts["recovery"] == journal.activity("gone").end_ns


def test_the_label_says_what_was_broken_where_and_when(dataset):
    """Down to the lines of the function; a control's label names no root cause."""
    cases = dataset.cases.set_index("scenario")
    faulty, control = cases.loc[FAULTY], cases.loc["normal_baseline"]
    assert faulty["root_cause_service"] == "user-service"
    assert faulty["root_cause_code_file"].endswith("user_service.py")
    assert faulty["root_cause_code_function"].endswith("compose_creator_with_user_id")
    assert 0 < faulty["root_cause_code_first_line"] <= faulty["root_cause_code_last_line"]
    edges = ("inject_start", "seen", "recover_start", "gone")
    times = [int(faulty[f"{edge}_unix_nano"]) for edge in edges]
    assert times == sorted(times)
    assert (faulty["expects"], control["expects"]) == ("effective", "normal")
    assert min(faulty["target_rps"], control["target_rps"]) > 0
    assert pd.isna(control["root_cause_service"])


def test_the_dataset_is_read_in_one_line(done):
    """pandas frames, joined with the label."""
    logs = pytest_anomod.load_dataset(done.dataset).logs
    assert {"body", "trace_id", "scenario", "fault", "verdict", "is_anomalous"} <= set(logs.columns)
    assert set(logs["scenario"].unique()) == set(PHASES)


def test_the_index_is_written(done):
    """By the controller, once, with both cases."""
    index = json.loads((done.dataset / "dataset.json").read_text())
    assert (index["cases"], index["incomplete"]) == (2, [])
    assert index["verdicts"] == collections.Counter(done.json(name, "case.json")["verdict"] for name in PHASES)
    assert (done.dataset / "cases.parquet").exists()


@pytest.mark.parametrize(
    ("command", "says"),
    [("validate", r"\Ano problems found\n\Z"), ("stats", rf"(?s)social_network.*\n.*{FAULTY}")],
)
def test_the_command_line_has_a_word_on_it(done, command, says):
    """`anomod validate` finds it sound; `anomod stats` prints the table and a row a case."""
    words = [sys.executable, "-m", "pytest_anomod.cli", command, str(done.dataset)]
    shown = subprocess.run(words, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert re.search(says, shown.stdout), shown.stdout


@each_case
def test_junit_has_the_headline(done, name):
    """Verdict, case and the words of each finding as properties."""
    row = verdicts(done.directory / "junit.xml")[name]
    manifest = done.json(name, "case.json")
    assert (row["anomod_verdict"], row["anomod_expects"]) == (manifest["verdict"], manifest["expects"])
    assert row["anomod_case"] == done.case(name).name.removeprefix("case=")
    assert "requests" in row["anomod_steady"]
    assert float(row["anomod_target_rps"]) > 0


@each_case
def test_allure_places_a_case_by_system_level_and_scenario(done, name):
    """Epic, feature and story."""
    labels = {(label["name"], label["value"]) for label in done.result(name)["labels"]}
    level = "code" if name == FAULTY else "normal"
    assert {("epic", "social_network"), ("feature", level), ("story", name)} <= labels


@each_case
def test_allure_steps_have_the_journals_times(done, name):
    """To the millisecond, activity by activity."""
    journal = read_journal(done.json(name, "journal.json"))
    wanted = [(each.start_ns // 10**6, each.end_ns // 10**6) for each in (*journal.before, *journal.played)]
    assert len(wanted) > 5
    (played,) = done.result(name)["steps"]
    assert [(step["start"], step["stop"]) for step in played["steps"]] == wanted


@each_case
def test_allure_shows_one_picture_and_stays_small(done, name):
    """One PNG, first of the attachments and in the description, and all together at most 1.5 MB."""
    attachments, description = (done.result(name)[key] for key in ("attachments", "descriptionHtml"))
    sources = [done.directory / "allure" / attachment["source"] for attachment in attachments]
    pictures = [path for path in sources if path.read_bytes().startswith(b"\x89PNG")]
    assert pictures == sources[:1]
    assert base64.b64encode(pictures[0].read_bytes()).decode() in description
    assert [attachment["type"] for attachment in attachments].count("image/png") == 1
    assert len(description) + sum(path.stat().st_size for path in sources) <= MOST_ATTACHED_BYTES
    assert {"Verdict with its numbers", "Label", "Evidence"} <= {attachment["name"] for attachment in attachments}


def test_allure_shows_no_tear_down_without_an_end(done):
    """What pytest does last of all ends too late for Allure to see it, and is left out."""
    fixtures = [json.loads(path.read_text()) for path in (done.directory / "allure").glob("*-container.json")]
    assert [before["name"] for fixture in fixtures for before in fixture["befores"]] == ["case"] * len(PHASES)
    assert [after for fixture in fixtures for after in fixture.get("afters", ())] == []


def test_allure_has_categories_and_environment(done):
    """A category per verdict that fails; what the run was made with."""
    names = " ".join(each["name"] for each in json.loads((done.directory / "allure/categories.json").read_text()))
    assert all(verdict in names for verdict in ("ineffective", "silent", "contaminated", "broken"))
    properties = (done.directory / "allure/environment.properties").read_text()
    assert "Durations=quick x 0.5" in properties
    assert "Runtime=process" in properties


WITNESS = '''
"""Says at the end what was imported."""

import sys


def pytest_unconfigure(config):
    print("imported:", *sorted({"matplotlib", "pyarrow", "chaoslib"} & set(sys.modules)))
'''


def test_without_alluredir_nothing_is_drawn(start, tmp_path):
    """matplotlib, half a second of import, stays outside; a run without xdist writes its index too."""
    (tmp_path / "witness.py").write_text(WITNESS)
    durations = "Durations(warmup_s=1, baseline_s=1, anomaly_s=1, recovery_s=1)"
    (tmp_path / "test_it.py").write_text(HEADER + scenario("test_it", "target='nginx-thrift'", durations))
    run = start(*pytest_words("-p", "witness", "test_it.py"))
    assert run.wait() in (0, 1), run.output  # one second is too short for a verdict to rely on
    assert re.search(r"^imported: chaoslib pyarrow$", run.output, re.MULTILINE), run.output
    index = json.loads((tmp_path / "anomod-dataset/dataset.json").read_text())
    assert index["cases"] == 1
