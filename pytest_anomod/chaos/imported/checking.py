"""Says what of an experiment can be played, in part, or not, and why, with lines; it only reads, nothing is run.

chaoslib's own validation imports the modules that a file names, which runs code; this does not.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.chaos.imported import reading
from pytest_anomod.chaos.imported.known import kind_of, known
from pytest_anomod.chaos.imported.reading import Document, Placed, Where
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.remark import Remark, Says

KINDS = {"process": "shell", "python": "python", "http": "http"}
"""What --anomod-allow calls the three kinds of providers."""
_TOLERANCES = ("probe", "regex", "jsonpath", "range")
_STRATEGIES = (
    "default", "before-method-only", "after-method-only", "during-method-only", "continuously", "continously", "skip",
)  # fmt: skip
_ROLLBACKS = ("default", "always", "never", "deviated")


def check(document: Document) -> list[Remark]:
    """All remarks on an experiment, in the order of its lines."""
    found = [*refusals(document), *lacks(document), *shortcomings(document), *does(document)]
    return sorted(found, key=lambda remark: remark.line)


def check_file(path: Path) -> list[Remark]:
    """The same for a file, which may be missing or not an experiment."""
    try:
        return check(reading.read(path))
    except ScenarioError as error:
        _, line, why = str(error).split(":", 2)
        return [Remark(line=int(line), key="the file", says=Says.REFUSED, why=why.strip())]


def _remark(document: Document, says: Says, why: str, where: Where) -> Remark:
    """A remark on what stands at a way; its key is the way as one would write it."""
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where).lstrip(".")
    return Remark(line=document.line_of(where), key=key or "the file", says=says, why=why)


def refusals(document: Document) -> Iterator[Remark]:
    """Why it can't be played at all; cheap, because it runs for every collected file."""
    data = document.data

    def refuse(text: str, *where: str | int) -> Remark:
        return _remark(document, Says.REFUSED, text, where)

    for key in ("title", "description"):
        if not data.get(key) or not isinstance(data[key], str):
            yield refuse(f"the experiment has no {key} (a text)", key)
    if not isinstance(data.get("method"), list):
        yield refuse("the experiment has no method: a list of activities, [] for a control", "method")
    for key, kind in (
        ("rollbacks", list),
        ("configuration", dict),
        ("secrets", dict),
        ("controls", list),
        ("tags", list),
    ):
        if key in data and not isinstance(data[key], kind):
            wanted = "a list" if kind is list else "a mapping"
            yield refuse(f"{key} is not {wanted}, but {_type(data[key])}", key)
    for number, tag in enumerate(data["tags"] if isinstance(data.get("tags"), list) else ()):
        if not isinstance(tag, str) or not tag:
            yield refuse(f"the tag {tag!r} is no text", "tags", number)
    hypothesis = data.get("steady-state-hypothesis")
    if hypothesis is not None and not (isinstance(hypothesis, dict) and hypothesis.get("title")):
        yield refuse("the steady-state-hypothesis has no title", "steady-state-hypothesis")
    yield from _refused_switches(data, refuse)
    names = _names(data)
    for where, activity in _listed(data):
        if not isinstance(activity, dict):
            yield refuse(f"an activity is not a mapping, but {_type(activity)}", *where)
    for placed in reading.activities(data):
        yield from _refused_activity(placed, names, refuse)


def _refused_switches(data: Mapping[str, Any], refuse: Any) -> Iterator[Remark]:
    """Settings that would have no effect."""
    if data.get("dry"):
        text = (
            f"dry: {data['dry']!r} has no effect in a file: chaoslib plays all activities, and only `chaos run --dry` "
            "leaves some out; take it out of the file"
        )
        yield refuse(text, "dry")
    runtime = data.get("runtime")
    for key, allowed in (("hypothesis", _STRATEGIES), ("rollbacks", _ROLLBACKS)):
        chosen = runtime.get(key) if isinstance(runtime, dict) else None
        strategy = chosen.get("strategy") if isinstance(chosen, dict) else None
        if strategy is not None and strategy not in allowed:
            yield refuse(f"{key} strategy {strategy!r} is none of {', '.join(allowed)}", "runtime", key, "strategy")
    extensions = data.get("extensions")
    if isinstance(extensions, list):
        for number, entry in enumerate(extensions):
            if not isinstance(entry, dict) or not str(entry.get("name") or "").strip():
                yield refuse("an extension has no name", "extensions", number)
    elif extensions is not None and not isinstance(extensions, dict):
        yield refuse(f"extensions is not a list, but {_type(extensions)}", "extensions")


