"""Workloads by name, as the command line and definitions of systems give them: KIND:FILE, such as har:visit.har."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.workload import Driver, Scripted, Workload
from pytest_anomod.workloads import driver_programs

KINDS = (*Scripted.kinds, *Driver.kinds)
AUTO = "auto"


def named_workload(name: str, directory: Path, *, bases: Sequence[str] = (), deletions: bool = False) -> Workload:
    """The workload that KIND:FILE names, the file taken from `directory`; ScenarioError for what can't be played.

    The file is read so far as that needs no system. `bases` are URLs of the file that mean a service, [SERVICE=]URL, in
    place of those that are found in it.
    """
    kind, _, file = name.partition(":")
    if kind not in KINDS or not file:
        msg = f"workload {name!r} is none of {', '.join(f'{one}:FILE' for one in KINDS)}"
        raise ScenarioError(msg)
    path = Path(directory, file).resolve()
    if not path.is_file():
        msg = f"{kind}:{file}: there is no file {path}"
        raise ScenarioError(msg)
    _check(kind, path)
    if kind in Scripted.kinds:
        return Scripted(kind=kind, path=str(path), deletions=deletions)
    return Driver(kind=kind, path=str(path), bases=_bases(bases) or driver_programs.written_bases(path))


def _check(kind: str, path: Path) -> None:
    """ScenarioError, with the place in the file, for a file of that kind that can't be played."""
    if kind == "openapi":
        from pytest_anomod.workloads.openapi_pool import check_document

        check_document(path)
    elif kind == "har":
        from pytest_anomod.workloads.har import read_har

        read_har(path)
    elif kind == "postman":
        from pytest_anomod.workloads.postman import read_collection

        read_collection(path)
    elif kind == "locust":
        driver_programs.check_locust(path)
    else:
        driver_programs.check_k6(path)


def _bases(given: Sequence[str]) -> dict[str, str]:
    """URL -> service of [SERVICE=]URL, each."""
    found = {}
    for one in given:
        if one != AUTO:
            service, _, url = one.rpartition("=") if not one.lower().startswith("http") else ("", "", one)
            found[url] = service
    return found
