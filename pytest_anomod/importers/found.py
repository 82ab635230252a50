"""The content of a foreign file: experiments, each with the scenarios that are made of it and remarks on its parts."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_anomod.importers.fit import fit
from pytest_anomod.importers.lines import PLACEHOLDER, Lined
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.remark import Remark, Says

if TYPE_CHECKING:
    from pytest_anomod.model.fault import Fault
    from pytest_anomod.model.system import System

F = TypeVar("F")

LABELS = ("app", "app.kubernetes.io/name", "k8s-app", "io.kompose.service", "app.kubernetes.io/component", "name")
"""Keys of labels that name a service, the surest first."""


class Refused(Exception):  # noqa: N818 - it ends the reading of an experiment, and is no error
    """An experiment that becomes no test, for the remark that was made."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One test to write: the fault, its target, the verdict that passes, the runtime that it needs, why it is skipped.

    `said` names the parameters that the file says: they are written even where they are the fault's defaults.
    """

    fault: Fault
    target: str
    said: tuple[str, ...] = ()
    expects: str = ""
    runtime: str = ""
    skip: str = ""


@dataclasses.dataclass(slots=True, kw_only=True)
class Experiment:
    """One experiment of a file, at its line; `in_turn` when nothing else is in while it is."""

    title: str
    name: str
    line: int
    planned: list[Planned] = dataclasses.field(default_factory=list)
    remarks: list[Remark] = dataclasses.field(default_factory=list)
    in_turn: bool = False

    def __post_init__(self) -> None:
        self.title = printable(self.title)

    @property
    def says(self) -> Says:
        """Refused when no test comes of it, does when nothing is said against it."""
        if not self.planned:
            return Says.REFUSED if any(one.says is Says.REFUSED for one in self.remarks) else Says.DOES
        return Says.DOES if all(one.says is Says.DOES for one in self.remarks) else Says.PARTLY


def printable(text: str) -> str:
    """A text of a foreign file on one line, without what would steer a terminal or end a comment."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Aims:
    """Finds services for labels and names; without a system any name is taken for a service.

    `renamed` are services by what the file calls them.
    """

    system: System | None = None
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def service(self, name: str) -> str:
        """The service that is called so in a file; "" for none."""
        name = self.renamed.get(name, name)
        if self.system is None:
            return name
        return name if any(one.name == name for one in self.system.services) else ""

    def of_pod(self, pod: str) -> str:
        """The service a pod or a host belongs to, by the beginning of its name: web-7d9f-x2x4, web.default.svc."""
        host = pod.split(".")[0]
        if self.system is None:
            return host
        known = [one.name for one in self.system.services if host == one.name or host.startswith(one.name + "-")]
        return self.service(host) or max(known, key=len, default="")

    def why_none(self, name: str) -> str:
        """What to say of a name that is no service's."""
        if self.system is None:
            return f"{name!r} names no service"
        near = difflib.get_close_matches(name, [one.name for one in self.system.services], n=2, cutoff=0.5)
        hint = f"is it {' or '.join(near)}? say --target {name}=SERVICE" if near else f"say --target {name}=SERVICE"
        return f"{name!r} is no service of {self.system.name!r}; {hint}"

    def engine(self, service: str) -> str:
        return self.system.service(service).engine if self.system else ""

    def calls(self, service: str) -> tuple[str, ...]:
        return self.system.service(service).calls if self.system else ()

    def callers(self, service: str) -> tuple[str, ...]:
        return self.system.callers(service) if self.system else ()


