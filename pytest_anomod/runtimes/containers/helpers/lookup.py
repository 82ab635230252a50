"""Asks the resolver of the network namespace that it runs in, and prints the names that it knows, one a line.

`lookup.py SERVER SECONDS NAME ...`: one question over UDP for each name, all at once; asked again twice meanwhile.
"""

import select
import socket
import struct
import sys
import time

TRIES = 3
_A, _IN, _RECURSION = 1, 1, 0x0100


def question(number: int, name: str) -> bytes:
    """A request for the IPv4 address of a name."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!6H", number, _RECURSION, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, _A, _IN)


def knows(answer: bytes) -> bool:
    """Whether an answer has no error and an address in it."""
    _, flags, _, answers, _, _ = struct.unpack("!6H", answer[:12])
    return not flags & 0xF and answers > 0


def ask(server: str, seconds: float, names: list[str]) -> list[str]:
    """Those of the names that the server knows."""
    waiting, known = {}, []
    for number, name in enumerate(names, 1):
        plug = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        plug.connect((server, 53))
        waiting[plug] = number, name
    for _ in range(TRIES):
        for plug, (number, name) in list(waiting.items()):
            try:
                plug.send(question(number, name))
            except OSError:
                del waiting[plug]  # refused on the way: it does not resolve
        until = time.monotonic() + seconds / TRIES
        while waiting and (left := until - time.monotonic()) > 0:
            for plug in select.select(list(waiting), [], [], left)[0]:
                _, name = waiting.pop(plug)
                try:
                    if knows(plug.recv(512)):
                        known.append(name)
                except (OSError, struct.error):
                    continue
    return known


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\n" for name in ask(sys.argv[1], float(sys.argv[2]), sys.argv[3:])))
