"""Which cases are played again by themselves, how often, and what links the attempts, of a later run too."""

from __future__ import annotations

import types

import dataset_builder as build
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.case import Allowance, Case, CaseResult
from pytest_anomod.dataset.index import write_index
from pytest_anomod.declare import case_seed
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.verdict import Verdict
from pytest_anomod.run import cases, sharding

TEST = """
from pytest_anomod import anomaly
from pytest_anomod.faults import StopService

@anomaly(system="social_network", fault=StopService(), target="media-service")
def test_it(case):
    case.run()
"""


class Staged(Case):
    """A case whose attempts come to the verdicts given, the last of them for ever; `boots` of them boot."""

    def __init__(self, out, *verdicts, expects="effective", boots=9, **words):
        self.verdicts, self.boots, self.made, self.told = verdicts, boots, [], []
        scenario = types.SimpleNamespace(name="staged", expects=expects, is_control=True)
        hook = types.SimpleNamespace(
            pytest_anomod_case_starting=lambda **_: None,
            pytest_anomod_case_finished=lambda result: self.told.append(str(result.verdict)),
        )
        named = types.SimpleNamespace(name="any")
        session = types.SimpleNamespace(out=out)
        super().__init__(
            scenario=scenario, system=named, runtime=named, injector=named, session=session,
            deploy=self._boot, discard=lambda _: None, hook=hook, **words,
        )  # fmt: skip

    def _boot(self):
        if len(self.made) >= self.boots:
            msg = "a service never answered"
            raise DeploymentError(msg)
        return types.SimpleNamespace(runtime="process", unhealthy=list)

    def _play(self, deployment, writer, made):
        self.made.append((made.attempt, made.replaces))
        verdict = self.verdicts[min(len(self.made), len(self.verdicts)) - 1]
        view = types.SimpleNamespace(case_id=f"case-{len(self.made)}", scenario=self.scenario)
        nothing = dict.fromkeys(("label", "directory", "experiment", "raw_journal"))
        return CaseResult(view=view, findings=(), verdict=verdict, **nothing)


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_contaminated_case_is_played_again_and_by_default_twice_more(tmp_path, verdict):
    case = Staged(tmp_path, verdict)
    result = case.run()
    links = [(1, None), (2, "case-1"), (3, "case-2")]
    assert case.made == (links if verdict is Verdict.CONTAMINATED else links[:1])
    assert case.told == [verdict] * len(case.made)
    assert result is case.result
    assert len(result.superseded) == len(case.made) - 1


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.CONTAMINATED])
def test_a_second_attempt_of_any_other_verdict_is_the_last(tmp_path, verdict):
    case = Staged(tmp_path, Verdict.CONTAMINATED, verdict)
    assert case.run().verdict is verdict
    assert len(case.made) == 2


@pytest.mark.parametrize("words", [{"expects": "contaminated"}, {"allowance": Allowance(attempts=0)}])
def test_what_is_declared_or_has_no_attempt_left_is_played_once(tmp_path, words):
    case = Staged(tmp_path, Verdict.CONTAMINATED, **words)
    assert case.run().superseded == ()
    assert len(case.made) == 1


def test_a_second_attempt_that_can_not_boot_is_an_error_and_the_first_is_kept(tmp_path):
    case = Staged(tmp_path, Verdict.CONTAMINATED, boots=1)
    with pytest.raises(DeploymentError, match="never answered"):
        case.run()
    assert case.told == [Verdict.CONTAMINATED]
    assert case.result.verdict is Verdict.CONTAMINATED


def test_attempts_go_on_from_the_case_of_an_earlier_run(tmp_path):
    case = Staged(tmp_path, Verdict.CONTAMINATED, Verdict.EFFECTIVE, earlier=("before", 2))
    case.run()
    assert case.made == [(3, "before"), (4, "case-1")]


@pytest.mark.parametrize("verdict", sharding.AGAIN)
def test_a_resumed_run_links_its_case_with_the_last_spoiled_one(pytester, monkeypatch, verdict):
    """Only if it is of the same seed."""
    pytester.makepyfile(TEST)
    out = pytester.path / "data"
    seeds = (case_seed(1, "it"), case_seed(1, "it"), case_seed(2, "it"))
    for number, seed in enumerate(seeds, start=1):
        build.build_case(out, "it", case_id=f"2026112{number}T0425Z-aaaa", verdict=verdict, seed=seed, attempt=number)

    def begin(*_, earlier, **__):
        pytest.fail(f"it replaces {earlier}")

    monkeypatch.setattr("pytest_anomod.run.deployments.Deployments.of", lambda config: config)
    monkeypatch.setattr(cases, "begin_case", begin)
    for words, told in ((("--anomod-resume",), "('20261122T0425Z-aaaa', 2)"), ((), "None")):
        result = pytester.runpytest(*words, f"--anomod-out={out}")
        result.stdout.fnmatch_lines([f"*it replaces {told}*"])


def test_readers_of_the_index_alone_see_what_was_replaced(tmp_path):
    """So does load_dataset where the index was written before it told that."""
    first = build.build_case(tmp_path, "it", verdict="broken", unusable_because=("broken: x",))
    later = build.START_NS + 600 * build.SECOND
    build.build_case(tmp_path, "it", start_ns=later, attempt=2, replaces=first.case_id, usable=True)
    write_index(tmp_path)
    file = tmp_path / "cases.parquet"
    table = pq.read_table(file)
    marked, other = sorted(table.to_pylist(), key=lambda row: row["attempt"])
    assert (marked["usable"], other["usable"]) == (False, True)
    assert [why.split(":")[0] for why in marked["unusable_because"]] == ["broken", "superseded"]
    pq.write_table(pa.Table.from_pylist([marked | {"unusable_because": ["x"]}, other], table.schema), file)
    assert len(load_dataset(tmp_path)) == 1
    every = load_dataset(tmp_path, superseded=True).cases.set_index("case_id")
    assert len(every.loc[first.case_id, "unusable_because"]) == 2
