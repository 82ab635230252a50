"""Plays journeys that a file of another tool describes, in an open loop: OpenAPI document, HAR, Postman collection.

`python -m` of this module is the process that plays: it logs in, tries every journey, leaves out what is not answered
below 400 twice, and then sends as the open loop does. In a case it first plays each journey once more, recorded, and
waits until the case has chosen by the traces how often each is played.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import redact_text
from pytest_anomod.model.system import Journey
from pytest_anomod.workloads._http import Pool
from pytest_anomod.workloads.exchange import Clock, JourneyClient, Sending
from pytest_anomod.workloads.generator import run_generator
from pytest_anomod.workloads.plan import Arrival, Load, read_spec
from pytest_anomod.workloads.record import Records, plays_path, reference_path, state_path, write_json
from pytest_anomod.workloads.script import Script, Step, Taken, journey, read_json, send
from pytest_anomod.workloads.sender import is_running, kept_rate, launch, stop, summary
from pytest_anomod.workloads.suite_rounds import REFERENCE_S

__all__ = ["is_running", "kept_rate", "start", "stop", "summary"]

START_TIMEOUT_S = 240.0
"""A document with hundreds of operations takes a while to be tried on a busy machine."""
LOOKING, SENDING = "looking", "sending"
_MOST_TOLD = 20
_ASK_S = 0.05


def start(spec: Mapping[str, Json], records: str | Path) -> dict[str, Json]:
    """Start the workload and return once it sends; the handle is as the open loop's.

    `spec` is the open loop's, with kind, path and deletions. CaptureError when nothing of the file is answered.
    """
    timeout_s = float(spec.get("timeout_s") or 5.0)
    return launch(
        "pytest_anomod.workloads.scripted",
        spec,
        records,
        timeout_s=timeout_s,
        has_begun=lambda state: state["state"] in (LOOKING, SENDING),
        start_timeout_s=START_TIMEOUT_S,
    )


def read_scripts(kind: str, path: Path, *, deletions: bool) -> tuple[list[Script], list[str]]:
    """The journeys of a HAR file or a Postman collection, and which of its requests can't be sent, and why.

    ScenarioError names file and place of what can't be read.
    """
    left_out: list[str] = []
    if kind == "har":
        from pytest_anomod.workloads.har import read_har

        found = read_har(path)
    else:
        from pytest_anomod.workloads.postman import read_collection

        found, left_out = read_collection(path)
    scripts = [
        dataclasses.replace(
            one, steps=_renumbered(one.steps, [deletions or step.method != "DELETE" for step in one.steps])
        )
        for one in found
    ]
    return [one for one in scripts if one.steps], left_out


class Trial:
    """Sends requests before the workload begins, unrecorded if no path is given."""

    def __init__(self, load: Load, login: Mapping[str, str], records: Path = Path(os.devnull)) -> None:
        self._load, self._login = load, login
        self._number = 0
        self._pool = Pool(load.timeout_s)
        self._records = Records(records)

    def client(self, name: str = "trial") -> JourneyClient:
        """A client of a new journey."""
        now_s = clock.monotonic_s()
        sending = Sending(
            load=self._load,
            http=self._pool,
            records=self._records,
            clock=Clock(start_unix_nano=clock.now_ns(), start_s=now_s),
            count=lambda kind: None,
        )
        self._number += 1
        placeholder = Journey(name=name, weight=1.0, play=_nothing)
        return JourneyClient(sending, Arrival(self._number, 0.0, placeholder, Random(self._number)), now_s, {})

    async def answers(self, steps: Sequence[Step]) -> list[tuple[int, Json]]:
        """Status and document of the answer to each step, played as one journey."""
        client, found = self.client(), []
        answers: dict[int, Json] = {}
        for number, step in enumerate(steps):
            answer = await send(client, step.filled(answers), self._login)
            answers[number] = read_json(answer.body)
            found.append((answer.status, answers[number]))
        return found

    async def tried(self, script: Script) -> tuple[Script, list[str]]:
        """What of a journey is answered below 400 twice, and what is not: "GET /orders/7: 404"."""
        first, second = await self.answers(script.steps), await self.answers(script.steps)
        worst = [
            next((status for status in pair if not 0 < status < 400), 0)
            for pair in zip((status for status, _ in first), (status for status, _ in second), strict=True)
        ]
        answered = [
            not bad and all(0 < status < 400 for status in (one[0], two[0]))
            for bad, one, two in zip(worst, first, second, strict=True)
        ]
        left_out = [
            f"{step.method} {redact_text(step.path)}: {bad or 'no answer'}"
            for step, bad, good in zip(script.steps, worst, answered, strict=True)
            if not good
        ]
        return dataclasses.replace(script, steps=_renumbered(script.steps, answered)), left_out

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()
        self._records.close()


async def _nothing(client: object, random: Random) -> None:
    """What the journey of a trial plays by itself."""


def _renumbered(steps: Sequence[Step], keeps: Sequence[bool]) -> tuple[Step, ...]:
    """The steps that are kept; what they take from others is taken from these by their new numbers."""
    numbers = {old: new for new, old in enumerate(index for index, keep in enumerate(keeps) if keep)}
    return tuple(
        dataclasses.replace(
            step,
            taken={
                place: dataclasses.replace(source, step=numbers[source.step]) if isinstance(source, Taken) else source
                for place, source in step.taken.items()
                if not isinstance(source, Taken) or source.step in numbers
            },
        )
        for step, keep in zip(steps, keeps, strict=True)
        if keep
    )


async def _chosen(spec: Mapping[str, Json], load: Load, login: Mapping[str, str]) -> tuple[list[Script], list[str]]:
    """The journeys that are played, and what was left out."""
    path, deletions, trial = Path(spec["path"]), bool(spec.get("deletions")), Trial(load, login)
    try:
        if spec["kind"] == "openapi":
            from pytest_anomod.workloads.openapi_pool import answered_requests

            return await answered_requests(path, trial, seed=load.seed, deletions=deletions)
        kept = []
        scripts, left_out = read_scripts(spec["kind"], path, deletions=deletions)
        for script in scripts:
            tried, lost = await trial.tried(script)
            kept += [tried] if tried.steps else []
            left_out += lost
        return kept, left_out
    finally:
        trial.close()


async def _looked(load: Load, scripts: Sequence[Script], login: Mapping[str, str], records: Path) -> list[Json]:
    """Play each journey once, recorded under its name, for REFERENCE_S at most; how long each took."""
    trial, looked = Trial(load, login, records), []
    until_s = clock.monotonic_s() + REFERENCE_S
    try:
        for script in scripts:
            begun_s = clock.monotonic_s()
            if begun_s > until_s:
                break
            await journey(script.name, script.steps, login).play(trial.client(script.name), Random(script.name))
            seconds = clock.monotonic_s() - begun_s
            looked.append({"test": script.name, "journey": script.name, "seconds": seconds, "outcome": "passed"})
    finally:
        trial.close()
    return looked


def _weights(
    spec: Mapping[str, Json], load: Load, scripts: Sequence[Script], login: Mapping[str, str], records: Path
) -> Mapping[str, float]:
    """How often each journey is played, by its name: as the case chose by a reference round, or all alike.

    Empty when the owner died before it chose.
    """
    if not spec.get("reference"):
        return {one.name: 1.0 for one in scripts}
    begun = {"state": LOOKING, "pid": os.getpid(), "start_unix_nano": clock.now_ns(), "end_reason": "", "requests": 0}
    write_json(state_path(records), begun)
    looked = asyncio.run(_looked(load, scripts, login, records))
    write_json(reference_path(records), {"looked": looked, "of": len(scripts)})
    while not plays_path(records).exists():
        if os.getppid() != spec.get("owner_pid"):
            return {}
        clock.sleep(_ASK_S)
    plays = json.loads(plays_path(records).read_text(encoding="utf-8"))
    return collections.Counter(plays["reaching"] + plays["others"])


def _loaded(load: Load, scripts: Sequence[Script], login: Mapping[str, str], weights: Mapping[str, float]) -> Load:
    journeys = (journey(one.name, one.steps, login, weight=weights.get(one.name, 0.0)) for one in scripts)
    return dataclasses.replace(load, journeys=tuple(one for one in journeys if one.weight))


def main(arguments: list[str]) -> int:
    """Play the spec of a file: SPECFILE RECORDS."""
    spec_file, records = map(Path, arguments)
    spec = json.loads(spec_file.read_text(encoding="utf-8"))
    load = read_spec(spec, ())
    login = load.system.login(load.entry_url) if load.system.login is not None else {}
    scripts, left_out = asyncio.run(_chosen(spec, load, login))
    told = "; ".join(left_out[:_MOST_TOLD]) + ("; ..." if len(left_out) > _MOST_TOLD else "")
    if not scripts:
        reason = f"error: nothing of {spec['kind']}:{spec['path']} is answered below 400 by {load.system.name}: {told}"
        write_json(state_path(records), {"state": "ended", "end_reason": reason, "requests": 0})
        raise CaptureError(reason)
    notes = {"journeys": len(scripts), "left_out": len(left_out), "first_left_out": left_out[:_MOST_TOLD]}
    if weights := _weights(spec, load, scripts, login, records):
        run_generator(_loaded(load, scripts, login, weights), records, owner_pid=spec.get("owner_pid"), notes=notes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
