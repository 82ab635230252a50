"""SocialNetwork, code level: AnoMod's three stopped services, and three faults that really are in the code."""

from pytest_anomod import Verdict, anomaly
from pytest_anomod.faults import CodeDelay, CodeException, CodeReturn, StopService


@anomaly(system="social_network", fault=StopService(), target="user-service", level="code")
def test_code_stop_userservice(case):
    """The user service is stopped and its name no longer resolves; every new post needs it."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="social_network", fault=StopService(), target="text-service", level="code")
def test_code_stop_textservice(case):
    """The text service is stopped; links and mentions of new posts can't be found."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="social_network", fault=StopService(), target="media-service", level="code")
def test_code_stop_mediaservice(case):
    """The media service is stopped; new posts fail with or without media."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()
