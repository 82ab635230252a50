"""The subcommand `anomod campaign --kubernetes`: a Job that plays shares of the tests, watched from here; the index."""

from __future__ import annotations

import argparse
import functools
import os
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.host import cluster
from pytest_anomod.model.errors import AnomodError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import redact_text
from pytest_anomod.spreading.job import CAMPAIGN, HOME, Campaign, account, job, namespaces, remembered

Say = Callable[[str], None]

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


def add_to(commands: Any, say: Say) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("campaign", help="play scenarios in shares, by pods of a cluster; cases come together")
    parser.add_argument("--kubernetes", action="store_true", required=True, help="in the cluster that kubectl takes")
    parser.add_argument("-N", dest="indexes", type=int, default=2, metavar="N", help="shares (default: %(default)s)")
    parser.add_argument("--parallel", type=int, metavar="N", help="how many at a time (default: all)")
    parser.add_argument("--image", help="image of the runners: Python with pytest-anomod and the tests")
    parser.add_argument(
        "--out", help="where cases go: a URL, a PersistentVolumeClaim, or a directory of the nodes (/...)"
    )
    parser.add_argument(
        "--runtime", default="auto", metavar="NAME", help="auto is within the pod itself, kubernetes in pods of its own"
    )
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for the runners; no secrets")
    parser.add_argument("--secret", action="append", default=[], help="a Secret of the namespace, as environment")
    parser.add_argument("--cpu", default="", help="cores that a runner asks for, as 2 or 500m")
    parser.add_argument("--memory", default="", help="memory that a runner asks for, as 4Gi")
    parser.add_argument("--name", help="of the campaign (default: a new one)")
    parser.add_argument("--watch", metavar="NAME", help="go on watching a campaign")
    parser.add_argument("--delete", metavar="NAME", help="end a campaign and remove it from the cluster")
    parser.add_argument("pytest", nargs="*", help="after --: arguments of pytest, with paths as in the image")
    parser.set_defaults(run=lambda arguments: run(arguments, say))


def run(arguments: argparse.Namespace, say: Say) -> int:
    """Start a campaign, or find one, and watch it to its end; 0 when all of it was played."""
    place = cluster.place()
    here = str(place["namespace"]) or "default"
    if arguments.delete:
        if not remove(place, here, arguments.delete):
            msg = f"there is no campaign {arguments.delete} in namespace {here}"
            raise ScenarioError(msg)
        return 0
    if arguments.watch:
        return watch(place, found(place, here, arguments.watch), say)
    campaign = asked(arguments, here)
    start(place, campaign)
    say(f"campaign {campaign.name}: {campaign.indexes} indexes in namespace {here}; Ctrl-C leaves it running")
    return watch(place, campaign, say)


def asked(arguments: argparse.Namespace, namespace: str) -> Campaign:
    """What the command line asks for; ScenarioError for what can't be."""
    name = arguments.name or f"campaign-{uuid.uuid4().hex[:6]}"
    if not _NAME.fullmatch(name):
        msg = f"--name {name}: up to 40 small letters, digits and hyphens, a letter first"
        raise ScenarioError(msg)
    for option in ("image", "out"):
        if not getattr(arguments, option):
            msg = f"a campaign needs --{option}: see `anomod campaign --help`"
            raise ScenarioError(msg)
    parallel = arguments.parallel or arguments.indexes
    if arguments.indexes < 1 or not 1 <= parallel <= arguments.indexes:
        msg = f"-N {arguments.indexes} --parallel {parallel}: at least one index, and at most all at a time"
        raise ScenarioError(msg)
    if wrong := [pair for pair in arguments.env if not re.fullmatch(r"[A-Za-z_]\w*=.*", pair, re.DOTALL)]:
        msg = f"--env {wrong[0]}: write NAME=VALUE"
        raise ScenarioError(msg)
    own = arguments.runtime == "kubernetes"
    return Campaign(
        name=name,
        namespace=namespace,
        image=arguments.image,
        indexes=arguments.indexes,
        parallel=parallel,
        out=arguments.out,
        pytest=(*arguments.pytest, f"--anomod-runtime={arguments.runtime}"),
        owns_namespaces=own,
        account=name if own else "",
        env=dict(pair.split("=", 1) for pair in arguments.env),
        secrets=tuple(arguments.secret),
        cpu=arguments.cpu,
        memory=arguments.memory,
    )


def start(place: Mapping[str, Json], campaign: Campaign) -> None:
    """Make what the campaign is in the cluster; what was made goes again when something can't be.

    The Job comes first: its name is taken by nobody else then, and `--delete` finds what a killed start left. With
    namespaces of its own it waits, suspended, until they are there.
    """
    from kubernetes import client

    api = cluster.connect(place)
    jobs: Any = client.BatchV1Api(api)
    with cluster.translated("campaigns can't be listed"):
        known = jobs.list_namespaced_job(campaign.namespace, field_selector=f"metadata.name={campaign.name}").items
    if known:
        msg = f"there is a campaign {campaign.name}: --watch or --delete it, or take another --name"
        raise ScenarioError(msg)
    with cluster.translated(f"Job {campaign.name} was not made"):
        made = jobs.create_namespaced_job(campaign.namespace, job(campaign))
    if not campaign.owns_namespaces:
        return
    try:
        with cluster.translated(f"service account {campaign.account} was not made"):
            core: Any = client.CoreV1Api(api)
            core.create_namespaced_service_account(campaign.namespace, account(campaign, made.metadata.uid))
        _make_namespaces(place, campaign)
        with cluster.translated(f"Job {campaign.name} was not begun"):
            jobs.patch_namespaced_job(campaign.name, campaign.namespace, {"spec": {"suspend": False}})
    except BaseException:  # Ctrl-C too: a campaign that is half made would stay, and wait for ever
        remove(place, campaign.namespace, campaign.name)
        raise


