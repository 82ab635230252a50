"""How a fault spread, on cases with known truth: chains, fans, effects before their cause, services without spans."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
from small_system import QUIET, Dummy, Effect
from synthetic import SECOND, make_case

from pytest_anomod.checks import run_checks
from pytest_anomod.checks.propagation import propagation
from pytest_anomod.model.fault import IN
from pytest_anomod.model.propagation import USER, Known, Propagation
from pytest_anomod.model.timeline import Phase


def spread(view) -> Propagation:
    return propagation(view, run_checks(view))


def step(found: Propagation, cause: str, service: str):
    return next(hop for hop in found.hops if (hop.cause, hop.service) == (cause, service))


def with_traces(view, change):
    """The case with a changed table of spans."""
    return dataclasses.replace(view, frames={**view.frames, "traces": change(view.frames["traces"].copy())})


@pytest.fixture(scope="module")
def slow_posts():
    """Posts, whom three services call, is slower; all of them lead to the gateway."""
    return make_case(11, effect=Effect(slower=12.0), target="posts", noise=QUIET)


def test_a_chain_is_followed_to_the_users_with_its_evidence():
    view = make_case(4, effect=Effect(errors=1.0), target="text", noise=QUIET)
    found = spread(view)
    assert found.path == ("text", "compose", "gateway", USER)
    assert (found.reaches_user, found.affected) == (Known.YES, ("text", "compose", "gateway"))
    hop = step(found, "text", "compose")
    assert (hop.hop, hop.caller, hop.callee, hop.edge_from, hop.effect) == (1, "compose", "text", "spans", "errors")
    assert (hop.modality, hop.figure, hop.before, hop.after) == ("traces", "errors", 0.0, 1.0)
    inject_ns = view.timeline.window(Phase.ONSET).start_ns
    onsets = [step(found, *pair).onset_unix_nano for pair in zip(found.path, found.path[1:], strict=False)]
    assert onsets == sorted(onsets)
    assert inject_ns < onsets[0] < onsets[-1] < view.timeline.window(Phase.ANOMALY).end_ns


def test_a_fan_reaches_every_caller_and_no_one_else(slow_posts):
    found = spread(slow_posts)
    assert set(found.affected) == {"posts", "home", "user", "compose", "gateway"}
    assert found.path[0] == "posts"
    assert found.path[2:] == ("gateway", USER)
    assert found.path[1] == "home"  # most of the slow answers
    assert {step(found, "posts", name).effect for name in ("home", "user", "compose")} == {"latency"}


def test_the_callers_own_requests_count_where_it_makes_the_calls():
    """One in ten of the gateway's requests fails: of those that lead to compose it is all."""
    found = spread(make_case(4, effect=Effect(errors=1.0), target="text", noise=QUIET))
    assert step(found, "compose", "gateway").after == 1.0


def test_who_shifts_before_the_cause_was_not_reached_by_it(slow_posts):
    inject_ns = slow_posts.timeline.window(Phase.ONSET).start_ns

    def early(traces):
        own = (traces["service_name"] == "home") & (traces["span_kind"] == "SERVER")
        late = own & (traces["time_unix_nano"] > inject_ns - 2 * SECOND)
        traces.loc[late, "duration_ns"] = 150_000_000
        return traces

    found = spread(with_traces(slow_posts, early))
    hop = step(found, "posts", "home")
    assert (hop.propagated, hop.effect) == (Known.NO, "latency")
    assert "before it began at posts" in hop.why
    assert "home" not in found.affected
    assert step(found, "posts", "user").propagated is Known.YES


def test_who_gives_up_before_the_cause_is_done_is_reached_all_the_same(slow_posts):
    """Posts answer after a minute, home waits for a fifth of a second: its bad answers are there first."""
    inject_ns = slow_posts.timeline.window(Phase.ONSET).start_ns

    def patience(traces):
        late = traces["time_unix_nano"] > inject_ns + SECOND // 2
        served = traces["span_kind"] == "SERVER"
        traces.loc[late & served & (traces["service_name"] == "posts"), "duration_ns"] = 6 * SECOND
        traces.loc[late & served & (traces["service_name"] == "home"), "duration_ns"] = SECOND // 5
        return traces

    found = spread(with_traces(slow_posts, patience))
    hop = step(found, "posts", "home")
    assert hop.propagated is Known.YES
    assert hop.onset_begin_unix_nano < hop.onset_unix_nano < inject_ns + 2 * SECOND