def _refused_activity(placed: Placed, names: Collection[str], refuse: Any) -> Iterator[Remark]:
    activity, where, named = placed.activity, placed.where, f"{placed.part}: {placed.name!r}"
    if "ref" in activity:
        if activity["ref"] not in names:
            yield refuse(f"{named} refers to an activity that is neither in the method nor in the hypothesis", *where)
        if placed.part == "hypothesis" and "tolerance" not in activity:
            yield refuse(f"{named} has no tolerance", *where)
        return
    if activity.get("dry"):
        yield refuse(f"{named}: dry: {activity['dry']!r} has no effect in a file; take it out", *where, "dry")
    if activity.get("type") not in ("probe", "action"):
        yield refuse(f"{named} has type {activity.get('type')!r}, which is neither probe nor action", *where)
    if not activity.get("name") and placed.part != "configuration":
        yield refuse(f"{placed.part}: an activity has no name", *where)
    if not isinstance(activity.get("background", False), bool):
        yield refuse(f"{named}: background is not true or false", *where, "background")
    provider = activity.get("provider")
    kind = provider.get("type") if isinstance(provider, dict) else None
    if not isinstance(provider, dict) or kind not in KINDS:
        yield refuse(f"{named} has no provider of type python, process or http, but {kind!r}", *where, "provider")
        return
    for key in {"python": ("module", "func"), "process": ("path",), "http": ("url",)}[str(kind)]:
        if not provider.get(key) or not isinstance(provider[key], str):
            yield refuse(f"{named}: a {kind} provider needs {key}, a text", *where, "provider")
    if placed.part == "hypothesis":
        yield from _refused_tolerance(placed, named, refuse)


def _refused_tolerance(placed: Placed, named: str, refuse: Any) -> Iterator[Remark]:
    where = (*placed.where, "tolerance")
    if "tolerance" not in placed.activity:
        yield refuse(f"{named} has no tolerance", *placed.where)
        return
    tolerance = placed.activity["tolerance"]
    if isinstance(tolerance, float):
        text = (
            f"{named}: a tolerance of {tolerance} is no whole number, which chaoslib refuses; write "
            f"{{type: range, range: [{tolerance}, {tolerance}]}}"
        )
        yield refuse(text, *where)
    elif not isinstance(tolerance, bool | int | str | list | dict):
        yield refuse(f"{named}: the tolerance is {_type(tolerance)}", *where)
    elif isinstance(tolerance, dict):
        yield from _refused_kind(tolerance, named, where, refuse)


def _refused_kind(tolerance: Mapping[str, Any], named: str, where: Where, refuse: Any) -> Iterator[Remark]:
    kind = tolerance.get("type")
    if kind not in _TOLERANCES:
        yield refuse(f"{named}: a tolerance of type {kind!r} is none of {', '.join(_TOLERANCES)}", *where)
    elif kind == "jsonpath" and importlib.util.find_spec("jsonpath2") is None:
        text = f"{named}: a jsonpath tolerance needs a package: pip install 'chaostoolkit-lib[jsonpath]'"
        yield refuse(text, *where)
    elif kind == "regex":
        try:
            re.compile(tolerance["pattern"])
        except KeyError:
            yield refuse(f"{named}: a regex tolerance has no pattern", *where)
        except (re.error, TypeError) as error:
            yield refuse(f"{named}: the pattern {tolerance['pattern']!r} is no regular expression: {error}", *where)
    elif kind == "range":
        limits = tolerance.get("range")
        if not isinstance(limits, list) or len(limits) != 2 or not all(isinstance(one, int | float) for one in limits):
            yield refuse(f"{named}: a range tolerance needs range: [lowest, highest]", *where)
    elif kind == "probe" and not isinstance((tolerance.get("provider") or {}).get("arguments"), dict):
        yield refuse(f"{named}: the value goes into the arguments of a probe tolerance: give it arguments: {{}}",
                     *where)  # fmt: skip


