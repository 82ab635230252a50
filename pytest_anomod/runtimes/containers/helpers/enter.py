"""Joins control groups, then becomes another program: `enter.py [--group FILE]... -- program argument ...`.

FILE is a cgroup.procs; one that is gone or refuses is left out, with a line on standard error.
"""

import os
import sys


def main(argv: list[str]) -> None:
    """Join, then become the program."""
    at = argv.index("--")
    for path in argv[1:at:2]:
        try:
            with open(path, "w") as file:
                file.write(str(os.getpid()))
        except OSError as error:
            sys.stderr.write(f"{path} was not joined: {error}\n")
    os.execvp(argv[at + 1], argv[at + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
