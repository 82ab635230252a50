"""Every endpoint of the original is there, with an example, and described by the gateway's OpenAPI document."""

import csv
import importlib
import re
from pathlib import Path

import pytest
from tt_examples import Example
from tt_system import System

HERE = Path(__file__).parent
ROWS = list(csv.DictReader((HERE / "endpoints.csv").open()))
SERVICES = sorted({row["service"] for row in ROWS})


def all_examples() -> list[Example]:
    """The examples of all modules that hold some."""
    modules = sorted(file.stem for file in HERE.glob("tt_*_examples.py"))
    return [example for module in modules for example in importlib.import_module(module).EXAMPLES]


def _plain(endpoint: str) -> str:
    """Method and path without the names of variables and a slash at the end."""
    return re.sub(r"\{\w+\}", "{}", endpoint).rstrip("/") or endpoint


@pytest.mark.parametrize("service", SERVICES)
def test_every_endpoint_has_an_example(service: str) -> None:
    """By method and path, as the table of the original's endpoints has them."""
    shown = {_plain(example.endpoint) for example in all_examples()}
    rows = [f"{row['method']} {row['path']}" for row in ROWS if row["service"] == service]
    assert [row for row in rows if _plain(row) not in shown] == []


def test_no_example_is_of_an_endpoint_that_the_original_has_not() -> None:
    """A slip in an example's endpoint would hide a gap."""
    known = {_plain(f"{row['method']} {row['path']}") for row in ROWS}
    assert sorted({example.endpoint for example in all_examples() if _plain(example.endpoint) not in known}) == []


def test_the_openapi_document_has_every_routed_endpoint(system: System) -> None:
    """What black-box generators are pointed at."""
    document = system.get("/openapi.json").json()
    described = {_plain(f"{verb.upper()} {path}") for path, item in document["paths"].items() for verb in item}
    routed = {_plain(f"{row['method']} {row['path']}") for row in ROWS if row["routed"] == "yes"}
    assert described == routed
    login = document["paths"]["/api/v1/users/login"]["post"]
    assert set(login["requestBody"]["content"]["application/json"]["schema"]["properties"]) == {
        "username", "password", "verificationCode",
    }  # fmt: skip
    assert login["security"] == []
    assert document["paths"]["/api/v1/contactservice/contacts"]["get"]["security"] == [{"bearer": []}]


def test_the_dashboard_serves_a_page_and_passes_the_api_on(system: System) -> None:
    """As its nginx does."""
    page = system.get("/", service="ts-ui-dashboard")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    path = "/api/v1/configservice/configs"
    assert system.get(path, service="ts-ui-dashboard").json() == system.get(path).json()
    body = {"name": "dashboard", "value": "1"}
    assert system.post(path, body, service="ts-ui-dashboard").status_code == 201
    assert system.ask("DELETE", f"{path}/dashboard", service="ts-ui-dashboard").json()["status"] == 1
