"""Follows the pods of a deployment: their states in undo/pods.json, logs and spans in files as services write them.

A program of its own, started on behalf of the deployment: `python -m ...watcher JSON` with place, namespace, directory,
is_made (whether the pods are made for the deployment), and services: name -> the labels of its pods, the name of its
container in them, the format of its log. It survives an API server that goes away for a while: logs go on where they
were. That it was away, and which pods the cluster took from us, is in undo/mishaps.jsonl.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes import mishaps, states
from pytest_anomod.runtimes.kubernetes.api import PODS, Api, path_of, service_of, shared_selector
from pytest_anomod.runtimes.kubernetes.records import Records
from pytest_anomod.runtimes.kubernetes.telemetry import FORMAT, SINK, hand_on
from pytest_anomod.runtimes.kubernetes.trouble import why_taken

AGAIN_S = 0.5
PING_EVERY_S, PING_S = 2.0, 5.0
"""How often it is asked whether the API server is there (a watch that hangs does not say it), and for how long."""
HEAR_AGAIN_S = 5.0
WATCH_S = 240
ENDED_S = 5.0
"""So long after the end of a log its container is looked at: one that has ended is known to have, by then."""
_SPAN = b'"span_name":'
"""A key that records of spans have, and those of logs have not."""


class Sink:
    """The files of one service."""

    def __init__(self, directory: Path, service: str, log_format: str) -> None:
        self._service = service.encode()
        self._is_json = log_format == "json"
        self._receiver = log_format.removeprefix(FORMAT) if log_format.startswith(FORMAT) else ""
        self.hands_on = bool(self._receiver)
        self._lock = threading.Lock()
        self._log = (directory / "logs" / f"{service}.log").open("ab", buffering=0)
        self._spans = (directory / "spans" / f"{service}.jsonl").open("ab", buffering=0)
        self._other = (directory / "logs" / f"{service}.err").open("ab", buffering=0)

    def write(self, lines: list[bytes], launch: int, number: int) -> None:
        """Append lines of a container that its pod launched `launch` times, and that is the service's `number`-th."""
        if self._receiver:
            hand_on(self._receiver, lines)
            return
        told = b'"service_instance_id":"%b-%d"' % (self._service, launch)
        true = b'"service_instance_id":"%b-%d"' % (self._service, number)
        sorted_: dict[BinaryIO, list[bytes]] = {}
        for line in lines:
            where: Any = self._log
            if self._is_json:
                where = self._spans if _SPAN in line else self._log if line.startswith(b"{") else self._other
                if launch != number:
                    line = line.replace(told, true)
            sorted_.setdefault(where, []).append(line)
        with self._lock:
            for file, found in sorted_.items():
                file.write(b"".join(line + b"\n" for line in found))


