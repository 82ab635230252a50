"""A small suite in the form that EvoMaster writes for Python, by hand: a workload for `--anomod-suite`.

pytest experiments/social_network -k svc_kill_media --anomod-suite experiments/suites/social_network_suite.py
"""

import json
import unittest

import requests

FORM = "application/x-www-form-urlencoded"


class SocialNetworkSuite(unittest.TestCase):
    """Ten tests over users, their graph, posts with media, timelines, and requests that are refused."""

    baseUrlOfSut = "http://localhost:8080"  # noqa: N815 - the name EvoMaster gives it

    def post(self, path: str, body: str, **options) -> requests.Response:
        return requests.post(self.baseUrlOfSut + path, data=body, headers={"Content-Type": FORM}, **options)

    def test_0(self):
        body = "first_name=Ada&last_name=Byron&username=suite_ada&password=suite-pw-1&user_id=70001"
        res_0 = self.post("/wrk2-api/user/register", body)
        assert res_0.status_code == 200
        assert res_0.text == "Success!\n"

    def test_1_follow_and_unfollow(self):
        res_0 = self.post("/wrk2-api/user/follow", "user_id=95&followee_id=941")
        assert res_0.status_code == 200
        res_1 = self.post("/wrk2-api/user/unfollow", "user_id=95&followee_id=941")
        assert res_1.status_code == 200

    def test_2_compose(self):
        body = "username=username_12&user_id=12&post_type=0&text=a walk at @username_40 http://example.com/walk"
        res_0 = self.post("/wrk2-api/post/compose", body)
        assert res_0.status_code == 200
        assert "Successfully upload post" in res_0.text

    def test_3_compose_with_media(self):
        lists = 'media_ids=["412345678901234567"]&media_types=["png"]'
        body = f"username=username_77&user_id=77&post_type=0&text=two pictures&{lists}"
        res_0 = self.post("/wrk2-api/post/compose", body)
        assert res_0.status_code == 200

    def test_4_home_timeline(self):
        for user in (40, 12):
            res_0 = requests.get(
                self.baseUrlOfSut + f"/wrk2-api/home-timeline/read?user_id={user}&start=0&stop=10",
                headers={"Accept": "*/*"},
            )
            assert res_0.status_code == 200
            assert isinstance(json.loads(res_0.text), list | dict)

    def test_5_user_timeline(self):
        res_0 = requests.get(self.baseUrlOfSut + "/wrk2-api/user-timeline/read?user_id=77&start=0&stop=5")
        assert res_0.status_code == 200
        assert "application/json" in res_0.headers["content-type"]

    def test_6_with400(self):
        res_0 = self.post("/wrk2-api/post/compose", "user_id=12&post_type=0")
        assert res_0.status_code == 400
        assert res_0.text == "Incomplete arguments\n"

    def test_7_with400(self):
        res_0 = requests.get(self.baseUrlOfSut + "/wrk2-api/home-timeline/read?user_id=12")
        assert res_0.status_code == 400

    def test_8_with500(self):
        res_0 = self.post("/api/user/login", "username=nobody_at_all&password=suite-pw-2", allow_redirects=False)
        assert res_0.status_code == 500
        assert "is not registered" in res_0.text

    def test_9_login_and_followers(self):
        body = "first_name=Ada&last_name=Byron&username=suite_ada&password=suite-pw-1&user_id=70001"
        self.post("/wrk2-api/user/register", body)
        self.post("/wrk2-api/user/follow", "user_id=12&followee_id=70001")
        session = requests.Session()
        res_0 = session.post(
            self.baseUrlOfSut + "/api/user/login",
            data="username=suite_ada&password=suite-pw-1",
            headers={"Content-Type": FORM},
            allow_redirects=False,
        )
        assert res_0.status_code == 302
        res_1 = session.get(self.baseUrlOfSut + "/api/user/get_follower")
        assert res_1.status_code == 200
        assert res_1.json() == [{"follower_id": "12"}]


if __name__ == "__main__":
    unittest.main()
