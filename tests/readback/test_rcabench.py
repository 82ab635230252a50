"""rcabench-platform validates, converts and loads our datapacks; its BARO ranks on them."""

import json
import os
from pathlib import Path

import polars as pl
import pytest
from rcabench_platform.v3.internal.sources.rcabench import Converter
from rcabench_platform.v3.sdk.algorithms.rcaeval.baro import Baro
from rcabench_platform.v3.sdk.algorithms.spec import AlgorithmArgs
from rcabench_platform.v3.sdk.datasets.rcabench import RCABenchAnalyzerLoader, valid
from rcabench_platform.v3.sdk.evaluation.causal_graph import CausalGraph


@pytest.fixture(scope="module")
def packs(exported):
    return sorted((exported("rcabench") / "data" / "rcabench_anomod").iterdir())


def test_datapacks_are_valid_and_convert(packs, figure, monkeypatch):
    monkeypatch.setitem(os.environ, "RCABENCH_SKIP_STABILITY_VALIDATION", "1")  # on a busy machine a request takes 3 s
    for pack in packs:
        assert valid(pack, force_refresh=True, allow_empty=True)[1], pack.name
        for name, frame in Converter(pack, prefix="abnormal").data().items():
            theirs = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
            ours = pl.read_parquet(pack / "converted" / name)
            shared = [column for column in ours.columns if column in theirs.columns]
            assert len(shared) >= 6 or not ours.height
            assert theirs.height == ours.height
    figure("rcabench-platform", f"valid, Converter: {len(packs)} datapacks")


def test_its_loader_knows_the_root_cause_and_baro_ranks(packs, figure):
    first, third = 0, 0
    for pack in packs:
        loader = RCABenchAnalyzerLoader(pack.name, in_p=pack)
        (root,) = loader.get_root_services()
        assert root in loader.get_all_services()
        assert loader.get_service_metrics(root)
        graph = CausalGraph(**json.loads((pack / "causal_graph.json").read_text()))
        assert root in graph.get_service_nodes()
        where = {"input_folder": pack / "converted", "output_folder": Path(os.devnull)}
        answers = Baro()(AlgorithmArgs(dataset="rcabench_anomod", datapack=pack.name, **where))
        services = list(dict.fromkeys(answer.name for answer in answers))
        first += root == services[0]
        third += root in services[:3]
    assert packs
    scores = f"AC@1 {first / len(packs):.2f}, AC@3 {third / len(packs):.2f}"
    figure("rcabench-platform", f"RCABenchAnalyzerLoader, CausalGraph; baro: {scores}, {len(packs)} cases")
