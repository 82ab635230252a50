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


@anomaly(
    system="social_network",
    fault=CodeException(
        function="user_service:UserHandler.compose_creator_with_user_id",
        exception="RuntimeError",
        message="creator record is not readable",
        probe="ComposeCreatorWithUserId",
        arguments={"req_id": 1, "user_id": 1, "username": "username_1"},
    ),
    target="user-service",
)
def test_code_exception_userservice(case):
    """Naming a post's creator throws; the rest of the user service is well."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(
    system="social_network",
    fault=CodeReturn(
        function="text_service:TextHandler.compose_text",
        value=None,
        probe="ComposeText",
        arguments={"req_id": 1, "text": "@username_1"},
    ),
    target="text-service",
)
def test_code_wrongvalue_textservice(case):
    """The text service does its work and answers, without an error, with nothing; its caller stumbles over it."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(
    system="social_network",
    fault=CodeDelay(
        function="media_service:MediaHandler.compose_media",
        delay_s=0.3,
        probe="ComposeMedia",
        arguments={"req_id": 1, "media_types": ["png"], "media_ids": [1]},
    ),
    target="media-service",
)
def test_code_slow_mediaservice(case):
    """Pairing media takes 0.3 s longer; every new post waits for it, and nothing fails."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()