class Reading:
    """What is said and planned while one experiment is read."""

    def __init__(self, experiment: Experiment, aims: Aims) -> None:
        self.experiment = experiment
        self.aims = aims
        self.skip = ""
        self.expects = ""
        self._made: list[tuple[object, tuple[str, ...]]] = []

    def does(self, where: Lined | int, key: str, why: str) -> None:
        self._say(where, key, Says.DOES, why)

    def partly(self, where: Lined | int, key: str, why: str) -> None:
        self._say(where, key, Says.PARTLY, why)

    def refused(self, where: Lined | int, key: str, why: str) -> None:
        """Refuse a part, and go on."""
        self._say(where, key, Says.REFUSED, why)

    def refusal(self, where: Lined | int, key: str, why: str) -> Refused:
        """What to raise so that no test comes of the experiment."""
        self._say(where, key, Says.REFUSED, why)
        return Refused(why)

    def filled_in(self, where: Lined, key: str) -> str:
        """The text there; refuses the experiment when a placeholder stands for it."""
        text = where.word
        if match := PLACEHOLDER.search(text):
            raise self.refusal(
                where, key, f"{match[0]} stands for a value: fill it in first, and import what comes out"
            )
        return text

    def value(self, where: Lined, key: str, read: Any, what: str) -> Any:
        """The value that `read` finds in the text there; refuses the experiment when it finds none."""
        text = self.filled_in(where, key)
        found = read(text)
        if found is None:
            raise self.refusal(where, key, f"{text or where.value!r} is {what}")
        return found

    def make(self, where: Lined | int, kind: type[F], **parameters: Any) -> F:
        """A fault; refuses the experiment, for the fault's own reason, when it can't be had with these parameters."""
        try:
            made = kind(**parameters)
        except ScenarioError as error:
            raise self.refusal(where, ", ".join(parameters), str(error)) from None
        self._made.append((made, tuple(parameters)))
        return made

    def change(self, fault: F, **parameters: Any) -> F:
        """The same fault with other parameters; refuses the experiment as `make` does."""
        said = self._said(fault)
        kept = {field.name: getattr(fault, field.name) for field in dataclasses.fields(fault)}  # type: ignore[arg-type]
        changed = self.make(self.experiment.line, type(fault), **{**kept, **parameters})
        self._made.append((changed, (*said, *parameters)))
        return changed

    def plan(self, where: Lined | int, fault: Fault, target: str) -> None:
        """A test for this fault, unless the fault itself refuses the target, or no runtime can do it there."""
        skip, runtime = self.skip, ""
        if self.aims.system is not None:
            try:
                fault.check(self.aims.system, target)
            except ScenarioError as error:
                self.refused(where, target, str(error))
                return
            fits = fit(self.aims.system, target, fault)
            if fits.refusal:
                self.refused(where, target, fits.refusal)
                return
            runtime = fits.runtime
            if fits.missing:
                why = f"needs runtime {runtime!r}: {fits.missing.partition(';')[0]}"
                self.partly(where, f"runtime {runtime}", f"{why}; skipped until you take the mark away")
                skip = skip or f"needs runtime {runtime!r}"
        said = self._said(fault)
        planned = Planned(fault=fault, target=target, said=said, expects=self.expects, runtime=runtime, skip=skip)
        if planned not in self.experiment.planned:
            self.experiment.planned.append(planned)

    def _said(self, fault: object) -> tuple[str, ...]:
        """The parameters that the file says of a fault that was made, the last word first."""
        return next((names for made, names in reversed(self._made) if made is fault), ())

    def unread(self, root: Lined, prefix: str = "") -> None:
        """Say which keys had no effect."""
        for key, line in root.unasked(prefix):
            self.partly(line, key, "nothing here is like it: it is left out")

    def _say(self, where: Lined | int, key: str, says: Says, why: str) -> None:
        line = where if isinstance(where, int) else where.line
        remark = Remark(line=line, key=printable(key), says=says, why=printable(why))
        if remark not in self.experiment.remarks:
            self.experiment.remarks.append(remark)


def labelled(selection: Mapping[str, Lined], reading: Reading, where: Lined) -> str:
    """The service that labels select; refuses the experiment when they select none that is known."""
    named = {key: reading.filled_in(selection[key], key) for key in LABELS if key in selection}
    for value in named.values():
        if service := reading.aims.service(value):
            return service
    if not named:
        raise reading.refusal(
            where, "selector", f"selects by none of the labels {', '.join(LABELS[:3])}: which service is it?"
        )
    key, value = next(iter(named.items()))
    raise reading.refusal(selection[key], key, reading.aims.why_none(value))
