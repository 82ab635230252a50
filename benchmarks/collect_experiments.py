"""Prints what Chaos Toolkit experiments cost `pytest --collect-only`, and what other JSON and YAML files do.

    python benchmarks/collect_experiments.py [COUNT]

Each figure is the CPU time of the fastest of three runs of a whole pytest process, less that of a folder with one test
alone.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 3


def experiment(number: int) -> dict:
    """An experiment of usual size: four probes, three actions, two rollbacks, tags."""
    probe = {"type": "http", "url": "http://localhost:8080/health", "timeout": 3}
    action = {"type": "process", "path": "echo", "arguments": ["--namespace", "shop", "deployment/cart"]}
    return {
        "title": f"Experiment number {number}",
        "description": "What happens to users when a part of the shop is gone for a while?",
        "tags": ["shop", f"service:{number % 7}"],
        "configuration": {"host": {"type": "env", "key": "SHOP_HOST", "default": "localhost"}},
        "steady-state-hypothesis": {
            "title": "users are served",
            "probes": [{"type": "probe", "name": f"p{n}", "tolerance": 200, "provider": probe} for n in range(4)],
        },
        "method": [{"type": "action", "name": f"a{n}", "provider": action, "pauses": {"after": 5}} for n in range(3)],
        "rollbacks": [{"type": "action", "name": f"r{n}", "provider": action} for n in range(2)],
    }


def as_yaml(document: dict) -> str:
    """The document in block style."""
    import yaml

    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)


def seconds(folder: Path, *words: str) -> float:
    """CPU seconds that collection takes, the process included."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *words]
    took = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took)


def main(count: int) -> None:
    """Make the folders, and print a line for each."""
    with tempfile.TemporaryDirectory() as place:
        folders = {name: Path(place, name) for name in ("alone", "json", "yaml", "unnamed")}
        for name, folder in folders.items():
            folder.mkdir()
            (folder / "test_one.py").write_text("def test_one():\n    pass\n")
            (folder / "pytest.ini").write_text("[pytest]\n")
            for number in range(count if name != "alone" else 0):
                kind = "yaml" if name == "yaml" else "json"
                text = as_yaml(experiment(number)) if kind == "yaml" else json.dumps(experiment(number), indent=1)
                (folder / f"experiment_{number}.{kind}").write_text(text)
        alone = seconds(folders["alone"])
        print(f"one test alone: {alone:.2f} s")
        for kind in ("json", "yaml"):
            took = seconds(folders[kind], "-o", f"anomod_experiments=*.{kind}")
            print(f"{count} experiments ({kind}): {took - alone:.2f} s more")
        print(f"{count} files that nobody named (json): {seconds(folders['unnamed']) - alone:.2f} s more")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
