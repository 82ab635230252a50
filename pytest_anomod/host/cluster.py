"""A Kubernetes cluster as this process reaches it: where its API server is, its clients, and its errors in one line.

The one home of the `kubernetes` client below runtimes and injectors; it is imported when it is first used.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.host.home import home
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONTEXT, NAMESPACE = "ANOMOD_KUBE_CONTEXT", "ANOMOD_KUBE_NAMESPACE"
"""Environment variables: the context to take of the kubeconfig, and a namespace that is there and ours to use."""
ANSWER_S = 15.0
"""How long the API server may take to answer, unless a call says otherwise."""
_IN_CLUSTER = "in-cluster"
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def place() -> dict[str, Json]:
    """Where the cluster of this process's environment is: kubeconfig, context and namespace, as texts.

    They are what kubectl takes: $KUBECONFIG, else ~/.kube/config, else the pod's own account. The context is named
    even if it is the current one, so that a later undo works on the same cluster. DeploymentError
    when there is none.
    """
    mine = home()
    files = os.environ.get("KUBECONFIG", "") or (str(mine / ".kube" / "config") if mine is not None else "")
    here = {"namespace": os.environ.get(NAMESPACE, "")}
    if not any(Path(file).is_file() for file in files.split(os.pathsep)):
        if os.environ.get("KUBERNETES_SERVICE_HOST") and _TOKEN.is_file():
            return {**here, "kubeconfig": _IN_CLUSTER, "context": ""}
        at = f"at {files}" if files else "(this user has no home)"
        msg = f"there is no kubeconfig {at}; set KUBECONFIG to one, as for kubectl"
        raise DeploymentError(msg)
    return {**here, "kubeconfig": files, "context": os.environ.get(CONTEXT, "") or _current(files)}


def connect(where: Mapping[str, Json]) -> ApiClient:
    """The client of a place, one for this process; DeploymentError when its kubeconfig can't be used."""
    return _connected(str(where["kubeconfig"]), str(where["context"]))


@functools.cache
def _connected(kubeconfig: str, context: str) -> ApiClient:
    return _client(kubeconfig, context)


def _client(kubeconfig: str, context: str) -> ApiClient:
    """A client whose calls end: the library's own wait for ever."""
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    settings = client.Configuration()
    try:
        if kubeconfig == _IN_CLUSTER:
            config.load_incluster_config(client_configuration=settings)
        else:
            # a token that is refreshed stays ours: nobody's file is written
            config.load_kube_config(kubeconfig, context or None, settings, persist_config=False)
    except ConfigException as error:
        msg = f"{kubeconfig} can't be used with context {context!r}: {error}; see kubectl config get-contexts"
        raise DeploymentError(msg) from error
    settings.retries = 1
    made = client.ApiClient(settings)
    asks = made.rest_client.request

    def request(*words: Any, **named: Any) -> Any:
        return asks(*words, **{**named, "_request_timeout": named.get("_request_timeout") or ANSWER_S})

    made.rest_client.request = request  # type: ignore[method-assign]
    return made


def _current(files: str) -> str:
    from kubernetes import config
    from kubernetes.config.config_exception import ConfigException

    try:
        return str(config.list_kube_config_contexts(files)[1]["name"])
    except (ConfigException, TypeError, KeyError) as error:
        msg = f"{files} names no current context ({error}); kubectl config use-context one, or set {CONTEXT}"
        raise DeploymentError(msg) from error


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """What the client raises as a DeploymentError of one line, which begins with `what` was not done."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        msg = f"{what}: {_said(error)}"
        raise DeploymentError(msg) from error
    except (HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        msg = f"{what}: the API server does not answer ({reason}); is the cluster up, and the kubeconfig its own?"
        raise DeploymentError(msg) from error


def message(error: Any) -> str:
    """What the API server said in an ApiException."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason or error.body or error)


def _said(error: Any) -> str:
    told = message(error)
    match error.status:
        case 401:
            return f"the API server does not know us ({told}): a token that has expired? Log in again"
        case 403 if "exceeded quota" in told:
            return f"{told}; raise the quota of the namespace, or take another"
        case 403:
            return f"{told}; `anomod doctor --kubernetes` prints the Role that is needed"
    return f"{told} (HTTP {error.status})"


def execute(
    where: Mapping[str, Json], namespace: str, pod: str, container: str, argv: Sequence[str], timeout_s: float
) -> tuple[int, str]:
    """Run a program in a container; its exit code and what it printed, both streams. DeploymentError when it can't."""
    from kubernetes import client, stream

    # a client of its own: the library puts another way of asking into the one that it is given
    core = client.CoreV1Api(_client(str(where["kubeconfig"]), str(where["context"])))
    with translated(f"exec {argv[0]} in pod {pod}"):
        socket = stream.stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            container=container,
            command=list(argv),
            stdin=False,
            stdout=True,
            stderr=True,
            _preload_content=False,
            _request_timeout=timeout_s,
        )
        until = clock.monotonic_s() + timeout_s
        text = ""
        while socket.is_open() and clock.monotonic_s() < until:
            socket.update(timeout=0.2)
            text += socket.read_all()
        text += socket.read_all()
        if socket.is_open():
            socket.close()
            msg = f"{argv[0]} in pod {pod} took more than {timeout_s:g} s"
            raise DeploymentError(msg)
        return int(socket.returncode or 0), text


def forward(where: Mapping[str, Json], namespace: str, pod: str, port: int) -> Any:
    """A connection to a port of a pod (the client's PortForward: `.socket(port)`, `.close()`); else DeploymentError."""
    from kubernetes import client, stream

    # a client of its own, as for `execute`
    core = client.CoreV1Api(_client(str(where["kubeconfig"]), str(where["context"])))
    with translated(f"port {port} of pod {pod}"):
        return stream.portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
