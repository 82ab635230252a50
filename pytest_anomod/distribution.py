"""Distributes scenarios: those of one system run together, and with xdist a worker keeps the system that it has up.

Workers know what each item needs; the controller, which distributes items, knows only their ids. So workers write a
file for it, and another one with the runtime that `auto` took. With `--dist` on the command line (or in addopts) xdist
distributes items as usual.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod.run.command_line import declaration_of

NOTES = "anomod_notes"
"""Key of the worker's input that names the directory for notes, which workers and controller share."""

AGREED = "runtime.json"  # the same word as choice.AGREED

_free_key = pytest.StashKey[bool]()
_notes_key = pytest.StashKey[Path]()


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Note, before xdist fills in a default, whether the user has set `--dist`."""
    option = config.option
    config.stash[_free_key] = getattr(option, "dist", "no") == "no" and not getattr(option, "distload", False)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put scenarios of one system one after the other, so that no system is brought up twice; nothing else moves."""
    found = [(place, item, need[0]) for place, item in enumerate(items) if (need := _need(item))]
    systems = list(dict.fromkeys(system for _, _, system in found))
    ordered = sorted(found, key=lambda one: systems.index(one[2]))
    for (place, _, _), (_, item, _) in zip(found, ordered, strict=True):
        items[place] = item


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """On a worker, before the controller hears of the items: write down what each of them needs."""
    notes = getattr(session.config, "workerinput", {}).get(NOTES)
    needs = {item.nodeid: need for item in session.items if (need := _need(item))}
    if not notes or not needs:
        return
    mine = Path(notes, f"{os.getpid()}.part")
    try:
        mine.write_text(json.dumps(needs), encoding="utf-8")
        mine.replace(Path(notes, "needs.json"))  # each worker writes the same
    except OSError:
        return  # a worker on another machine can't reach it: xdist then distributes items as usual


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where to write its files."""
    node.workerinput[NOTES] = str(_notes(node.config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """On the controller: end the run if a worker found that it can't work; print once what `auto` took, and why."""
    config = node.config
    if _notes(config).exists():
        from pytest_anomod.run.mistakes import check_refused

        check_refused(_notes(config))
    if hasattr(config.option, "anomod_runtime_took") or not (_notes(config) / AGREED).exists():
        return
    from pytest_anomod.runtimes.choice import agreed

    found = agreed(_notes(config))
    if found is not None and (found.instead or not found.to_build):
        took, why = config.option.anomod_runtime_took, config.option.anomod_runtime_why = found.told
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"anomod runtime: {took}, for {why}")


@pytest.hookimpl(optionalhook=True, trylast=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute items by system, unless the user or another plugin wants it otherwise."""
    if not config.stash.get(_free_key, False):
        return None
    from pytest_anomod.run.scheduling import SystemScheduling

    return SystemScheduling(config, log, lambda: read_needs(_notes(config)))


def read_needs(notes: Path) -> dict[str, Sequence[Any]]:
    """What workers wrote: by item id the system, and whether the fault needs the whole host; {} if there is no file."""
    try:
        return dict(json.loads(Path(notes, "needs.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _need(item: pytest.Item) -> tuple[str, bool] | None:
    declaration = declaration_of(item)
    return (declaration.system.name, declaration.fault.host_wide) if declaration is not None else None


def _notes(config: pytest.Config) -> Path:
    if _notes_key not in config.stash:
        config.stash[_notes_key] = Path(tempfile.mkdtemp(prefix="pytest-anomod-"))
        config.add_cleanup(lambda: shutil.rmtree(config.stash[_notes_key], ignore_errors=True))
    return config.stash[_notes_key]
