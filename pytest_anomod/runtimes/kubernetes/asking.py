"""Questions to the first process of a container of ours (helpers/inside.py), at its address."""

from __future__ import annotations

import json
import socket

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json

ANSWER_S = 5.0


def ask(address: tuple[str, int], token: str, do: str, *, timeout_s: float = ANSWER_S, **words: Json) -> Json:
    """The answer to a question; DeploymentError when there is none, or when what was asked for can't be done."""
    data = b""
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(json.dumps({"token": token, "do": do, **words}).encode() + b"\n")
            while not data.endswith(b"\n"):
                piece = connection.recv(65_536)
                if not piece:
                    break
                data += piece
        said = json.loads(data)
    except (OSError, ValueError) as error:
        msg = f"the container at {address[0]}:{address[1]} gives no answer to {do!r} ({error})"
        raise DeploymentError(msg) from None
    if "ok" not in said:
        msg = f"the container at {address[0]}:{address[1]} can't {do!r}: {said.get('error')}"
        raise DeploymentError(msg)
    return said["ok"]
