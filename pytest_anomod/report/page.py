"""Draws what the report shows of a case, from the case alone: picture, description, evidence."""

from __future__ import annotations

import base64
import dataclasses
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.shifts import say_number
from pytest_anomod.model.redact import redact_text
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import Outcome
from pytest_anomod.report import propagation, samples
from pytest_anomod.report.figures import draw_case
from pytest_anomod.report.strips import strips

if TYPE_CHECKING:
    from pytest_anomod.case import CaseResult
    from pytest_anomod.model.label import RootCause

BUDGET_BYTES = 1_500_000
"""All that the report holds of a case; a report of hundreds of cases must still open at once."""

PICTURE = "The case at a glance"
QUESTIONS = {
    "mechanism": "Was it broken?",
    "symptom": "Did the target show it?",
    "impact": "Did it matter to users?",
    "healed": "Did it heal?",
}
CALM = "calm"
VERDICT = "Verdict"
COLOURS = {Outcome.PROVEN: "#006b4e", Outcome.BROKEN: "#b34e00"}
MOST_MOVED = 3

Row = tuple[str, str]
"""A row of the description: name and plain text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """A file of the page; `kind` is a name of Allure's AttachmentType."""

    name: str
    body: bytes
    kind: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A drawn case. `description` is HTML with the picture in it, `figures` what moved most, as `top_shifts` has it.

    `rows` and `strips` are what the description says, as text.
    """

    picture: bytes
    rows: Sequence[Row]
    strips: Sequence[str]
    spread: bytes
    """How the fault spread, as SVG; b"" where there is nothing to draw."""
    description: str
    figures: Sequence[Mapping[str, Any]]
    attachments: tuple[Attachment, ...]


def draw(result: CaseResult) -> Drawn:
    """Draw a case: half a second of CPU, so call it where no window needs the core."""
    scenario = result.scenario
    # what a compound scenario is called by default says the same again, and would not fit
    title = f"{scenario.what if scenario.further else f'{scenario.name}: {scenario.what}'}, {result.verdict}"
    picture = draw_case(result.view, title)
    figures = samples.ranking(result.view)
    table, lines = rows(result, figures), strips(result.view)
    spread = propagation.draw(result.view, result.spread) if result.spread is not None else b""
    description = _html(table, picture, spread, lines)
    attachments = [Attachment(PICTURE, picture, "PNG")]  # the first: Allure 2 takes pictures out of descriptions
    attachments += [Attachment(propagation.NAME, spread, "SVG")] if spread else []
    left = BUDGET_BYTES - len(description) - len(picture) - len(spread)
    for name, text, kind in _texts(result, figures):
        body = text.encode()
        if len(body) > left:
            said = f"{name} is {len(body)} bytes, more than this report may still hold; see {result.directory.name}"
            body, kind = said.encode(), "TEXT"
        left -= len(body)
        attachments.append(Attachment(name, body, kind))
    return Drawn(
        picture=picture,
        rows=table,
        strips=lines,
        spread=spread,
        description=description,
        figures=figures,
        attachments=tuple(attachments),
    )


def title(result: CaseResult) -> str:
    """The heading of the page."""
    scenario = result.scenario
    if scenario.is_control:
        return f"{scenario.name}: nothing is broken"
    return f"{scenario.name}: {scenario.what}"


def rows(result: CaseResult, figures: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The description of a case, row by row."""
    scenario, label = result.scenario, result.label
    table: list[Row] = [(VERDICT, f"{result.verdict} (expected {scenario.expects})")]
    table += _circumstances(result)
    if result.view.absent:
        table.append(("Not there", "; ".join(f"{name}: {why}" for name, why in result.view.absent.items())))
    if not scenario.is_control:
        for cause in label.causes:
            given = ", ".join(f"{key}={value!r}" for key, value in cause.parameters.items() if value not in (None, ""))
            severity = f", severity {cause.severity}" if cause.severity else ""
            table.append(("What was broken", f"{cause.fault}({given}){severity}"))
            table.append(("Where", _where(cause, scenario.system)))
        if scenario.further:
            table.append(("When", "one after the other" if scenario.in_turn else "all at once"))
        if label.target_rps is not None:
            table.append(("Traffic there, before", f"{label.target_rps:.1f} requests a second"))
    if not scenario.is_control and result.spread is not None:
        for one, spread in zip(result.view.each, (result.spread, *result.spread.further), strict=True):
            table.append((propagation.NAME, propagation.sentence(one, spread)))
    asked = [finding for question in QUESTIONS for finding in result.findings if finding.question == question]
    said = (*QUESTIONS, CALM)
    poor = [each for each in result.findings if each.question not in said and each.outcome is not Outcome.PROVEN]
    table += [(QUESTIONS.get(each.question, each.question), f"{each.outcome}: {each.message}") for each in asked + poor]
    table.append(("What moved most", _moved(figures)))
    return [(name, redact_text(text)) for name, text in table]


