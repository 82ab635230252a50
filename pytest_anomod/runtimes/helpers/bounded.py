"""Starts a helper program once its undo entry is on disk, with a deadline that the kernel keeps.

    python -I -S bounded.py DEADLINE_S program argument ...

Waits for a line on stdin (end of file: whoever started it died first, so nothing happens), then becomes the program.
The alarm outlives the exec: at the deadline SIGALRM ends the program unless it handles it.
"""

import os
import signal
import sys


def main(argv: list[str]) -> None:
    """Wait for the line, set the alarm, become the program."""
    if not sys.stdin.buffer.readline():
        sys.exit(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.setitimer(signal.ITIMER_REAL, float(argv[0]))
    try:
        os.execvp(argv[1], argv[1:])
    except OSError as error:
        sys.stderr.write(f"can't start {argv[1]}: {error}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
