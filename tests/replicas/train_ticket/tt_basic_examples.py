"""Examples for the services of basic data and administration, one an endpoint at least."""

from tt_examples import Example, one, zero

_CONFIG = {"name": "example", "value": "1", "description": "d"}

CONFIG = (
    Example(endpoint="GET /api/v1/configservice/welcome", wanted="Welcome to [ Config Service ] !"),
    Example(
        endpoint="GET /api/v1/configservice/configs",
        wanted=one(
            "Find all  config success",
            lambda rows: rows[0]["name"] == "DirectTicketAllocationProportion" and rows[0]["value"] == "0.5",
        ),
    ),
    Example(
        endpoint="POST /api/v1/configservice/configs", body=_CONFIG, status=201, wanted=one("Create success", _CONFIG)
    ),
    Example(
        endpoint="POST /api/v1/configservice/configs",
        name="twice",
        body=_CONFIG,
        status=201,
        wanted=zero("Config example already exists."),
    ),
    Example(
        endpoint="GET /api/v1/configservice/configs/{configName}",
        path="/api/v1/configservice/configs/example",
        wanted=one("Success", _CONFIG),
    ),
    Example(
        endpoint="GET /api/v1/configservice/configs/{configName}",
        path="/api/v1/configservice/configs/none",
        wanted=zero("No content"),
    ),
    Example(
        endpoint="PUT /api/v1/configservice/configs",
        body=_CONFIG | {"value": 2},
        wanted=one("Update success", _CONFIG | {"value": "2"}),
    ),
    Example(
        endpoint="PUT /api/v1/configservice/configs",
        name="unknown",
        body={"name": "none"},
        wanted=zero("Config none doesn't exist."),
    ),
    Example(
        endpoint="DELETE /api/v1/configservice/configs/{configName}",
        path="/api/v1/configservice/configs/example",
        wanted=one("Delete success", _CONFIG | {"value": "2"}),
    ),
    Example(
        endpoint="DELETE /api/v1/configservice/configs/{configName}",
        path="/api/v1/configservice/configs/example",
        name="gone",
        wanted=zero("Config example doesn't exist."),
    ),
)

EXAMPLES = (*CONFIG,)
