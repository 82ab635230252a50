"""Why a pod does not run, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WAITING = {
    "ErrImagePull": "its image can't be pulled",
    "ImagePullBackOff": "its image can't be pulled",
    "ErrImageNeverPull": "its image is not on the node",
    "InvalidImageName": "its image's name is wrong",
    "CreateContainerConfigError": "its container can't be made",
    "CreateContainerError": "its container can't be made",
    "RunContainerError": "its container can't be run",
    "CrashLoopBackOff": "it ends again and again",
}
FATAL = ("its image", "its container can't be", "evicted", "unschedulable")
"""How lines begin of what does not pass by itself within a boot."""


def why_not_running(pod: Mapping[str, Any]) -> str:
    """One line; "" for a pod of which nothing is known that is in its way."""
    status = pod["status"]
    if status.get("reason") == "Evicted":
        return f"evicted by its node: {_first(status.get('message', ''))}; the node is short of that, give it more"
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            said = _first(condition.get("message", ""))
            return f"unschedulable, so it is pending: {said}; free resources of the nodes, or run less at a time"
    for container in status.get("containerStatuses") or ():
        waiting = container["state"].get("waiting") or {}
        ended = container["state"].get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
        reason = waiting.get("reason", "")
        if reason in _WAITING:
            said = _first(waiting.get("message", ""))
            image = f" ({container.get('image')})" if "mage" in reason else ""
            return f"{_WAITING[reason]}{image}: {reason}: {said}{_how_it_ended(ended)}"
        if ended:
            return f"it ended{_how_it_ended(ended)}"
    return ""


def _how_it_ended(ended: Mapping[str, Any]) -> str:
    if not ended:
        return ""
    if ended.get("reason") == "OOMKilled":
        return ", killed by the kernel for its memory limit"
    return f", with code {ended.get('exitCode')}"


def _first(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "no reason is given"
