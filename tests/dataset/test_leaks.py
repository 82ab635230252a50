"""The scanners for words that give the label away and for secrets: what they find, and what they let pass."""

import re

import pytest

from pytest_anomod.dataset.leaks import LEAK_HINT, SECRET_HINT, find_leaks, find_secrets, telling_words

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoidXNlcl8xIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    ["chaosblade", "ANOMOD_SESSION", "fault proxy", "faults", "code.fault", "dependency injection", "blade",
     "a-blade-b", "/usr/bin/toxiproxy", "tc qdisc netem delay", "network_fault_active", "x-inject: 1", "litmus"],
)  # fmt: skip
def test_words_that_give_the_label_away_are_found(text):
    assert find_leaks(text)
    assert re.search(LEAK_HINT, text)


@pytest.mark.parametrize(
    "text",
    ["default", "DEFAULTS", "process_page_faults_total", "page fault", "Segfault", "segmentation of users", "bladed",
     "faultless", "user_1 posted", "chao", "projected"],
)  # fmt: skip
def test_words_of_any_system_pass(text):
    assert find_leaks(text) == []


def test_a_word_by_chance_in_random_letters_passes():
    """Users' texts are 256 letters of 62: of 202 cases 14 had one of these words."""
    letters = "vreNkjC9OnGOKddDV2FkOTBBkNjfEA6Pc1D4fvGz"
    assert find_leaks(f"text={letters}anoModz96OemZ8v6fyKizHHp") == []
    assert find_leaks(f"text={letters} chaosblade") == ["chaos"]


def test_names_of_the_case_are_looked_for_when_they_are_telling():
    words = telling_words("perf_cpu_contention", "cpu_contention", "none", None, "sleep")
    assert words == ("perf_cpu_contention", "cpu_contention")
    assert find_leaks("thread CPU_contention-1", words) == ["cpu_contention"]
    assert find_leaks("thread 1", words) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"got {JWT} back", "a web token"),
        ('{"authorization": "Bearer abcdef123"}', "an Authorization header"),
        ("Authorization: Basic dXNlcjpwdw==", "an Authorization header"),
        ("username=user_1&password=pa55word&x=1", "a field of a secret name"),
        ('{"password": "pa55word"}', "a field of a secret name"),
        (r'{"body": "{\"password\": \"pa55word\"}"}', "a field of a secret name"),
        ("login_token=abcdef123456", "a field of a secret name"),
        ("postgres://app:pa55word@127.0.0.1/db", "a URL with a password"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
    ],
)
def test_secrets_in_clear_are_found(text, kind):
    assert kind in find_secrets(text)
    assert re.search(SECRET_HINT, text)


@pytest.mark.parametrize(
    "text",
    [
        "username=user_1&password=[redacted]&x=1",
        '{"authorization": "[redacted]", "password": "[redacted]"}',
        '{"authorization": "Bearer [redacted]"}',
        r'{"body": "{\"password\": \"[redacted]\"}"}',
        "postgres://[redacted]@127.0.0.1/db",
        "password=***",
        '{"token": null}',
        "password=&x=1",
        "Incorrect password: try again",
        "http://127.0.0.1:8080/wrk2-api/user/login",
        "mail to user_1@example.org",
    ],
)
def test_redacted_ones_and_mere_words_pass(text):
    assert find_secrets(text) == []


def test_what_the_recorder_redacts_passes_the_scanner():
    """The two are written apart on purpose; here they meet."""
    from pytest_anomod.model.redact import redact_text

    for text in (f"token={JWT}", "Authorization: Bearer abcdef123", '{"password": "pa55word"}', "pwd=x1y2z3&a=b"):
        assert find_secrets(text)
        assert find_secrets(redact_text(text)) == []
