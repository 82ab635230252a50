"""What a pod of a campaign runs: pytest on the share of its index, and a line after each test on how far it is.

`python -m pytest_anomod.spreading.runner --of N --out PLACE [--namespaces PREFIX] -- PYTEST ARGUMENTS`. It ends with 0
once the share was played, whatever came of it: the dataset has the verdicts. With anything else it was broken off, and
the Job plays the index again, without the cases that are in the dataset.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_anomod.host import cluster
from pytest_anomod.model import clock
from pytest_anomod.model.errors import AnomodError, DeploymentError

INDEX = "JOB_COMPLETION_INDEX"
MARK = "anomod-campaign"
"""Begins a line on how far a share is: MARK done/all verdict=count ..."""
PLAYED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
GONE_S = 120.0
"""How long the systems of a lost pod may take to go."""


class Progress:
    """Says after each test how many of the share are done, and their verdicts."""

    def __init__(self) -> None:
        self.all = self.done = 0
        self.verdicts: Counter[str] = Counter()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The share is known."""
        self.all = len(session.items)
        self._say(session.config)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that ran, or did not."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self.done += 1
            verdict = dict(report.user_properties).get("anomod_verdict")
            self.verdicts[str(verdict or ("in the dataset" if report.skipped else report.outcome))] += 1

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Say it, after pytest's own line."""
        self._say(None)

    def _say(self, config: Any) -> None:
        counts = " ".join(f"{name.replace(' ', '_')}={count}" for name, count in sorted(self.verdicts.items()))
        sys.__stdout__.write(f"\n{MARK} {self.done}/{self.all} {counts}\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


def main(argv: Sequence[str]) -> int:
    """Play the share of this pod's index; 0 when all of it was played."""
    parser = argparse.ArgumentParser(prog="python -m pytest_anomod.spreading.runner")
    parser.add_argument("--of", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--namespaces", default="")
    parser.add_argument("pytest", nargs="*")
    arguments = parser.parse_args(argv)
    index = int(os.environ[INDEX])
    signal.signal(signal.SIGTERM, _end)  # a first process has no other answer to it than to go on
    if arguments.namespaces:
        os.environ[cluster.NAMESPACE] = f"{arguments.namespaces}-{index}"
        try:
            clear()
        except (AnomodError, TimeoutError) as error:
            sys.stderr.write(f"what a lost pod of this index left can't be removed: {error}\n")
            return int(pytest.ExitCode.INTERNAL_ERROR)
    words = [f"--anomod-shard={index + 1}/{arguments.of}", "--anomod-resume", f"--anomod-out={arguments.out}"]
    code = pytest.main([*arguments.pytest, *words], plugins=[Progress()])
    return 0 if code in PLAYED else int(code)


def clear() -> None:
    """Remove the systems that an earlier pod of this index left in its namespace, and wait until their pods are gone.

    DeploymentError or TimeoutError when that can't be.
    """
    from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, KINDS, Api, path_of

    place = cluster.place()
    api, here = Api(place), str(place["namespace"])
    for kind in (*KINDS, ("apps/v1", "statefulsets")):
        path = path_of(*kind, here)
        with contextlib.suppress(*(() if kind in KINDS else (DeploymentError,))):  # who may not list them has made none
            for found in (api.get(path, labelSelector=DEPLOYMENT) or {}).get("items", ()):
                api.delete(path_of(*kind, here, found["metadata"]["name"]))
    with contextlib.suppress(DeploymentError):  # the same
        api.delete(path_of("networking.k8s.io/v1", "networkpolicies", here), labelSelector=DEPLOYMENT)
    clock.wait_until(
        lambda: not (api.get(path_of("v1", "pods", here), labelSelector=DEPLOYMENT) or {}).get("items"),
        timeout_s=GONE_S,
        what=f"the end of the pods in {here}",
        every_s=0.5,
    )


def _end(*_: object) -> None:
    """As at Ctrl-C: what is up is taken down."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
