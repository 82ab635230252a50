"""One order of examples/shop is one trace: Node, Python, Java and Go, PostgreSQL and Redis, its code left as it is.

AGENTS=1 examples/shop/build.sh; AGENTS=1 pytest tests/agents/test_shop_live.py, after `anomod agents fetch`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import NAMES, language
from pytest_anomod.model import catalog, clock
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime
from pytest_anomod.safety import sessions
from pytest_anomod.sources.otlp.receiver import receiver_in
from pytest_anomod.sources.read import TRACE_FIELDS

SHOP = Path(__file__).parents[2] / "examples" / "shop"
TRACE, OURS = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
pytestmark = [
    pytest.mark.skipif(not os.environ.get("AGENTS"), reason="AGENTS is not set: see the docstring"),
    pytest.mark.skipif(not (SHOP / "build" / "pricing").exists(), reason="examples/shop is not built"),
]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The shop, up as plain commands."""
    if lacking := [name for name in NAMES if cache.ready(language(name)) is None]:
        pytest.skip(f"agents of {', '.join(lacking)} are not fetched")
    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    spec = importlib.util.spec_from_file_location("shop_conftest", SHOP / "conftest.py")
    conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conftest)
    session = sessions.new_session(tmp_path, "run", "gw0")
    runtime = CommandsRuntime()
    deployment = runtime.up(conftest.shop, session)
    yield deployment
    runtime.down(deployment)
    assert sessions.end_session(session) == ()
    catalog.offers.cache_clear()


def order(shop, flags):
    """What the gateway answers; None for a service that is still warming up."""
    headers = {"Content-Type": "application/json", "traceparent": f"00-{TRACE}-{OURS}-{flags}"}
    request = urllib.request.Request(f"{shop.entry_url}/orders", b'{"product": 7, "count": 12}', headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError:
        return None


def path_to(span, spans):
    """Services, kinds and stores from our request to a span."""
    above = path_to(spans[span["parent_span_id"]], spans) if span["parent_span_id"] in spans else []
    store = span["attributes"].get("db.system.name") or span["attributes"].get("db.system", "")
    return [*above, (span["service_name"], span["span_kind"], store)]


def test_one_order_is_one_trace_through_four_languages_and_both_stores(shop):
    receiver, begun = receiver_in(Path(shop.directory) / "otlp"), clock.now_ns()
    clock.wait_until(lambda: order(shop, flags="00"), timeout_s=60, what="an order that is not late")
    assert order(shop, flags="01")["total"] == 7_980

    def spans():
        rows = receiver.read("traces", begun, clock.now_ns()).rows
        named = (dict(zip(TRACE_FIELDS, row, strict=True)) for row in rows)
        return {row["span_id"]: row for row in named if row["trace_id"] == TRACE}

    wanted = {"gateway", "catalog", "orders", "pricing"}
    # the gateway's span ends last, and each service sends by itself
    clock.wait_until(
        lambda: {each["service_name"] for each in spans().values()} == wanted and OURS in above(spans()),
        timeout_s=30,
        what=f"spans of {wanted}",
    )
    found = spans()
    assert above(found) - set(found) == {OURS}, "a span hangs below one that is not there"
    paths = [path_to(span, found) for span in found.values()]
    gateway, orders = [("gateway", "SERVER", ""), ("gateway", "CLIENT", "")], ("orders", "SERVER", "")
    assert [*gateway, ("catalog", "SERVER", ""), ("catalog", "CLIENT", "postgresql")] in paths
    through_go = [*gateway, orders, ("orders", "CLIENT", ""), ("pricing", "SERVER", ""), ("pricing", "CLIENT", "redis")]
    assert through_go in paths


def above(spans):
    """Ids that spans name as their parents'."""
    return {span["parent_span_id"] for span in spans.values()}
