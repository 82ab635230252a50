"""Faults in the code: the running function is changed, its caller sees what callers of the original would."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tt_order_examples import ORDER
from tt_system import USER_ID, System, new_trace

CHECK = f"/api/v1/securityservice/securityConfigs/{USER_ID}"


@contextmanager
def patched(system: System, service: str, function: str, **patch: Any) -> Iterator[dict[str, Any]]:
    """A function changed for a while; gives where it is."""
    yield system.agent(service, "/code/patch", {"function": function, **patch})
    system.agent(service, "/code/restore", {"function": function})


def test_the_security_check_returns_a_refusal(system: System) -> None:
    """The handler's answer is replaced by an envelope; file and function are the service's own."""
    value = {"status": 0, "msg": "refused for a test", "data": None}
    function = "ts_security_service:SecurityService.check"
    with patched(system, "ts-security-service", function, action="return", value=value) as place:
        assert system.get(CHECK, token="user").json() == value
        assert place["file"] == "train_ticket/ts_security_service.py"
        assert place["function"] == "SecurityService.check"
        assert 0 < place["first_line"] < place["last_line"]
    assert system.get(CHECK, token="user").json()["status"] == 1


def test_a_request_that_is_not_sampled_is_not_counted(system: System) -> None:
    """Neither at the service that is asked nor on its calls to others, nor at those: a probe is no part of the data."""

    def counted() -> list[str]:
        pages = [system.metrics(f"ts-{name}-service") for name in ("gateway", "security", "order", "order-other")]
        return [line for page in pages for line in page.splitlines() if "requests_total{" in line]

    _, headers = new_trace()
    before = counted()
    assert system.get(CHECK, token="user", headers={"traceparent": headers["traceparent"][:-2] + "00"}).json()["status"]
    assert counted() == before
    assert system.get(CHECK, token="user", headers=headers).json()["status"]
    assert len([line for line in counted() if line not in before]) >= 6


def test_the_creation_of_orders_raises(system: System) -> None:
    """500 for the client, the exception's name and text in the log, and no order."""
    function, path = "ts_order_service:OrderService.create", "/api/v1/orderservice/order"
    order = ORDER | {"accountId": "patched", "trainNumber": "G9003"}
    with patched(system, "ts-order-service", function, action="raise", message="for a test"):
        answer = system.post(path, order, token="user")
        assert answer.status_code == 500
        assert answer.json()["error"] == "Internal Server Error"
    assert any("RuntimeError: for a test" in line["body"] for line in system.logs("ts-order-service"))
    assert system.sql("SELECT count(*) FROM orders WHERE account_id = 'patched'")[0][0] == 0


def test_a_handler_that_returns_null_has_an_empty_body(system: System) -> None:
    """As in the original, where callers then meet a null pointer."""
    function = "ts_config_service:ConfigService.query_all"
    with patched(system, "ts-config-service", function, action="return", value=None):
        answer = system.get("/api/v1/configservice/configs", documented=False)
        assert (answer.status_code, answer.content) == (200, b"")
