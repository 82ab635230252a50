"""How far a resolver that fails and a pool that is used up reach: the target alone, its next process, the way back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest

from pytest_anomod.faults import DnsFailure, PoolExhaustion, _postgres, _speak
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Lifecycle, Resolver, StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.runtime import instance_of, need

INJECTOR = catalog.find("injectors", "native")
ANSWER_S = 20.0
UNRESOLVED = "Could not resolve host for client socket."
_strangers = itertools.count()


def ask(deployment, service, method, timeout_s=ANSWER_S, **arguments):
    """The answer of an RPC method as a probe asks for it: unsampled."""
    return _speak.call(instance_of(deployment, service).address, method, {"req_id": 1, **arguments}, timeout_s)[0]


def stranger() -> str:
    """A name that no cache knows, so that the database is asked."""
    return f"stranger_{next(_strangers)}"


def look_up(deployment) -> bool:
    """Whether user-service gets an answer from its database."""
    answer = ask(deployment, "user-service", "GetUserId", username=stranger())
    return "is not registered" in answer["error"]["message"]


@pytest.fixture
def put_in(deployment):
    """Puts faults in; after the test they are out and every service is well."""
    faults = []

    def inject(fault, target):
        faults.append((fault, target))
        done = INJECTOR.inject(fault, deployment, target)
        clock.wait_until(
            lambda: INJECTOR.active(fault, deployment, target), timeout_s=ANSWER_S, what=f"{fault} to show"
        )
        return done

    yield inject
    for fault, target in faults:
        INJECTOR.recover(fault, deployment, target)
    assert deployment.unhealthy() == ()


def restart(deployment, service):
    """Kill a service and wait until its next process runs."""
    before = instance_of(deployment, service)
    need(deployment, Lifecycle, service).kill()

    def is_back() -> bool:
        now = instance_of(deployment, service)
        return now.state == "running" and now.pid != before.pid

    clock.wait_until(is_back, timeout_s=ANSWER_S, what=f"another process of {service}")


def test_a_name_is_gone_for_the_target_at_once(deployment, put_in):
    """Connections that were open are of no use; the peer itself, other peers and other callers are not touched."""
    mention = {"text": f"hello @{stranger()}"}
    assert "result" in ask(deployment, "text-service", "ComposeText", **mention)
    put_in(DnsFailure(peers=("user-mention-service",)), "text-service")
    assert UNRESOLVED in ask(deployment, "text-service", "ComposeText", **mention)["error"]["message"]
    assert "result" in ask(deployment, "user-mention-service", "ComposeUserMentions", usernames=[stranger()])
    assert need(deployment, Resolver, "text-service").resolved(["url-shorten-service"])
    for service in ("compose-post-service", "nginx-thrift"):
        assert need(deployment, Resolver, service).resolved(["user-mention-service"])


def test_a_name_stays_gone_when_the_target_is_restarted(deployment, put_in):
    """Its next process has the same resolver, and gets the names back with the recovery."""
    fault = DnsFailure(peers=("user-mention-service",))
    put_in(fault, "text-service")
    restart(deployment, "text-service")
    assert INJECTOR.active(fault, deployment, "text-service")
    mention = {"text": f"hello @{stranger()}"}
    assert UNRESOLVED in ask(deployment, "text-service", "ComposeText", **mention)["error"]["message"]
    INJECTOR.recover(fault, deployment, "text-service")
    assert not INJECTOR.active(fault, deployment, "text-service")
    assert "result" in ask(deployment, "text-service", "ComposeText", **mention)


@pytest.mark.parametrize("fault", [DnsFailure(peers=("user-mention-service",)), PoolExhaustion()])
def test_a_target_that_is_stopped_under_it_can_be_recovered(deployment, put_in, fault):
    """What is told to nobody holds for the process that is started later."""
    target = "text-service" if isinstance(fault, DnsFailure) else "url-shorten-service"
    put_in(fault, target)
    need(deployment, Lifecycle, target).stop()
    assert not INJECTOR.active(fault, deployment, target)
    INJECTOR.recover(fault, deployment, target)
    need(deployment, Lifecycle, target).start()
    assert not INJECTOR.active(fault, deployment, target)
    mention = {"text": f"hello @{stranger()} http://somewhere.org/{stranger()}"}
    assert "result" in ask(deployment, "text-service", "ComposeText", **mention)


def test_a_peer_that_is_stopped_is_not_taken_for_a_resolver_that_fails(deployment):
    """Its name is gone for everybody."""
    fault = DnsFailure(peers=("user-mention-service",))
    need(deployment, Lifecycle, "user-mention-service").stop()
    try:
        assert not INJECTOR.active(fault, deployment, "text-service")
    finally:
        need(deployment, Lifecycle, "user-mention-service").start()


def test_a_used_up_pool_is_that_of_the_target_alone(deployment, put_in):
    """Who else uses the same database gets answers; the target's requests wait until there are connections again."""
    fault, store = PoolExhaustion(), "user-mongodb"
    assert look_up(deployment)
    put_in(fault, "user-service")

    def pool() -> Mapping[str, int]:
        return INJECTOR.active(fault, deployment, "user-service").evidence[store]

    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(look_up, deployment)
        clock.wait_until(lambda: pool()["waiting"] == 1, timeout_s=ANSWER_S, what="the request to wait")
        assert pool()["in_use"] == pool()["sessions"] == pool()["size"]
        assert ask(deployment, "user-mention-service", "ComposeUserMentions", usernames=[stranger()]) == {"result": []}
        assert not asked.done()
        INJECTOR.recover(fault, deployment, "user-service")
        assert asked.result()
    assert look_up(deployment)


