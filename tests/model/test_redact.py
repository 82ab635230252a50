"""What is recorded holds no secrets, and nothing else is touched."""

from __future__ import annotations

import json
import random
import time

import pytest

from pytest_anomod.model import redact
from pytest_anomod.model.redact import REDACTED, redact_body, redact_headers, redact_json, redact_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiNyJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
SECRETS = ("hunter2", "s3cr3t", "letmein", JWT, JWT.split(".")[2])

LEAKS = {
    "form": "username=username_7&password=hunter2&first_name=a",
    "form at its end": "username=username_7&password=hunter2",
    "encoded form": "password=hunter2%26s3cr3t&x=1",
    "form with brackets": "user[password]=hunter2&x=1",
    "query of a URL": "http://127.0.0.1:8080/x?user=1&access_token=s3cr3t&y=2",
    "JSON": '{"username": "fdse", "password": "hunter2"}',
    "JSON with a number": '{"verificationCode": "s3cr3t", "api_key": "letmein"}',
    "JSON answer": json.dumps({"status": 1, "data": {"userId": "7", "token": JWT}}),
    "JSON below a secret name": '{"credentials": {"user": "hunter2", "list": ["s3cr3t"]}}',
    "list below a secret name": '{"tokens": ["hunter2", "s3cr3t"]}',
    "JSON inside JSON": json.dumps({"body": json.dumps({"password": "hunter2"})}),
    "JSON inside text": 'sending {"password": "hunter2", "n": 1} to user-service',
    "escaped JSON inside text": r'sending "{\"password\":\"hunter2\",\"n\":1}" to x',
    "JSON inside a query": "x?data=%7B%22password%22%3A%22hunter2%22%2C%22n%22%3A1%7D",
    "quotes inside a secret": '{"password": "hunter2\\"letmein"}',
    "quotes inside a secret, in text": 'got {"password": "hunter2\\"letmein", "n": 1}',
    "JSON cut off inside the secret": '{"username": "fdse", "password": "hunter2',
    "JSON cut off later": '{"token": "s3cr3t", "posts": [{"text": "abc',
    "JSON cut off in a list of secrets": '{"tokens": ["hunter2", "s3cr3t',
    "single quotes": "{'password': 'hunter2', 'a': 'b'}",
    "key=value": "login failed: user=7 password=hunter2 retry=1",
    "key: value": "connecting with password: hunter2",
    "header in text": "Authorization: Bearer s3cr3t-s3cr3t\r\nAccept: */*",
    "cookie in text": "Cookie: login_token=hunter2; other=s3cr3t\nHost: x",
    "bearer alone": "sent Bearer s3cr3ts3cr3t to ts-user-service",
    "web token alone": f"got {JWT} from login",
    "web token cut off": f"got {JWT[:30]}",
    "multipart": '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunter2\r\n--b--',
    "multipart with type": '--b\r\nContent-Disposition: form-data; name="my_password"\r\nContent-Type: text/plain'
    "\r\n\r\nhunter2\r\n--b--",
    "abbreviated": "user=a pwd=hunter2",
    "web token at the end": f"got {JWT[:15]}",
    "XML": "<login><password>hunter2</password></login>",
    "SQL": "ALTER ROLE app WITH PASSWORD 'hunter2'",
    "SQL verifier": "ALTER ROLE app PASSWORD SCRAM-SHA-256$4096:s3cr3t$letmein:hunter2",
    "URL with a password": "postgres://app:hunter2@127.0.0.1:5432/x",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_no_secret_stays(text):
    cleaned = redact_text(text)
    assert not [secret for secret in SECRETS if secret in cleaned], cleaned
    assert REDACTED in cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("username=u&password=p&first_name=a", f"username=u&password={REDACTED}&first_name=a"),
        ('{"username":"fdse","password":"p"}', f'{{"username":"fdse","password":"{REDACTED}"}}'),
        ('x {"password": "p", "n": 1} y', f'x {{"password": "{REDACTED}", "n": 1}} y'),
        ("a?token=t&b=1", f"a?token={REDACTED}&b=1"),
        ("Cookie: a=b; c=d\nHost: x", f"Cookie: {REDACTED}\nHost: x"),
        ("user=7 password=p retry=1", f"user=7 password={REDACTED} retry=1"),
    ],
)
def test_what_stands_around_a_secret_stays(text, cleaned):
    assert redact_text(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Successfully upload post\n",
        'username=username_7&user_id=7&text=a9Z @username_8 http://Ab3&media_ids=["123"]&media_types=["png"]&post_type=0',
        '{"post_id": "1",  "text": "two  blanks kept"}',
        "User: username_1 is not registered",
        "Incorrect username or password",
        '{"token": null, "password": false}',
        "http://127.0.0.1:8080/wrk2-api/home-timeline/read?user_id=1&start=0&stop=10",
        "Invalid token\n",
        "text=aaeyJ0123456789abc @username_3 of letters and digits only",
    ],
)
def test_text_without_secrets_comes_back_as_it_is(text):
    assert redact_text(text) == text


def test_the_quick_look_for_secrets_misses_none_that_the_slow_one_finds():
    chance = random.Random(3)
    words = (
        *("passwd", "PWD", "api-key", "apikey", "private_key", "sessionId", "verification-code", "jwt", "eyJabcdef."),
        *("Bearer x", "basic 9", "SCRAM-sha-256$", "http://a:b@", "apwd", "to", "ken", "\u212a", "\u017f", "e", "."),
    )
    texts = ["".join(chance.choice(words) for _ in range(chance.randrange(1, 4))) for _ in range(3000)]
    hinted = [redact._HINT.search(text) is not None for text in texts]
    assert [redact._may_hold_secrets(text) for text in texts] == hinted
    assert len(set(hinted)) == 2


def test_redacting_twice_changes_nothing_more():
    for text in LEAKS.values():
        assert redact_text(redact_text(text)) == redact_text(text)


def test_headers_are_lower_case_and_joined_and_secret_ones_lose_their_value():
    headers = [
        ("Content-Type", "text/plain"),
        ("Via", "a"),
        ("via", "b"),
        ("Authorization", "Bearer s3cr3t"),
        ("Set-Cookie", "login_token=s3cr3t; Path=/"),
        ("Set-Cookie", "other=hunter2"),
        ("X-Api-Key", "letmein"),
        ("Location", "../main.html?token=s3cr3t"),
    ]
    assert redact_headers(headers) == {
        "content-type": "text/plain",
        "via": "a, b",
        "authorization": REDACTED,
        "set-cookie": REDACTED,
        "x-api-key": REDACTED,
        "location": f"../main.html?token={REDACTED}",
    }


def test_json_values_keep_their_shape():
    assert redact_json({"a": [1, {"password": 5, "ok": True}], "token": None}) == {
        "a": [1, {"password": REDACTED, "ok": True}],
        "token": None,
    }


def test_a_body_is_cut_before_it_is_cleaned_and_says_so():
    body = b'{"password": "hunter2' + b"x" * 100 + b'"}'
    text, cut = redact_body(body, 24)
    assert (text, cut) == ('{"password": "' + REDACTED, True)
    assert redact_body(b"\xff\xfe", 10) == ("��", False)


def test_cleaning_a_long_body_takes_no_time():
    """Timelines of 4 KiB pass here some thirty times a second: patterns must not backtrack."""
    body = ("a" * 3000 + "password" + "b" * 3000 + " <" * 500 + 'token"' * 200)[:8192]
    started = time.process_time()
    redact_text(body)
    assert time.process_time() - started < 1.0  # it takes a millisecond; with backtracking, minutes
