"""SocialNetwork, database level: Redis limits that limit, each below what is in use."""

from pytest_anomod import Verdict, anomaly
from pytest_anomod.faults import RedisMemoryLimit


@anomaly(
    system="social_network",
    fault=RedisMemoryLimit(percent_of_used=50, policy="noeviction"),
    target="home-timeline-redis",
)
def test_db_redis_cachelimit_hometimeline(case):
    """Home timelines refuse writes: posts are stored, the fan-out fails, users are told so."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(
    system="social_network",
    fault=RedisMemoryLimit(percent_of_used=50, policy="noeviction"),
    target="user-timeline-redis",
)
def test_db_redis_cachelimit_usertimeline(case):
    """User timelines refuse writes: new posts fail, and so do reads that must refill the cache."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(
    system="social_network",
    fault=RedisMemoryLimit(percent_of_used=10, policy="allkeys-lru"),
    target="social-graph-redis",
)
def test_db_redis_cachelimit_socialgraph(case):
    """The graph's cache can hold nothing: followers are evicted, and reading them back in is refused."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()