def _circumstances(result: CaseResult) -> Iterator[Row]:
    """Which attempt this is, which windows took longer than declared and why, and how busy the machine was."""
    first = (*result.superseded, result)[0].label
    if first.replaces:
        yield f"Attempt {first.attempt}", f"replaces {first.replaces} of an earlier run, which was spoiled"
    for number, before in enumerate(result.superseded, start=first.attempt):
        yield f"Attempt {number + 1}", f"played again by itself: attempt {number} was {before.verdict}"
    for sentence in result.view.journal.extended:
        yield "Extended", sentence
    for finding in result.findings:
        if finding.question == CALM:
            yield "Machine", finding.message


def _where(cause: RootCause, system: str) -> str:
    where = f"{cause.root_cause_service} of {system}"
    if cause.root_cause_code_file:
        where += (
            f", {cause.root_cause_code_function} in {cause.root_cause_code_file}, lines "
            f"{cause.root_cause_code_first_line} to {cause.root_cause_code_last_line}"
        )
    return where


def _moved(figures: Sequence[Mapping[str, Any]]) -> str:
    said = [
        f"{row['subject']} {row['figure']} {say_number(row['before'])} -> {say_number(row['after'])} {row['unit']}"
        for row in figures
        if row["moved"]
    ]
    return "; ".join(each.strip() for each in said[:MOST_MOVED]) or "nothing"


def _html(table: Sequence[Row], picture: bytes, spread: bytes, lines: Sequence[str]) -> str:
    """The verdict, the picture, how the fault spread, the other rows.

    Allure 2 leaves no picture and no style: there the lines are seen, which the style hides elsewhere.
    """
    (name, verdict), *others = table
    pictures = [(PICTURE, "png", picture)] + ([(propagation.NAME, "svg+xml", spread)] if spread else [])
    sources = {name: f"data:image/{kind};base64,{base64.b64encode(data).decode()}" for name, kind, data in pictures}
    images = "".join(f"<p><img alt='{name}' style='max-width:100%' src='{data}'></p>" for name, data in sources.items())
    body = "".join(
        f"<tr><td style='vertical-align:top'><b>{html.escape(name).replace(' ', '&nbsp;')}</b>&nbsp;&nbsp;</td>"
        f"<td style='white-space:normal;color:{_colour(text)}'>{html.escape(text)}</td></tr>"
        for name, text in others
    )
    return (
        f"<p><b>{name}</b>: {html.escape(verdict)}</p>"
        f"{images}"
        f"<p style='display:none'>{'<br>'.join(map(html.escape, lines))}<br>&nbsp;</p><table>{body}</table>"
    )


def _colour(text: str) -> str:
    """What was proven and what broke in colour; the word stands there too."""
    return next((colour for outcome, colour in COLOURS.items() if text.startswith(f"{outcome}: ")), "inherit")


def _texts(result: CaseResult, figures: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    view = result.view
    middle = Phase.CONTROL if result.scenario.is_control else Phase.ANOMALY
    yield "Verdict with its numbers", redact_text(result.explain()), "TEXT"
    yield "What moved most", samples.table(figures), "CSV"
    yield "Label", samples.pretty(result.label), "JSON"
    yield "Evidence", samples.pretty({"findings": result.findings}), "JSON"
    yield "Coverage of the target: lines that changed", samples.coverage_changes(view), "TEXT"
    yield "Logs: sample of the anomaly window", samples.logs(view, middle), "TEXT"
    yield "Traces: failed, slowest and typical", samples.traces(view, middle), "TEXT"
    yield "Experiment (Chaos Toolkit)", samples.pretty(result.experiment), "JSON"
    yield "Journal (Chaos Toolkit)", samples.pretty(result.raw_journal), "JSON"
