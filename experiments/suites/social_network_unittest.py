"""A suite in the layout of AnoMod's published ones: unittest, single calls, base URL from the environment.

pytest experiments/social_network -k svc_kill_media --anomod-suite experiments/suites/social_network_unittest.py
"""

import os
import random
import unittest

import requests

BASE_URL = os.environ.get("BASE_URL", "http://localhost:8080")
COOKIES = {"login_token": os.environ.get("SN_LOGIN_TOKEN", "expired")}
TIMEOUT = 10


class SocialNetworkTest(unittest.TestCase):
    def test_register(self):
        number = random.randrange(10**6, 10**9)
        form = {"first_name": "a", "last_name": "b", "username": f"suite_{number}", "password": "pw", "user_id": number}
        answer = requests.post(BASE_URL + "/wrk2-api/user/register", data=form, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_register_without_a_name(self):
        answer = requests.post(BASE_URL + "/wrk2-api/user/register", data={"user_id": 5}, timeout=TIMEOUT)
        assert answer.status_code == 400

    def test_login(self):
        form = {"username": "username_1", "password": "password_1"}
        answer = requests.post(BASE_URL + "/api/user/login", data=form, allow_redirects=False, timeout=TIMEOUT)
        assert answer.status_code == 302

    def test_login_of_nobody(self):
        form = {"username": "nobody", "password": "none"}
        answer = requests.post(BASE_URL + "/api/user/login", data=form, allow_redirects=False, timeout=TIMEOUT)
        assert answer.status_code == 500

    def test_compose(self):
        form = {"user_id": 7, "username": "username_7", "post_type": 0, "text": "hello from a suite"}
        answer = requests.post(BASE_URL + "/wrk2-api/post/compose", data=form, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_compose_with_a_mention_and_a_picture(self):
        form = {
            "user_id": 8, "username": "username_8", "post_type": 0, "text": "@username_9 see https://example.com/page",
            "media_ids": '["412345678901234567"]', "media_types": '["png"]',
        }  # fmt: skip
        answer = requests.post(BASE_URL + "/wrk2-api/post/compose", data=form, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_compose_without_a_text(self):
        answer = requests.post(BASE_URL + "/wrk2-api/post/compose", data={"user_id": 7}, timeout=TIMEOUT)
        assert answer.status_code == 400

    def test_home_timeline(self):
        query = {"user_id": 9, "start": 0, "stop": 10}
        answer = requests.get(BASE_URL + "/wrk2-api/home-timeline/read", params=query, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_user_timeline(self):
        query = {"user_id": 8, "start": 0, "stop": 10}
        answer = requests.get(BASE_URL + "/wrk2-api/user-timeline/read", params=query, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_follow(self):
        form = {"user_id": 11, "followee_id": 12}
        answer = requests.post(BASE_URL + "/wrk2-api/user/follow", data=form, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_own_followers(self):
        answer = requests.get(BASE_URL + "/api/user/get_follower", cookies=COOKIES, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_own_timeline(self):
        query = {"start": 0, "stop": 5}
        answer = requests.get(BASE_URL + "/api/home-timeline/read", params=query, cookies=COOKIES, timeout=TIMEOUT)
        assert answer.status_code == 200

    def test_compose_as_oneself(self):
        form = {"post_type": 0, "text": "my own words"}
        answer = requests.post(
            BASE_URL + "/api/post/compose", data=form, cookies=COOKIES, allow_redirects=False, timeout=TIMEOUT
        )
        assert answer.status_code == 200


if __name__ == "__main__":
    unittest.main()
