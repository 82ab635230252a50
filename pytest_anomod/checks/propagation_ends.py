"""Both ends of a propagation path: the root cause, in a service or on calls between two, and the users."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.checks.affected import OUTCOMES, Answer, answers
from pytest_anomod.checks.call_graph import SPANS, call_graph
from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.gauges import SETTINGS, WATCHED
from pytest_anomod.checks.impact import gateway_shifts
from pytest_anomod.checks.onset import Onset, onset
from pytest_anomod.checks.shifts import Shift
from pytest_anomod.checks.statistics import MIN_ROWS
from pytest_anomod.model import journal as names
from pytest_anomod.model.fault import IN, LINK, PEERS
from pytest_anomod.model.propagation import USER, Hop, Known
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

METRICS = frozenset({gauge.figure for gauge in WATCHED} | {*SETTINGS} | {"new instances"})
CONTENTS = ("body size", "answers of a new shape")

EFFECTS = {"errors": "errors", "unanswered": "errors", "error lines": "errors", "good answers": "errors"}
"""What a figure that moved says of the effect; other figures of answers are latencies."""

BAD = {"errors": (Answer.FAILED,), "content": (Answer.CONTENT,), "latency": (Answer.SLOW, Answer.FAILED)}
"""What requests are bad by an effect on users."""

UNFELT = "no figure at the gateway moved"

Edge = tuple[str, str]


def fault_edges(view: CaseView) -> tuple[Edge, ...]:
    """The calls (caller, callee) that the fault lies on; () for one that is in a service.

    Of several callers those that call in this case. Users call the entry; packets that the kernel loses are those of
    the target's own calls as well.
    """
    target, kind = view.scenario.target, getattr(view.scenario.fault, "edges", "")
    peers = set(getattr(view.scenario.fault, "peers", ()))
    both = kind == IN and _done(view).get("means") == "kernel"
    edges = list(call_graph(view).edges)
    users = [(USER, service) for service in _asked(view)]
    found = [edge for edge in [*users, *edges] if edge[1] == target and kind == IN]
    found += [edge for edge in edges if edge[0] == target and both]
    found += [edge for edge in edges if edge[0] == target and edge[1] in peers and kind in (PEERS, LINK)]
    found += [edge for edge in edges if edge[1] == target and edge[0] in peers and kind == LINK]
    return tuple(sorted(found))


def root_hop(view: CaseView, findings: Sequence[Finding]) -> Hop:
    """The root cause itself: whether the fault was seen to be in, and what its target showed most."""
    mechanism = next((found for found in findings if found.question == "mechanism"), None)
    outcome = mechanism.outcome if mechanism is not None else Outcome.NOT_ASKED
    seen = view.journal.activity(names.SEEN)
    was_in = Known.UNKNOWN if seen is not None and seen.succeeded else Known.NO  # held too briefly to be sure
    known = {Outcome.PROVEN: Known.YES, Outcome.ABSENT: was_in}.get(outcome, Known.UNKNOWN)
    window = view.timeline.window(Phase.ONSET)
    hop = Hop(
        hop=0, cause=None, service=view.scenario.target, propagated=known, effect="state",
        why=mechanism.message if mechanism is not None else "nobody asked whether the fault was in",
    )  # fmt: skip
    if window is not None:
        hop = began(hop, Onset(window.start_ns, window.start_ns, 0))
    moved = [shift for shift in _shown(findings) if shift.get("moved")]
    if not moved:
        return hop
    first = moved[0]
    figure = f"{first['subject']} {first['figure']}".removeprefix(f"{view.scenario.target} ")
    figure = figure.replace(view.scenario.target, "it")
    return dataclasses.replace(
        hop, figure=figure, modality=modality_of(first["figure"]), before=first["before"], after=first["after"],
        p=first["p_corrected"],
    )  # fmt: skip


def user_hops(cut: Cut, reached: Mapping[str, Hop]) -> list[Hop]:
    """From each service that users ask, and that was reached, to the users; else what users felt all the same."""
    if "api_responses" not in cut.view.frames:
        why = "what users were answered was not recorded"
        return [Hop(hop=1, cause=None, service=USER, propagated=Known.UNKNOWN, why=why)]
    moved = [shift for shift in gateway_shifts(cut) if shift.moved]
    ways = [name for name in _asked(cut.view) if name in reached and not reached[name].is_load]
    hops = [_to_users(cut, name, reached[name], moved) for name in ways]
    if hops:
        return hops
    if not moved:
        return [Hop(hop=1, cause=None, service=USER, propagated=Known.NO, why=UNFELT, modality="api_responses")]
    lost = Hop(hop=1, cause=None, service=USER, propagated=Known.UNKNOWN, why="no service that users ask was reached")
    return [_felt(cut, lost, telling(moved))]


def _to_users(cut: Cut, service: str, came: Hop, moved: Sequence[Shift]) -> Hop:
    """The step from a service that users ask to them, by the figures that moved at the gateway."""
    hop = Hop(
        hop=came.hop + 1, cause=service, service=USER, caller=USER, callee=service, edge_from=SPANS,
        propagated=Known.NO, why=UNFELT, modality="api_responses",
    )  # fmt: skip
    if not moved:
        return hop
    hop = dataclasses.replace(_felt(cut, hop, telling(moved)), propagated=Known.YES)
    mine, its = onset_of(hop), onset_of(came)
    if came.propagated is not Known.YES:
        return dataclasses.replace(hop, propagated=Known.UNKNOWN, why=f"whether {service} was reached is unknown")
    if mine is None or its is None:
        return hop
    if mine.before(its):
        return dataclasses.replace(hop, propagated=Known.UNKNOWN, why=f"it was there before it began at {service}")
    gave_up = f"; they do not wait for the end of it at {service}" if mine.earlier(its) else ""
    return dataclasses.replace(hop, why=hop.why + gave_up)


def filled(hop: Hop, shift: Shift) -> Hop:
    """The step with the figures of a shift."""
    modality = modality_of(shift.figure)
    return dataclasses.replace(
        hop, modality=modality, figure=shift.figure, before=shift.before, after=shift.after, p=shift.p_corrected
    )


def onset_of(hop: Hop) -> Onset | None:
    """When the step's effect began."""
    if hop.onset_unix_nano is None or hop.onset_begin_unix_nano is None:
        return None
    return Onset(hop.onset_unix_nano, hop.onset_begin_unix_nano, hop.onset_give_ns or 0)


