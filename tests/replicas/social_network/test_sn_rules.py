"""The pure rules: forms and numbers, login tokens, ids, mentions and urls in texts, uploads."""

import re
import time

import pytest

from pytest_anomod.replicas.social_network import forms, ids, media_frontend, text_service, tokens


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=x%20y+z&b=%zz", {"a": "x y z", "b": "%zz"}),
        (
            b'text=hi @you http://a.b/c?d=e&media_ids=["1","2"]',
            {"text": "hi @you http://a.b/c?d=e", "media_ids": '["1","2"]'},
        ),
        (b"a=1&a=2", {"a": "1"}),
        (b"flag&=x&&c=", {"flag": "", "c": ""}),
        (b"", {}),
        (b"a=%C3%A9&b=\xff", {"a": "é", "b": "\ufffd"}),
    ],
)
def test_forms(raw: bytes, expected: dict[str, str]):
    assert forms.parse(raw) == expected


def test_no_more_than_a_hundred_arguments_are_read():
    fields = forms.parse(b"&".join(b"k%d=v" % number for number in range(150)))
    assert list(fields) == [f"k{number}" for number in range(100)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 12), (" -3 ", -3), ("abc", 0), ("1.9", 1), ("1e3", 1000), ("inf", 0), ("9" * 40, 2**63 - 1), ("nan", 0)],
)
def test_numbers(text: str, expected: int):
    assert forms.integer(text) == expected


@pytest.mark.parametrize("text", ["{", "5", '"x"', "null", "[[1]]"])
def test_media_ids_that_are_no_list_of_ids(text: str):
    with pytest.raises(forms.NotAListError):
        forms.media_lists({"media_ids": text, "media_types": '["png"]'})


def test_media_lists():
    assert forms.media_lists({"media_ids": "{}", "media_types": "[]"}) == ([], [])
    both = {"media_ids": '["18446744073709551", 7]', "media_types": '["png", 3]'}
    assert forms.media_lists(both) == ([18446744073709551, 7], ["png", "3"])


def test_cookies():
    assert forms.cookie("a=b; login_token=x.y=z; c=d", "login_token") == "x.y=z"
    assert forms.cookie("login_token=", "login_token") is None
    assert forms.cookie("other_login_token=x", "login_token") is None


def test_tokens_hold_for_an_hour():
    token = tokens.issue(5, "me", 1000)
    assert tokens.verify(token, 1000 + 3600) == tokens.Identity(user_id=5, username="me")
    with pytest.raises(tokens.ExpiredTokenError):
        tokens.verify(token, 1000 + 3601)


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-2] + "xx", lambda t: "a" + t, lambda t: t.split(".")[0], lambda t: "a.b"]
)
def test_spoilt_tokens_are_invalid(spoil):
    with pytest.raises(tokens.InvalidTokenError):
        tokens.verify(spoil(tokens.issue(5, "me", 1000)), 1000)


def test_ids_have_the_documented_layout():
    made = ids.compose_id("abc", 0x4152637485, 7)
    assert f"{made:016x}" == "2bc4152637485007"  # the top bit is cleared
    assert re.fullmatch(r"[0-9a-f]{3}", ids.machine_id("02:42:00:00:00:01", 1))
    assert ids.machine_id("02:42:00:00:00:01", 1) != ids.machine_id("02:42:00:00:00:01", 2)
    assert 17 <= len(str(ids.compose_id("00a", int(time.time() * 1000) - ids.EPOCH_MS, 0))) <= 19


def test_the_counter_starts_anew_each_millisecond_and_refuses_to_go_back():
    counter = ids.Counter()
    assert [counter.next(5), counter.next(5), counter.next(6), counter.next(6)] == [0, 1, 0, 1]
    with pytest.raises(ids.ClockStepsBackwardsError):
        counter.next(5)


@pytest.mark.parametrize(
    ("text", "mentions", "urls"),
    [
        ("@a_b-1, @c", ["@a_b-1", "@c"], []),
        ("x@y @@z", ["@y", "@z"], []),
        ("http://a.b/c https://d~!*'().&=+$%-_ ftp://no http://", [], ["http://a.b", "https://d~!*'().&=+$%-_"]),
    ],
)
def test_mentions_and_urls_in_texts(text: str, mentions: list[str], urls: list[str]):
    assert text_service.MENTION.findall(text) == mentions
    assert text_service.URL.findall(text) == urls


def test_texts_are_cut_after_their_last_url():
    assert text_service.with_short_urls("a http://b/c http://d e", ["S1", "S2"]) == "a S1/c S2"


def test_uploads_give_the_first_file():
    body = (
        b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nvalue\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="p.tar.gz"\r\n\r\n\x00\r\n\xff\r\n--b--\r\n'
    )
    uploaded = media_frontend.file_part(body, b"b")
    assert (uploaded.extension, uploaded.content) == ("gz", b"\x00\r\n\xff")


@pytest.mark.parametrize(
    "body", [b"", b"--b\r\nno end", b"--b\r\nno header\r\n--b--", b"--b\r\nA: b\r\n\r\nx\r\n--b--\r\n"]
)
def test_spoilt_uploads(body: bytes):
    with pytest.raises(media_frontend.BadPartError):
        media_frontend.file_part(body, b"b")