def test_a_pool_with_a_connection_left_still_serves(deployment, put_in):
    """The parameter means what it says."""
    put_in(PoolExhaustion(leave=1), "user-service")
    assert look_up(deployment)
    with pytest.raises(InjectionError, match="2 connections left of 4"):
        INJECTOR.inject(PoolExhaustion(leave=2), deployment, "user-service")


def test_a_pool_is_full_again_when_the_target_is_restarted(deployment, put_in):
    """What leaked is gone with the process that leaked it, and nobody may believe otherwise."""
    fault = PoolExhaustion()
    put_in(fault, "user-service")
    restart(deployment, "user-service")
    assert not INJECTOR.active(fault, deployment, "user-service")
    assert look_up(deployment)


def test_a_busy_pool_is_not_taken_for_a_used_up_one(deployment):
    """All connections in use, each with a statement at work: that is load, or a lock, and has another cause."""
    store, seen = "user-mongodb", []

    def is_full() -> bool:
        seen.append(INJECTOR.active(PoolExhaustion(), deployment, "user-service"))
        pool = seen[-1].evidence[store]
        return pool["waiting"] == 2 and not pool["idle_sessions"]

    async def lock(pool):
        session = await asyncpg.connect(need(deployment, StoreLogin, store).dsn())
        try:
            async with session.transaction():
                await session.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
                asked = [pool.submit(look_up, deployment) for _ in range(6)]
                await asyncio.to_thread(clock.wait_until, is_full, timeout_s=ANSWER_S, what="requests that wait")
        finally:
            await session.close()
        return asked

    async def wait_longer(session, how):
        await session.execute(f"ALTER SYSTEM {how}")
        await session.execute("SELECT pg_reload_conf()")

    _postgres.ask(deployment, store, lambda session: wait_longer(session, "SET lock_timeout = '30s'"))
    with ThreadPoolExecutor(6) as pool:
        asked = asyncio.run(lock(pool))
        assert all(one.result() for one in asked)
    assert seen[-1].evidence[store]["in_use"] == seen[-1].evidence[store]["size"]
    _postgres.ask(deployment, store, lambda session: wait_longer(session, "RESET lock_timeout"))
    assert not seen[-1]
