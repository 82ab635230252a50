"""Graphs for graph anomaly detection: for NumPy, for PyTorch Geometric's TUDataset, and .mat as ANEMONE and ARC read.

All are written without torch. A node is a service, an edge a call, a graph a second of a case.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._stretch import without_slot

if TYPE_CHECKING:
    import numpy as np

    from pytest_anomod.dataset.read import Dataset
    from pytest_anomod.exporters._graph_arrays import Graphs

TU_FILES = ("A", "graph_indicator", "graph_labels", "node_roots", "node_attributes", "edge_attributes")
SUMMED = "figures a second of each service and call; single spans, lines and samples are not kept"
NO_AFFECTED = "the label does not say which services were affected (y_affected is -1)"


class Graph:
    """Graphs a second: <case>.npz, <case>.mat (Network, Attributes, Label), and <SYSTEM>/raw for PyG's TUDataset."""

    name = "graph"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write the graphs of each case, and those of a system one after the other in TUDataset's text files."""
        import numpy as np

        from pytest_anomod.exporters import _graph_arrays as arrays

        written: dict[str, Counter[str]] = {}
        for case in data:
            graphs = arrays.graphs_of(case)
            if graphs is None:
                losses.case("no window of a second in which normal or anomalous is sure")
                continue
            without_slot(case, ("traces", "logs", "metrics"), losses)
            if graphs.y_affected.min(initial=0) < 0:
                losses.note(NO_AFFECTED)
            stem = f"{case.label.system}/{case.label.scenario}-{case.case_id}"
            (out / case.label.system).mkdir(exist_ok=True)
            np.savez_compressed(out / f"{stem}.npz", **graphs.arrays())  # type: ignore[arg-type]
            _write_mat(graphs, out / f"{stem}.mat")
            _append_tu(graphs, out, case.label.system, written.setdefault(case.label.system, Counter()))
            losses.note(SUMMED)
            losses.written += 1


def _write_mat(graphs: Graphs, path: Path) -> None:
    """All windows of a case as one graph of separate parts: node w * N + n; Label is 1 for the root cause."""
    import numpy as np
    import scipy.io
    import scipy.sparse

    windows, nodes, _ = graphs.x.shape
    parts = []
    for window in range(windows):
        there = graphs.edge_attr[window, :, 0] > 0
        rows, columns = graphs.edge_index[:, there]
        parts.append(scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(nodes, nodes)))
    network = scipy.sparse.block_diag(parts, format="csc")
    attributes = scipy.sparse.csc_matrix(graphs.x.reshape(windows * nodes, -1).astype(float))
    label = graphs.y_root.reshape(-1, 1).astype(np.uint8)
    scipy.io.savemat(path, {"Network": network, "Attributes": attributes, "Label": label})


def _append_tu(graphs: Graphs, out: Path, system: str, written: Counter[str]) -> None:
    """Add to <SYSTEM>_A.txt and so on; numbers count from 1 over all graphs of the system, as the format wants.

    Root causes are in <SYSTEM>_node_roots.txt, a name that TUDataset passes over: it makes features of labels.
    """
    import numpy as np

    folder = out / "tu" / system / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    windows, nodes, _ = graphs.x.shape
    files = {name: open(folder / f"{system}_{name}.txt", "ab") for name in TU_FILES}  # noqa: SIM115 - closed below
    try:
        for window in range(windows):
            first = written["nodes"] + 1
            there = graphs.edge_attr[window, :, 0] > 0
            _rows(files["A"], graphs.edge_index[:, there].T + first, "%d")
            _rows(files["edge_attributes"], graphs.edge_attr[window, there], "%.6g")
            _rows(files["graph_indicator"], np.full((nodes, 1), written["graphs"] + 1), "%d")
            _rows(files["graph_labels"], graphs.y_window[window : window + 1, None], "%d")
            _rows(files["node_roots"], graphs.y_root[window, :, None], "%d")
            _rows(files["node_attributes"], graphs.x[window], "%.6g")
            written["nodes"] += nodes
            written["graphs"] += 1
    finally:
        for file in files.values():
            file.close()


def _rows(file: IO[bytes], values: np.ndarray, form: str) -> None:
    import numpy as np

    np.savetxt(file, values, fmt=form, delimiter=", ")


OFFERS = (Graph(),)
