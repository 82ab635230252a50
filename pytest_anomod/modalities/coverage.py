"""Coverage: which lines of each service ran in each window."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_anomod.modalities._sourced import SourcedCollector, sourced
from pytest_anomod.model.modality import Column
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import LineCounter, Source
from pytest_anomod.sources.collect import Maker
from pytest_anomod.sources.line_counter import LINE_FIELDS, LineCounterReader

COLUMNS = (
    Column(name="file", type="string", doc="source file, relative to the system's own sources"),
    Column(name="function", type="string", doc="innermost function by qualified name, <module> outside of all"),
    Column(name="line", type="int32", doc="line, from 1"),
    Column(name="covered", type="bool", doc="whether it ran in this window; executable lines that did not have false"),
    Column(
        name="truncated",
        type="bool",
        doc="whether the window is not exact for this service: it was killed or held, so lines may be missing, "
        "or its agent could not be asked at an edge, so lines of a neighbouring window may be among these",
    ),
    Column(name="window_start_unix_nano", type="int64", doc="edge that opens the window"),
    Column(name="window_end_unix_nano", type="int64", doc="edge that closes it"),
)

READERS: dict[type, Maker] = {LineCounter: LineCounterReader}


class Coverage:
    """The modality of code coverage."""

    name = "coverage"
    columns = COLUMNS
    has_length = False
    absence = "no service has an agent inside that counts lines"

    def collector(self, deployment: Deployment, sources: Sequence[Source]) -> SourcedCollector | None:
        """A collector for one case."""
        return sourced(self.name, LINE_FIELDS, READERS, deployment, sources)


OFFERS = (Coverage(),)
