"""How many log lines each call leaves, service by service, and what they carry."""

import pytest
from sn_system import System

STARTS = {"unique-id-service": 3, "user-service": 3}

COMPOSE = {
    "compose-post-service": 12,
    "home-timeline-service": 4,
    "user-timeline-service": 2,
    "post-storage-service": 2,
    "social-graph-service": 2,
    "text-service": 5,
    "media-service": 3,
    "unique-id-service": 2,
    "url-shorten-service": 2,
    "user-mention-service": 3,
    "user-service": 2,
}


def lines_of_post(system: System, path: str, form: dict[str, object]) -> dict[str, int]:
    with system.traced() as trace:
        system.post(path, form, headers=trace.headers)
    return trace.lines()


def lines_of_get(system: System, path: str) -> dict[str, int]:
    with system.traced() as trace:
        system.get(path, headers=trace.headers)
    return trace.lines()


def compose(system: System, text: str) -> dict[str, int]:
    user = system.new_id()
    system.register(user)
    follower = {"user_id": system.new_id(), "followee_id": user}
    system.post("/wrk2-api/user/follow", follower)
    form = {"username": f"username_{user}", "user_id": user, "text": text, "post_type": 0}
    return lines_of_post(system, "/wrk2-api/post/compose", form)


def test_compose(system: System):
    assert compose(system, "plain") == COMPOSE
    assert compose(system, "@username_1 http://a") == COMPOSE | {"url-shorten-service": 4, "user-mention-service": 4}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("home-timeline/read?user_id=1&start=2&stop=2", {"home-timeline-service": 1}),
        ("home-timeline/read?user_id=999999&start=0&stop=2", {"home-timeline-service": 3, "post-storage-service": 1}),
        ("user-timeline/read?user_id=1&start=2&stop=2", {"user-timeline-service": 1}),
        ("user-timeline/read?user_id=999999&start=0&stop=2", {"user-timeline-service": 2, "post-storage-service": 1}),
    ],
)
def test_reads(system: System, query: str, expected: dict[str, int]):
    assert lines_of_get(system, f"/wrk2-api/{query}") == expected


def test_reads_that_find_posts(system: System):
    author = system.new_id()
    system.compose(author, f"@username_{author}")
    path = f"/wrk2-api/user-timeline/read?user_id={author}&start=0&stop=2"
    assert lines_of_get(system, path) == {"user-timeline-service": 2, "post-storage-service": 2}


def test_follow_by_ids_and_by_names(system: System):
    ids = {"user_id": 1, "followee_id": 2}
    names = {"user_name": "username_1", "followee_name": "username_2"}
    for action in ("follow", "unfollow"):
        path = f"/wrk2-api/user/{action}"
        assert lines_of_post(system, path, ids) == {"social-graph-service": 2}
        assert lines_of_post(system, path, names) == {"social-graph-service": 4, "user-service": 4}


def test_register_and_its_refusal(system: System):
    user = system.new_id()
    form = {"first_name": "a", "last_name": "b", "username": f"u{user}", "password": "p", "user_id": user}
    path = "/wrk2-api/user/register"
    assert lines_of_post(system, path, form) == {"user-service": 2, "social-graph-service": 2}
    with system.traced() as trace:
        system.post(path, form | {"username": f"v{user}"}, headers=trace.headers)
    levels = [line["severity_text"] for line in system.logs("user-service") if line["trace_id"] == trace.trace_id]
    assert levels == ["INFO", "ERROR"]
    assert trace.lines() == {"user-service": 2}  # nothing in the gateway's log: it knows of no failure


def test_a_browser_registration_has_no_lines_of_its_own(system: System):
    form = {"first_name": "a", "last_name": "b", "username": f"w{system.new_id()}", "password": "p"}
    assert lines_of_post(system, "/api/user/register", form) == {"social-graph-service": 2}


def test_login(system: System):
    user = system.new_id()
    system.register(user)
    form = {"username": f"username_{user}", "password": "secret"}
    assert lines_of_post(system, "/api/user/login", form) == {"user-service": 2}


def test_refused_arguments_are_logged_by_the_gateway_at_error_level(system: System):
    with system.traced() as trace:
        system.get("/wrk2-api/home-timeline/read", headers=trace.headers)
    (line,) = [line for line in system.logs("nginx-thrift") if line["trace_id"] == trace.trace_id]
    assert (line["severity_number"], line["severity_text"]) == (17, "ERROR")
    assert "Incomplete arguments" in line["body"]
    assert 'request: "GET /wrk2-api/home-timeline/read HTTP/1.1"' in line["body"]


def test_a_stopped_first_hop_leaves_a_traceback_and_a_stopped_inner_one_a_line(system: System):
    with system.stopped("user-service"):
        with system.traced() as trace:
            answer = system.post("/wrk2-api/user/register", {
                "first_name": "a", "last_name": "b", "username": "c", "password": "d", "user_id": 1,
            }, headers=trace.headers)  # fmt: skip
        assert answer.status_code == 500
        (line,) = [line for line in system.logs("nginx-thrift") if line["trace_id"] == trace.trace_id]
        assert line["body"].startswith("lua entry thread aborted: runtime error: ")
        assert len(line["body"].splitlines()) == 11
        form = {"username": "username_1", "user_id": 1, "text": "x", "post_type": 0}
        counts = lines_of_post(system, "/wrk2-api/post/compose", form)
    # start, unique id, the socket's line and the error; nothing behind the parts of the post is reached
    assert counts["compose-post-service"] == 4
    assert counts["nginx-thrift"] == 1
    assert not {"post-storage-service", "home-timeline-service", "user-timeline-service"} & set(counts)


def test_the_first_lines_of_each_service(system: System):
    for service, spec in system.services.items():
        if spec["kind"] != "app":
            continue
        lines = [line["body"] for line in system.logs(service)]
        first = lines[: STARTS.get(service, 1)]
        assert first[-1] == f"Starting the {service} server..."
        if service in STARTS:
            assert first[0].startswith("MAC address = ")
            assert first[1].startswith("machine_id = ")


def test_lines_point_to_the_source_that_wrote_them(system: System):
    author = system.new_id()
    with system.traced() as trace:
        form = {"username": "x", "user_id": author, "text": "place", "post_type": 0}
        system.post("/wrk2-api/post/compose", form, headers=trace.headers)
    lines = [line for line in system.logs("text-service") if line["trace_id"] == trace.trace_id]
    assert {line["attributes"]["code.filepath"] for line in lines} == {"social_network/text_service.py"}
    assert {line["attributes"]["code.function"] for line in lines} == {"compose_text"}
    spans = {span["span_id"] for span in trace.spans()}
    assert {line["span_id"] for line in lines} <= spans