def _make_namespaces(place: Mapping[str, Json], campaign: Campaign) -> None:
    """A namespace an index, with the Role in it and the account's binding to that."""
    from kubernetes import client

    api = cluster.connect(place)
    core: Any = client.CoreV1Api(api)
    rbac: Any = client.RbacAuthorizationV1Api(api)
    for kind, body in namespaces(campaign, _rules(place, campaign)):
        name, where = body["metadata"]["name"], body["metadata"].get("namespace", "")
        with cluster.translated(f"{kind} {name}{f' in {where}' if where else ''} was not made"):
            if kind == "Namespace":
                core.create_namespace(body)
            elif kind == "Role":
                rbac.create_namespaced_role(where, body)
            else:
                rbac.create_namespaced_role_binding(where, body)


def _rules(place: Mapping[str, Json], campaign: Campaign) -> list[Mapping[str, Any]]:
    """The rules that the tests need, of those that a Role may lack the ones that we have: others we may not give."""
    from pytest_anomod.injectors.chaos_mesh import rights as mesh
    from pytest_anomod.runtimes.kubernetes import rights

    lacking = rights.left_out(place, campaign.namespace)
    more = [rule for what, rule in rights.WHERE_ALLOWED.items() if what not in lacking]
    injects = "--anomod-injector=chaos_mesh" in "=".join(campaign.pytest)  # in one word or in two
    return [*rights.RULES, *more, *(mesh.RULES if injects else ())]


def found(place: Mapping[str, Json], namespace: str, name: str) -> Campaign:
    """A campaign that is in the cluster and was begun; AnomodError when there is none of that name."""
    from kubernetes import client

    with cluster.translated(f"campaign {name} was not found"):
        jobs: Any = client.BatchV1Api(cluster.connect(place))
        made = jobs.read_namespaced_job(name, namespace)
    if made.spec.suspend:
        msg = f"campaign {name} is suspended, as one whose start was killed: --delete it, and start it again"
        raise ScenarioError(msg)
    return remembered(made.metadata.annotations[CAMPAIGN])


def remove(place: Mapping[str, Json], namespace: str, name: str) -> bool:
    """Remove the Job with its pods and account, and the namespaces; whether there was any of it.

    Only what has the campaign's labels, whatever else has such a name: also where its Job is gone or was never made.
    """
    from kubernetes import client

    api = cluster.connect(place)
    core: Any = client.CoreV1Api(api)
    jobs: Any = client.BatchV1Api(api)
    with cluster.translated(f"campaign {name} was not removed"):
        made = jobs.list_namespaced_job(namespace, label_selector=f"{CAMPAIGN}={name}").items
        calls = [(functools.partial(jobs.delete_namespaced_job, namespace=namespace), one) for one in made]
        if not made or remembered(made[0].metadata.annotations[CAMPAIGN]).owns_namespaces:
            own = core.list_namespace(label_selector=f"{CAMPAIGN}={name},{HOME}={namespace}").items
            calls += [(core.delete_namespace, one) for one in own]
        for call, one in calls:
            this = {"preconditions": {"uid": one.metadata.uid}, "propagationPolicy": "Background"}
            try:
                call(name=one.metadata.name, body=this)
            except client.ApiException as error:
                if error.status not in (404, 409):  # it is gone, or going, or another one has its name now
                    raise
    return bool(calls)


def watch(place: Mapping[str, Json], campaign: Campaign, say: Say) -> int:
    """Watch a campaign to its end, then bring its cases together; it is removed when all of it was played."""
    from pytest_anomod.spreading.watching import Watch, table

    looking = Watch(campaign, place)
    try:
        whole = looking.until_the_end(say)
    except KeyboardInterrupt:
        name = campaign.name
        say(f"it goes on: anomod campaign --kubernetes --watch {name}, or --delete {name} to end it")
        return 130
    say(table(looking))
    _bring_together(campaign, say)
    if whole and all(share.all == 0 for share in looking.shares):
        words = " ".join(campaign.pytest)
        say(f"no index had a test to play: is there one in the image that this chooses? pytest {words}")
        say(f"--delete {campaign.name} removes what is there")
        return 1
    if whole:
        remove(place, campaign.namespace, campaign.name)
        return 0
    say(
        f"not all was played: kubectl -n {campaign.namespace} logs -l {CAMPAIGN}={campaign.name} says more; "
        f"the same command with another --name plays what is missing, --delete {campaign.name} removes what is there"
    )
    return 1


def _bring_together(campaign: Campaign, say: Say) -> None:
    """Write the index of all cases, each scenario and seed once, where they can be reached from here."""
    from pytest_anomod.dataset import doubles, layout
    from pytest_anomod.dataset.index import write_index

    place = campaign.out
    reached = campaign.is_url or (place.startswith("/") and Path(place).is_dir() and os.access(place, os.W_OK))
    try:
        if reached:
            for directory in doubles.set_aside(layout.place(place)):
                say(f"not counted, as it is there already: {directory}")
            document = write_index(place)
            say(redact_text(f"{document['cases']} cases in {place}; {len(document['incomplete'])} incomplete"))
            return
    except AnomodError as error:
        say(redact_text(f"the index was not written: {error}"))
    say(redact_text(f"write the index where the cases are reached: anomod index --unique {place}"))