def not_allowed(document: Document, allowed: Collection[str]) -> str:
    """Which kind of code the experiment needs that may not be run, and where; "" when it needs none."""
    for placed in reading.activities(document.data):
        provider = placed.activity.get("provider")
        kind = KINDS.get(str(provider.get("type"))) if isinstance(provider, dict) else None
        if kind is not None and kind not in allowed:
            return f"line {document.line_of(placed.where)}: {placed.name!r} needs {kind}"
    for where, control in reading.controls(document.data):
        if "python" not in allowed and "ref" not in control:
            return f"line {document.line_of(where)}: control {control.get('name')!r} needs python"
    return ""


def lacks(document: Document, *, variables: bool = True) -> Iterator[Remark]:
    """What is not there now on this machine: variables (unless files may set them), programs, modules."""

    def lack(text: str, where: Where) -> Remark:
        return _remark(document, Says.REFUSED, text, where)

    for where, entry in _variables(document.data) if variables else ():
        if entry.get("key") not in os.environ and ("default" not in entry or where[0] == "secrets"):
            yield lack(f"the environment variable {entry.get('key')} is not set, and there is no default", where)
    for placed in reading.activities(document.data):
        provider = placed.activity.get("provider")
        if not isinstance(provider, dict):
            continue
        if provider.get("type") == "process" and not _program(str(provider.get("path")), document.path.parent):
            yield lack(f"{placed.name!r}: there is no program {provider.get('path')!r} here", placed.where)
        module = provider.get("module")
        if provider.get("type") == "python" and isinstance(module, str) and not module_is_there(module, document.path):
            yield lack(f"{placed.name!r}: there is no Python module {module!r} here", placed.where)


def module_is_there(module: str, file: Path) -> bool:
    """Whether a module can be found, beside the file or installed; no package on the way is imported."""
    paths: list[str] | None = [str(file.absolute().parent), *sys.path]
    for part in module.split("."):
        if part in sys.builtin_module_names:
            return True
        spec = importlib.machinery.PathFinder.find_spec(part, paths)
        if spec is None:
            return module in sys.modules or module == "os.path"
        paths = list(spec.submodule_search_locations or [])
    return True


def _program(path: str, folder: Path) -> bool:
    expanded = os.path.expanduser(path)
    return shutil.which(expanded) is not None or shutil.which(os.path.join(folder, expanded)) is not None


def shortcomings(document: Document) -> Iterator[Remark]:
    """What is played, but otherwise than the author may expect."""
    data = document.data

    def partly(text: str, *where: str | int) -> Remark:
        return _remark(document, Says.PARTLY, text, where)

    acts = [placed for placed in reading.activities(data) if placed.part == "method" and _is_action(placed, data)]
    if acts and not data.get("rollbacks"):
        text = "rollbacks are empty: what the method switches on is not switched off by anybody"
        yield partly(text, "rollbacks" if "rollbacks" in data else "method")
    strategy = ((data.get("runtime") or {}).get("rollbacks") or {}).get("strategy")
    if strategy not in (None, "always"):
        text = f"rollbacks strategy {strategy!r}: here rollbacks are always played, or a fault would stay in"
        yield partly(text, "runtime", "rollbacks")
    when = ((data.get("runtime") or {}).get("hypothesis") or {}).get("strategy")
    if when in ("during-method-only", "continuously", "continously"):
        yield partly("what deviates during the method alone is recorded, and fails nothing", "runtime", "hypothesis")
    for placed in reading.activities(data):
        if placed.part in ("method", "rollbacks") and "tolerance" in placed.activity:
            what = "an action" if placed.activity.get("type") == "action" else f"a probe of the {placed.part}"
            yield partly(f"{placed.name!r}: the tolerance of {what} is evaluated by nobody", *placed.where, "tolerance")
    if not _has_hypothesis(data) and data.get("method"):
        yield partly("there is no hypothesis: nothing can deviate, so the test passes whatever happens")
    yield from _odd_configuration(data, partly)
    for where, _ in reading.controls(data):
        yield partly("a control is code that chaoslib lets fail in silence; it has no standard input here", *where)


def _odd_configuration(data: Mapping[str, Any], partly: Any) -> Iterator[Remark]:
    """Values that are not what they look like."""
    configured = data.get("configuration") or {}
    for name, entry in configured.items():
        kind = entry.get("type") if isinstance(entry, dict) else None
        if kind == "probe":
            yield partly(f"${{{name}}} is what a probe answers at the start; if that fails, it is not replaced",
                         "configuration", name)  # fmt: skip
        elif kind not in (None, "env"):
            yield partly(f"${{{name}}} is the mapping itself: chaoslib knows the types env and probe, not {kind!r}",
                         "configuration", name)  # fmt: skip
    known_names = {*configured, *(name for block in (data.get("secrets") or {}).values() for name in _keys(block))}
    for where, text in _texts(data):
        for name in re.findall(r"\$\(([A-Za-z_]\w*)\)", text):
            if name in known_names:
                yield partly(f"$({name}) is not replaced: write ${{{name}}}", *where)


