"""Which route a request finds: literal segments win over variables, whatever the order in which routes were added."""

import pytest

from pytest_anomod.replicas.kit.http import Request, Response, Route, Router


async def _handler(request: Request) -> Response:
    return Response()


PATHS = ("/orders/{day}/{train}", "/orders/{rest:path}", "/orders/price/{id}", "/orders/{id}", "/orders/all")


@pytest.mark.parametrize("paths", [PATHS, PATHS[::-1]], ids=["as written", "the other way round"])
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/orders/all", "/orders/all"),
        ("/orders/7", "/orders/{id}"),
        ("/orders/price/7", "/orders/price/{id}"),
        ("/orders/today/G1", "/orders/{day}/{train}"),
        ("/orders/a/b/c", "/orders/{rest:path}"),
    ],
)
def test_the_most_literal_pattern_wins(paths: tuple[str, ...], path: str, found: str) -> None:
    """As web frameworks do it."""
    router = Router()
    for each in paths:
        router.add(Route("GET", each, _handler))
    route, _ = router.find(Request("GET", path, path, "", []))
    assert route is not None
    assert route.path == found
