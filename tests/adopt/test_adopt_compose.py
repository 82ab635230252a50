"""Compose files are adopted by what they say, and by a trial where one can be had."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pages_of_a_shop import PAGES

from pytest_anomod.adopt import compose, render
from pytest_anomod.adopt.asking import HEALTH_PATHS
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.system import System

DOCUMENT = {
    "name": "shop",
    "services": {
        "web": {
            "image": "acme/web:1",
            "ports": [{"target": 3000, "published": "3000", "protocol": "tcp"}],
            "environment": {"STOCK_URL": "http://stock:8000", "CACHE": "cache:6379"},
            "depends_on": {"stock": {"condition": "service_started", "required": True}},
        },
        "stock": {"image": "acme/stock:1"},
        "cache": {"image": "redis:7"},
    },
}


class Runtime:
    """Brings nothing up, and says where it is all the same."""

    def __init__(self, url="", why="", trouble=""):
        self.url, self.why, self.trouble, self.downs = url, why, trouble, 0

    def refusal(self, system):
        return self.why

    def up(self, system, session):
        if self.trouble:
            raise DeploymentError(self.trouble)
        return SimpleNamespace(entry_url=self.url)

    def down(self, deployment):
        self.downs += 1


@pytest.fixture
def look(monkeypatch, tmp_path):
    """Looks at the document, with a runtime of the test's."""

    def look(runtime, entry="", document=DOCUMENT):
        monkeypatch.setattr(compose, "resolve", lambda asked: SimpleNamespace(document=document, project="shop"))
        system = System(name="shop", services=(), entry="web", journeys=())
        monkeypatch.setattr(compose, "compose_system", lambda *files, **more: system)
        monkeypatch.setattr(compose.catalog, "find", lambda group, name: runtime)
        files = [tmp_path / "compose.yaml"]
        return compose.look_at_compose(files, name="", entry=entry, session=None, say=lambda line: None)

    return look


def test_what_the_files_say_and_the_trial_shows(look, pages):
    runtime = Runtime(pages)
    found = look(runtime)
    assert {one.name: one.engine.value for one in found.services} == {"web": "http", "stock": "http", "cache": "redis"}
    assert found.service("web").calls.keys() == {"stock", "cache"}
    assert "STOCK_URL" in found.service("web").calls["stock"]
    assert found.entry.value == "web"
    assert found.service("web").probe_path.value == "/health"
    assert [journey.value for journey in found.journeys] == ["/items", "/orders"]
    assert render.questions_of(found) == ()
    assert runtime.downs == 1, "the trial is taken down"
    text = render.definition(found, "anomod adopt compose.yaml")
    assert '"cache": "redis"' in text
    assert 'target="stock"' in render.first_test(found)


@pytest.mark.parametrize("runtime", [Runtime(why="no engine"), Runtime(trouble="no engine\nat all")])
def test_without_a_trial_there_is_a_question(look, runtime):
    found = look(runtime)
    assert found.journeys == ()
    asked = " | ".join(render.questions_of(found))
    assert "it was not tried: no engine" in asked
    assert "say what users do" in asked


def test_several_public_services_are_asked_about(look):
    """And nothing is brought up until that is answered."""
    services = {**DOCUMENT["services"], "admin": {"image": "acme/admin", "ports": [{"target": 80, "protocol": "tcp"}]}}
    document = {**DOCUMENT, "services": services}
    found = look(Runtime(trouble="must not be started"), document=document)
    assert found.entry is None
    assert "say which service users reach" in render.questions_of(found)[0]
    with pytest.raises(ScenarioError, match="--entry=web2 is none of the services web, stock, cache, admin"):
        look(Runtime(), entry="web2", document=document)


def test_a_health_page_alone_is_no_journey_to_be_content_with(look, pages, monkeypatch):
    monkeypatch.delitem(PAGES, "/openapi.json")
    found = look(Runtime(pages))
    assert [journey.value for journey in found.journeys] == [HEALTH_PATHS[0]]
    assert "the only page that was found says that all is well" in render.questions_of(found)[0]