def does(document: Document) -> Iterator[Remark]:
    """What will be done, an activity a line."""
    for placed in reading.activities(document.data):
        provider = placed.activity.get("provider") or {}
        what = kind_of(provider) if placed.part == "method" and placed.activity.get("type") == "action" else ""
        notes = [_what_it_is(what, provider)] if what else []
        if placed.activity.get("background"):
            notes.append("in the background")
        pauses = placed.activity.get("pauses") or {}
        notes += [f"pause of {pauses[when]} s {when}" for when in ("before", "after") if pauses.get(when)]
        said = f" ({'; '.join(notes)})" if notes else ""
        text = f"{placed.part}: {placed.name!r}: {_said(provider)}{said}"
        yield _remark(document, Says.DOES, text, placed.where)
    if not document.data.get("method"):
        yield _remark(document, Says.DOES, "method: [] is a control: nothing is done", ("method",))


def _what_it_is(kind: str, provider: Mapping[str, Any]) -> str:
    if kind in ("load", "roll-out"):
        return f"{kind}: an anomaly of its own, not a fault of ours"
    fault = known(provider)
    eye = "our own probe sees it" if fault is not None and fault.look else "only the hypothesis can see it"
    return f"the fault {kind}; {eye}"


def _said(provider: Mapping[str, Any]) -> str:
    kind = provider.get("type")
    if kind == "python":
        return f"calls {provider.get('module')}.{provider.get('func')}"
    if kind == "http":
        return f"{provider.get('method', 'GET')} {provider.get('url')}"
    if kind == "process":
        through = " through a shell" if isinstance(provider.get("arguments"), str) else ""
        return f"runs {provider.get('path')}{through}"
    return "the activity it refers to"


def _is_action(placed: Placed, data: Mapping[str, Any]) -> bool:
    activity = placed.activity
    if "ref" in activity:
        return any(
            other.activity.get("name") == activity["ref"] and other.activity.get("type") == "action"
            for other in reading.activities(data)
        )
    return activity.get("type") == "action"


def _has_hypothesis(data: Mapping[str, Any]) -> bool:
    return any(placed.part == "hypothesis" for placed in reading.activities(data))


def _names(data: Mapping[str, Any]) -> set[str]:
    """What a reference may name: chaoslib looks in the method and in the hypothesis alone."""
    parts = ("method", "hypothesis")
    return {str(p.activity["name"]) for p in reading.activities(data) if p.part in parts and p.activity.get("name")}


def _listed(data: Mapping[str, Any]) -> Iterator[tuple[Where, Any]]:
    hypothesis = data.get("steady-state-hypothesis")
    probes = hypothesis.get("probes") if isinstance(hypothesis, dict) else None
    for where, listed in (
        (("steady-state-hypothesis", "probes"), probes),
        (("method",), data.get("method")),
        (("rollbacks",), data.get("rollbacks")),
    ):
        for number, activity in enumerate(listed if isinstance(listed, list) else ()):
            yield (*where, number), activity


def _variables(data: Mapping[str, Any]) -> Iterator[tuple[Where, dict[str, Any]]]:
    """Entries of configuration and secrets that come from the environment."""
    todo: list[tuple[Where, Any]] = [((part,), data.get(part)) for part in ("configuration", "secrets")]
    while todo:
        where, value = todo.pop(0)
        if isinstance(value, dict) and value.get("type") == "env":
            yield where, value
        elif isinstance(value, dict) and value.get("type") != "probe":
            todo.extend(((*where, name), item) for name, item in value.items())


def _texts(value: Any, where: Where = ()) -> Iterator[tuple[Where, str]]:
    if isinstance(value, str):
        yield where, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from _texts(item, (*where, key))


def _keys(block: Any) -> list[str]:
    return list(block) if isinstance(block, dict) else []


def _type(value: Any) -> str:
    names = {type(None): "empty", dict: "a mapping", list: "a list", str: "a text", float: "a number", int: "a number"}
    return names.get(type(value), type(value).__name__)
