"""Redirects ports, hides names and asks the resolver in the network namespace of a container, as root."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from pytest_anomod.host.net_namespace import MARK, ContainerNetwork

RESOLVER = "127.0.0.11"
"""The address at which the engine answers a container's questions for names."""


class ContainerRules(ContainerNetwork):
    """Rules are found again by the tag in their comment, by any process; they end with the container at the latest."""

    def redirect(self, tag: str, port: int, to: int) -> None:
        """Redirect connections from outside to a port to another one inside; a redirect with the same tag is replaced.

        Existing connections stay as they are; those of the loopback device are never redirected, so a health check from
        inside sees the service itself.
        """
        self._replace("nat", tag, [f"-I PREROUTING -p tcp --dport {port} {_comment(tag)} -j REDIRECT --to-ports {to}"])

    def stop_redirect(self, tag: str) -> bool:
        """End the redirect; return whether there was one."""
        return self._replace("nat", tag)

    def hide_names(self, tag: str, names: Collection[str], domains: Collection[str]) -> None:
        """Refuse DNS queries for these names, alone or followed by one of the domains."""
        rules = []
        for name in names:
            for ending in ("", *domains):
                text = _on_the_wire([name, *ending.split(".")] if ending else [name])
                match = f'-d {RESOLVER} -m string --algo bm --hex-string "{text}" {_comment(tag)} -j REJECT'
                rules += [f"-I OUTPUT -p udp {match}", f"-I OUTPUT -p tcp {match} --reject-with tcp-reset"]
        self._replace("filter", tag, rules)

    def show_names(self, tag: str) -> bool:
        """Stop hiding names; return whether some were hidden."""
        return self._replace("filter", tag)

    def resolved(self, helper: Path, names: Sequence[str], timeout_s: float) -> frozenset[str]:
        """Those of the names that the container's resolver knows; `helper` is the program that asks it."""
        argv = [sys.executable, "-I", "-S", str(helper), RESOLVER, str(timeout_s), *names]
        return frozenset(self._run(argv).split())

    def reset_port(self, port: int) -> None:
        """Reset the connections that others have open to a port in there."""
        which = f"( sport = :{port} ) and not dst 127.0.0.0/8"
        self._run(["ss", "-K", "-t", "-n", "-H", "state", "established", which])

    def _replace(self, table: str, tag: str, rules: Sequence[str] = ()) -> bool:
        """Put the rules in place of those by the tag, in one step; whether there had been any.

        Rules that are put in again are never away: one name resolved meanwhile is a connection that may last for long.
        """
        ours = self._ours(table, tag)
        lines = [*(f"-D {line.removeprefix('-A ')}" for line in ours), *rules]
        if lines:
            self._run(["iptables-restore", "--noflush", "--wait", "5"], "\n".join([f"*{table}", *lines, "COMMIT", ""]))
        return bool(ours)

    def _ours(self, table: str, tag: str) -> list[str]:
        saved = self._run(["iptables-save", "-t", table]).splitlines()
        return [line for line in saved if f'--comment "{MARK} {tag}"' in line and line.startswith("-A ")]


def _comment(tag: str) -> str:
    return f'-m comment --comment "{MARK} {tag}"'


def _on_the_wire(labels: Sequence[str]) -> str:
    """A name as in a DNS query, in the form of iptables: |07|pricing|00|."""
    return "".join(f"|{len(label):02x}|{label}" for label in labels) + "|00|"
