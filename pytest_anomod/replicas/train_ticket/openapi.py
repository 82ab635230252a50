"""The OpenAPI document of everything behind the gateway, made from the declarations of the services' endpoints."""

import importlib
import re
from typing import Any

from .access import ADMIN, USER, Identity, Rule, allowed
from .backend import Backend, Endpoint
from .binding import INT_MAX, INT_MIN, Entity, Kind
from .catalogue import PREFIXES

Json = dict[str, Any]

_SCHEMAS: dict[str, Json] = {
    "text": {"type": "string", "nullable": True},
    "uuid": {"type": "string", "format": "uuid", "nullable": True},
    "int": {"type": "integer", "format": "int32", "minimum": INT_MIN, "maximum": INT_MAX},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
}
_FAILURE: Json = {
    "type": "object",
    "required": ["timestamp", "status", "error", "message", "path"],
    "properties": {
        "timestamp": {"type": "string"},
        "status": {"type": "integer"},
        "error": {"type": "string"},
        "message": {"type": "string", "nullable": True},
        "path": {"type": "string"},
    },
}
_BLOCKED: Json = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}
_DONE = "Nearly always the envelope {status, msg, data}, with status 0 for a refusal."
_ERRORS = {
    400: "The path or the body cannot be read as what is declared.",
    403: "No token, one without the role, or a bad one, which gets no body.",
    404: "No such path.",
    415: "The body is no JSON.",
    429: "More than the gateway lets through to this service in a second.",
    500: "The handler failed, as it does in the original for some input; or the service's connection was lost.",
    503: "The gateway has a route, but the service is away.",
    504: "The service does not answer in time.",
}
_EVERYWHERE = (400, 403, 404, 500, 503, 504)  # 400: some paths are refused whatever they lead to
_LIMITED = "ts-admin-basic-info-service"


def document(server: str = "/") -> Json:
    """The document, for a gateway at a URL; importing all services takes a moment."""
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
        "servers": [{"url": server}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Failure": _FAILURE, "Blocked": _BLOCKED},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
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
    described["security"] = [] if is_open else [{"bearer": []}]
    if not is_open:
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
    statuses = [*_EVERYWHERE, *([415] if operation.body else []), *([429] if service == _LIMITED else [])]
    done = {"description": _DONE, "content": {operation.media: {}}}
    return {str(operation.status): done} | {str(status): _failed(status) for status in sorted(statuses)}


def _failed(status: int) -> Json:
    kind = "Blocked" if status == 429 else "Failure"
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind}"}}}
    return {"description": _ERRORS[status], "content": content}


def schema(kind: Kind | Entity) -> Json:
    """The JSON schema of what an endpoint takes."""
    if isinstance(kind, Entity):
        return {"type": "object", "properties": {each.name: schema(each.kind) for each in kind.fields}}
    if kind.items is not None:
        return {"type": "array", "items": schema(kind.items)}
    if kind.values:
        return {"type": "string", "enum": list(kind.values)}
    return dict(_SCHEMAS[kind.name])