class Watcher:
    """All pods of one deployment."""

    def __init__(self, orders: Mapping[str, Any]) -> None:
        self.api = Api(orders["place"])
        self.namespace: str = orders["namespace"]
        self.directory = Path(orders["directory"])
        self.services: dict[str, dict[str, Any]] = orders["services"]
        self.is_made: bool = orders["is_made"]
        self.selector = shared_selector(self.services)
        self.sinks = {name: Sink(self.directory, name, row["format"]) for name, row in self.services.items()}
        self.pods: dict[str, dict[str, Any]] = {}
        self.numbers: dict[str, dict[str, int]] = {}
        self.most: dict[str, int] = {}
        self.began: dict[str, float] = {}
        self.last: str = ""
        self.records = Records(self.directory, (name for name in self.services if name != SINK))
        self.away = mishaps.Away(self.directory)
        self.taken: set[str] = set()
        self._writing = threading.Lock()

    def run(self) -> None:
        """Watch until ended."""
        pods = path_of("v1", "pods", self.namespace)
        threading.Thread(target=self._ping_forever, daemon=True).start()
        threading.Thread(target=self._hear_forever, daemon=True).start()
        while True:
            try:
                found = self.api.get(pods, labelSelector=self.selector)
                self.pods = {pod["metadata"]["uid"]: pod for pod in found["items"]}
                self.away.over("pods")
                self._look()
                version = found["metadata"]["resourceVersion"]
                with contextlib.suppress(TimeoutError):  # a quiet watch may be a dead one: look, and watch anew
                    self._watch(pods, version)
            except (DeploymentError, OSError, ValueError, KeyError) as error:
                self.away.fails("pods", str(error))
                self._write()
                clock.sleep(AGAIN_S)

    def _ping_forever(self) -> None:
        api = Api(self.api.place, answer_s=PING_S)
        while True:
            clock.sleep(PING_EVERY_S if self.ping(api) else AGAIN_S)

    def ping(self, api: Api) -> bool:
        """Ask whether the API server is there and knows us, let it be known, and tell."""
        asked_ns = clock.now_ns()
        try:
            api.get("/version")
        except (DeploymentError, OSError, ValueError) as error:
            self.away.fails("server", str(error), asked_ns)
            there = False
        else:
            self.away.over("server")
            there = True
        self._write()
        return there

    def _hear_forever(self) -> None:
        """Take events, as far as we may read them."""
        path, query = path_of("v1", "events", self.namespace), {"fieldSelector": "involvedObject.kind=Pod"}
        is_old = not self.is_made
        while True:
            try:
                found = self.api.get(path, **query)
                for event in found["items"]:
                    self.hear(event, old=is_old)
                is_old = False
                version = found["metadata"]["resourceVersion"]
                for line in _lines(
                    self.api.stream(path, watch="true", resourceVersion=version, timeoutSeconds=str(WATCH_S), **query)
                ):
                    heard = json.loads(line)
                    if heard["type"] == "ERROR":
                        break
                    if heard["type"] != "DELETED":
                        self.hear(heard["object"])
            except (DeploymentError, OSError, ValueError, KeyError, TypeError):
                clock.sleep(HEAR_AGAIN_S)

    def hear(self, event: Mapping[str, Any], *, old: bool = False) -> None:
        """Take an event; a node that is lost stays in its pods' way for minutes before they are taken from it."""
        service = self.records.event(event, old=old)
        if service and event.get("reason") == "NodeNotReady":
            pod, message = event["involvedObject"]["name"], event.get("message", "")
            mishaps.note(self.directory, f"pod {pod!r} of {service!r} is on a node that is not ready: {message}")

    def _watch(self, path: str, version: str) -> None:
        query = {"labelSelector": self.selector, "resourceVersion": version, "timeoutSeconds": str(WATCH_S)}
        for line in _lines(self.api.stream(path, mishaps.LOST_S, watch="true", **query)):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            pod = event["object"]
            uid = pod["metadata"]["uid"]
            if event["type"] == "DELETED":
                self.pods.pop(uid, None)
            else:
                self.pods[uid] = pod
            self._look()

    def _look(self) -> None:
        beside = collections.Counter(service for service, pod in self._running() if not states.is_leaving(pod))
        self.most = {name: max(self.most.get(name, 1), beside[name]) for name in self.services}
        for uid, pod in self.pods.items():
            service = service_of(pod, self.services)
            if service and service != SINK:
                self.records.know(pod["metadata"]["name"], service)
            if service and uid not in self.taken and (why := why_taken(pod)):
                self.taken.add(uid)
                mishaps.note(self.directory, f"pod {pod['metadata']['name']!r} of {service!r} was {why}")
        for service, found in self._running():
            self._see(service, found)
        self._write()

    def _running(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Pods whose container runs, with their services."""
        for pod in self.pods.values():
            service = service_of(pod, self.services)
            status = self._container(service, pod)
            if status is not None and "running" in status["state"]:
                yield service, pod

    def _see(self, service: str, found: Mapping[str, Any]) -> None:
        """Number a container that was not seen before, and follow it."""
        uid, pod = found["metadata"]["uid"], found["metadata"]["name"]
        status: Any = self._container(service, found)
        restarts = int(status["restartCount"])
        key, known = f"{uid}/{restarts}", self.numbers.setdefault(service, {})
        if status.get("started"):
            self.began.setdefault(key, clock.now_ns() / clock.NS_PER_S)
        if key in known:
            return
        if restarts and service != SINK:
            self.records.restarted(service, pod, status)
        # replicas are beside each other, and none of them is the start of another
        known[key] = max(1, len(known) + 2 - self.most[service])
        words = (service, pod, restarts + 1, known[key])
        if restarts and f"{uid}/{restarts - 1}" not in known:
            self._start(*words, previous=True)
        self._start(*words, previous=False)

    def _start(self, service: str, pod: str, launch: int, number: int, *, previous: bool) -> None:
        follow = Follow(self, service, pod, launch - previous, number)
        threading.Thread(target=follow.once if previous else follow.run, daemon=True).start()

    def _write(self) -> None:
        """What is there now, for whoever asks; nothing is written when it is what was there before."""
        with self._writing:
            self._write_alone()

    def _write_alone(self) -> None:
        pods = list(self.pods.values())
        services = states.of_services(pods, self.services, lambda key, _: self.began.get(key))
        numbers = {service: max([*known.values()]) for service, known in [*self.numbers.items()] if known}
        text = json.dumps({**self.away.said(), "services": services, "numbers": numbers})
        if text == self.last:
            return
        self.last = text
        path = self.directory / "undo" / PODS
        temporary = path.with_suffix(".new")
        temporary.write_text(text)
        os.replace(temporary, path)

    def _container(self, service: str, pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return states.container_of(pod, self.services[service]["container"]) if service else None

    def is_there(self, service: str, pod: str, launch: int, *, running: bool) -> bool:
        """Whether the container of a pod is its launch-th still, as far as is known, and (`running`) runs."""
        found = next((one for one in list(self.pods.values()) if one["metadata"]["name"] == pod), None)
        status = self._container(service, found) if found else None
        return (
            status is not None
            and int(status["restartCount"]) + 1 == launch
            and (not running or "running" in status["state"])
        )


class Follow:
    """The log of one container, to its end."""

    def __init__(self, watcher: Watcher, service: str, pod: str, launch: int, number: int) -> None:
        self.watcher = watcher
        self.service, self.launch, self.number = service, launch, number
        self.pod = pod
        self.path = path_of("v1", "pods", watcher.namespace, pod) + "/log"
        self.seen = b""

    def once(self) -> None:
        """The log of the container before this one, which has ended."""
        with contextlib.suppress(DeploymentError, OSError):
            self._read(previous="true")

    def run(self) -> None:
        """Read on until the container has ended, from where it was when the way to it broke, or its log was rotated."""
        while True:
            broke = False
            try:
                self._read(follow="true")
            except (DeploymentError, OSError):
                broke = True
            clock.sleep(AGAIN_S if broke else ENDED_S)
            if not self.watcher.is_there(self.service, self.pod, self.launch, running=not broke):
                return

    def _read(self, **query: str) -> None:
        known = self.seen
        if known:
            query["sinceTime"] = known.decode()[:19] + "Z"
        container = self.watcher.services[self.service]["container"]
        response = self.watcher.api.stream(self.path, container=container, timestamps="true", **query)
        sink = self.watcher.sinks[self.service]
        for batch in _batches(response):
            rows = [(stamp, text) for stamp, _, text in (line.partition(b" ") for line in batch) if stamp > known]
            for part in ([row] for row in rows) if sink.hands_on else [rows] if rows else ():
                sink.write([text for _, text in part], self.launch, self.number)
                self.seen = max(part[-1][0], self.seen)  # what could not be written is read once more


def _batches(response: Any) -> Iterator[list[bytes]]:
    """Whole lines as they come, many at a time; TimeoutError when none came for as long as the request allows."""
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    rest = b""
    try:
        for piece in response.raw.stream(65_536, decode_content=True):
            *lines, rest = (rest + piece).split(b"\n")
            if lines:
                yield lines
    except ReadTimeoutError as error:
        raise TimeoutError(str(error)) from error
    except HTTPError as error:
        raise OSError(str(error)) from error
    finally:
        response.close()


def _lines(response: Any) -> Iterator[bytes]:
    for batch in _batches(response):
        yield from filter(None, batch)


def _fail(failed: threading.ExceptHookArgs) -> None:
    """A thread that fails ends the program, which is noticed; without that thread it would miss things in silence."""
    threading.__excepthook__(failed)
    os._exit(1)


def main(argv: list[str]) -> None:
    """Watch the deployment that the orders describe."""
    threading.excepthook = _fail
    Watcher(json.loads(argv[1])).run()


if __name__ == "__main__":
    main(sys.argv)
