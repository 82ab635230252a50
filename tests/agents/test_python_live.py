"""The agent of Python services in a service that runs: a plain command, which knows nothing of it.

Its libraries are those of this Python, so nothing is fetched: there is coverage.py, and no OpenTelemetry to trace with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from pytest_anomod import Agents, Command, commands_system
from pytest_anomod.agents import cache
from pytest_anomod.agents.language import INSIDE, Place, language
from pytest_anomod.agents.python import KIT, LANGUAGE
from pytest_anomod.faults import CodeDelay, CodeException, CodeReturn
from pytest_anomod.host import state
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Agent, Lifecycle
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.runtime import need
from pytest_anomod.model.source import LineCounter, NoSource
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime
from pytest_anomod.safety import sessions

APP = '''"""A shop whose parent forks a worker, as servers do."""
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

def price(number):
    if number > 100:
        return 0
    return number * 100

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        number = self.path.rpartition("/")[2]
        self.answer(200, {"price": price(int(number)) if number.isdigit() else 1, "marks": os.environ.get("MARKS")})
    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *words):
        pass

server = HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
server.serve_forever()
'''
SITE = "import os\nos.environ['MARKS'] = 'by a sitecustomize of the team'\n"
PLACE = {"file": "app.py", "function": "price", "first_line": 5, "last_line": 8}
PROBE = {"function": "app:price", "probe": "GET /prices/7"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The shop, up, with an agent inside."""
    place = tmp_path_factory.mktemp("shop")
    (place / "site").mkdir()
    (place / "app.py").write_text(APP)
    (place / "site" / "sitecustomize.py").write_text(SITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.PLACE, str(place / "agents"))
        patch.setenv(state.STATE_DIR, str(tmp_path_factory.mktemp("state")))
        patch.setattr(catalog, "_registered", {})
        library = cache.directory(language("python"))
        library.mkdir(parents=True)
        (library / cache.MANIFEST).write_text('{"files": {}}')
        line = f"env PYTHONPATH={place / 'site'} $PYTHON app.py"  # as in a Procfile: a shell sets it, not we
        command = Command(service="shop", argv=(line,), env={"PYTHON": sys.executable})
        system = commands_system("shop", [command], directory=place, agents={"shop": Agents("python")})
        session = sessions.new_session(tmp_path_factory.mktemp("out"), "run", "gw7")
        runtime = CommandsRuntime()
        deployment = runtime.up(system, session)
        yield deployment
        runtime.down(deployment)
        assert sessions.end_session(session) == ()
    catalog.offers.cache_clear()


def get(deployment, path):
    with urllib.request.urlopen(f"{deployment.entry_url}{path}", timeout=10) as answer:
        return json.load(answer)


def window(deployment, *paths):
    """What ran while these were asked for: lines of app.py, and the snapshot."""
    for path in paths:
        get(deployment, path)
    taken = need(deployment, Agent, "shop").ask("/coverage/snapshot", {"reset": True})
    return set(taken["files"].get("app.py", {"covered": []})["covered"]), taken


def test_the_sitecustomize_of_the_team_has_run(shop):
    assert get(shop, "/prices/7") == {"price": 700, "marks": "by a sitecustomize of the team"}


def test_what_is_missing_has_a_reason_and_the_rest_is_there(shop):
    found = list(shop.sources())
    assert [one.service for one in found if isinstance(one, LineCounter)] == ["shop"]
    (missing,) = [one for one in found if isinstance(one, NoSource)]
    assert missing.modality == "traces"
    assert "opentelemetry" in missing.why
    log = (shop.directory / "logs" / "shop.log").read_text()
    assert log.count("anomod: no traces: ") == 1


def test_an_agent_that_fails_says_so_in_one_line_and_the_service_runs(tmp_path):
    (tmp_path / "app.py").write_text("print('served')\n")
    inside, kit = str(INSIDE / "python"), {"kit": str(KIT)}
    asked = Agents("python", coverage=False)
    place = Place(service="shop", asked=asked, ours=inside, library="", run="/nowhere", also=kit)
    env = {**os.environ, **LANGUAGE.environment(place)}
    ended = subprocess.run([sys.executable, tmp_path / "app.py"], env=env, capture_output=True, text=True, check=True)
    assert ended.stdout == "served\n"
    assert [line.partition(": [")[0] for line in ended.stderr.splitlines()] == ["anomod: no agent: FileNotFoundError"]


def test_each_branch_is_seen_in_the_window_in_which_it_ran(shop):
    _, before = window(shop)
    cheap, first = window(shop, "/prices/7")
    dear, second = window(shop, "/prices/200")
    idle, third = window(shop)
    assert {6, 8} <= cheap
    assert 7 not in cheap
    assert {6, 7} <= dear
    assert 8 not in dear
    assert not idle
    edges = [taken["at_unix_nano"] for taken in (before, first, second)]
    assert [taken["since_unix_nano"] for taken in (first, second, third)] == edges


def test_a_full_snapshot_tells_what_there_is(shop):
    known = need(shop, Agent, "shop").ask("/coverage/snapshot", {"reset": True, "full": True})["files"]["app.py"]
    assert known["functions"]["price"] == [5, 8]
    assert {6, 7, 8} <= set(known["executable"])


@pytest.mark.parametrize(
    "fault",
    [
        CodeException(**PROBE, exception="ValueError"),
        CodeReturn(**PROBE, value=1, expect={"price": 1, "marks": "by a sitecustomize of the team"}),
        CodeDelay(**PROBE, delay_s=0.2),
    ],
    ids=lambda fault: fault.name,
)
def test_a_fault_is_in_and_gone(shop, fault):
    assert not fault.active(shop, "shop")
    done = fault.inject(shop, "shop")
    assert fault.active(shop, "shop")
    fault.recover(shop, "shop")
    assert not fault.active(shop, "shop")
    assert done["location"] == PLACE
    assert need(shop, Agent, "shop").ask("/code/restore", {"function": None}) == []


def test_a_function_that_is_not_there_is_refused_by_name(shop):
    with pytest.raises(InjectionError, match=r"cost.*was not found in app"):
        CodeDelay(function="app:cost", probe="GET /prices/7").inject(shop, "shop")


def test_a_window_with_a_kill_in_it_is_not_exact(shop):
    _, before = window(shop)
    need(shop, Lifecycle, "shop").kill()

    def answers():
        try:
            return window(shop)[1]
        except DeploymentError:
            return None

    clock.wait_until(lambda: not shop.unhealthy(), timeout_s=20, what="the shop after its kill")
    after = answers()
    assert after is not None
    assert after["since_unix_nano"] != before["at_unix_nano"]
