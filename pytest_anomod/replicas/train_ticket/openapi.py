"""The OpenAPI document of everything behind the gateway, made from the declarations of the services' endpoints."""

import importlib
import re
from typing import Any

from .access import ADMIN, USER, Identity, Rule, allowed
from .backend import Backend, Endpoint
from .binding import Entity, Kind
from .catalogue import PREFIXES

Json = dict[str, Any]

_SCHEMAS: dict[str, Json] = {
    "text": {"type": "string", "nullable": True},
    "uuid": {"type": "string", "format": "uuid", "nullable": True},
    "int": {"type": "integer", "format": "int32"},
    "number": {"type": "number", "format": "double"},
    "flag": {"type": "boolean"},
}
# bare values, texts and one picture are answers, too
_DONE = {"description": "Nearly always the envelope {status, msg, data}.", "content": {"*/*": {}}}
_ERRORS = {
    400: "The path or the body cannot be read as what is declared.",
    403: "No token, a bad one, or one without the role.",
    404: "No such path.",
    415: "The body is no JSON.",
    429: "More than the gateway lets through to this service in a second.",
    500: "The handler failed, as it does in the original for some input.",
    503: "The gateway has a route, but the service is not registered.",
}
_AT_THE_GATEWAY = {"ts-admin-basic-info-service": 429, "ts-avatar-service": 503}


def document() -> Json:
    """The document; importing all services takes a moment."""
    paths: dict[str, Json] = {}
    for name in dict.fromkeys(PREFIXES.values()):
        module = importlib.import_module(f"{__package__}.{name.replace('-', '_')}")
        service: type[Backend] = module.SERVICE
        for operation in service.operations:
            path = service.base + operation.path
            described = _operation(name, service.rules, operation, path)
            paths.setdefault(path, {})[operation.verb.lower()] = described
    return {
        "openapi": "3.0.3",
        "info": {"title": "TrainTicket", "version": "1.0.1"},
        "paths": dict(sorted(paths.items())),
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}},
    }


def _operation(service: str, rules: tuple[Rule, ...], operation: Endpoint, path: str) -> Json:
    is_open = allowed(rules, operation.verb, operation.path, None)
    described: Json = {
        "operationId": f"{operation.verb.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', path)}",
        "tags": [service],
        "parameters": [_parameter(name, operation) for name in re.findall(r"\{(\w+)\}", operation.path)],
        "responses": _responses(service, operation),
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schema(operation.body)}}
        described["requestBody"] = {"required": True, "content": content}
    if not is_open:
        described["security"] = [{"bearer": []}]
        described["description"] = _who(rules, operation)
    return described


def _who(rules: tuple[Rule, ...], operation: Endpoint) -> str:
    names = {"administrators": Identity(username="", roles=(ADMIN,)), "users": Identity(username="", roles=(USER,))}
    asked = [name for name, who in names.items() if allowed(rules, operation.verb, operation.path, who)]
    return f"For {' and '.join(asked)}."


def _parameter(name: str, operation: Endpoint) -> Json:
    kind = dict(operation.converters).get(name)
    described = dict(_SCHEMAS[kind]) if kind else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": described}


def _responses(service: str, operation: Endpoint) -> Json:
    # 403 for open paths as well: a bad token is refused everywhere
    statuses = [403, 404, 500] + ([400, 415] if operation.body else [400] if operation.converters else [])
    statuses += [_AT_THE_GATEWAY[service]] if service in _AT_THE_GATEWAY else []
    return {str(operation.status): _DONE} | {
        str(status): {"description": _ERRORS[status]} for status in sorted(statuses)
    }


def schema(kind: Kind | Entity) -> Json:
    """The JSON schema of what an endpoint takes."""
    if isinstance(kind, Entity):
        return {"type": "object", "properties": {each.name: schema(each.kind) for each in kind.fields}}
    if kind.items is not None:
        return {"type": "array", "items": schema(kind.items)}
    if kind.values:
        return {"type": "string", "enum": list(kind.values)}
    return dict(_SCHEMAS[kind.name])
