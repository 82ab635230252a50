"""A small dataset to export, made once: a resource fault, a fault in code on another system, and a control."""

import dataset_builder as build
import pytest

from pytest_anomod.dataset.write import write_index

HOUR = 3_600 * build.SECOND


def _more_metrics(name, columns):
    """Give the metrics names that formats look for, and let a counter rise."""
    if name == "metrics":
        wanted = ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes")
        columns["metric_name"] = [wanted[place // 3 % 2] for place in range(len(columns["metric_name"]))]
        columns["kind"] = ["counter" if name == wanted[0] else "gauge" for name in columns["metric_name"]]
        columns["value"] = [place * 0.01 for place in range(len(columns["value"]))]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Its root; don't change it."""
    out = tmp_path_factory.mktemp("exporters") / "dataset"
    build.build_case(out, "perf_cpu_contention", case_id="20261122T0425Z-aaaa", edit=_more_metrics)
    build.build_case(
        out,
        "lv_c_exception_injection",
        case_id="20261122T0525Z-bbbb",
        start_ns=build.START_NS + HOUR,
        edit=_more_metrics,
        system="train_ticket",
        level="code",
        fault="code_exception",
        root_cause_code_file="train_ticket/ts_order_service.py",
        root_cause_code_function="OrderService.get",
    )
    control = {"case_id": "20261122T0625Z-cccc", "start_ns": build.START_NS + 2 * HOUR, "control": True}
    build.build_case(out, "normal_baseline", edit=_more_metrics, **control)
    write_index(out)
    return out
