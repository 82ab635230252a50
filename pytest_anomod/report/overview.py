"""The HTML report: one page for a run, to be read without Allure and without a network, and the files beside it.

A worker keeps what it has drawn of a case below the report's directory (`keep_case`); the controller writes the page
(`write_overview`), anew after each case, so that a run that is killed leaves what there is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_anomod.checks.judgement import EITHER, MEANING
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.redact import redact_text
from pytest_anomod.model.verdict import Finding, Outcome, Verdict
from pytest_anomod.report import page
from pytest_anomod.report.figures import HEIGHT_PX, WIDTH_PX

if TYPE_CHECKING:
    import jinja2

    from pytest_anomod.case import CaseResult

PAGE = "index.html"
CASES = "cases"
PICTURE_FILE = "picture.png"
SPREAD_FILE = "how-it-spread.svg"
SUFFIXES = {"TEXT": ".txt", "JSON": ".json", "CSV": ".csv", "SVG": ".svg"}
MARK = "pytest-anomod"
"""What the page names as its generator, by which a report of ours is known before anything in it is replaced."""

SIGNS = {"good": "✓", "bad": "✗", "known": "≈", "rerun": "↻"}
STATES = {"passed": "good", "xfailed": "known", "rerun": "rerun"}
SAYS = {"rerun": "run again"}
LONGEST_TEXT = 20_000
_CONTROLS = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f]|[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A scenario's test as the controller heard of it: `headline` is Case.properties, `kept` what keep_case gave."""

    nodeid: str
    outcome: str
    headline: Mapping[str, str]
    seconds: float
    line: str = ""
    text: str = ""
    """What a failure says in one line, and all that pytest shows of it."""
    why: str = ""
    """The reason of an expected failure."""
    kept: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A test, or a file, that failed and has no case: in which phase, and the same two texts."""

    nodeid: str
    when: str
    line: str
    text: str


@dataclasses.dataclass(slots=True)
class Run:
    """What the page is made of."""

    facts: list[page.Row] = dataclasses.field(default_factory=list)
    tested: list[Tested] = dataclasses.field(default_factory=list)
    failures: list[Failed] = dataclasses.field(default_factory=list)
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    finished: bool = False


def begin(directory: Path) -> None:
    """Make the directory ready for a new report; ScenarioError when something that is none of ours is in the way."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        before = directory / PAGE
        if before.exists():
            if f'content="{MARK}"' not in before.read_text(encoding="utf-8", errors="replace"):
                msg = f"{before} is no report of ours, and would be replaced; name another directory"
                raise ScenarioError(msg)
            shutil.rmtree(directory / CASES, ignore_errors=True)
    except OSError as error:
        msg = f"{directory} can't hold a report: {error}; name a directory that can be written"
        raise ScenarioError(msg) from None


def keep_case(directory: Path, result: CaseResult, drawn: page.Drawn) -> dict[str, Any]:
    """Write what was drawn of a case below the report's directory; return the rest as plain values, free of secrets."""
    kept: dict[str, Any] = {
        "title": clean(page.title(result)),
        "rows": [(name, clean(text)) for name, text in drawn.rows],
        "answers": _answers(result.findings),
        "strips": list(drawn.strips),
        "directory": str(result.directory),
        "superseded": [(str(one.verdict), str(one.directory)) for one in result.superseded],
        "files": [],
    }
    place = Path(CASES, _slug(result.view.case_id))
    try:
        (directory / place).mkdir(parents=True, exist_ok=True)
        for each in drawn.attachments:
            name = PICTURE_FILE if each.name == page.PICTURE else _slug(each.name.lower()) + SUFFIXES[each.kind]
            (directory / place / name).write_bytes(each.body)
            kept["files"].append((each.name, (place / name).as_posix()))
    except OSError as error:
        kept["rows"].append(("Files", f"could not be written: {error}"))
    return kept


