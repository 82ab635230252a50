"""What a failed answer is: the one definition for the gate, the checks, the report and the dataset's figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ERROR_STATUS = 400
"""From this status on an answer is an error, also 4xx: a user who gets 404 for an existing page is affected."""

SERVER_STATUS = 500

UNSEEN, NONE = -2, -1

Step = tuple[str, int]
"""A journey and the number of the request in it."""


def has_failed(status: int | None, error_kind: str | None = "", usual: int | None = None) -> bool:
    """Whether an answer is a failure: not complete, or an error that the request does not usually get.

    `usual` is the status it mostly gets while all is well; a suite sends bad requests on purpose.
    """
    return bool(error_kind) or not status or (status >= ERROR_STATUS and status != usual)


def failed_rows(responses: Any, *, replayed: bool = False) -> np.ndarray:
    """`has_failed` of each row of a table of API responses (a frame, an Arrow table, a mapping of columns).

    `replayed` says that a suite drove the system: then what a request usually gets is what the same step of the same
    test got in over half of the baseline's rounds. A status of a step that the baseline never saw says nothing, and is
    no failure. The journeys of an open loop expect success, and so does a suite without any baseline.
    """
    import numpy as np

    status = np.nan_to_num(np.asarray(responses["status_code"], dtype=float))
    kinds = np.asarray(responses["error_kind"], dtype=object)
    unanswered = (status == 0) | ((kinds != "") & (kinds != None))  # noqa: E711 - compared value by value
    failed = status >= ERROR_STATUS
    if replayed and failed.any():
        usual = _usual_of_rows(responses, status)
        failed &= (status != usual) & (usual != UNSEEN)
    return np.asarray(unanswered | failed, dtype=bool)


def usual_errors(steps: Iterable[Step], statuses: Iterable[int]) -> Mapping[Step, int]:
    """The error status that each step gets in over half of these answers; steps without one are not there."""
    counts = Counter(zip(steps, statuses, strict=True))
    totals: Counter[Step] = Counter()
    for (step, _), count in counts.items():
        totals[step] += count
    return {
        step: status for (step, status), count in counts.items() if status >= ERROR_STATUS and 2 * count > totals[step]
    }


def _usual_of_rows(responses: Any, status: np.ndarray) -> np.ndarray:
    """For each row the error status that its step usually gets in the baseline.

    NONE where it gets none, UNSEEN where a baseline has other steps only.
    """
    import numpy as np

    steps = list(zip(_listed(responses["journey"]), _listed(responses["step"]), strict=True))
    inside = [phase == "baseline" for phase in _listed(responses["phase"])]
    seen = [step for step, is_inside in zip(steps, inside, strict=True) if is_inside]
    usual = dict.fromkeys(seen, NONE) | dict(usual_errors(seen, status[inside].astype(int).tolist()))
    return np.array([usual.get(step, UNSEEN if seen else NONE) for step in steps])


def _listed(column: Any) -> Sequence[Any]:
    """A column as plain values, whatever library it is of."""
    for name in ("to_pylist", "tolist"):
        if hasattr(column, name):
            return list(getattr(column, name)())
    return list(column)
