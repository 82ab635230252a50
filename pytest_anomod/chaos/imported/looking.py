"""Evaluates the probes of an experiment while it is played: does its hypothesis hold, is a probe within tolerance?"""

from __future__ import annotations

import copy
from typing import Any

from chaoslib import substitute
from chaoslib.activity import run_activity
from chaoslib.hypothesis import within_tolerance


def look(document: dict[str, Any], watch: Any, wanted: str) -> dict[str, Any]:
    """One look: {"active", "evidence"}, and "error" when it could not be had.

    `wanted` is the name of a probe, which sees the fault when it is within its tolerance; "" for the hypothesis, which
    sees the fault when it does not hold.
    """
    probes = (document.get("steady-state-hypothesis") or {}).get("probes") or []
    known = {probe.get("name"): probe for probe in [*(document.get("method") or []), *probes]}
    try:
        if wanted:
            answer, met = _ask(known[wanted], watch)
            return {"active": met, "evidence": {wanted: answer}}
        for probe in probes:
            probe = {**known.get(probe.get("ref"), {}), **probe}
            try:
                answer, met = _ask(probe, watch)
            except Exception as error:  # a probe that fails is a deviation, as chaoslib has it
                answer, met = f"{type(error).__name__}: {error}", False
            if not met:
                return {"active": True, "evidence": {"deviated": str(probe.get("name")), "answer": answer}}
        return {"active": False, "evidence": {"holds": [str(probe.get("name")) for probe in probes]}}
    except Exception as error:  # a probe of a broken system may fail in any way; it saw nothing
        return {"active": False, "evidence": {}, "error": f"{type(error).__name__}: {error}"}


def _ask(probe: dict[str, Any], watch: Any) -> tuple[Any, bool]:
    # a copy: a tolerance that is a probe writes the value into its own arguments
    probe = copy.deepcopy(probe)
    answer = run_activity(probe, watch.configuration, watch.secrets)
    tolerance = probe.get("tolerance")
    if isinstance(tolerance, str):
        tolerance = substitute(tolerance, watch.configuration, watch.secrets)
    return answer, bool(within_tolerance(tolerance, answer, watch.configuration, watch.secrets))
