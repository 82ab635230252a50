"""Where what services export is sent on to: a URL, which is refused where nothing could come or go there."""

import pytest

from pytest_anomod.define.commands import commands_system
from pytest_anomod.define.forwarding import check_forward
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import Command, Commands, ComposeFiles
from pytest_anomod.runtimes.compose.telemetry import collector

URL = "http://Collector:4317/otlp"


@pytest.mark.parametrize(
    ("url", "receives", "why"),
    [
        ("collector:4318", True, "give a URL such as"),
        ("ftp://collector", True, "give a URL such as"),
        ("http://collector:none", True, "give a URL such as"),
        ("http://me:hidden@collector", True, "a password or a query"),
        ("http://collector?key=hidden", True, "a password or a query"),
        (URL, False, "otlp=, or put in agents="),
    ],
)
def test_a_place_that_can_not_be_is_refused(url, receives, why):
    with pytest.raises(ScenarioError, match=why) as raised:
        check_forward(url, "shop", receives=receives)
    assert "hidden" not in str(raised.value)


def test_a_system_keeps_where_it_sends_on_to(tmp_path, nothing_registered):
    web = [Command(service="web", argv=("true",))]
    system = commands_system("shop", web, directory=tmp_path, otlp=True, forward=URL)
    assert system.deploy(Commands).forward == URL
    with pytest.raises(ScenarioError, match="otlp=, or put in agents="):
        commands_system("shop", web, directory=tmp_path, forward=URL)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (URL, ("collector", 4317, "tcp")),
        ("http://collector", ("collector", 4318, "tcp")),
        ("http://127.0.0.1:4318", None),
        ("", None),
    ],
)
def test_a_service_of_the_files_is_known_by_its_name(url, found):
    assert collector(ComposeFiles(files=(), forward=url), {"services": {"web": {}, "collector": {}}}) == found