def test_of_who_sends_no_spans_it_is_unknown(slow_posts):
    found = spread(with_traces(slow_posts, lambda traces: traces[traces["service_name"] != "home"]))
    hop = step(found, "posts", "home")
    assert (hop.propagated, hop.edge_from) == (Known.UNKNOWN, "declared")
    assert "no span of home" in hop.why
    assert step(found, "home", "gateway").propagated is Known.UNKNOWN
    assert found.unknown == ("home",)
    assert found.reaches_user is Known.YES, "by another way"


def test_log_lines_speak_for_who_sends_no_spans():
    view = make_case(11, effect=Effect(errors=1.0), target="posts", noise=QUIET)
    found = spread(with_traces(view, lambda traces: traces[traces["service_name"] != "home"]))
    assert (step(found, "posts", "home").propagated, step(found, "posts", "home").modality) == (Known.YES, "logs")


def test_too_few_requests_leave_it_open():
    view = make_case(4, effect=Effect(errors=1.0), target="graph-cache", rate=8.0, noise=QUIET)
    found = spread(view)
    assert step(found, "graph-cache", "graph").propagated is Known.UNKNOWN
    assert found.reaches_user is not Known.YES


def test_callers_that_are_as_before_are_not_reached():
    view = make_case(4, effect=Effect(cpu=0.5), target="posts", noise=QUIET)
    found = spread(view)
    assert {hop.propagated for hop in found.hops if hop.service in ("home", "user")} == {Known.NO}
    assert (found.path, found.affected, found.reaches_user) == (("posts",), ("posts",), Known.NO)


def test_who_is_only_asked_less_is_no_part_of_the_path():
    """Compose fails before it calls text: text is idle, and none the worse."""
    found = spread(make_case(4, effect=Effect(errors=1.0), target="compose", noise=QUIET))
    hop = step(found, "compose", "text")
    assert (hop.propagated, hop.effect, hop.after) == (Known.YES, "load", 0.0)
    assert "text" not in found.affected
    assert found.path == ("compose", "gateway", USER)


def test_a_fault_between_two_services_begins_at_their_edge():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class OnTheWay(Dummy):
        edges: ClassVar[str] = IN

    view = make_case(4, effect=Effect(errors=1.0), target="text", noise=QUIET, fault=OnTheWay())
    found = spread(view)
    assert found.fault_edges == (("compose", "text"),)
    root = found.hops[0]
    assert (root.hop, root.cause, root.caller, root.callee, root.after) == (0, None, "compose", "text", 1.0)
    assert found.path == ("text", "compose", "gateway", USER)


def test_what_users_feel_without_a_proven_way_is_unknown():
    """Answers are wrong, and no span shows it."""
    found = spread(make_case(7, effect=Effect(wrong=True), target="posts", noise=QUIET))
    assert found.reaches_user is Known.UNKNOWN


def test_a_fault_that_was_never_in_spread_nowhere(slow_posts):
    findings = tuple(found for found in run_checks(slow_posts) if found.question != "mechanism")
    found = propagation(dataclasses.replace(slow_posts), findings)
    assert {hop.propagated for hop in found.hops} <= {Known.UNKNOWN, Known.NO}


def test_a_control_has_nothing_to_spread():
    assert spread(make_case(3)) == Propagation()


@pytest.mark.parametrize("seed", range(3))
def test_noise_reaches_nobody(seed):
    """A fault without any effect: whatever the machine does, no caller is said to be reached."""
    found = spread(make_case(seed, control=False, target="posts"))
    assert found.affected == ("posts",)


def test_spans_above_a_call_may_be_internal(slow_posts):
    """Between the SERVER span and the call another span of the same service."""

    def between(traces):
        calls = (traces["service_name"] == "home") & (traces["span_kind"] == "CLIENT")
        inner = traces[calls].copy()
        inner["span_id"] = "i" + inner["span_id"].str[1:]
        inner["span_kind"], inner["peer"] = "INTERNAL", ""
        traces.loc[calls, "parent_span_id"] = inner["span_id"]
        whole = np.concatenate((traces.index, inner.index))
        joined = type(traces)(
            {name: np.concatenate((traces[name].to_numpy(), inner[name].to_numpy())) for name in traces.columns}
        )
        assert len(whole) == len(joined)
        return joined.sort_values("time_unix_nano", kind="stable").reset_index(drop=True)

    assert step(spread(with_traces(slow_posts, between)), "posts", "home").propagated is Known.YES
