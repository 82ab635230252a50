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
FATAL = ("its image", "its container can't be", "evicted", "taken from", "refused by", "unschedulable")
"""How lines begin of what does not pass by itself within a boot."""


def why_not_running(pod: Mapping[str, Any]) -> str:
    """One line; "" for a pod of which nothing is known that is in its way."""
    status = pod["status"]
    if why := why_taken(pod):
        return why
    if status.get("phase") == "Failed" and status.get("reason"):
        return f"refused by its node: {status['reason']}: {_first(status.get('message', ''))}"
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


def why_taken(pod: Mapping[str, Any]) -> str:
    """Why the cluster took a pod away or lost it, in one line; "" for one that it did not: faults of ours never do."""
    status = pod["status"]
    if status.get("reason") == "Evicted":
        return f"evicted by its node: {_first(status.get('message', ''))}; the node is short of that, give it more"
    if status.get("reason") == "NodeLost":
        return f"taken from us with its node: {_first(status.get('message', ''))}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            return f"taken from its node: {condition.get('reason', '')}: {_first(condition.get('message', ''))}"
    return ""


def _how_it_ended(ended: Mapping[str, Any]) -> str:
    if not ended:
        return ""
    if ended.get("reason") == "OOMKilled":
        return ", killed by the kernel for its memory limit"
    return f", with code {ended.get('exitCode')}"


def _first(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "no reason is given"