def began(hop: Hop, found: Onset | None) -> Hop:
    """The step with its onset, if there is one."""
    if found is None:
        return hop
    return dataclasses.replace(
        hop, onset_unix_nano=found.time_ns, onset_begin_unix_nano=found.begin_ns, onset_give_ns=found.give_ns
    )


def telling(moved: Sequence[Shift]) -> Shift:
    """The most telling of some figures that moved, strongest first: the first of failures, else the strongest."""
    return next((shift for shift in moved if shift.figure in ("errors", "unanswered")), moved[0])


def modality_of(figure: str) -> str:
    """The modality that a figure of the checks is taken from."""
    if figure in METRICS:
        return "metrics"
    if figure == "error lines":
        return "logs"
    if figure.startswith("lines "):
        return "coverage"
    return "api_responses" if figure in CONTENTS else "traces"


def _felt(cut: Cut, hop: Hop, shift: Shift) -> Hop:
    """The step to the users with the figure that moved most, and when requests began to be affected."""
    import numpy as np

    effect = "content" if shift.figure in CONTENTS else EFFECTS.get(shift.figure, "latency")
    hop = dataclasses.replace(filled(hop, shift), modality="api_responses", effect=effect, why=f"most: {shift.subject}")
    labels = answers(cut.view)
    if labels is None:
        return hop
    rows = labels.table.all
    rows = rows.where((rows["time_unix_nano"] >= cut.before.start_ns) & (rows["time_unix_nano"] < cut.after.end_ns))
    if hop.callee is not None:
        rows = rows.named("service_name", hop.callee)
    through = rows.where(labels.reaches[rows.at] == 1)
    rows = through if len(through) >= MIN_ROWS else rows
    kinds = [OUTCOMES.index(kind) for kind in BAD[effect]]
    bad = np.isin(labels.outcomes[rows.at], kinds)
    hop = dataclasses.replace(hop, weight=int(bad[rows["time_unix_nano"] >= cut.after.start_ns].sum()))
    return began(hop, onset(cut, rows, bad))


def _shown(findings: Sequence[Finding]) -> Sequence[Mapping[str, Any]]:
    """What the symptom's finding says of each figure of the target."""
    return next((found.evidence.get("shifts", ()) for found in findings if found.question == "symptom"), ())


def _asked(view: CaseView) -> list[str]:
    """The services that users ask: the entry, most often."""
    if "api_responses" not in view.frames:
        return [view.system.entry]
    return sorted(filter(None, view.frames["api_responses"]["service_name"].unique()))


def _done(view: CaseView) -> Mapping[str, Any]:
    """What the injector returned."""
    inject = view.journal.activity(names.INJECT)
    return inject.output if inject is not None and isinstance(inject.output, Mapping) else {}
