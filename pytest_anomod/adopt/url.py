"""Looks at a system that runs already, by the URL of its entry: what it serves, and which process here it is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pytest_anomod.adopt import asking
from pytest_anomod.adopt.found import Answer, FoundService, FoundSystem
from pytest_anomod.host import listening
from pytest_anomod.model.errors import DeploymentError

_HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0")


def look_at_url(url: str, *, name: str, entry: str) -> FoundSystem:
    """What can be seen of a system from its entry; DeploymentError when nothing answers there."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    status, _ = asking.get(url, "/")
    if not status:
        msg = f"nothing answers at {url}; start the system, or name the address where it is"
        raise DeploymentError(msg)
    service = entry or "entry"
    process = listening.who_listens_on(port) if parts.hostname in _HERE else None
    arguments = [Answer(value=repr(name).replace("'", '"'), why=""), Answer(value=f'entry="{url}"', why="as given")]
    questions = [
        "name the other services: pids= or containers= for those that faults may reach, calls= for who calls whom",
    ]
    if process is None:
        questions.insert(0, f"say what {service!r} is: containers={{{service!r}: NAME}} or pids={{{service!r}: FILE}}")
        arguments.append(Answer(value=f'ports={{"{service}": {port}}}', why="of the URL"))
    else:
        program = Path(f"/proc/{process[0]}/comm").read_text().strip()
        why = (
            f"{program} listens on {port}; it has another pid when it is started again: name its pid file if it has one"
        )
        arguments.append(Answer(value=f'pids={{"{service}": {process[0]}}}', why=why))
    return FoundSystem(
        name=name,
        factory="running_system",
        arguments=tuple(arguments),
        services=(
            FoundService(
                name=service,
                engine=Answer(value="http", why="it answered an HTTP request"),
                port=Answer(value=str(port), why="of the URL"),
                probe_path=asking.health_path(url),
            ),
        ),
        entry=Answer(value=service, why="said by --entry" if entry else "the name is ours: give it the right one"),
        journeys=asking.journeys_at(url),
        questions=tuple(questions),
        says_all=False,
    )
