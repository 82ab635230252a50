"""LogLead 2 (https://github.com/EvoTestOps/LogLead): lines of JSON with a specification for its JsonLoader."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._stretch import without_slot
from pytest_anomod.model.timeline import QUIET, Phase

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset
    from pytest_anomod.dataset.read_case import DatasetCase

SPECIFICATION = """\
name: anomod
description: logs of pytest-anomod; anomaly is true in the anomaly window of a case, case_id names the case
container: ndjson
timestamp_field: time_unix_nano
timestamp_epoch: ns
message_field: message
level_field: level
seq_id_field: seq_id
"""
SURE = tuple(map(str, (*QUIET, Phase.ANOMALY)))
NOT_SURE = "of windows in which neither normal nor anomalous is sure (warm-up, onset, release, recovery)"


class LogLead:
    """LogLead: logs.ndjson and anomod.yml for JsonLoader, and runs/<case>/<service>.log for its comparison of runs."""

    name = "loglead"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write the lines of baselines, control and anomaly windows; a sequence is a service in a window of a case."""
        (out / "anomod.yml").write_text(SPECIFICATION, encoding="utf-8")
        with open(out / "logs.ndjson", "w", encoding="utf-8") as file:
            for case in data:
                frame = _lines(case, losses)
                if frame.empty:
                    losses.case("it has no log lines in the windows that are taken")
                    continue
                frame.to_json(file, orient="records", lines=True, force_ascii=False)
                _runs(case, frame, out / "runs")
                without_slot(case, ("logs",), losses)
                losses.written += 1


def _lines(case: DatasetCase, losses: Losses) -> pd.DataFrame:
    whole = case.logs
    frame = whole[whole["phase"].isin(SURE)]
    losses.rows("logs", len(whole) - len(frame), NOT_SURE)
    taken = ("case_id", "phase", "time_unix_nano", "service_name", "severity_number", "severity_text", "body")
    losses.columns("logs", frame, (*taken, "trace_id"))
    anomaly = frame["phase"] == str(Phase.ANOMALY)
    made: dict[str, Any] = {
        "time_unix_nano": frame["time_unix_nano"],
        "seq_id": [_sequence(case.case_id, *key) for key in zip(frame["service_name"], anomaly, strict=True)],
        "case_id": frame["case_id"],
        "service": frame["service_name"],
        "level": frame["severity_text"],
        "message": frame["body"],
        "trace_id": frame["trace_id"].fillna(""),
        "anomaly": anomaly,
    }
    return frame.assign(**made)[list(made)]


@cache
def _sequence(case_id: str, service: str, anomaly: bool) -> str:
    """An id of a service's lines in a window, from which the window can't be told."""
    return hashlib.sha256(f"{case_id} {service} {anomaly}".encode()).hexdigest()[:16]


def _runs(case: DatasetCase, frame: pd.DataFrame, runs: Path) -> None:
    """A folder a case and window, a file a service, a line a record."""
    for (anomaly, service), part in frame.groupby(["anomaly", "service"], observed=True):
        folder = runs / f"{case.label.scenario}-{case.case_id}" / ("anomaly" if anomaly else "normal")
        folder.mkdir(parents=True, exist_ok=True)
        lines = part["level"].astype(str) + " " + part["message"].str.replace("\n", "\\n", regex=False)
        (folder / f"{service}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")


OFFERS = (LogLead(),)
