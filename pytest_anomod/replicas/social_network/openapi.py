"""The OpenAPI document of the gateway: for black-box generators; the original has none."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

TEXT, JSON, HTML, PLAIN = "application/octet-stream", "application/json; charset=utf-8", "text/html", "text/plain"
EMPTY = ""
"""In the place of a content type: an answer without a body."""
FORM = "application/x-www-form-urlencoded"

_NUMBER: Json = {"type": "integer", "format": "int64", "minimum": 0}
_WORD: Json = {"type": "string", "minLength": 1}
_SCHEMAS: dict[str, Json] = {
    "user_id": _NUMBER,
    "followee_id": _NUMBER,
    "start": {"type": "integer", "format": "int32", "minimum": 0},
    "stop": {"type": "integer", "format": "int32", "minimum": 0},
    "post_type": {"type": "integer", "enum": [0, 1, 2, 3]},
    "media_ids": {"type": "string", "description": 'A JSON list of decimal texts, such as ["412345678901234567"].'},
    "media_types": {"type": "string", "description": 'A JSON list as long as that of the ids, such as ["png"].'},
}
_FAILED = {
    (500, TEXT): "A service failed or is away; the text says which call and why.",
    (500, HTML): "The gateway cannot connect to its service, or the handler died.",
}
_INCOMPLETE = {(400, TEXT): "Incomplete arguments"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint. `fields` are needed, `others` may be there; both in the form of a POST, in the query of a GET."""

    method: str
    path: str
    summary: str
    answers: dict[tuple[int, str], str]
    fields: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    either: tuple[tuple[str, ...], ...] = ()
    login: bool = False


_ACCOUNT = ("first_name", "last_name", "username", "password")
_EDGE = (("user_id", "followee_id"), ("user_name", "followee_name"))
_MEDIA = ("media_ids", "media_types")
_DONE = {(200, TEXT): "Done; also when the service declared a failure, which this gateway does not pass on."}
_OK = {(200, TEXT): "Done."}
_READ = {(200, JSON): "A list of posts, newest first; an empty object when there is none."}
_RELATED = {(200, JSON): "A list of ids; an empty object when there is none."}
_PLAIN_FAILED = {(500, PLAIN): _FAILED[500, TEXT], (500, HTML): _FAILED[500, HTML]}
_NOT_LOGGED_IN = {(401, HTML): "No login token, or none that counts."}


def _timeline(kind: str, *, login: bool) -> Operation:
    whose = "of who is logged in" if login else "of any user"
    return Operation(
        method="GET", path=f"/{'api' if login else 'wrk2-api'}/{kind}/read", summary=f"Part of the {kind} {whose}.",
        fields=("start", "stop") if login else ("user_id", "start", "stop"), login=login,
        answers=_READ | _INCOMPLETE | _FAILED | (_NOT_LOGGED_IN if login else {}),
    )  # fmt: skip


def _edge(action: str, *, browser: bool) -> Operation:
    answers = _OK
    if browser:
        follows = action == "follow"
        answers = {(302, HTML): "Done: to the page of contacts."} if follows else {(200, EMPTY): "Done: no body."}
    return Operation(
        method="POST", path=f"/{'api' if browser else 'wrk2-api'}/user/{action}",
        summary=f"One user {action}s another, by ids or by names.", either=_EDGE,
        answers=answers | _INCOMPLETE | _FAILED,
    )  # fmt: skip


def _relations(who: str) -> Operation:
    return Operation(
        method="GET", path=f"/api/user/get_{who}", summary=f"Every {who} of who is logged in.", login=True,
        answers=_RELATED | _PLAIN_FAILED
        | {(401, EMPTY): "No login token: no body.", (401, PLAIN): "One that does not count: a text."},
    )  # fmt: skip


OPERATIONS = (
    Operation(
        method="POST", path="/wrk2-api/user/register", summary="Register under a given id.",
        fields=(*_ACCOUNT, "user_id"), answers=_DONE | _INCOMPLETE | _FAILED,
    ),
    _edge("follow", browser=False),
    _edge("unfollow", browser=False),
    Operation(
        method="POST", path="/wrk2-api/post/compose", summary="Write a post in the name of any user.",
        fields=("user_id", "username", "post_type", "text"), others=_MEDIA, answers=_DONE | _INCOMPLETE | _FAILED,
    ),
    _timeline("home-timeline", login=False),
    _timeline("user-timeline", login=False),
    Operation(
        method="POST", path="/api/user/register", summary="Register under a new id.", fields=_ACCOUNT,
        answers={(302, HTML): "Done: to the front page; duplicates too."} | _INCOMPLETE | _FAILED,
    ),
    Operation(
        method="POST", path="/api/user/login", summary="Log in: the token comes in a cookie.",
        fields=("username", "password"),
        answers={(302, HTML): "Done: to the main page.", (400, PLAIN): "Incomplete arguments"} | _PLAIN_FAILED,
    ),
    Operation(
        method="POST", path="/api/post/compose", summary="Write a post as who is logged in.", login=True,
        fields=("post_type", "text"), others=_MEDIA,
        answers=_DONE | _INCOMPLETE | _FAILED
        | {(302, HTML): "Nobody is logged in: to the front page.", (401, PLAIN): "A token that does not count."},
    ),
    _timeline("home-timeline", login=True),
    _timeline("user-timeline", login=True),
    _edge("follow", browser=True),
    _edge("unfollow", browser=True),
    _relations("follower"),
    _relations("followee"),
)  # fmt: skip


def document(server: str = "/") -> Json:
    """The document, for a gateway at a URL."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.0.3",
        "info": {"title": "SocialNetwork", "version": "1.0"},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"securitySchemes": {"login": {"type": "apiKey", "in": "cookie", "name": "login_token"}}},
    }


def _described(operation: Operation) -> Json:
    name = operation.path.strip("/").replace("/", "_").replace("-", "_")
    described: Json = {
        "operationId": f"{operation.method.lower()}_{name}",
        "summary": operation.summary,
        "responses": _responses(operation.answers),
    }
    if operation.method == "GET":
        described["parameters"] = [
            {"name": field, "in": "query", "required": True, "schema": _schema(field)} for field in operation.fields
        ]
    else:
        described["requestBody"] = {"required": True, "content": {FORM: {"schema": _form(operation)}}}
    described["security"] = [{"login": []}] if operation.login else []
    return described


def _responses(answers: dict[tuple[int, str], str]) -> Json:
    """What is sent without a body in some cases has no content here, for tools take a body as promised then."""
    responses: dict[str, Json] = {}
    for (status, content_type), text in sorted(answers.items()):
        response = responses.setdefault(str(status), {"description": text, "content": {}})
        if text not in response["description"]:
            response["description"] += f" Or: {text}"
        response["content"][content_type] = {}
    for response in responses.values():
        if EMPTY in response["content"]:
            del response["content"]
    return responses


def _form(operation: Operation) -> Json:
    if operation.either:
        return {"anyOf": [_object(fields) for fields in operation.either]}
    return _object(operation.fields, operation.others)


def _object(fields: tuple[str, ...], others: tuple[str, ...] = ()) -> Json:
    return {
        "type": "object",
        "required": list(fields),
        "properties": {field: _schema(field) for field in (*fields, *others)},
    }


def _schema(field: str) -> Json:
    return dict(_SCHEMAS.get(field, _WORD))
