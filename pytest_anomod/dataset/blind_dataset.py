"""A dataset read blindly: all telemetry, no label; to train, try or submit a method."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_anomod.dataset import blind
from pytest_anomod.dataset.evidence import Evidence, detection_evidence, equal_lengths, read_blind
from pytest_anomod.dataset.read_case import DatasetCase, ModalityTables
from pytest_anomod.model.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BlindDataset(ModalityTables):
    """Cases in an order and with ids that say nothing; tables have the columns of telemetry, and `case_id`.

    Iterating gives the Evidence that `anomod evaluate` gives a method that detects, and tables have the rows of it: of
    cases with the same declared durations all are equally long, for controls would be shorter. Coverage is that of the
    whole case: the windows it was counted in are the phases.
    `pytest_anomod.dataset.blind.blind_id` leads from labels to these ids.
    """

    dataset: dataclasses.InitVar[Dataset]
    _cases: Mapping[str, DatasetCase] = dataclasses.field(default_factory=dict, init=False)
    _cache: dict[str, Any] = dataclasses.field(default_factory=dict, init=False)

    def __post_init__(self, dataset: Dataset) -> None:
        cases = {blind.blind_id(case.case_id): case for case in dataset}
        object.__setattr__(self, "_cases", dict(sorted(cases.items())))

    @cached_property
    def _lengths(self) -> dict[str, float]:
        return equal_lengths(self._cases.values())

    @cached_property
    def cases(self) -> pd.DataFrame:
        """One row a case: its id and its system. (Rows of coverage would tell how many phases a case has.)"""
        import pandas as pd

        return pd.DataFrame([{"case_id": name, "system": case.label.system} for name, case in self._cases.items()])

    def table(self, modality: str) -> pd.DataFrame:
        """The rows of a modality of all cases; DatasetError for one that no case has."""
        if modality not in self._cache:
            self._cache[modality] = self._read(modality)
        frame: pd.DataFrame = self._cache[modality]
        return frame

    def evidence(self, case_id: str) -> Evidence:
        """One case as a method that detects sees it; DatasetError when there is none of that id."""
        if case_id not in self._cases:
            msg = f"no case {case_id!r} among these {len(self._cases)}; blind ids begin with case-, see .cases"
            raise DatasetError(msg)
        case = self._cases[case_id]
        return detection_evidence(case, length_s=self._lengths.get(case.case_id))

    def __iter__(self) -> Iterator[Evidence]:
        return map(self.evidence, self._cases)

    def __len__(self) -> int:
        return len(self._cases)

    def __repr__(self) -> str:
        return f"blind dataset of {len(self._cases)} cases"

    def _read(self, modality: str) -> pd.DataFrame:
        import pandas as pd

        parts = []
        for name, case in self._cases.items():
            if modality in case.modalities:
                if modality == "coverage":
                    part = blind.whole_coverage(read_blind(case, modality), case.timeline.start_ns)
                else:
                    part = self.evidence(name).table(modality)
                part.insert(0, "case_id", name)
                parts.append(part)
        if not parts:
            msg = f"no case has a table {modality!r}"
            raise DatasetError(msg)
        whole = pd.concat(parts, ignore_index=True)
        for column in whole.columns[whole.dtypes != parts[0].dtypes]:
            whole[column] = whole[column].astype("category")  # categories that differ by case had become objects
        return whole
