"""SocialNetwork, service level: a service killed again and again while traffic flows."""

from pytest_anomod import Verdict, anomaly
from pytest_anomod.faults import KillService


@anomaly(system="social_network", fault=KillService(), target="user-timeline-service")
def test_svc_kill_usertimeline(case):
    """User timelines can neither be read nor written while the service is killed at every return."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="social_network", fault=KillService(), target="media-service")
def test_svc_kill_media(case):
    """Every new post asks the media service, even one without media."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="social_network", fault=KillService(), target="social-graph-service")
def test_svc_kill_socialgraph(case):
    """A new post fans out to the author's followers; without the graph it fails after it was stored."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()
