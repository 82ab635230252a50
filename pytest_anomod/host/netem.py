"""Input and output of tc and ip for losing packets of one network namespace by the kernel's netem.

netem works on packets that leave a device. Incoming packets are redirected through an extra device (ifb), the side
door: so both directions lose alike. Only TCP is affected, except ports that are to be spared: all else passes a plain
queue.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence

DEVICE = "anomod0"
_ROOT, _NETEM, _PLAIN = "a0d:", "a0e:", "a0f:"
_TCP = "match ip protocol 6 0xff"
_LOADED_WITHIN_S = 10.0
_QUEUE = 1000  # packets, netem's own default; devices of containers may say that they have a queue of none


def load() -> None:
    """Have the kernel know devices such as the side door, if they come as a module that is not loaded yet."""
    if (modprobe := shutil.which("modprobe")) is not None:
        # loaded by the kernel itself when the first is made, it would make two more in this machine's own network
        words = [modprobe, "--quiet", "ifb", "numifbs=0"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LOADED_WITHIN_S, check=False)


def side_door(mark: str) -> str:
    """Lines for `ip -batch` that make the side door; `mark` is what it is found by."""
    return f'link add name {DEVICE} type ifb\nlink set dev {DEVICE} alias "{mark}"\nlink set dev {DEVICE} up\n'


def devices(links: str) -> tuple[str, ...]:
    """Of the output of `ip -j link show`, the devices by which packets leave: neither loopback nor the side door."""
    return tuple(
        link["ifname"]
        for link in json.loads(links or "[]")
        if "LOOPBACK" not in link["flags"] and link["ifname"] != DEVICE
    )


def there(links: str, mark: str) -> bool:
    """Whether a side door with this mark is there, by the output of `ip -j link show`."""
    # where nothing is to be shown, ip may say so with empty objects or with nothing at all
    return any(link.get("ifname") == DEVICE and link.get("ifalias") == mark for link in json.loads(links or "[]"))


def losing(names: Sequence[str], share: float, spared: Sequence[int] = ()) -> str:
    """Lines for `tc -batch` that have this share (0 to 1) of the packets of these devices lost."""
    return "".join(f"{line}\n" for line in _losing(names, f"netem loss {100 * share:g}%", spared))


def _losing(names: Sequence[str], rule: str, spared: Sequence[int]) -> Iterator[str]:
    yield f"qdisc add dev {DEVICE} root handle {_NETEM} {rule}"
    for name in names:
        # two bands: netem, and a plain queue where everything goes that no filter sends elsewhere
        yield f"qdisc add dev {name} root handle {_ROOT} prio bands 2 priomap {' '.join(['1'] * 16)}"
        yield f"qdisc add dev {name} parent {_ROOT}1 handle {_NETEM} {rule}"
        yield f"qdisc add dev {name} parent {_ROOT}2 handle {_PLAIN} pfifo limit {_QUEUE}"
        yield f"qdisc add dev {name} handle ffff: ingress"
        going, coming = f"filter add dev {name} parent {_ROOT}", f"filter add dev {name} parent ffff:"
        for port, side in itertools.product(spared, ("sport", "dport")):
            yield f"{going} protocol ip prio 1 u32 {_TCP} match ip {side} {port} 0xffff flowid {_ROOT}2"
            yield f"{coming} protocol ip prio 1 u32 {_TCP} match ip {side} {port} 0xffff action pass"
        yield f"{going} protocol ip prio 2 u32 {_TCP} flowid {_ROOT}1"
        yield f"{coming} protocol ip prio 2 u32 {_TCP} action mirred egress redirect dev {DEVICE}"


def lost(queues: str) -> int:
    """Packets that netem lost, by the output of `tc -s -j qdisc show`."""
    return sum(queue["drops"] for queue in json.loads(queues) if (queue["kind"], queue["handle"]) == ("netem", _NETEM))


def removal(queues: str) -> tuple[str, ...]:
    """What to tell tc, one call each, to take away what is ours, by the output of `tc -j qdisc show`."""
    ours = {queue["dev"] for queue in json.loads(queues) if queue["handle"] == _ROOT}
    return tuple(
        f"qdisc delete dev {queue['dev']} {'root' if queue['handle'] == _ROOT else 'ingress'}"
        for queue in json.loads(queues)
        if queue["dev"] in ours and (queue["handle"] == _ROOT or queue["kind"] == "ingress")
    )
