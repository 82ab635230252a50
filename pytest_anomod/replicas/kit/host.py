"""The host of a replica: `python -m pytest_anomod.replicas.kit.host SYSTEM --dir DIR --base-port P`.

It starts the stores, warms itself up meanwhile, forks one process a service, fills the stores, writes
DIR/deployment.json when everything is healthy, and supervises. docs/replicas.md has the stack, files and figures.
Exit codes: 0 orderly end, 1 something did not come up (DIR/error.txt says what), 2 usage, 3 a port is in use.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

LIBRARIES = ("asyncpg", "coverage", "hiredis", "httptools", "orjson", "prometheus_client", "psutil")


def main(arguments: list[str] | None = None) -> int:
    """Run a deployment to its end and return the exit code."""
    options = _arguments(arguments)
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        text = f'replicas need {", ".join(missing)}: pip install "pytest-anomod[replicas]"\n'
        options.dir.mkdir(parents=True, exist_ok=True)
        (options.dir / "error.txt").write_text(text)
        sys.stderr.write(text)
        return 1
    from pytest_anomod.replicas.kit.launch import run

    return run(options)


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pytest_anomod.replicas.kit.host", description=__doc__)
    parser.add_argument("system", help="name of a package of replicas, or a dotted path; it has SYSTEM")
    parser.add_argument("--dir", type=Path, required=True, help="directory of the deployment")
    parser.add_argument("--base-port", type=int, required=True, help="first port of a free block of 100")
    parser.add_argument("--entry-port", type=int, help="port of the entry gateway, if not of the block")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--token-file", type=Path, help="file with the bearer token of control and agents")
    parser.add_argument("--no-coverage", dest="coverage", action="store_false")
    parser.add_argument("--no-telemetry", dest="telemetry", action="store_false")
    parser.add_argument("--owner-pipe", action="store_true", help="end at once when standard input ends")
    options = parser.parse_args(arguments)
    options.dir = options.dir.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