def first_line(report: Any) -> str:
    """The message of a failure in pytest's report as one line: the exception, a line marked as such, or the first."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash is not None else report.longreprtext).splitlines()
    marked = [line[1:] for line in lines if line.startswith("E ")]
    return next((line.strip().removeprefix("Failed: ") for line in [*marked, *lines] if line.strip()), "no message")


def clean(text: str) -> str:
    """Text for the page: no secrets, no control characters, of limited length."""
    said = redact_text(_CONTROLS.sub("", text))
    half = LONGEST_TEXT // 2
    if len(said) > LONGEST_TEXT:
        said = f"{said[:half]}\n[... {len(said) - LONGEST_TEXT} characters ...]\n{said[-half:]}"
    return said


def write_overview(directory: Path, run: Run) -> None:
    """Write the page, whole or not at all; OSError when the disk refuses."""
    temporary = directory / f".{PAGE}.{os.getpid()}.tmp"
    try:
        temporary.write_text(render(directory, run), encoding="utf-8")
        temporary.replace(directory / PAGE)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def render(directory: Path, run: Run) -> str:
    """The page as HTML; failures come first."""
    cases = [_case(directory, number, tested) for number, tested in enumerate(run.tested)]
    cases.sort(key=lambda case: (case["state"] != "bad", case["system"], case["name"]))
    failures = [Failed(**{key: clean(text) for key, text in dataclasses.asdict(one).items()}) for one in run.failures]
    return _template().render(
        mark=MARK,
        headline=headline(run),
        run=run,
        failures=failures,
        skipped=[(clean(nodeid), clean(reason)) for nodeid, reason in run.skipped],
        cases=cases,
        bad=[case for case in cases if case["state"] == "bad"],
        questions=page.QUESTIONS,
        signs=SIGNS,
        size=(WIDTH_PX, HEIGHT_PX),
    )


def headline(run: Run) -> str:
    """The run in one line."""
    count = dict.fromkeys(SIGNS, 0)
    for tested in run.tested:
        count[_state(tested)] += 1
    said = [
        f"{len(run.tested)} {'case' if len(run.tested) == 1 else 'cases'}: {count['good']} as expected",
        f"{count['bad']} not as expected",
        f"{count['known']} {'expected failure' if count['known'] == 1 else 'expected failures'}",
        f"{count['rerun']} run again",
        f"{len(run.failures)} failed without a case",
    ]
    return ", ".join(each for each in said if not each.startswith("0 ") or each is said[0])


def _state(tested: Tested) -> str:
    return STATES.get(tested.outcome, "bad")


def _case(directory: Path, number: int, tested: Tested) -> dict[str, Any]:
    """What the template shows of a test."""
    told, kept = tested.headline, tested.kept or {}
    # what a worker on another machine has written is not here
    files = [(name, file) for name, file in kept.get("files", ()) if (directory / file).is_file()]
    answers = kept.get("answers", {})
    others = {question: outcome for question, outcome in answers.items() if question not in page.QUESTIONS}
    given = {name: clean(told.get(f"anomod_{name}", "")) for name in ("scenario", "system", "fault", "target", "case")}
    return {
        "anchor": f"case-{number}-{_slug(given['case'] or given['scenario'])}",
        "state": _state(tested),
        "says": SAYS.get(tested.outcome, tested.outcome),
        "nodeid": clean(tested.nodeid),
        "name": given["scenario"],
        "system": given["system"],
        "subject": f"{given['system']}: {given['fault']} in {given['target']}",
        "title": kept.get("title", given["scenario"]),
        "verdict": (verdict := told.get("anomod_verdict", "")),
        "meaning": MEANING[Verdict(verdict)] if verdict in list(Verdict) else "there is no verdict",
        "expects": told.get("anomod_expects", ""),
        "baseline": told.get("anomod_baseline", ""),
        "answers": answers,
        "others": len(others),
        "doubts": {question: outcome for question, outcome in others.items() if outcome != Outcome.PROVEN},
        "attempts": told.get("anomod_attempt", "–"),
        "waited": f"{float(told.get('anomod_waited_s') or 0):.0f} s",
        "took": f"{tested.seconds:.0f} s",
        "rows": [row for row in kept.get("rows", ()) if row[0] != page.VERDICT],
        "strips": kept.get("strips", ()),
        "picture": next((file for _, file in files if file.endswith(PICTURE_FILE)), ""),
        "spread": next((file for _, file in files if file.endswith(SPREAD_FILE)), ""),
        "files": [(name, file) for name, file in files if not file.endswith((PICTURE_FILE, SPREAD_FILE))],
        "case_id": given["case"],
        "directory": _link(directory, kept.get("directory", "")),
        "superseded": [(verdict, _link(directory, place)) for verdict, place in kept.get("superseded", ())],
        "text": clean(tested.text),
        "line": clean(tested.line),
        "why": clean(tested.why),
    }


def _answers(findings: Iterable[Finding]) -> dict[str, str]:
    """The outcome of each question, as the verdict sees it: a question may have several findings."""
    outcomes: dict[str, list[Outcome]] = {}
    for finding in findings:
        outcomes.setdefault(finding.question, []).append(finding.outcome)
    return {question: _sum(question, found) for question, found in outcomes.items()}


def _sum(question: str, found: Sequence[Outcome]) -> str:
    others = [outcome for outcome in found if outcome is not Outcome.PROVEN]
    if Outcome.BROKEN in others:
        return str(Outcome.BROKEN)
    proven = len(others) < len(found) if question in EITHER else not others
    return str(Outcome.PROVEN if proven else others[0])


def _link(directory: Path, place: str) -> str:
    """A relative address, which holds wherever both directories are copied together; "" for no place."""
    return quote(Path(os.path.relpath(place, directory)).as_posix()) if place else ""


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:80]


@functools.cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(Path(__file__).with_name("overview.html").read_text(encoding="utf-8"))
